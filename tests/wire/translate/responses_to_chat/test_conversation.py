"""A conversation reaches the upstream with every word of it, in the order that chat servers accept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgate.errors import InvalidRequest
from clawgate.wire.translate.chat_upstream.call_ids import CallIds
from clawgate.wire.translate.chat_upstream.opaque_state import OpaqueState, pack, provider_tag
from clawgate.wire.translate.responses_to_chat.conversation import NO_TEXT, ConversationTranslator
from clawgate.wire.translate.responses_to_chat.tools import ToolTable

USER: dict[str, Any] = {"role": "user", "content": "hi"}
DETAILS = [{"type": "reasoning.encrypted", "data": "c2ln"}]


def call(call_id: str = "c1", **more: Any) -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": "f", "arguments": "{}", **more}


def output(call_id: str = "c1", value: object = "ok", kind: str = "function_call_output") -> dict[str, Any]:
    return {"type": kind, "call_id": call_id, "output": value}


def translated(*items: object, instructions: str | None = None, **options: Any) -> list[dict[str, Any]]:
    translator = ConversationTranslator(tools=ToolTable(), ids=CallIds(provider="p"), **options)
    return translator.translate(instructions, json.loads(json.dumps(items)))


def rejected(*items: object) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        translated(*items)
    return caught.value


def roles(messages: list[dict[str, Any]]) -> list[str]:
    return [message["role"] for message in messages]


# Instructions


def test_instructions_and_leading_messages_are_the_one_system_message() -> None:
    made = translated(
        {"role": "developer", "content": "b"}, {"role": "system", "content": "c"}, USER, instructions="a"
    )
    assert made == [{"role": "system", "content": "a\n\nb\n\nc"}, USER]


def test_later_instructions_join_a_turn_of_the_user() -> None:
    """Templates of many models reject a system message that is not the first."""
    made = translated(USER, {"role": "developer", "content": "b"})
    assert made == [{"role": "user", "content": "hi\n\n<system-reminder>\nb\n</system-reminder>"}]
    made = translated(USER, {"role": "assistant", "content": "x"}, {"role": "system", "content": "b"}, USER)
    assert roles(made) == ["user", "assistant", "user"] and "b" in made[2]["content"][0]["text"]
    assert roles(translated(USER, call(), output(), {"role": "system", "content": "b"})) == [
        "user", "assistant", "tool", "user",
    ]  # fmt: skip


# Messages and parts


@pytest.mark.parametrize("kind", [{}, {"type": "message"}])
@pytest.mark.parametrize(
    "content", ["hi", [{"type": "input_text", "text": "hi"}], [{"type": "text", "text": "hi"}]]
)
def test_easy_and_typed_messages_are_the_same(kind: dict[str, str], content: object) -> None:
    assert translated({**kind, "role": "user", "content": content}) == [USER]


def test_images_files_and_sounds_are_parts() -> None:
    parts = [
        {"type": "input_image", "image_url": "data:image/jpeg;base64,iVBORw0KGgo=", "detail": "original"},
        {"type": "input_image", "image_url": "https://e.org/a.png", "detail": "auto"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "JVBERi0="},
        {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "mp3"}},
    ]
    assert translated({"role": "user", "content": parts})[0]["content"] == [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "high"}},
        {"type": "image_url", "image_url": {"url": "https://e.org/a.png"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}},
        {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "mp3"}},
    ]


@pytest.mark.parametrize(
    ("part", "place"),
    [
        ({"type": "input_image", "file_id": "f"}, ".file_id"),
        ({"type": "input_file", "file_id": "f"}, ".file_id"),
        ({"type": "input_file", "file_url": "https://e.org/a.pdf"}, ".file_url"),
        ({"type": "input_image"}, ""),
        ({"type": "input_text", "text": 7}, ".text"),
    ],
)
def test_a_part_that_the_upstream_cannot_get_is_rejected_by_its_path(
    part: dict[str, Any], place: str
) -> None:
    assert rejected(USER, {"role": "user", "content": [part]}).param == f"input[1].content[0]{place}"


def test_a_part_that_is_not_known_leaves_a_note() -> None:
    made = translated({"role": "user", "content": [{"type": "computer_screenshot", "image_url": "data:x"}]})
    assert made[0]["content"] == "[computer screenshot: left out, since this model cannot read it]"


def test_what_the_assistant_did_is_one_message() -> None:
    text = {"type": "output_text", "text": "b", "annotations": []}
    made = translated(
        USER,
        {"role": "assistant", "content": "a"},
        {
            "type": "message",
            "id": "m",
            "role": "assistant",
            "content": [text, {"type": "refusal", "refusal": "c"}],
        },
        call(),
        output(),
    )
    assert made[1]["content"] == "a\n\nbc" and len(made[1]["tool_calls"]) == 1
    assert roles(made) == ["user", "assistant", "tool"]


# Calls and outputs


def test_parallel_calls_are_followed_by_their_outputs_wherever_those_are() -> None:
    made = translated(USER, call("c1"), call("c2"), USER, output("c2", "two"), output("c1", "one"))
    assert roles(made) == ["user", "assistant", "tool", "tool", "user"]
    assert [one["id"] for one in made[1]["tool_calls"]] == ["c1", "c2"]
    assert [(one["tool_call_id"], one["content"]) for one in made[2:4]] == [("c1", "one"), ("c2", "two")]


def test_an_id_that_a_server_used_twice_keeps_each_output_at_its_call() -> None:
    made = translated(USER, call(), output(value="one"), call(), output(value="two"))
    assert [one["content"] for one in made if one["role"] == "tool"] == ["one", "two"]
    assert roles(made) == ["user", "assistant", "tool", "assistant", "tool"]


def test_outputs_of_calls_without_ids_follow_their_calls_in_order() -> None:
    made = translated(USER, call(""), call(""), output("", "one"), output("", "two"))
    assert roles(made) == ["user", "assistant", "tool", "tool"] and not made[1]["content"]
    assert [one["content"] for one in made[2:]] == ["one", "two"]


@pytest.mark.parametrize(
    "items", [[output("x")], [output("c1"), call()], [call(), output("c1"), output("c1")]]
)
def test_an_output_without_its_call_is_rejected(items: list[Any]) -> None:
    error = rejected(USER, *items)
    assert error.param is not None and error.param.endswith(".call_id")


def test_parts_of_an_output_are_text_and_what_is_attached_behind() -> None:
    image = {"type": "input_image", "image_url": "https://e.org/a.png"}
    made = translated(
        USER, call(), call("c2"), output(value=[image]), output("c2", [{"type": "input_text", "text": "t"}])
    )
    assert [one["content"] for one in made[2:4]] == [NO_TEXT, "t"]
    assert made[4]["content"][0]["type"] == "image_url"


def test_a_long_id_is_shortened_for_the_call_and_its_output_alike() -> None:
    made = translated(USER, call("c" * 70), output("c" * 70))
    (shown,) = made[1]["tool_calls"]
    assert len(shown["id"]) <= 40 and made[2]["tool_call_id"] == shown["id"]


def test_tools_that_only_this_api_has_are_calls_of_functions() -> None:
    made = translated(
        USER,
        {"type": "custom_tool_call", "call_id": "c1", "name": "apply_patch", "input": '*** "x"\n'},
        {"type": "function_call", "call_id": "c2", "name": "g", "namespace": "ns", "arguments": "{}"},
        {
            "type": "local_shell_call",
            "id": "l",
            "call_id": "c3",
            "action": {"type": "exec", "command": ["ls"], "env": {}},
        },
        {"type": "tool_search_call", "call_id": "c4", "execution": "client", "arguments": {"query": "q"}},
        output("c1", kind="custom_tool_call_output"),
        output("c2"),
        {"type": "local_shell_call_output", "id": "c3", "output": "files"},
        {"type": "tool_search_output", "call_id": "c4", "tools": [{"type": "function", "name": "found"}]},
    )
    functions = [one["function"] for one in made[1]["tool_calls"]]
    assert [(one["name"], json.loads(one["arguments"])) for one in functions] == [
        ("apply_patch", {"input": '*** "x"\n'}),
        ("ns__g", {}),
        ("local_shell", {"command": ["ls"]}),
        ("tool_search", {"query": "q"}),
    ]
    assert [one["content"] for one in made[2:]] == ["ok", "ok", "files", "Available now: found"]


def test_tools_that_the_conversation_adds_are_available() -> None:
    tools = ToolTable()
    found = {"type": "namespace", "name": "ns", "tools": [{"type": "function", "name": "g"}]}
    items: list[Any] = [
        USER,
        {"type": "tool_search_call", "call_id": "c", "execution": "client", "arguments": {}},
        {"type": "tool_search_output", "call_id": "c", "tools": [found]},
        {"type": "additional_tools", "role": "developer", "tools": [{"type": "function", "name": "h"}]},
    ]
    ConversationTranslator(tools=tools, ids=CallIds()).translate(None, items)
    assert [*tools.functions] == ["ns__g", "h"]


# Reasoning


def reasoning(encrypted: str | None = None) -> dict[str, Any]:
    return {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "t"}],
        "encrypted_content": encrypted,
    }


def signed(provider: str, **members: Any) -> str:
    return pack(OpaqueState(provider_tag(provider), **members))


def test_reasoning_in_words_returns_and_that_of_another_service_does_not() -> None:
    said = {"role": "assistant", "content": "x"}
    assert translated(USER, reasoning(), said)[1]["reasoning_content"] == "t"
    assert "reasoning_content" not in translated(USER, reasoning("gAAAA-of-openai"), said)[1]
    assert translated(USER, reasoning("gAAAA"), said, all_thinking=True)[1]["reasoning_content"] == "t"


def test_what_a_provider_signed_returns_to_it_alone() -> None:
    own = translated(USER, reasoning(signed("p", message={"reasoning_details": DETAILS})), call(), output())
    assert own[1]["reasoning_details"] == DETAILS and "reasoning_content" not in own[1]
    other = translated(USER, reasoning(signed("q", message={"reasoning_details": DETAILS})), call(), output())
    assert "reasoning_details" not in other[1]


def test_a_signature_in_an_id_or_behind_the_call_returns_to_the_call() -> None:
    extra = {"extra_content": {"google": {"thought_signature": "SIG=="}}}
    call_id = "c1" + signed("p", call=extra)
    made = translated(USER, call(call_id), output(call_id))
    assert made[1]["tool_calls"][0]["extra_content"] == extra["extra_content"]
    assert made[1]["tool_calls"][0]["id"] == "c1" == made[2]["tool_call_id"]
    made = translated(USER, call(), reasoning(signed("p", calls={"c1": extra})), output())
    assert made[1]["tool_calls"][0]["extra_content"] == extra["extra_content"]


def test_a_client_cannot_write_other_members_into_a_state() -> None:
    made = translated(USER, reasoning(signed("p", message={"role": "system"})), call(), output())
    assert made[1]["role"] == "assistant"


# Items that no other service knows


def test_foreign_items_are_carried_as_text_in_their_turn() -> None:
    made = translated(
        USER,
        {
            "type": "web_search_call",
            "id": "ws",
            "status": "completed",
            "action": {"type": "search", "query": "q"},
        },
        {"type": "mcp_list_tools", "id": "m", "tools": []},
        {"role": "assistant", "content": "found"},
        {"type": "mcp_approval_response", "approval_request_id": "a", "approve": True},
    )
    assert roles(made) == ["user", "assistant", "user"]
    assert "web search call" in made[1]["content"] and "q" in made[1]["content"]
    assert made[1]["content"].endswith("\n\nfound") and "approved" in made[2]["content"]


@pytest.mark.parametrize(
    ("item", "param"),
    [
        ({"type": "item_reference", "id": "msg_1"}, "input[1]"),
        ({"type": "compaction_trigger"}, "input[1]"),
        ({"id": "x"}, "input[1].type"),
        ({"type": 7, "role": "user"}, "input[1].type"),
        ({"role": "tool", "content": "x"}, "input[1].role"),
        ({"type": "function_call", "name": "f"}, "input[1].call_id"),
    ],
)
def test_what_cannot_be_read_is_rejected_by_its_path(item: dict[str, Any], param: str) -> None:
    error = rejected(USER, item)
    assert (error.param or "").startswith(param.rpartition(".")[0] or param) and "input[1]" in error.message


# Any conversation

words = st.text("aé🦞\n", min_size=1, max_size=5)


@given(st.lists(st.tuples(st.sampled_from(["user", "assistant", "developer", "call"]), words), max_size=8))
def test_no_word_of_a_conversation_is_lost(turns: list[tuple[str, str]]) -> None:
    items: list[Any] = []
    for number, (kind, text) in enumerate(turns):
        said = f"{number}:{text}"
        if kind == "call":
            arguments = json.dumps({"a": said}, ensure_ascii=False)
            items += [call(f"c{number}", arguments=arguments), output(f"c{number}", said)]
        else:
            items.append({"role": kind, "content": said})
    made = translated(USER, *items)
    calls = [one["function"]["arguments"] for message in made for one in message.get("tool_calls", ())]
    shown = json.dumps([made, [json.loads(arguments) for arguments in calls]], ensure_ascii=False)
    for number, (kind, text) in enumerate(turns):
        encoded = json.dumps(f"{number}:{text}", ensure_ascii=False)[1:-1]
        assert shown.count(encoded) >= (2 if kind == "call" else 1)
    waiting: list[str] = []
    for message in made:
        if message["role"] == "tool":
            assert message["tool_call_id"] == waiting.pop(0)
        else:
            assert not waiting
            waiting = [one["id"] for one in message.get("tool_calls", ())]


def test_a_later_call_with_the_same_id_keeps_its_own_arguments() -> None:
    """Some servers number the calls of each response anew."""
    turns = [
        item
        for at in (1, 2)
        for item in (call(arguments=f'{{"a":{at}}}', name=f"f{at}"), output(value=f"r{at}"))
    ]
    assistants = [one for one in translated(USER, *turns) if one["role"] == "assistant"]
    functions = [one["tool_calls"][0]["function"] for one in assistants]
    assert functions == [{"name": "f1", "arguments": '{"a":1}'}, {"name": "f2", "arguments": '{"a":2}'}]
