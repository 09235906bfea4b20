"""Nothing new is left out, nothing that repeats is doubled, and every sequence is one that a provider accepts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawgate.agents.request.chat_messages import Conversation, Message
from clawgate.agents.run.history import INTERRUPTED, Composed, HistoryLimit, compose
from clawgate.errors import InvalidRequest


@dataclass(frozen=True)
class Stored:
    message: Message
    status: str = "complete"


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def assistant(text: str = "", *calls: str) -> Message:
    made = [{"id": call, "type": "function", "function": {"name": "f", "arguments": "{}"}} for call in calls]
    return {"role": "assistant", "content": text} | ({"tool_calls": made} if made else {})


def tool(call: str, text: str = "r") -> Message:
    return {"role": "tool", "tool_call_id": call, "content": text}


def missing(call: str) -> Message:
    return tool(call, INTERRUPTED)


def conversation(*turns: Message, system: str = "") -> Conversation:
    return Conversation(system, turns, tuple(f"messages[{number}]" for number in range(len(turns))))


def composed(stored: list[Message], *turns: Message, interrupted: bool = False, **more: Any) -> Composed:
    past = [Stored(message) for message in stored]
    if interrupted:
        past[-1] = Stored(past[-1].message, "interrupted")
    return compose(past, conversation(*turns), system="", **more)


U1, A1, U2, A2, U3 = user("one"), assistant("first"), user("two"), assistant("second"), user("three")


@pytest.mark.parametrize(
    ("system", "runtime", "caller", "prompt"),
    [
        ("agent", "run", "caller", "agent\n\nrun\n\ncaller"),
        ("agent", "", "caller", "agent\n\ncaller"),
        ("", "", "caller", "caller"),
        (" agent\n", "", "", "agent"),
    ],
)
def test_the_agents_own_prompt_comes_before_the_callers(
    system: str, runtime: str, caller: str, prompt: str
) -> None:
    found = compose([], conversation(U1, system=caller), system=system, runtime=runtime)
    assert found.messages == ({"role": "system", "content": prompt}, U1)


def test_without_a_prompt_there_is_no_system_message() -> None:
    assert compose([], conversation(U1), system=" ").messages == (U1,)


def test_a_request_without_a_session_sends_its_own_turns() -> None:
    found = composed([], U1, A1, U2)
    assert found.messages == found.new == (U1, A1, U2)


@pytest.mark.parametrize(
    ("stored", "sent", "new"),
    [
        # The client sends what is new alone
        ([U1, A1], [U2], [U2]),
        ([U1, A1], [U2, U3], [U2, U3]),
        ([U1, A1, U2, A2], [U3], [U3]),
        # … even if it writes the same again
        ([U1, A1], [U1], [U1]),
        ([U1, A1, U2, A2], [U1], [U1]),
        # The client sends everything
        ([U1, A1], [U1, A1, U2], [U2]),
        ([U1, A1, U2, A2], [U1, A1, U2, A2, U3], [U3]),
        ([U1, A1], [U1, A1, U2, A2, U3], [U2, A2, U3]),
        ([U1, A1], [U1, assistant(" first\n"), U2], [U2]),
        # … but for the calls of the agent's own tools, and the texts around them as one
        ([U1, assistant("A", "c1"), tool("c1"), assistant("B")], [U1, assistant("A\n\nB"), U2], [U2]),
        ([U1, assistant("", "c1", "c2"), tool("c1"), tool("c2"), assistant("B")], [U1, assistant("B"), U2], [U2]),
        # It sends its last messages alone, or a window
        ([U1, A1, U2, A2], [U1, U2], [U1, U2]),
        ([U1, A1, U2, A2], [U2, A2, U3], [U3]),
        ([U1, A1, U2, A2], [A2, U3], [U3]),
        ([U1, A1, U1, A1, U1, A1], [U1, A1, U1, A1, U1], [U1]),
        # A run that failed is tried again
        ([U1], [U1], []),
        ([U1, A1, U2], [U1, A1, U2], []),
        ([U1], [U1, assistant("error"), U2], [assistant("error"), U2]),
        # Results of the client's own tools
        ([U1, assistant("", "c1")], [U1, assistant("", "c1"), tool("c1")], [tool("c1")]),
        ([U1, assistant("x", "c1", "c2")], [U1, assistant("x", "c1", "c2"), tool("c1"), tool("c2")],
         [tool("c1"), tool("c2")]),
        ([U1, assistant("", "c1")], [tool("c1")], [tool("c1")]),
        ([U1, assistant("", "c1")], [tool("c1"), U2], [tool("c1"), U2]),
        ([U1, A1], [U2, assistant("", "c1"), tool("c1")], [assistant("", "c1"), tool("c1")]),
        # Responses alone
        ([], [A1], [A1]),
        ([U1, A1], [A2], [A2]),
        ([U1, A1], [U1, A1], []),
    ],
)  # fmt: skip
def test_what_is_new_is_found(stored: list[Message], sent: list[Message], new: list[Message]) -> None:
    found = composed(stored, *sent)
    assert list(found.new) == new
    assert [one for one in found.messages if one.get("content") != INTERRUPTED] == stored + new


TOOLS = [assistant("A", "c1"), tool("c1"), assistant("B")]


@pytest.mark.parametrize(
    ("stored", "sent", "kept", "new"),
    [
        # The response is wanted anew
        ([U1, A1, U2, A2], [U1, A1, U2], 3, []),
        ([U1, A1, U2, *TOOLS], [U1, A1, U2], 3, []),
        ([U1, A1, U2, A2, U3], [U1, A1, U2], 3, []),
        ([U1, A1, U2, assistant("", "c1")], [U1, A1, U2], 3, []),
        # … a message of the user was changed
        ([U1, A1, U2, A2], [U1, A1, U3], 2, [U3]),
        ([U1, *TOOLS, U2, A2], [U1, assistant("A B"), U3], 4, [U3]),
        ([U1, A1, U2, A2], [U3, A1, U2, A2, U1], 0, [U3, A1, U2, A2, U1]),
        # … or a response, and went on with
        ([U1, A1], [U1, assistant("other"), U2], 1, [assistant("other"), U2]),
        ([U1, A1], [U1, assistant("other")], 1, [assistant("other")]),
        ([U1, *TOOLS], [U1, assistant("A"), U2], 3, [U2]),
        ([U1, assistant("A", "c1"), tool("c1"), A1], [U1, assistant("A", "c1"), tool("c1")], 3, []),
        # … or deleted: the last pair, one in the middle, a response alone
        ([U1, A1, U2, A2, U3, assistant("3")], [U1, A1, U2, A2, user("4")], 4, [user("4")]),
        ([U1, A1, U2, A2, U3, assistant("3")], [U1, A1, U3, assistant("3"), user("4")], 2,
         [U3, assistant("3"), user("4")]),
        ([U1, A1, U2, A2], [U1, A1, U2, U3], 3, [U3]),
        ([U1, A1, U2, A2], [U1, A1], 2, []),
        # … in a window
        ([U1, A1, U2, A2, U3, assistant("3")], [U2, A2, U3], 5, []),
        ([U1, A1, U2, A2, U3, assistant("3")], [U2, A2, user("4")], 4, [user("4")]),
        ([U1, A1, U2, A2], [user("two, without its files"), A2, U3], 2, [user("two, without its files"), A2, U3]),
        # Another conversation
        ([U1, A1, U2, A2], [user("x"), assistant("y"), U3], 0, [user("x"), assistant("y"), U3]),
    ],
)  # fmt: skip
def test_a_list_that_shows_another_past_replaces_the_stored_one(
    stored: list[Message], sent: list[Message], kept: int, new: list[Message]
) -> None:
    found = composed(stored, *sent)
    assert (found.kept, list(found.new)) == (kept, new)
    assert list(found.messages) == stored[:kept] + new
    assert composed(stored, *sent, may_replace=False).kept == len(stored)


@pytest.mark.parametrize(
    ("stored", "sent", "kept", "new"),
    [
        ([U1, A1], [U1], 1, []),
        ([U1, A1, U2, A2], [U1], 1, []),
        ([U1, A1, U1, A1], [U1], 1, []),
        ([U1, A1, U2, A2], [U3], 0, [U3]),
        ([U1, A1, U2, A2], [U2, A2, U3], 4, [U3]),
    ],
)
def test_of_a_client_that_sends_all_the_first_message_alone_is_the_conversation(
    stored: list[Message], sent: list[Message], kept: int, new: list[Message]
) -> None:
    found = composed(stored, *sent, sends_all=True)
    assert (found.kept, list(found.new)) == (kept, new)
    assert composed(stored, *sent).kept == len(stored)
    assert not composed(stored[1:], U3, sends_all=True, is_whole=False).is_placed


def test_a_session_without_its_beginning_is_found_in_a_list() -> None:
    for stored in ([A1, U2, A2], [U2, A2]):
        found = composed(stored, U1, A1, U2, A2, U3, is_whole=False)
        assert found.kept == len(stored) and found.new == (U3,) and found.is_placed
        found = composed(stored, U1, A1, U2, is_whole=False)
        assert found.kept == len(stored) - 1 and found.new == ()
    assert not composed([U2, A2], U1, A1, U3, is_whole=False).is_placed
    assert composed([U2, A2], U3, is_whole=False).is_placed


def test_an_interrupted_response_behind_which_the_client_went_on_is_none_of_another_past() -> None:
    past = [Stored(U1, "interrupted"), Stored(A1, "interrupted"), Stored(U2), Stored(A2)]
    found = compose(past, conversation(U1, assistant("fir"), U2, A2, U3), system="")
    assert found.kept == 4 and found.new == (U3,)


def test_of_stored_turns_without_their_beginning_a_conversation_repeats_no_more_than_its_end() -> None:
    """Else one that says the same again and again would be found at the wrong place."""
    found = composed([U1, A1], U1, A1, U1, A1, U2, is_whole=False)
    assert found.new == (U2,) and found.messages == (U1, A1, U2)


def test_pictures_belong_to_what_was_written() -> None:
    def shows(url: str) -> Message:
        picture = {"type": "image_url", "image_url": {"url": url}}
        return {"role": "user", "content": [{"type": "text", "text": "see"}, picture]}

    assert composed([shows("a"), A1], shows("a"), A1, U2).new == (U2,)
    assert composed([shows("a"), A1, U2, A2], shows("b"), A1, U2, A2, U3).kept == 0


@pytest.mark.parametrize("got", ["fir", "first", "first wor"])
def test_of_an_interrupted_response_the_client_may_have_got_more_or_less(got: str) -> None:
    found = composed([U1, A1], U1, assistant(got), U2, interrupted=True)
    assert found.new == (U2,) and found.messages == (U1, A1, U2)


def test_a_response_without_a_word_is_left_out() -> None:
    found = composed([U1, assistant()], U2, interrupted=True)
    assert found.messages == (U1, U2)
    assert composed([U1, assistant()], U1, interrupted=True).new == ()


def test_a_call_without_a_result_gets_one() -> None:
    assert composed([U1, assistant("", "c1", "c2"), tool("c1")], U2).messages == (
        U1, assistant("", "c1", "c2"), tool("c1"), missing("c2"), U2
    )  # fmt: skip
    assert composed([U1, assistant("", "c1", "c2")], tool("c2")).messages[2:] == (tool("c2"), missing("c1"))
    assert composed([], U1, assistant("", "c1"), U2).messages == (U1, assistant("", "c1"), missing("c1"), U2)
    assert composed([], U1, assistant("", "c1")).messages[2:] == (missing("c1"),)


@pytest.mark.parametrize(
    ("stored", "sent", "place"),
    [
        ([], [U1, tool("c1")], "messages[1]"),
        ([], [tool("c1"), U1], "messages[0]"),
        ([], [U1, assistant("", "c1"), U2, tool("c1")], "messages[3]"),
        ([], [U1, assistant("", "c1"), tool("c1"), tool("c1")], "messages[3]"),
        ([], [U1, assistant("", "c1"), tool("c2")], "messages[2]"),
        ([U1, A1], [tool("c1")], "messages[0]"),
        ([U1, assistant("", "c1"), tool("c1"), A1], [tool("c1")], "messages[0]"),
        ([U1, assistant("", "c1"), tool("c1"), A1], [U1, assistant("first"), tool("c9"), U2], "messages[2]"),
    ],
)  # fmt: skip
def test_a_result_of_no_open_call_is_refused(stored: list[Message], sent: list[Message], place: str) -> None:
    with pytest.raises(InvalidRequest, match="must name a call of the message before it") as refused:
        composed(stored, *sent)
    assert refused.value.param == f"{place}.tool_call_id"
    assert f"'{sent[int(place[9])]['tool_call_id']}' does not" in refused.value.message


LOST = {"role": "tool", "tool_call_id": "", "content": "r"}
CALLS = assistant("", "c1", "c2")


@pytest.mark.parametrize(
    ("stored", "sent", "by_order"),
    [
        ([U1, CALLS], [LOST, LOST], {"c1", "c2"}),
        ([U1, CALLS], [LOST | {"name": "f"}, LOST, U2], {"c1", "c2"}),
        ([U1, CALLS], [tool("c2"), LOST], {"c1"}),
        ([U1, CALLS, tool("c1")], [LOST], {"c2"}),
        ([U1, CALLS], [U1, CALLS, LOST, LOST], {"c1", "c2"}),
        ([], [U1, CALLS, LOST, LOST, A1, U2], {"c1", "c2"}),
    ],
)
def test_results_that_name_no_call_are_of_those_that_wait_in_order(
    stored: list[Message], sent: list[Message], by_order: set[str]
) -> None:
    found = composed(stored, *sent)
    results = [message for message in found.messages if message["role"] == "tool"]
    assert sorted(one["tool_call_id"] for one in results) == ["c1", "c2"] and found.by_order == by_order
    assert all(one.keys() == {"role", "tool_call_id", "content"} for one in results)
    assert INTERRUPTED not in [one["content"] for one in results]


@pytest.mark.parametrize(
    ("stored", "sent", "waiting"),
    [
        ([U1, CALLS], [LOST], "'c1', 'c2'"),
        ([U1, CALLS], [LOST] * 3, "'c1', 'c2'"),
        ([U1, CALLS], [LOST, LOST | {"name": "g"}], "'c1', 'c2'"),
        ([U1, CALLS], [tool("c1"), LOST, LOST], "'c2'"),
        ([U1, CALLS, tool("c1"), tool("c2"), A1], [LOST], "none"),
        ([U1, CALLS], [U2, LOST, LOST], "none"),
        ([U1, CALLS], [LOST, LOST, A1, U2], "none"),
        ([], [LOST], "none"),
    ],
)
def test_results_that_name_no_call_and_may_be_of_others_are_refused(
    stored: list[Message], sent: list[Message], waiting: str
) -> None:
    """The last of the window had its calls before what is stored now."""
    with pytest.raises(
        InvalidRequest, match=f"must name the call .*; calls without a result: {waiting}$"
    ) as caught:
        composed(stored, *sent)
    assert caught.value.param == f"messages[{sent.index(LOST) if LOST in sent else 0}].tool_call_id"


def test_results_continue_the_run_that_called() -> None:
    assert composed([U1, assistant("", "c1")], U1, assistant("", "c1"), tool("c1")).continues_call
    assert not composed([U1, A1], U2).continues_call and not composed([U1], U1).continues_call


def test_the_history_begins_with_a_message_of_the_user() -> None:
    stored = [U1, A1, U2, A2]
    for turns, messages in (
        (4, (U1, A1, U2, A2, U3)),
        (3, (U2, A2, U3)),
        (2, (U2, A2, U3)),
        (1, (U3,)),
        (0, (U3,)),
    ):
        assert composed(stored, U3, limit=HistoryLimit(turns=turns)).messages == messages


def test_the_history_is_bounded_by_its_characters() -> None:
    stored = [user("x" * 100), A1, user("y" * 10), assistant("z" * 10)]
    assert len(composed(stored, U3, limit=HistoryLimit(characters=20)).messages) == 3
    assert len(composed(stored, U3, limit=HistoryLimit(characters=125)).messages) == 5
    picture = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x" * 500}}]}
    assert composed([picture, A1], U3, limit=HistoryLimit(characters=100)).messages == (U3,)


def test_no_limit_comes_between_a_call_and_its_result() -> None:
    stored = [U1, assistant("", "c1", "c2"), tool("c1"), tool("c2"), A1, U2, assistant("x" * 100, "c3")]
    found = composed(stored, tool("c3"), limit=HistoryLimit(turns=0, characters=0))
    assert found.messages == (assistant("x" * 100, "c3"), tool("c3"))
    for turns in range(8):
        check(composed(stored, tool("c3"), limit=HistoryLimit(turns=turns)).messages)
        check(composed(stored, U3, limit=HistoryLimit(turns=turns)).messages)


def check(messages: tuple[Message, ...]) -> None:
    """A provider accepts this: a system message first or none, and each result right behind its call."""
    assert all(message["role"] != "system" for message in messages[1:])
    waiting: set[str] = set()
    for message in messages:
        if message["role"] == "tool":
            waiting.remove(message["tool_call_id"])
        else:
            assert not waiting
            waiting = {call["id"] for call in message.get("tool_calls", ())}
    assert not waiting


TEXTS = st.sampled_from(["a", "b", "a b", "ab"])
IDS = st.sampled_from(["c1", "c2", "c3"])
MESSAGES = st.lists(
    st.builds(user, TEXTS)
    | st.builds(assistant, TEXTS)
    | st.lists(IDS, unique=True, min_size=1).map(lambda calls: assistant("", *calls))
    | st.builds(tool, IDS),
    max_size=8,
)


@given(MESSAGES, MESSAGES, st.booleans(), st.integers(0, 8))
@settings(max_examples=400, deadline=None)
def test_any_sequence_is_valid_and_nothing_new_is_lost(
    stored: list[Message], sent: list[Message], interrupted: bool, turns: int
) -> None:
    try:
        found = composed(
            stored, *(sent or [U1]), interrupted=interrupted and bool(stored), limit=HistoryLimit(turns)
        )
    except InvalidRequest as refused:
        assert str(refused.param).endswith(".tool_call_id")  # noqa: PT017  # what else it raises is an error
        return
    check(found.messages)
    real = [message for message in found.messages if message.get("content") != INTERRUPTED]
    assert real[len(real) - len(found.new) :] == list(found.new)
    assert list(found.new) == (sent or [U1])[len(sent or [U1]) - len(found.new) :]


RUNS = st.lists(
    st.tuples(TEXTS, st.lists(st.tuples(TEXTS, st.integers(0, 2)), min_size=1, max_size=3)), max_size=5
)


@given(RUNS, st.booleans())
@settings(max_examples=200, deadline=None)
def test_each_turn_is_stored_once_whatever_a_client_sends(runs: list[Any], whole: bool) -> None:
    """A client sends the conversation as it saw it, or its last message; the agent calls tools that no client sees."""
    stored: list[Message] = []
    seen: list[Message] = []
    for number, (question, steps) in enumerate(runs):
        seen.append(user(question))
        found = composed(stored, *(seen if whole else seen[-1:]))
        assert found.new == (user(question),) and list(found.messages) == [*stored, user(question)]
        stored += found.new
        for step, (text, calls) in enumerate(steps):
            ids = [f"r{number}s{step}c{call}" for call in range(calls)] if step < len(steps) - 1 else []
            stored += [assistant(text, *ids), *map(tool, ids)]
        seen.append(assistant("\n\n".join(text for text, _ in steps)))
