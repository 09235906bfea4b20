"""A request is accepted or refused as recorded, with the field at fault; no body makes anything else of it.

The table holds a body, the beginning of the recorded message ("" where it is accepted), and the field.
"""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawgate.agents.request.chat_request import (
    MAX_FIELDS,
    ChatRequest,
    ToolChoice,
    check_tool_names,
    read_request,
)
from clawgate.agents.request.images import ImageRules
from clawgate.errors import InvalidRequest

RULES = ImageRules()
USER = {"role": "user", "content": "hi"}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
PNG = "data:image/png;base64,iVBORw0KGgo="
MISSING = "Missing user message in `messages`."
IMAGE = "Invalid image_url content in `messages`."
TOOLS = "Invalid tools/tool_choice:"
SECRET = "sk-ant-api03-0123456789abcdefghijkl"


def read(**fields: Any) -> ChatRequest:
    return read_request(json.dumps({"messages": [USER], **fields}).encode(), RULES)


def parts(*content: Any) -> list[Any]:
    return [{"role": "user", "content": list(content)}]


def image(url: Any = PNG) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def deep(levels: int) -> Any:
    value: Any = {}
    for _ in range(levels):
        value = {"properties": value}
    return value


BODIES: list[tuple[bytes, str, str | None]] = [
    (b"", MISSING, "messages"),
    (b"{}", MISSING, "messages"),
    (b"{", "the request body cannot be read", None),
    (b'{"messages": [}', "the request body cannot be read", None),
    (b'{"a":1,}', "the request body cannot be read", None),
    (b"[]", "request body: Invalid input: expected object, received array", None),
    (b"5", "request body: Invalid input: expected object, received number", None),
    (b'"x"', "request body: Invalid input: expected object, received string", None),
    (b"null", "request body: Invalid input: expected object, received null", None),
    (b"\x1f\x8b\x08\x00", "the request body cannot be read", None),
    (b'{"messages":[{"role":"user","content":"\xff"}]}', "the request body cannot be read", None),
    (b'{"temperature":NaN,"messages":[{"role":"user","content":"x"}]}', "the request body cannot be read", None),
    (b'{"temperature":1e999,"messages":[{"role":"user","content":"x"}]}', "the request body cannot be read", None),
    (b'{"seed":' + b"9" * 5000 + b"}", "the request body cannot be read", None),
    (b'{"user":"a","user":"b","messages":[{"role":"user","content":"x"}]}',
     "the request body gives 'user' more than once", "user"),
    (b'{"messages":[{"role":"user","role":"system","content":"x"}]}',
     "the request body gives 'role' more than once", "role"),
    (b'{"a":' * 2000 + b"1" + b"}" * 2000, "the request body", None),
    (b'{"messages":[{"role":"user","content":"\\ud83d"}]}', "", None),
    (b' {"messages" : [ {"role":"user","content":"x"} ] } ', "", None),
]  # fmt: skip

FIELDS: list[tuple[dict[str, Any], str, str | None]] = [
    ({}, "", None),
    ({"model": "openclaw/main"}, "", None),
    ({"model": ""}, "", None),
    ({"model": None}, "model: Invalid input: expected string, received null", "model"),
    ({"model": 5}, "model: Invalid input: expected string, received number", "model"),
    ({"messages": "hi"}, "messages: Invalid input: expected array, received string", "messages"),
    ({"messages": None}, "messages: Invalid input: expected array, received null", "messages"),
    ({"messages": {}}, "messages: Invalid input: expected array, received object", "messages"),
    ({"messages": []}, MISSING, "messages"),
    ({"messages": [{"role": "system", "content": "s"}]}, MISSING, "messages"),
    ({"messages": [{"role": "developer", "content": "s"}]}, MISSING, "messages"),
    ({"messages": [{"role": "user", "content": ""}]}, MISSING, "messages"),
    ({"messages": [{"role": "user", "content": "  \n"}]}, MISSING, "messages"),
    ({"messages": [{"role": "user"}]}, MISSING, "messages"),
    ({"messages": [{"role": "bot", "content": "x"}]}, MISSING, "messages[0].role"),
    ({"messages": [{"content": "x"}]}, MISSING, "messages[0].role"),
    ({"messages": [None]}, "messages[0]: Invalid input: expected object, received null", "messages[0]"),
    ({"messages": ["x"]}, "messages[0]: Invalid input: expected object, received string", "messages[0]"),
    ({"messages": [{"role": "assistant", "content": "x"}]}, "", None),
    ({"messages": [USER, {"role": "assistant", "content": "a"}, USER]}, "", None),
    ({"messages": [{"role": "system", "content": "s"}, USER]}, "", None),
    ({"messages": [{"role": "user", "content": 5}]}, "`messages[0].content` must be", "messages[0].content"),
    ({"messages": parts({"type": "text", "text": "hi"})}, "", None),
    ({"messages": parts({"type": "text", "text": 5})}, "`messages[0].content[0].text`", "messages[0].content[0]"),
    ({"messages": parts({"type": "video"})}, "`messages[0].content[0]` is no text", "messages[0].content[0]"),
    ({"messages": parts({"type": "file", "file": {"file_id": "f"}})}, "`messages[0].content[0]` is no text",
     "messages[0].content[0]"),
    ({"messages": parts({"type": "input_audio"})}, "`messages[0].content[0]` is no text", "messages[0].content[0]"),
    ({"messages": parts(image())}, "", None),
    ({"messages": parts(*[image()] * 8)}, "", None),
    ({"messages": parts(*[image()] * 9)}, IMAGE, "messages[0].content"),
    ({"messages": parts(image("https://example.com/a.png"))}, IMAGE, "messages[0].content[0].image_url"),
    ({"messages": parts(image("http://169.254.169.254/"))}, IMAGE, "messages[0].content[0].image_url"),
    ({"messages": parts(image("data:image/png;base64,@@@"))}, IMAGE, "messages[0].content[0].image_url"),
    ({"messages": parts(image("data:text/plain;base64,aGk="))}, IMAGE, "messages[0].content[0].image_url"),
    ({"messages": parts(image("file:///etc/passwd"))}, IMAGE, "messages[0].content[0].image_url"),
    ({"messages": parts(image(None))}, IMAGE, "messages[0].content[0].image_url"),
    ({"messages": parts({"type": "image_url"})}, IMAGE, "messages[0].content[0].image_url"),
    ({"messages": [USER, {"role": "assistant", "tool_calls": [CALL]},
                   {"role": "tool", "tool_call_id": "c1", "content": "12"}]}, "", None),
    ({"messages": [USER, {"role": "assistant", "tool_calls": [CALL]},
                   {"role": "tool", "tool_call_id": "c1", "content": ""}]}, "", None),
    ({"messages": [USER, {"role": "tool", "content": "12", "tool_call_id": 5}]}, "`messages[1].tool_call_id` must",
     "messages[1].tool_call_id"),
    ({"messages": [USER, {"role": "assistant", "tool_calls": [CALL, CALL]}]}, "", None),
    ({"stream": True}, "", None),
    ({"stream": None}, "", None),
    ({"stream": "yes"}, "stream: Invalid input: expected boolean, received string", "stream"),
    ({"stream": 1}, "stream: Invalid input: expected boolean, received number", "stream"),
    ({"stream": True, "stream_options": {"include_usage": True}}, "", None),
    ({"stream_options": None}, "", None),
    ({"stream_options": []}, "stream_options: Invalid input: expected object, received array", "stream_options"),
    ({"stream_options": {"include_usage": "x"}}, "stream_options.include_usage: Invalid input: expected boolean",
     "stream_options.include_usage"),
    ({"temperature": 0}, "", None),
    ({"temperature": 2}, "", None),
    ({"temperature": None}, "", None),
    ({"temperature": 3}, "`temperature` must be between 0 and 2.", "temperature"),
    ({"temperature": -0.1}, "`temperature` must be between 0 and 2.", "temperature"),
    ({"temperature": "1"}, "temperature: Invalid input: expected number, received string", "temperature"),
    ({"temperature": True}, "temperature: Invalid input: expected number, received boolean", "temperature"),
    ({"top_p": 1}, "", None),
    ({"top_p": 2}, "`top_p` must be between 0 and 1.", "top_p"),
    ({"top_p": []}, "top_p: Invalid input: expected number, received array", "top_p"),
    ({"frequency_penalty": -2}, "", None),
    ({"frequency_penalty": -3}, "`frequency_penalty` must be between -2.0 and 2.0.", "frequency_penalty"),
    ({"presence_penalty": 9}, "`presence_penalty` must be between -2.0 and 2.0.", "presence_penalty"),
    ({"presence_penalty": 2.0}, "", None),
    ({"seed": 7}, "", None),
    ({"seed": -7}, "", None),
    ({"seed": 1.0}, "", None),
    ({"seed": 1.5}, "`seed` must be an integer.", "seed"),
    ({"seed": True}, "`seed` must be an integer.", "seed"),
    ({"seed": 10**40}, "`seed` must be an integer.", "seed"),
    ({"seed": "7"}, "seed: Invalid input: expected number, received string", "seed"),
    ({"stop": "x"}, "", None),
    ({"stop": ["a", "b", "c", "d"]}, "", None),
    ({"stop": []}, "", None),
    ({"stop": None}, "", None),
    ({"stop": ["a"] * 5}, "Invalid stop: stop supports at most 4 sequences", "stop"),
    ({"stop": ""}, "Invalid stop: stop entries must be non-empty strings", "stop"),
    ({"stop": [""]}, "Invalid stop: stop entries must be non-empty strings", "stop"),
    ({"stop": [5]}, "Invalid stop: stop entries must be non-empty strings", "stop"),
    ({"stop": 5}, "stop: Invalid input", "stop"),
    ({"stop": {}}, "stop: Invalid input", "stop"),
    ({"max_tokens": 5}, "", None),
    ({"max_tokens": None}, "", None),
    ({"max_tokens": 0}, "max_tokens: Too small: expected number to be >0", "max_tokens"),
    ({"max_tokens": -1}, "max_tokens: Too small: expected number to be >0", "max_tokens"),
    ({"max_tokens": 1.5}, "max_tokens: Invalid input: expected int, received number", "max_tokens"),
    ({"max_tokens": "5"}, "max_tokens: Invalid input: expected number, received string", "max_tokens"),
    ({"max_tokens": 2**53}, "max_tokens: Too big: expected number to be <=9007199254740991", "max_tokens"),
    ({"max_tokens": True}, "max_tokens: Invalid input: expected number, received boolean", "max_tokens"),
    ({"max_completion_tokens": 0}, "max_completion_tokens: Too small", "max_completion_tokens"),
    ({"max_tokens": 0, "max_completion_tokens": 5}, "max_tokens: Too small", "max_tokens"),
    ({"user": "u"}, "", None),
    ({"user": ""}, "", None),
    ({"user": None}, "", None),
    ({"user": 5}, "user: Invalid input: expected string, received number", "user"),
    ({"tools": []}, "", None),
    ({"tools": None}, "", None),
    ({"tools": [TOOL]}, "", None),
    ({"tools": {}}, "tools: Invalid input: expected array, received object", "tools"),
    ({"tools": ["f"]}, f"{TOOLS} only function tools are supported", "tools[0]"),
    ({"tools": [{"type": "custom"}]}, f"{TOOLS} only function tools are supported", "tools[0]"),
    ({"tools": [TOOL, {"type": "web_search"}]}, f"{TOOLS} only function tools are supported", "tools[1]"),
    ({"tools": [{"type": "function"}]}, f"{TOOLS} tool.function.name is required", "tools[0].function.name"),
    ({"tools": [{"type": "function", "function": {"name": ""}}]}, f"{TOOLS} tool.function.name is required",
     "tools[0].function.name"),
    ({"tools": [TOOL, TOOL]}, f"{TOOLS} two tools have the same name", "tools[1].function.name"),
    ({"tools": [{"type": "function", "function": {"name": "f", "parameters": []}}]},
     f"{TOOLS} tool.function.parameters must be an object", "tools[0].function.parameters"),
    ({"tools": [{"type": "function", "function": {"name": "f", "parameters": deep(200)}}]},
     "the request body is nested", None),
    ({"tools": [{"type": "function", "function": {"name": "f", "parameters": deep(50)}}]}, "", None),
    ({"tool_choice": "auto"}, "", None),
    ({"tool_choice": "none"}, "", None),
    ({"tool_choice": None}, "", None),
    ({"tool_choice": "required"}, f"{TOOLS} tool_choice=required but no tools were provided", "tool_choice"),
    ({"tool_choice": "banana", "tools": [TOOL]}, f"{TOOLS} tool_choice must be a string or object", "tool_choice"),
    ({"tool_choice": 5, "tools": [TOOL]}, f"{TOOLS} tool_choice must be a string or object", "tool_choice"),
    ({"tool_choice": {}, "tools": [TOOL]}, f"{TOOLS} tool_choice must be a string or object", "tool_choice"),
    ({"tool_choice": {"type": "custom"}, "tools": [TOOL]}, f"{TOOLS} tool_choice custom is not supported",
     "tool_choice"),
    ({"tool_choice": {"type": "allowed_tools"}, "tools": [TOOL]},
     f"{TOOLS} tool_choice allowed_tools is not supported", "tool_choice"),
    ({"tool_choice": {"type": "function"}, "tools": [TOOL]}, f"{TOOLS} tool_choice.function.name is required",
     "tool_choice"),
    ({"tool_choice": {"type": "function", "function": {"name": "zzz"}}, "tools": [TOOL]},
     f"{TOOLS} tool_choice requested unknown tool: zzz", "tool_choice"),
    ({"tool_choice": {"type": "function", "function": {"name": "f"}}, "tools": [TOOL]}, "", None),
    ({"tool_choice": "required", "tools": [TOOL]}, "", None),
    ({"n": 1}, "", None),
    ({"n": None}, "", None),
    ({"n": 2}, "`n` must be 1", "n"),
    ({"n": True}, "`n` must be 1", "n"),
    ({"n": "1"}, "`n` must be 1", "n"),
    ({"logprobs": False}, "", None),
    ({"logprobs": True}, "`logprobs` is not available", "logprobs"),
    ({"top_logprobs": 3}, "`top_logprobs` is not available", "top_logprobs"),
    ({"functions": [{"name": "f"}]}, "`functions` is the old form of `tools`", "functions"),
    ({"function_call": "auto"}, "`function_call` is the old form of `tool_choice`", "function_call"),
    ({"modalities": ["text"]}, "", None),
    ({"modalities": ["text", "audio"]}, "`modalities` other than text", "modalities"),
    ({"audio": {"voice": "alloy"}}, "`audio` is not available", "audio"),
    ({"web_search_options": {}}, "`web_search_options` is a service of OpenAI", "web_search_options"),
    ({"moderation": {"model": "m"}}, "`moderation` is not available", "moderation"),
    ({"response_format": {"type": "json_object"}}, "", None),
    ({"response_format": {}}, "`response_format.type` is required", "response_format.type"),
    ({"response_format": "json"}, "response_format: Invalid input: expected object", "response_format"),
    ({"reasoning_effort": "high"}, "", None),
    ({"reasoning_effort": 5}, "reasoning_effort: Invalid input: expected string", "reasoning_effort"),
    ({"parallel_tool_calls": False}, "", None),
    ({"parallel_tool_calls": "no"}, "parallel_tool_calls: Invalid input: expected boolean", "parallel_tool_calls"),
    ({"logit_bias": {"5": 1}}, "", None),
    ({"logit_bias": []}, "logit_bias: Invalid input: expected object", "logit_bias"),
    ({"of_next_year": 1}, "", None),
    ({f"f{number}": 1 for number in range(MAX_FIELDS)}, "the request body has over", None),
]  # fmt: skip

ALL = BODIES + [
    (json.dumps({"messages": [USER], **fields}).encode(), message, param) for fields, message, param in FIELDS
]


def test_the_table_is_long_enough() -> None:
    assert len(ALL) >= 110


@pytest.mark.parametrize(("body", "message", "param"), ALL)
def test_a_body_is_accepted_or_refused_as_recorded(body: bytes, message: str, param: str | None) -> None:
    if not message:
        read_request(body, RULES)
        return
    with pytest.raises(InvalidRequest) as refused:
        read_request(body, RULES)
    assert refused.value.message.startswith(message) and refused.value.param == param
    assert len(refused.value.message) < 4000


@pytest.mark.parametrize(
    "fields",
    [
        {"model": [SECRET]},
        {"tool_choice": {"type": SECRET}, "tools": [TOOL]},
        {"tool_choice": {"type": "function", "function": {"name": SECRET * 1000}}, "tools": [TOOL]},
        {"messages": [{"role": SECRET}]},
        {"messages": parts(image("https://user:" + SECRET + "@example.com/"))},
        {"stop": [SECRET] * 5},
        {"user": {SECRET: SECRET}},
    ],
)
def test_an_error_never_repeats_a_secret(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read(**fields)
    assert "0123456789" not in refused.value.message + str(refused.value.param)
    assert len(refused.value.message) < 4000


def test_a_field_without_effect_is_listed() -> None:
    request = read(top_k=0, metadata={}, store=False, service_tier=None, of_next_year=1, **{"x y,\r\n": 1},
                   stream_options={"include_obfuscation": True})  # fmt: skip
    assert request.ignored == (
        "metadata", "of_next_year", "stream_options", "stream_options.include_obfuscation", "top_k", "x?y??r?n",
    )  # fmt: skip
    assert read(messages=[USER | {"x": 1}]).ignored == ("messages.x",)


def test_what_goes_to_the_model_is_what_was_sent() -> None:
    fields = {"temperature": 0.5, "top_p": 0.5, "frequency_penalty": 1, "presence_penalty": -1, "seed": 0,
              "stop": ["a"], "response_format": {"type": "json_object"}, "reasoning_effort": "low",
              "parallel_tool_calls": False, "verbosity": "low", "logit_bias": {"1": 1}, "safety_identifier": "u",
              "max_completion_tokens": 9}  # fmt: skip
    assert read(**fields).options == fields
    assert read(max_tokens=5).options == {"max_completion_tokens": 5}
    assert read(max_tokens=5, max_completion_tokens=7).options == {"max_completion_tokens": 7}
    assert read(max_tokens=5.0, seed=3.0).options == {"max_completion_tokens": 5, "seed": 3}


def test_the_agents_own_fields_are_read() -> None:
    request = read(model="Agent:Main", user="u", stream=True, stream_options={"include_usage": True}, tools=[TOOL],
                   tool_choice={"type": "function", "function": {"name": "f"}})  # fmt: skip
    assert (request.model, request.user, request.stream, request.include_usage) == (
        "Agent:Main",
        "u",
        True,
        True,
    )
    assert request.tools == (TOOL,) and request.tool_choice == ToolChoice("required", "f")
    assert read(tools=[TOOL], tool_choice="required").tool_choice == ToolChoice("required")
    assert read().model == "openclaw" and read(model="").model == ""
    assert not read(stream_options={"include_usage": True}).include_usage


def test_a_clients_tool_may_not_have_the_name_of_one_of_the_agents() -> None:
    check_tool_names([TOOL], {"exec"})
    with pytest.raises(InvalidRequest, match="invalid tool configuration") as refused:
        check_tool_names([TOOL], {"f"})
    assert refused.value.param == "tools[0].function.name"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["user", "assistant", "tool", "system", "function", "text", "image_url", "auto", PNG]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(["role", "content", "type", "text", "image_url", "url", "tool_calls", "id", "function", "name",
                         "arguments", "tool_call_id", "function_call", "json_schema"]) | st.text(max_size=4),
        inner, max_size=4,
    ),
    max_leaves=20,
)  # fmt: skip
NAMES = ["model", "messages", "stream", "stream_options", "tools", "tool_choice", "stop", "seed", "n", "user",
         "temperature", "max_tokens", "response_format", "logit_bias", "modalities"]  # fmt: skip
LIKELY = st.dictionaries(st.sampled_from(NAMES), JSON).map(lambda fields: json.dumps(fields).encode())
MEMBERS = ["content", "tool_calls", "tool_call_id", "function_call", "name", "refusal"]
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "tool", "function", "system"])},
        optional=dict.fromkeys(MEMBERS, JSON),
    ),
    max_size=5,
).map(lambda messages: json.dumps({"messages": messages}).encode())


@given(st.binary(max_size=60) | LIKELY | MESSAGES)
@settings(max_examples=400, deadline=None)
def test_no_body_raises_anything_but_a_refusal(body: bytes) -> None:
    with contextlib.suppress(InvalidRequest):
        read_request(body, ImageRules(allow_url=True))
