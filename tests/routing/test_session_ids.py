"""A conversation keeps its name as it goes on, and no other one ever has it."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import msgspec
import pytest

from clawgate.routing.session_ids import SessionTracker


def turn(role: str, said: str) -> dict[str, str]:
    return {"role": role, "content": said}


HELLO, ANSWER, MORE, LAST = (
    turn("user", "hi"),
    turn("assistant", "hello"),
    turn("user", "go on"),
    turn("user", "end"),
)


def name(known: SessionTracker, *turns: Any, provider: str = "a", caller: str = "me", **more: Any) -> str:
    body = json.dumps({"messages": turns, **more}).encode()
    return known.session_id(provider, caller, msgspec.json.decode(body, type=dict[str, msgspec.Raw]))


def test_a_continued_conversation_keeps_its_session_id() -> None:
    """Also over calls of tools, where the model speaks more than once between two words of the user."""
    known = SessionTracker()
    first = name(known, HELLO)
    assert len(first) == 32 and int(first, 16) >= 0
    assert name(known, HELLO, ANSWER, MORE) == first
    assert name(known, HELLO, ANSWER, MORE, turn("assistant", ""), turn("tool", "42")) == first


def test_two_that_begin_alike_are_never_taken_for_one() -> None:
    """Whatever either of them says next: whose words these are is not known, so no name is gone on with."""
    known = SessionTracker()
    ours, theirs = name(known, HELLO), name(known, HELLO)
    assert ours != theirs
    said = [
        name(known, HELLO, ANSWER, MORE),
        name(known, HELLO, ANSWER, LAST),
        name(known, HELLO, ANSWER, MORE),
    ]
    assert len({ours, theirs, *said}) == 5


def test_what_was_gone_on_with_is_not_taken_for_a_later_one_that_begins_alike() -> None:
    known = SessionTracker()
    first = name(known, HELLO)
    assert name(known, HELLO, ANSWER, MORE) == first
    later = name(known, HELLO)
    assert name(known, HELLO, ANSWER, LAST) not in (first, later)


def test_another_callers_conversation_that_begins_alike_changes_nothing() -> None:
    known = SessionTracker()
    ours, theirs = name(known, HELLO), name(known, HELLO, caller="you")
    assert name(known, HELLO, ANSWER, MORE) == ours
    assert name(known, HELLO, ANSWER, MORE, caller="you") == theirs


@pytest.mark.parametrize(
    ("turns", "more"),
    [
        ((HELLO, ANSWER, MORE), {"system": "other"}),
        ((HELLO, ANSWER, MORE), {"user": "somebody"}),
        ((HELLO, ANSWER, MORE), {"metadata": {"user_id": "somebody"}}),
        ((HELLO, ANSWER, MORE), {"provider": "b"}),
        ((HELLO, ANSWER, MORE), {"caller": "you"}),
        ((LAST, ANSWER, MORE), {}),
        ((HELLO, MORE), {}),
        ((HELLO,), {}),
    ],
)
def test_a_request_that_does_not_continue_it_gets_another_session_id(
    turns: tuple[Any, ...], more: dict[str, Any]
) -> None:
    known = SessionTracker()
    first = name(known, HELLO)
    assert name(known, *turns, **more) != first


@pytest.mark.parametrize("body", [{}, {"messages": []}, {"messages": "no list"}, {"messages": None}])
def test_a_request_without_messages_has_no_session_id(body: dict[str, Any]) -> None:
    raw = msgspec.json.decode(json.dumps(body), type=dict[str, msgspec.Raw])
    assert SessionTracker().session_id("a", "me", raw) == ""


def of_items(known: SessionTracker, given: Any, caller: str = "me", **more: Any) -> str:
    body = json.dumps({"input": given, **more}).encode()
    return known.session_id("a", caller, msgspec.json.decode(body, type=dict[str, msgspec.Raw]))


THOUGHT: Any = {"type": "reasoning", "id": "rs_1", "summary": []}
CALL: Any = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
RESULT: Any = {"type": "function_call_output", "call_id": "c", "output": "42"}


def test_items_of_a_responses_request_are_turns() -> None:
    """What the model made in one response, reasoning and calls included, is one turn."""
    known = SessionTracker()
    first = of_items(known, [HELLO])
    assert len(first) == 32
    called = [HELLO, THOUGHT, ANSWER, CALL, RESULT]
    assert of_items(known, called) == first
    assert of_items(known, [*called, THOUGHT, turn("assistant", "42"), MORE]) == first
    assert of_items(known, [*called, turn("assistant", "43"), MORE]) != first


def test_a_text_is_the_first_turn_of_the_user() -> None:
    known = SessionTracker()
    body = {"input": msgspec.Raw(b'"hi"')}
    first = known.session_id("a", "me", body)
    items = (
        b'[{"role":"user","content":"hi"},{"role":"assistant","content":"yo"},{"role":"user","content":"?"}]'
    )
    longer = {"input": msgspec.Raw(items)}
    assert known.session_id("a", "me", longer) == first


@pytest.mark.parametrize(
    "more",
    [
        {"instructions": "other"},
        {"previous_response_id": "resp_1"},
        {"prompt_cache_key": "k"},
        {"caller": "you"},
    ],
)
def test_another_context_of_items_is_another_conversation(more: dict[str, Any]) -> None:
    """A key of a cache names none: many conversations share it."""
    known = SessionTracker()
    assert of_items(known, [HELLO], **more) != of_items(known, [HELLO], **more)
    first = of_items(known, [LAST])
    assert of_items(known, [LAST, ANSWER, MORE], **more) != first


@pytest.mark.parametrize("given", ["", [], None, 7, {}])
def test_an_input_without_items_has_no_session_id(given: Any) -> None:
    assert of_items(SessionTracker(), given) == ""


def test_marks_for_a_cache_are_no_part_of_a_conversation() -> None:
    """They move with its end, in each request of Claude Code."""

    def marked(said: str) -> Any:
        return {
            "role": "user",
            "content": [{"type": "text", "text": said, "cache_control": {"type": "ephemeral"}}],
        }

    def plain(said: str) -> Any:
        return {"role": "user", "content": [{"type": "text", "text": said}]}

    known = SessionTracker()
    first = name(known, marked("hi"))
    assert name(known, plain("hi"), ANSWER, marked("go on")) == first
    assert name(known, plain('hi, "cache_control": {}'), ANSWER, MORE) != first


def test_turns_that_cannot_be_read_begin_a_conversation() -> None:
    known = SessionTracker()
    assert name(known, 7, HELLO, 7, "x") and name(known, HELLO, {"role": 7}, MORE)


def test_only_so_many_are_remembered() -> None:
    known = SessionTracker(max_sessions=2)
    first = name(known, HELLO)
    name(known, MORE)
    name(known, LAST)
    assert name(known, HELLO, ANSWER, MORE) != first


@pytest.mark.parametrize("role", [b"\xff", b"\\ud800", b"assistant\xff"])
def test_a_role_that_is_no_text_begins_a_conversation(role: bytes) -> None:
    """And fails nobody's request: what is wrong with it is the upstream's to say."""
    known = SessionTracker()
    messages = b'[{"role":"user","content":"hi"},{"role":"%b","content":"x"}]' % role
    ids = {known.session_id("a", "me", {"messages": msgspec.Raw(messages)}) for _ in range(2)}
    assert len(ids) == 2 and "" not in ids


@pytest.mark.parametrize("member", ["messages", "input"])
@pytest.mark.parametrize("turn", [b"0,", b"{},", b'"",', b'{"role":""},', b'[{"role":""}],'])
def test_a_list_of_many_small_turns_takes_no_more_than_its_size(turn: bytes, member: str) -> None:
    """Each element could be an object of ours."""
    messages = b"[%b0]" % (turn * 200_000)
    tracemalloc.start()
    assert SessionTracker().session_id("a", "me", {member: msgspec.Raw(messages)}) != ""
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * len(messages)


def test_a_long_conversation_is_still_one() -> None:
    known = SessionTracker()
    turns = [HELLO, ANSWER] * 4000
    first = name(known, *turns, MORE)
    assert name(known, *turns, MORE, ANSWER, LAST) == first
