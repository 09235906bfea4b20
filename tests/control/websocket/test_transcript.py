"""Stored turns and sessions as clients read them: no data of images, no id that shows caller or key."""

from __future__ import annotations

from typing import Any

from clawgate.control.websocket.transcript import messages_of, preview, session_row
from clawgate.state.records import SessionSummary, StoredTurn, TurnStatus

CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at":1}'}}


def turn(role: str, content: object, *, status: TurnStatus = "complete", **more: Any) -> StoredTurn:
    message = {"role": role, "content": content, **more}
    return StoredTurn(seq=3, message=message, status=status, run="r1", created_at=1.5)


def shown(*turns: StoredTurn, limit: int = 100) -> list[dict[str, Any]]:
    return messages_of(turns, limit)


def test_a_message_has_blocks_a_time_and_its_place() -> None:
    assert shown(turn("user", "hi")) == [
        {
            "role": "user",
            "content": [{"type": "text", "text": "hi"}],
            "timestamp": 1500,
            "__openclaw": {"id": "r1:3", "seq": 4, "runId": "r1"},
        }
    ]


def test_the_data_of_an_image_is_not_repeated() -> None:
    parts = [
        {"type": "text", "text": "see"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}},
    ]
    assert shown(turn("user", parts))[0]["content"] == [
        {"type": "text", "text": "see"}, {"type": "text", "text": "[image]"},
    ]  # fmt: skip


def test_a_call_of_a_tool_and_its_result_are_blocks_of_openclaw() -> None:
    call, result = shown(turn("assistant", None, tool_calls=[CALL]), turn("tool", "42", tool_call_id="c1"))
    assert call["content"] == [{"type": "toolCall", "id": "c1", "name": "look", "arguments": {"at": 1}}]
    assert (call["stopReason"], result["role"], result["toolCallId"]) == ("toolUse", "toolResult", "c1")


def test_arguments_that_are_no_object_stay_a_text() -> None:
    broken = {**CALL, "function": {"name": "look", "arguments": '{"at":'}}
    assert shown(turn("assistant", "", tool_calls=[broken]))[0]["content"][0]["arguments"] == '{"at":'


def test_what_was_cut_off_says_so() -> None:
    assert shown(turn("assistant", "half", status="interrupted"))[0]["stopReason"] == "aborted"


def test_a_long_text_is_cut_to_the_limit() -> None:
    assert shown(turn("user", "x" * 50), limit=10)[0]["content"][0]["text"] == "xxxxxxx..."


def test_a_preview_has_the_last_texts_of_people_and_agents() -> None:
    turns = [turn("user", "one"), turn("tool", "42"), turn("assistant", ""), turn("assistant", "two")]
    assert preview(turns, 5, 100) == [{"role": "user", "text": "one"}, {"role": "assistant", "text": "two"}]
    assert preview(turns, 1, 100) == [{"role": "assistant", "text": "two"}]


def row(model: str | None = None, active: tuple[str, ...] = ()) -> dict[str, Any]:
    summary = SessionSummary(
        caller="token",
        key="agent:main:main",
        agent="main",
        created_at=1.0,
        updated_at=2.0,
        turns=2,
        model=model,
    )
    return session_row(summary, "opaque", list(active), 5000)


def test_a_row_names_the_session_and_not_its_caller() -> None:
    found = row()
    assert (found["key"], found["sessionId"], found["kind"], found["isMain"]) == (
        "agent:main:main", "opaque", "direct", True,
    )  # fmt: skip
    assert "token" not in found.values() and "model" not in found


def test_a_row_shows_the_model_that_was_chosen_and_the_runs_under_way() -> None:
    found = row("up/m", ("r1",))
    assert (found["modelProvider"], found["model"], found["modelOverrideSource"]) == ("up", "m", "user")
    assert (found["status"], found["hasActiveRun"], found["activeRunIds"]) == ("running", True, ["r1"])
