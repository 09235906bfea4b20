"""What a chat client said arrives as a system prompt and turns that alternate, or is refused by its field's name."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from clawgate.errors import InvalidRequest
from clawgate.wire.openai.types import CHAT_REQUEST
from clawgate.wire.translate.openai_to_anthropic.call_ids import tool_id
from clawgate.wire.translate.openai_to_anthropic.messages import lacks_thinking, system_and_turns
from clawgate.wire.translate.openai_to_anthropic.thinking import thinking_detail


def said(*messages: dict[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    return system_and_turns(CHAT_REQUEST.decode(json.dumps({"messages": messages})).messages)


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


def test_neighbours_of_one_side_are_one_turn() -> None:
    _, turns = said(
        user("a"), user("b"), {"role": "assistant", "content": "c"}, {"role": "assistant", "content": "d"}
    )
    assert turns == [
        {"role": "user", "content": [text("a"), text("b")]},
        {"role": "assistant", "content": [text("c"), text("d")]},
    ]


def test_system_and_developer_messages_are_the_prompt_wherever_they_stand() -> None:
    system, turns = said(
        {"role": "system", "content": "1"},
        user("a"),
        {"role": "developer", "content": [text("2")]},
        user("b"),
    )
    assert system == [text("1"), text("2")]
    assert turns == [{"role": "user", "content": [text("a"), text("b")]}]


def test_tool_results_come_in_front_of_the_users_text() -> None:
    """Anthropic refuses a turn in which a result is late."""
    results = [{"role": "tool", "tool_call_id": name, "content": "r"} for name in ("1", "2")]
    _, turns = said(user("a"), {"role": "assistant", "content": "b"}, user("wait"), *results, user("on"))
    kinds = [block.get("tool_use_id", block.get("text")) for block in turns[-1]["content"]]
    assert kinds == ["1", "2", "wait", "on"]


def test_text_to_continue_does_not_end_in_white_space() -> None:
    """Anthropic refuses them; within a conversation they stay as they are."""
    begun = {"role": "assistant", "content": [text("{ "), text(' "a": \n')]}
    assert said(user("a"), begun)[1][-1]["content"] == [text("{ "), text(' "a":')]
    assert said(user("a"), begun, user("b"))[1][1]["content"] == [text("{ "), text(' "a": \n')]


def test_results_of_parallel_calls_arrive_together_with_what_follows() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://e/x.png"}}
    _, turns = said(
        {"role": "tool", "tool_call_id": "1", "content": "r", "is_error": True},
        {"role": "tool", "tool_call_id": "2", "content": [text("s"), image]},
        user("b"),
    )
    shown = {"type": "image", "source": {"type": "url", "url": "https://e/x.png"}}
    assert turns[0]["content"] == [
        {"type": "tool_result", "tool_use_id": "1", "content": [text("r")], "is_error": True},
        {"type": "tool_result", "tool_use_id": "2", "content": [text("s"), shown]},
        text("b"),
    ]


def test_marks_for_the_cache_are_kept() -> None:
    mark = {"type": "ephemeral"}
    system, turns = said(
        {"role": "system", "content": [text("1", cache_control=mark)]}, user([text("a", cache_control=mark)])
    )
    assert system == [text("1", cache_control=mark)]
    assert turns[0]["content"] == [text("a", cache_control=mark)]


def test_text_of_white_space_is_left_out() -> None:
    """Anthropic refuses it, and clients send it beside tool calls."""
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    _, turns = said(
        user("a"), {"role": "assistant", "content": " \n", "tool_calls": [call]}, user([text(""), text("b")])
    )
    assert [block["type"] for block in turns[1]["content"]] == ["tool_use"]
    assert turns[2]["content"] == [text("b")]


def test_a_refusal_is_text() -> None:
    _, turns = said(user("a"), {"role": "assistant", "refusal": "No."}, user("b"),
                    {"role": "assistant", "content": [{"type": "refusal", "refusal": "Never."}]})  # fmt: skip
    assert turns[1]["content"] == [text("No.")] and turns[3]["content"] == [text("Never.")]


def test_signed_thinking_goes_first_and_unsigned_thinking_stays_behind() -> None:
    _, turns = said(
        user("a"),
        {
            "role": "assistant",
            "content": "b",
            "reasoning_content": "c",
            "thinking_blocks": [
                {"type": "thinking", "thinking": "c", "signature": "s", "index": 0},
                {"type": "thinking", "thinking": "unsigned"},
                {"type": "redacted_thinking", "data": "d"},
            ],
        },
    )
    assert turns[1]["content"] == [
        {"type": "thinking", "thinking": "c", "signature": "s"},
        {"type": "redacted_thinking", "data": "d"},
        text("b"),
    ]


def test_a_common_misnomer_of_jpeg_is_mended() -> None:
    _, turns = said(user([{"type": "image_url", "image_url": {"url": "data:image/jpg;base64,aGk="}}]))
    assert turns[0]["content"][0]["source"]["media_type"] == "image/jpeg"


def test_files_become_documents() -> None:
    plain = base64.b64encode("naïve".encode()).decode()
    _, turns = said(
        user([
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,aGk=", "filename": "a.pdf"}},
            {"type": "file", "file": {"file_data": f"data:text/plain;base64,{plain}"}},
        ])
    )  # fmt: skip
    pdf, words = turns[0]["content"]
    assert pdf["title"] == "a.pdf"
    assert pdf["source"] == {"type": "base64", "media_type": "application/pdf", "data": "aGk="}
    assert words["source"] == {"type": "text", "media_type": "text/plain", "data": "naïve"}


THOUGHT: dict[str, object] = {"type": "thinking", "thinking": "c", "signature": "s"}


@pytest.mark.parametrize(
    ("details", "kept"),
    [
        ([{"type": "reasoning.text", "text": "c", "signature": "s", "index": 0, "format": "anthropic-claude-v1"}],
         [THOUGHT]),
        ([{"type": "reasoning.text", "text": "c", "signature": "s"}], [THOUGHT]),
        ([{"type": "reasoning.text", "text": "unsigned"}, {"type": "reasoning.summary", "summary": "x"}], []),
        (
            [{"type": "reasoning.encrypted", "data": "d", "format": "anthropic-claude-v1"}],
            [{"type": "redacted_thinking", "data": "d"}],
        ),
        ([{"type": "reasoning.encrypted", "data": "of Gemini", "format": "google-gemini-v1", "id": "1"}], []),
        ([{"type": "reasoning.encrypted", "data": "of another"}, 5, None, {"type": 1}], []),
        ("words", []),
        ({}, []),
        ([thinking_detail("1", [THOUGHT, {"type": "redacted_thinking", "data": "d"}], "")],
         [THOUGHT, {"type": "redacted_thinking", "data": "d"}]),
        ([{**thinking_detail("1", [], ""), "data": "no JSON"},
          {**thinking_detail("1", [], ""), "data": "[5, {}]"}], []),
    ],
)  # fmt: skip
def test_signed_thinking_comes_back_in_reasoning_details(details: Any, kept: list[dict[str, Any]]) -> None:
    """As OpenRouter's clients keep it, and as OpenClaw does beside a tool call."""
    _, turns = said(
        user("a"), {"role": "assistant", "content": "b", "reasoning_details": details}, user("on")
    )
    assert turns[1]["content"] == [*kept, text("b")]


def test_thinking_that_comes_back_in_two_forms_is_sent_once() -> None:
    details = [{"type": "reasoning.text", "text": "c", "signature": "s"}]
    both = {"role": "assistant", "content": "b", "reasoning_details": details, "thinking_blocks": [THOUGHT]}
    assert said(user("a"), both)[1][1]["content"] == [THOUGHT, text("b")]


CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
PNG, GIF, PDF, TIFF = b"\x89PNG\r\n\x1a\n" + b"\0" * 20, b"GIF89a\1\0", b"%PDF-1.7\n", b"II*\0\x08\0"


def url_of(label: str, data: bytes) -> str:
    return f"data:{label};base64,{base64.b64encode(data).decode()}"


def image(url: str) -> dict[str, Any]:
    return user([{"type": "image_url", "image_url": {"url": url}}])


def file(**fields: str) -> dict[str, Any]:
    return user([{"type": "file", "file": fields}])


@pytest.mark.parametrize(
    "label", ["image/jpeg", "image/jpg", "IMAGE/PNG", "application/octet-stream", "", "text/plain"]
)
@pytest.mark.parametrize(("data", "kind"), [(PNG, "image/png"), (GIF, "image/gif")])
def test_an_image_has_the_type_that_its_bytes_are(label: str, data: bytes, kind: str) -> None:
    """Anthropic rejects another one; also in the result of a tool, and in what is called a file."""
    part = {"type": "image_url", "image_url": {"url": url_of(label, data)}}
    result = {"role": "tool", "tool_call_id": "1", "content": [part]}
    _, turns = said(user([part]), file(file_data=url_of(label, data)), calling(CALL), result)
    shown, filed = turns[0]["content"]
    assert shown == filed == turns[2]["content"][0]["content"][0]
    assert shown["source"] == {
        "type": "base64",
        "media_type": kind,
        "data": base64.b64encode(data).decode(),
    }


@pytest.mark.parametrize("label", ["application/octet-stream", "", "text/plain", "image/png"])
def test_a_file_of_a_pdf_is_one_whatever_its_label(label: str) -> None:
    assert (
        said(file(file_data=url_of(label, PDF)))[1][0]["content"][0]["source"]["media_type"]
        == "application/pdf"
    )


@pytest.mark.parametrize("label", ["text/markdown", "text/csv", "application/json", "TEXT/HTML"])
def test_a_file_of_text_is_a_plain_document(label: str) -> None:
    source = said(file(file_data=url_of(label, "naïve".encode())))[1][0]["content"][0]["source"]
    assert source == {"type": "text", "media_type": "text/plain", "data": "naïve"}


def calling(*calls: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "tool_calls": list(calls), **more}


BROKEN = {**CALL, "function": {"name": "f", "arguments": "[1]"}}
FIRST = "messages[0].content[0]"


@pytest.mark.parametrize(
    ("message", "param"),
    [
        (image("ftp://e/x"), f"{FIRST}.image_url.url"),
        (image("data:image/tiff;base64,a"), f"{FIRST}.image_url.url"),
        (image(url_of("image/png", TIFF)), f"{FIRST}.image_url.url"),
        (image(url_of("image/png", PDF)), f"{FIRST}.image_url.url"),
        (image("data:;base64,aGk="), f"{FIRST}.image_url.url"),
        (user([{"type": "input_audio", "input_audio": {}}]), f"{FIRST}.type"),
        (file(file_id="file-1"), f"{FIRST}.file"),
        (file(file_data="data:text/csv;base64,a"), f"{FIRST}.file.file_data"),
        (file(file_data="data:application/zip;base64,aGk="), f"{FIRST}.file.file_data"),
        (file(file_data="data:text/plain;base64,/w=="), f"{FIRST}.file.file_data"),
        (file(file_data="data:text/plain;base64,%"), f"{FIRST}.file.file_data"),
        ({"role": "assistant", "function_call": {"name": "f"}}, "messages[0].function_call"),
        (calling({**CALL, "type": "custom"}), "messages[0].tool_calls[0]"),
        ({"role": "system", "content": "nobody asked anything"}, "messages"),
        (user("  "), "messages"),
    ],
)
def test_what_cannot_be_translated_is_rejected_by_its_name(message: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        said(message)
    assert refused.value.param == param and param in refused.value.message


RESULT = {"role": "tool", "tool_call_id": "1", "content": ""}
SIGNED = [{"type": "thinking", "thinking": "", "signature": "s"}]


@pytest.mark.parametrize(
    ("messages", "lacks"),
    [
        ([user("a")], False),
        ([user("a"), calling(CALL), RESULT], True),
        ([user("a"), calling(CALL, thinking_blocks=SIGNED), RESULT], False),
        ([user("a"), calling(CALL), RESULT, user("b")], True),
        ([user("a"), calling(CALL), RESULT, {"role": "assistant", "content": ""}, user("b")], True),
        (
            [
                user("a"),
                {"role": "assistant", "content": "hi"},
                calling(CALL, thinking_blocks=SIGNED),
                RESULT,
            ],
            True,
        ),
        ([user("a"), calling(CALL), RESULT, {"role": "assistant", "content": "done"}, user("b")], False),
        ([RESULT], True),
    ],
)
def test_a_tool_loop_without_its_thinking_is_seen(messages: list[dict[str, Any]], lacks: bool) -> None:
    """Seen by the turns that the messages become: a remark behind a result, or a blank answer, changes nothing."""
    assert lacks_thinking(said(*messages)[1]) is lacks


def test_arguments_that_are_no_object_stand_whole_in_one_so_that_the_conversation_goes_on() -> None:
    _, turns = said(user("a"), calling(CALL, BROKEN), {**RESULT, "content": None})
    assert turns[1]["content"][1]["input"] == {"_raw": "[1]"}
    assert turns[2]["content"] == [{"type": "tool_result", "tool_use_id": "1"}]


def test_an_id_of_another_server_is_mapped_in_the_call_and_its_result_alike() -> None:
    foreign = "functions.f:0"
    _, turns = said(user("a"), calling({**CALL, "id": foreign}), {**RESULT, "tool_call_id": foreign})
    (call,), (result,) = turns[1]["content"], turns[2]["content"]
    assert call["id"] == result["tool_use_id"] == tool_id(foreign)


@pytest.mark.parametrize("given", ["call_0", "", None])
def test_calls_with_the_same_id_stay_apart(given: str | None) -> None:
    """Anthropic rejects a conversation in which an id occurs twice."""
    call, result = {**CALL, "id": given}, {**RESULT, "tool_call_id": given}
    _, turns = said(
        user("a"),
        calling(call, call),
        {**result, "content": "r1"},
        {**result, "content": "r2"},
        calling(call),
        result,
    )
    calls = [block["id"] for turn in turns[1::2] for block in turn["content"]]
    results = [block["tool_use_id"] for turn in turns[2::2] for block in turn["content"]]
    assert calls == results and len(set(calls)) == 3


def test_an_id_may_be_left_out() -> None:
    call = {name: value for name, value in CALL.items() if name != "id"}
    _, turns = said(user("a"), calling(call), {"role": "tool", "content": "r"})
    assert turns[1]["content"][0]["id"] == turns[2]["content"][0]["tool_use_id"] != ""
