"""Bytes of a client that speaks its provider's dialect are changed only where something demands it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clawgate.errors import InvalidRequest, ThreadUnsupported
from clawgate.wire.translate.chat_upstream.opaque_state import OpaqueState, pack
from clawgate.wire.translate.compat import NO_COMPAT, Compat
from clawgate.wire.translate.same_dialect import CHAT, COUNT_TOKENS, MESSAGES, RESPONSES, SameDialect

BILLING = "x-anthropic-billing-header: cch=0a1b2;"
THERE, ELSEWHERE = SameDialect(NO_COMPAT, is_anthropic=True), SameDialect(NO_COMPAT, is_anthropic=False)


def body(**fields: Any) -> bytes:
    return json.dumps({"model": "m", **fields}).encode()


def test_most_requests_are_not_even_read() -> None:
    for path in (CHAT, MESSAGES, RESPONSES, b"/v1/embeddings"):
        assert not ELSEWHERE.changes(path, body(messages=[{"role": "user", "content": "x"}]))
    assert not THERE.changes(MESSAGES, body(thread={"type": "create"}, system=BILLING))
    assert not SameDialect(Compat(supports_store=False), is_anthropic=False).changes(b"/v1/embeddings", b"{}")


@pytest.mark.parametrize(
    ("system", "left"),
    [
        (BILLING, None),
        (f"{BILLING}\nYou", "You"),
        (
            [{"type": "text", "text": BILLING}, {"type": "text", "text": "You"}],
            [{"type": "text", "text": "You"}],
        ),
        ([{"type": "text", "text": BILLING}], None),
        (
            [{"type": "new"}, {"type": "text", "text": f"{BILLING}\nYou"}],
            [{"type": "new"}, {"type": "text", "text": "You"}],
        ),
    ],
)
@pytest.mark.parametrize("path", [MESSAGES, COUNT_TOKENS])
def test_another_vendor_does_not_get_the_billing_line(path: bytes, system: Any, left: Any) -> None:
    sent = body(system=system, messages=[])
    assert ELSEWHERE.changes(path, sent)
    assert json.loads(ELSEWHERE.change(path, sent)[0]).get("system") == left
    assert THERE.change(path, sent) == (sent, ())


@pytest.mark.parametrize("fields", [{"system": f"Read: {BILLING}"}, {"system": 5}, {"thread": None}, {}])
def test_a_request_without_one_stays_as_it_came(fields: dict[str, Any]) -> None:
    sent = body(messages=[{"role": "user", "content": BILLING}], **fields)
    assert ELSEWHERE.change(MESSAGES, sent) == (sent, ())


def test_a_thread_is_rejected_by_another_vendor_before_it_loses_the_conversation() -> None:
    hidden = body(messages=[]).replace(b"{", b'{"\\u0074hread":{"type":"create"},', 1)
    for sent in (body(thread={"type": "continue", "previous_message_id": "m"}), hidden):
        assert ELSEWHERE.changes(MESSAGES, sent)
        with pytest.raises(ThreadUnsupported) as rejected:
            ELSEWHERE.change(MESSAGES, sent)
        assert rejected.value.param == "thread"


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        (CHAT, {"temperature": 1, "messages": []}),
        (MESSAGES, {"temperature": 1}),
        (RESPONSES, {"temperature": 1}),
    ],
)
def test_a_compat_key_changes_what_it_demands_and_nothing_else(path: bytes, fields: dict[str, Any]) -> None:
    changes = SameDialect(Compat(supports_temperature=False), is_anthropic=True)
    changed, ignored = changes.change(path, body(of_the_client=[1.0, "é"], **fields))
    assert ignored == ("temperature",)
    del fields["temperature"]
    assert json.loads(changed) == {"model": "m", "of_the_client": [1.0, "é"], **fields}
    untouched = b'{ "model" : "m" }'
    assert changes.change(path, untouched) == (untouched, ())


def test_half_an_emoji_is_no_reason_to_reject() -> None:
    sent = b'{"model":"m","user":"\\ud83e","temperature":1}'
    changed, _ = SameDialect(Compat(supports_temperature=False), is_anthropic=True).change(CHAT, sent)
    assert json.loads(changed)["user"] == "\ufffd"


def test_what_is_no_object_is_rejected() -> None:
    with pytest.raises(InvalidRequest, match="cannot be read"):
        SameDialect(Compat(supports_store=False), is_anthropic=True).change(CHAT, b"[")


SIGNED = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
OURS = {"type": "thinking", "thinking": "hm", "signature": "__clawgate_eJw"}
UNSIGNED = {"type": "thinking", "thinking": "hm", "signature": ""}
CALL = {"type": "tool_use", "id": "x__clawgate_eJw", "name": "a", "input": {}}


@pytest.mark.parametrize("path", [MESSAGES, COUNT_TOKENS])
@pytest.mark.parametrize("colon", [b": ", b":"], ids=["wide", "tight"])
@pytest.mark.parametrize(
    ("provider", "left"),
    [(THERE, [SIGNED, CALL]), (ELSEWHERE, [SIGNED, UNSIGNED, CALL])],
    ids=["Anthropic", "another"],
)
def test_thinking_that_another_provider_left_is_left_out(
    path: bytes, colon: bytes, provider: SameDialect, left: list[Any]
) -> None:
    """Anthropic rejects a conversation with a signature that is not its own; a turn of nothing else goes with it."""
    turns = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [SIGNED, OURS, UNSIGNED, CALL]},
        {"role": "assistant", "content": [OURS]},
        {"role": "user", "content": [{"type": "text", "text": "go on"}]},
    ]
    sent = body(messages=turns).replace(b": ", colon)
    assert provider.changes(path, sent)
    found, ignored = provider.change(path, sent)
    assert json.loads(found)["messages"] == [turns[0], {"role": "assistant", "content": left}, turns[3]]
    assert ignored == ()


@pytest.mark.parametrize("content", ['"signature":"" and __clawgate_', [SIGNED, CALL]], ids=["text", "ids"])
def test_what_only_looks_like_such_thinking_stays_as_it_came(content: Any) -> None:
    sent = body(messages=[{"role": "assistant", "content": content}])
    assert THERE.change(MESSAGES, sent) == (sent, ())


@pytest.mark.parametrize("server", [THERE, ELSEWHERE])
def test_a_responses_server_gets_no_state_of_another_provider(server: SameDialect) -> None:
    """A conversation that began at a chat server continues at OpenAI, which rejects what it did not encrypt."""
    state = pack(OpaqueState("p", call={"extra_content": 1}))
    call: dict[str, Any] = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "c1", "output": "x"}
    own = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA"}
    foreign = {**own, "encrypted_content": state}
    sent = body(input=[foreign, own, {**call, "call_id": "c1" + state}, {**output, "call_id": "c1" + state}])
    assert server.changes(RESPONSES, sent)
    assert json.loads(server.change(RESPONSES, sent)[0])["input"] == [own, call, output]


def test_a_word_that_looks_like_state_changes_nothing() -> None:
    sent = body(input=[{"role": "user", "content": "__clawgate_"}, 7])
    assert THERE.change(RESPONSES, sent) == (sent, ())
