"""Ids of tool calls fit both services, are unique, and lead back to what the upstream sent with them."""

from __future__ import annotations

from random import Random
from string import ascii_letters

import pytest

from clawgate.wire.translate.chat_upstream.call_ids import LONGEST, CallIds
from clawgate.wire.translate.chat_upstream.opaque_state import MAX_IN_ID

LONG = "call_" + "a" * 64
EXTRA: dict[str, object] = {"extra_content": {"google": {"thought_signature": "SIG=="}}}


def test_a_long_id_is_shortened_always_to_the_same_one() -> None:
    short = CallIds().to_upstream(LONG)
    assert len(short) == LONGEST and short.startswith("call_aaa")
    assert CallIds().to_upstream(LONG) == short != CallIds().to_upstream(LONG + "b")
    assert CallIds().to_upstream("c" * LONGEST) == "c" * LONGEST


@pytest.mark.parametrize("client_id", ["", "call_0"])
def test_calls_of_a_message_with_one_id_have_two_at_the_upstream(client_id: str) -> None:
    ids = CallIds()
    made = []
    for _ in range(2):
        ids.begin_message()
        calls = [ids.of_call(client_id), ids.of_call("b"), ids.of_call(client_id)]
        assert len(set(calls)) == 3 and all(calls)
        assert [ids.of_result(client_id), ids.of_result(client_id), ids.of_result("b")] == [
            calls[0],
            calls[2],
            "b",
        ]
        made.append(calls[2])
    assert len(set(made)) == 2


def test_the_result_of_no_call_has_an_id_at_the_upstream() -> None:
    assert CallIds().of_result("") and CallIds().of_result("x") == "x"


@pytest.mark.parametrize("sent", [None, "", "  ", 7])
def test_an_id_that_is_missing_is_made(sent: object) -> None:
    ids = CallIds(unique="u1")
    assert [ids.to_client(sent, ""), ids.to_client(sent, "")] == ["call_u1_0", "call_u1_1"]


def test_an_id_that_is_sent_twice_is_used_once() -> None:
    ids = CallIds(unique="u1")
    assert [ids.to_client("x", "c"), ids.to_client("x", "c")] == ["x", "call_c_1"]


@pytest.mark.parametrize("sent", ["", None, " ", 5])
def test_a_message_without_an_id_gets_one_of_its_exchange(sent: object) -> None:
    assert CallIds(unique="u1").message_id(sent) == "msg_u1"
    assert CallIds(unique="u1").message_id("chatcmpl-1") == "chatcmpl-1"


def test_opaque_members_return_to_the_provider_that_made_them_alone() -> None:
    client_id = CallIds(provider="p").to_client("x", "c", call=EXTRA)
    assert CallIds.carries_state(client_id)
    state = CallIds(provider="p").state_in(client_id)
    assert state is not None and state.call == EXTRA
    assert CallIds(provider="q").state_in(client_id) is None
    assert CallIds(provider="q").to_upstream(client_id) == "x"


def test_members_that_are_too_long_for_an_id_are_left_to_a_signature() -> None:
    dice = Random(1)
    members: dict[str, object] = {"extra_content": "".join(dice.choices(ascii_letters, k=2 * MAX_IN_ID))}
    ids = CallIds(provider="p")
    assert ids.to_client("x", "c", call=members) == "x"
    state = ids.state_in(ids.signature(calls={"x": members}))
    assert state is not None and state.calls == {"x": members}
