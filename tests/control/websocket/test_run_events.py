"""What a run reports becomes events in one sequence, and only a complete run has a final one."""

from __future__ import annotations

from clawgate.agents.run.events import Finished, Started, TextDelta, ToolEnded, ToolStarted
from clawgate.agents.run.step import Call, Usage
from clawgate.control.websocket.run_events import RunEvents
from clawgate.errors import GatewayError, RateLimitExceeded, UpstreamFailed, UpstreamTimedOut
from clawgate.relay.response.error_response import message_of

CALL = Call("call-1", "look", '{"at":1}')


def events() -> RunEvents:
    return RunEvents("r1", "agent:main:main", "main", 1000)


def test_texts_that_come_together_are_one_event_with_all_of_the_text() -> None:
    made = events()
    first = list(made.of([Started(), TextDelta("he"), TextDelta("llo")], 1001))
    second = list(made.of([TextDelta(" you")], 1002))
    assert [name for name, _ in first] == ["agent", "chat"]
    assert first[1][1]["deltaText"] == "hello"
    assert second[0][1]["data"] == {"text": "hello you", "delta": " you"}
    assert second[1][1]["message"]["content"] == [{"type": "text", "text": "hello you"}]


def test_the_events_of_a_run_have_one_sequence() -> None:
    made = events()
    reported = [made.started(), *made.of([TextDelta("a"), Finished("a", "stop", (), Usage())], 1001)]
    assert [(name, payload["seq"]) for name, payload in reported] == [
        ("agent", 1), ("agent", 2), ("chat", 2), ("agent", 3), ("chat", 3),
    ]  # fmt: skip
    assert reported[-1][1]["state"] == "final"


def test_a_text_before_a_tool_is_sent_before_it() -> None:
    made = events()
    reported = list(made.of([TextDelta("a"), ToolStarted(CALL), ToolEnded(CALL, "42", failed=True)], 1001))
    tools = [payload["data"] for name, payload in reported if payload.get("stream") == "tool"]
    assert reported[1][1]["state"] == "delta"
    assert tools == [
        {"phase": "start", "name": "look", "toolCallId": "call-1", "args": '{"at":1}'},
        {"phase": "result", "name": "look", "toolCallId": "call-1", "isError": True, "result": "42"},
    ]


def test_a_refusal_is_the_final_text_where_there_is_no_other() -> None:
    (_, (_, final)) = events().of([Finished("", "stop", (), Usage(), refusal="no")], 1001)
    assert final["message"]["content"][0]["text"] == "no"


def kind_of(error: GatewayError) -> object:
    ended, chat = events().failed(error, 1001)
    assert (ended[1]["data"]["phase"], chat[1]["state"], chat[1]["errorMessage"]) == (
        "error",
        "error",
        message_of(error),
    )
    return chat[1].get("errorKind")


def test_a_failed_run_has_the_kind_that_the_contract_has() -> None:
    assert kind_of(UpstreamTimedOut("late", limit="idle", seconds=1)) == "timeout"
    assert kind_of(UpstreamFailed("limited", status=429)) == "rate_limit"
    assert kind_of(RateLimitExceeded("limited")) == "rate_limit"
    assert kind_of(UpstreamFailed("broken", status=500)) is None


def test_an_aborted_run_keeps_what_came_and_is_never_final() -> None:
    made = events()
    list(made.of([TextDelta("half")], 1001))
    chat, ended = made.aborted(1002)
    assert (chat[1]["state"], chat[1]["stopReason"]) == ("aborted", "rpc")
    assert chat[1]["message"]["content"][0]["text"] == "half"
    assert (ended[1]["data"]["phase"], ended[1]["data"]["aborted"]) == ("end", True)
