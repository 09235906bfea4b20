"""What users of other gateways report about requests: odd histories, schemas, ids and fields, through a real gateway.

Each case is sent with and without ``stream``; the provider answers well, and what it was sent is compared.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.dialect_stand import HI, PAIRS, exchange, text_of
from tests.peers import faults
from tests.peers.upstream import FakeUpstream
from tests.routing.gateway_server import (
    ANTHROPIC,
    CHAT,
    MESSAGES,
    OPENAI,
    config_of,
    provider,
    serving_gateway,
)

BILLING = "x-anthropic-billing-header: cc_version=2.1.9.abc; cch=0a1b2;"
OPEN_OBJECT = {"type": "object", "properties": {"a": {"type": "string"}}}
PNG, JPEG, GIF, WEBP = "iVBORw0KGgoAAAAA", "/9j/4AAQSkZJRgAB", "R0lGODlhAQABAAAA", "UklGRgAAAABXRUJQVlA4"


def call(call_id: str, **more: Any) -> dict[str, Any]:
    return {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": call_id, "name": "f", "input": {}, **more}],
    }


def result(call_id: str, content: Any = "ok", *others: Any) -> dict[str, Any]:
    block = {"type": "tool_result", "tool_use_id": call_id, "content": content}
    return {"role": "user", "content": [block, *others]}


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


def roles(sent: Any) -> list[str]:
    return [message["role"] for message in sent["messages"]]


def ids(sent: Any) -> tuple[str, str]:
    return sent["messages"][1]["tool_calls"][0]["id"], sent["messages"][2]["tool_call_id"]


def schema_of(sent: Any) -> Any:
    return sent["response_format"]["json_schema"]


def compat(**keys: Any) -> dict[str, Any]:
    return {"compat": keys}


def output(schema: Any) -> dict[str, Any]:
    return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}


def all_objects_closed(value: Any) -> bool:
    """Whether every object of a schema forbids further members, and no bound is left."""
    if isinstance(value, list):
        return all(map(all_objects_closed, value))
    if not isinstance(value, dict):
        return True
    closed = value.get("type") != "object" or value.get("additionalProperties") is False
    return (
        closed and not {"minimum", "maxLength"} & set(value) and all(map(all_objects_closed, value.values()))
    )


LONG = {n: "call_" + "a" * (n - 5) for n in (40, 41, 64, 65, 200)}

Check = Callable[[Any], object]
TO_CHAT: dict[str, tuple[dict[str, Any], dict[str, Any], Check, object]] = {
    "a system message in the middle": (
        {}, {"system": "top", "messages": [HI, {"role": "system", "content": "agents: x"}]},
        lambda sent: (roles(sent), "agents: x" in json.dumps(sent)), (["system", "user"], True)),
    "a developer message in the middle": (
        {}, {"messages": [HI, {"role": "assistant", "content": "a"}, {"role": "developer", "content": "d!"}, HI]},
        lambda sent: ("developer" not in roles(sent), roles(sent)[1:].count("system"), "d!" in json.dumps(sent)),
        (True, 0, True)),
    "two system messages in front": (
        {}, {"messages": [{"role": "system", "content": "a"}, {"role": "system", "content": [text("b")]}, HI]},
        lambda sent: (roles(sent), sent["messages"][0]["content"]), (["system", "user"], "a\n\nb")),
    "an assistant after results": (
        compat(requiresAssistantAfterToolResult=True), {"messages": [HI, call("t1"), result("t1", "ok", text("r"))]},
        roles, ["user", "assistant", "tool", "assistant", "user"]),
    "no stream_options": (
        compat(supportsUsageInStreaming=False), {}, lambda sent: "stream_options" in sent, False),
    "a schema with an optional property": (
        {}, output({**OPEN_OBJECT, "required": [], "additionalProperties": False}),
        lambda sent: schema_of(sent)["strict"] and schema_of(sent)["schema"]["required"] != ["a"], False),
    "a schema with an optional property in $defs": (
        {}, output({"type": "object", "properties": {"x": {"$ref": "#/$defs/d"}}, "required": ["x"],
                    "additionalProperties": False, "$defs": {"d": {**OPEN_OBJECT, "additionalProperties": False}}}),
        lambda sent: (schema_of(sent)["strict"] and
                      schema_of(sent)["schema"]["$defs"]["d"].get("required") != ["a"]), False),
    "a schema with an open object in anyOf": (
        {}, output({"type": "object", "properties": {"x": {"anyOf": [OPEN_OBJECT, {"type": "null"}]}},
                    "required": ["x"], "additionalProperties": False}),
        lambda sent: schema_of(sent)["strict"] and not all_objects_closed(schema_of(sent)["schema"]), False),
    "a schema that is strict": (
        {}, output({**OPEN_OBJECT, "required": ["a"], "additionalProperties": False}),
        lambda sent: schema_of(sent)["strict"], True),
    "a strict tool with an optional property": (
        {}, {"tools": [{"name": "f", "strict": True, "input_schema": OPEN_OBJECT}]},
        lambda sent: (sent["tools"][0]["function"].get("strict") is True and
                      sent["tools"][0]["function"]["parameters"].get("required") != ["a"]), False),
    "a reference to a tool in a result": (
        {}, {"messages": [HI, call("t1"), result("t1", [{"type": "tool_reference", "tool_name": "f"}])]},
        lambda sent: (roles(sent), "f" in sent["messages"][2]["content"]), (["user", "assistant", "tool"], True)),
    "a tool that ran at the service": (
        {}, {"messages": [HI, {"role": "assistant", "content": [
            {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}},
            {"type": "web_search_tool_result", "tool_use_id": "s1", "content": [
                {"type": "web_search_result", "url": "https://e", "title": "T!", "encrypted_content": "x"}]},
            text("done")]}, HI]},
        lambda sent: (roles(sent), "T!" in json.dumps(sent), "encrypted" in json.dumps(sent)),
        (["user", "assistant", "user"], True, False)),
    "a block of next year": (
        {}, {"messages": [HI, {"role": "assistant", "content": [{"type": "hologram", "x": 1}, text("a")]}, HI]},
        roles, ["user", "assistant", "user"]),
    "a block of next year in a result": (
        {}, {"messages": [HI, call("t1"), result("t1", [{"type": "hologram", "text": "w!"}])]},
        lambda sent: "w!" in sent["messages"][2]["content"], True),
    "an assistant without content": (
        {}, {"messages": [HI, {"role": "assistant", "content": None}, HI]},
        lambda sent: [message["content"] for message in sent["messages"]], ["hi", "hi"]),
    "an empty list as the assistant's content": (
        {}, {"messages": [HI, {"role": "assistant", "content": []}, HI]},
        lambda sent: "assistant" in roles(sent), False),
    **{
        f"an id of {size} characters": (
            {}, {"messages": [HI, call(name), result(name)]},
            lambda sent, name=name, size=size: (  # type: ignore[misc]
                ids(sent)[0] == ids(sent)[1], len(ids(sent)[0]) <= 40, ids(sent)[0] == name),
            (True, True, size <= 40))
        for size, name in LONG.items()
    },
    "two long ids that differ at their end": (
        {}, {"messages": [HI, call(LONG[65] + "x"), result(LONG[65] + "x"), call(LONG[65] + "y"),
                          result(LONG[65] + "y")]},
        lambda sent: sent["messages"][1]["tool_calls"][0]["id"] != sent["messages"][3]["tool_calls"][0]["id"], True),
    "a billing line as a block": (
        {}, {"system": [text(BILLING), text("You")]}, lambda sent: sent["messages"][0]["content"], "You"),
    "a billing line in front of a text": (
        {}, {"system": f"{BILLING}\nYou"}, lambda sent: sent["messages"][0]["content"], "You"),
    "a billing line and nothing else": ({}, {"system": [text(BILLING)]}, roles, ["user"]),
    "a billing line that is talked about": (
        {}, {"system": f"Never print {BILLING}"}, lambda sent: BILLING in sent["messages"][0]["content"], True),
    **{
        f"{label} that is {kind}": (
            {}, {"messages": [{"role": "user", "content": [{"type": "image", "source": {
                "type": "base64", "media_type": label, "data": data}}]}]},
            lambda sent: sent["messages"][0]["content"][0]["image_url"]["url"].partition(";")[0], f"data:image/{kind}")
        for kind, data in (("png", PNG), ("jpeg", JPEG), ("webp", WEBP))
        for label in ("image/png", "application/octet-stream")
    },
    "no fields that are dropped": (
        {}, {"top_k": 5, "speed": "fast"}, lambda sent: {"top_k", "speed"} & set(sent), set()),
}  # fmt: skip
"""Name: keys of the model, fields of the request, what is looked at in what the provider was sent, and its value."""


def image(label: str, data: str) -> dict[str, Any]:
    part = {"type": "image_url", "image_url": {"url": f"data:{label};base64,{data}"}}
    return {"messages": [{"role": "user", "content": [part]}]}


def media_type(sent: Any) -> str:
    return str(sent["messages"][0]["content"][0]["source"]["media_type"])


def chat_call(call_id: str) -> list[dict[str, Any]]:
    one = {"id": call_id, "type": "function", "function": {"name": "f", "arguments": "{}"}}
    return [
        HI,
        {"role": "assistant", "tool_calls": [one]},
        {"role": "tool", "tool_call_id": call_id, "content": "ok"},
    ]


def wanted(schema: Any) -> dict[str, Any]:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}}


NESTED = {
    "type": "object",
    "properties": {
        "n": {"type": "integer", "minimum": 1},
        "o": {"anyOf": [OPEN_OBJECT, {"type": "null"}]},
        "l": {"type": "array", "items": {"$ref": "#/$defs/d"}},
    },
    "required": ["n"],
    "$defs": {"d": {"type": "object", "properties": {"s": {"type": "string", "maxLength": 5}}}},
}
SAMPLING = {"temperature": 0.2, "top_p": 0.5, "top_k": 3}

TO_MESSAGES: dict[str, tuple[str, dict[str, Any], Check, object]] = {
    **{
        f"the stops {stops!r}": (
            "claude-sonnet-4-5", {"stop": stops}, lambda sent: sent.get("stop_sequences"), left)
        for stops, left in ((["\n"], None), ("\n", None), ("", None), ([], None), (["", " \t", "\u2003"], None),
                            (["\n", "END\n"], ["END\n"]))
    },
    **{
        f"a schema {place}": (
            "claude-sonnet-4-5", fields, lambda sent, at=at: all_objects_closed(at(sent)), True)  # type: ignore[misc]
        for place, fields, at in (
            ("of the output", wanted(NESTED), lambda sent: sent["output_config"]["format"]["schema"]),
            ("of a strict tool", {"tools": [{"type": "function", "function": {
                "name": "f", "strict": True, "parameters": NESTED}}]}, lambda sent: sent["tools"][0]["input_schema"]),
        )
    },
    "json_object": (
        "claude-sonnet-4-5", {"response_format": {"type": "json_object"}},
        lambda sent: "JSON object" in sent["system"], True),
    **{
        f"sampling for {model}": (model, SAMPLING, lambda sent: {*SAMPLING} & {*sent}, kept)
        for model, kept in (
            ("claude-opus-4-7", set()), ("claude-opus-4-7-20260416", set()), ("claude-sonnet-5", set()),
            ("claude-sonnet-4-5", {"temperature", "top_k"}), ("claude-3-5-haiku-latest", {*SAMPLING}),
            ("some-other-model", {*SAMPLING}))
    },
    **{
        f"{label} that is {kind}": ("claude-sonnet-4-5", image(label, data), media_type, f"image/{kind}")
        for kind, data in (("png", PNG), ("jpeg", JPEG), ("gif", GIF), ("webp", WEBP))
        for label in ("image/png", "image/jpeg", "image/jpg", "application/octet-stream")
    },
    **{
        f"the id {name[:12]}… of {len(name)} characters": (
            "m", {"messages": chat_call(name)},
            lambda sent: (sent["messages"][1]["content"][0]["id"] == sent["messages"][2]["content"][0]["tool_use_id"],
                          len(sent["messages"][1]["content"][0]["id"]) <= 64), (True, True))
        for name in (LONG[64], LONG[65], "functions.f:0", "é")
    },
    "a system message in the middle": (
        "m", {"messages": [HI, {"role": "developer", "content": "d"}, HI]},
        lambda sent: (sent["system"], roles(sent)), ("d", ["user"])),
    "calls without ids": (
        "m", {"messages": [HI, {"role": "assistant", "tool_calls": [
            {"id": "", "type": "function", "function": {"name": name, "arguments": "{}"}} for name in "fg"]},
            {"role": "tool", "tool_call_id": "", "content": "1"}, {"role": "tool", "content": "2"}]},
        lambda sent: ([block["id"] for block in sent["messages"][1]["content"]] ==
                      [block["tool_use_id"] for block in sent["messages"][2]["content"]],
                      len({block["id"] for block in sent["messages"][1]["content"]})), (True, 2)),
    "null content": (
        "m", {"messages": [HI, {"role": "assistant", "content": None}, HI]}, roles, ["user"]),
    "compat of a Messages provider": (
        "m", {"tools": [{"type": "function", "function": {"name": "f", "strict": True, "parameters": OPEN_OBJECT}}]},
        lambda sent: "strict" in sent["tools"][0], False),
}  # fmt: skip


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", sorted(TO_CHAT))
async def test_a_messages_request_reaches_a_chat_provider(name: str, stream: bool, tmp_path: Path) -> None:
    model_keys, fields, look, expected = TO_CHAT[name]
    (found,) = await exchange(tmp_path, MESSAGES, OPENAI, {"stream": stream, **fields}, model_keys=model_keys)
    assert found.response.status == 200, found.response.body
    assert text_of(MESSAGES, found, stream=stream) == "good"
    assert look(found.sent[0]) == expected


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", sorted(TO_MESSAGES))
async def test_a_chat_request_reaches_a_messages_provider(name: str, stream: bool, tmp_path: Path) -> None:
    model, fields, look, expected = TO_MESSAGES[name]
    keys = compat(supportsStrictMode=False) if name.startswith("compat") else {}
    (found,) = await exchange(
        tmp_path, CHAT, ANTHROPIC, {"stream": stream, **fields}, model=model, model_keys=keys
    )
    assert found.response.status == 200, found.response.body
    assert text_of(CHAT, found, stream=stream) == "good"
    assert look(found.sent[0]) == expected


@pytest.mark.parametrize("api", [OPENAI, ANTHROPIC])
@pytest.mark.parametrize("path", [MESSAGES, MESSAGES + "/count_tokens"])
async def test_a_thread_is_refused_so_that_the_sdk_sends_all(path: str, api: str, tmp_path: Path) -> None:
    (found,) = await exchange(tmp_path, path, api, {"thread": {"type": "create"}})
    assert found.response.status == 400 and found.sent == []
    assert found.response.json()["error"]["details"]["error_code"] == "thread_unsupported_request"


@pytest.mark.parametrize(("path", "api"), PAIRS)
@pytest.mark.parametrize("key", [None, "supportsTemperature"])
async def test_half_an_emoji_is_no_reason_to_refuse(
    path: str, api: str, key: str | None, tmp_path: Path
) -> None:
    """In a text, in a name of a member, alone and beside a whole one; in passthrough the bytes stay."""
    body = (
        r'{"model":"p/m","max_tokens":5,"metadata":{"\ud83e":"\udd9e"},'
        r'"messages":[{"role":"user","content":"\ud83e x \ud83e\udd9e \udd9e"}]}'
    )
    (found,) = await exchange(
        tmp_path, path, api, {"raw": body.encode()}, model_keys=compat(**{key: False}) if key else {}
    )
    assert found.response.status == 200, found.response.body
    content = found.sent[0]["messages"][0]["content"]
    said = content if isinstance(content, str) else content[0]["text"]
    assert "\U0001f99e" in said and said.startswith(("\ufffd x", "\ud83e x"))


@pytest.mark.parametrize(("path", "api"), PAIRS[:2])
async def test_what_has_no_effect_is_named(path: str, api: str, tmp_path: Path) -> None:
    (found,) = await exchange(tmp_path, path, api, {"seed": 1, "speed_of_light": 2})
    assert found.response.header("x-clawgate-ignored") == "seed, speed_of_light"


@pytest.mark.parametrize("api", [OPENAI, ANTHROPIC])
async def test_tokens_are_estimated_where_the_provider_does_not_count(api: str, tmp_path: Path) -> None:
    """Nothing is sent to a provider of OpenAI's dialect; one of Anthropic's is tried first."""
    tool = {"name": "f", "input_schema": {"type": "object"}}
    found = await exchange(
        tmp_path,
        MESSAGES + "/count_tokens",
        api,
        {},
        {"system": "You", "tools": [tool]},
        {"messages": [{"role": "user", "content": "x" * 700_000}]},
        scripts=[faults.error_response(404)],
    )
    counts = [one.response.json()["input_tokens"] for one in found]
    assert 1 < counts[0] < counts[1] < 200_000 <= counts[2] < 200_100
    for one in found:
        assert one.response.status == 200 and one.response.header("x-clawgate-estimated") == "true"
        assert one.response.header("x-clawgate-provider") == "p"
        assert len(one.sent) == (api == ANTHROPIC)


async def test_a_count_of_the_provider_passes(tmp_path: Path) -> None:
    script = faults.json_response({"input_tokens": 7})
    (found,) = await exchange(tmp_path, MESSAGES + "/count_tokens", ANTHROPIC, {}, scripts=[script])
    assert found.response.json() == {"input_tokens": 7}
    assert found.response.header("x-clawgate-estimated") is None


async def test_a_failure_to_count_is_no_estimate(tmp_path: Path) -> None:
    script = faults.error_response(401)
    (found,) = await exchange(tmp_path, MESSAGES + "/count_tokens", ANTHROPIC, {}, scripts=[script])
    assert found.response.status == 401


async def test_estimates_follow_each_other_on_one_connection(tmp_path: Path) -> None:
    """Also where the second request came before the first one had its response."""
    async with FakeUpstream() as upstream:
        config = config_of({"p": provider(upstream.url)})
        async with serving_gateway(tmp_path, config) as stand, await stand.client() as client:
            body = json.dumps({"model": "p/m", "messages": [HI]}).encode()
            for _ in range(2):
                await stand.send(client, body, target=MESSAGES + "/count_tokens")
            for _ in range(2):
                response = await client.response()
                assert response.status == 200 and response.json()["input_tokens"] > 1
        assert upstream.requests == []


PATTERNED = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^x"}}, "required": ["a"],
             "additionalProperties": False}  # fmt: skip


def full_request(path: str) -> dict[str, Any]:
    """A conversation with a call, its result, a tool, a schema and an effort, in the client's dialect."""
    if path == CHAT:
        one = {"id": "t1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        return {
            "messages": [{"role": "user", "content": [text("a"), text("b")]},
                         {"role": "assistant", "content": "called", "tool_calls": [one]},
                         {"role": "tool", "tool_call_id": "t1", "content": "ok"}, HI],
            "tools": [{"type": "function", "function": {"name": "f", "strict": True, "parameters": PATTERNED}}],
            "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": PATTERNED}},
            "reasoning_effort": "low", "temperature": 0.5,
        }  # fmt: skip
    return {
        "messages": [{"role": "user", "content": [text("a"), text("b")]}, call("t1"),
                     result("t1", "ok", text("hi"))],
        "tools": [{"name": "f", "strict": True, "input_schema": PATTERNED}],
        **output(PATTERNED), "temperature": 0.5,
    }  # fmt: skip


def said(sent: Any) -> str:
    return json.dumps([sent.get("system"), sent["messages"]])


COMPAT: dict[str, tuple[Any, Check, object]] = {
    "supportsTemperature": (False, lambda sent: "temperature" in sent, False),
    "supportsTools": (
        False, lambda sent: ("tools" in sent, '"tool_use"' in said(sent) or '"tool_calls"' in said(sent),
                             "f was called with" in said(sent)), (False, False, True)),
    "supportsStrictMode": (False, lambda sent: '"strict"' in json.dumps(sent["tools"]), False),
    "supportsJsonSchemaResponseFormat": (
        False, lambda sent: ("response_format" in sent or "format" in sent.get("output_config", {}),
                             "JSON schema" in said(sent)), (False, True)),
    "requiresStringContent": (True, lambda sent: sent["messages"][0]["content"], "a\nb"),
    "requiresAssistantAfterToolResult": (
        True, lambda sent: (roles(sent)[-2:], "I have processed" in said(sent)), (["assistant", "user"], True)),
    "unsupportedToolSchemaKeywords": (["required"], lambda sent: '"required"' in json.dumps(sent["tools"]), False),
    "openRouterRouting": ({"only": ["x"]}, lambda sent: sent["provider"], {"only": ["x"]}),
    "vercelGatewayRouting": ({"only": ["x"]}, lambda sent: sent["providerOptions"]["gateway"], {"only": ["x"]}),
}  # fmt: skip
"""Keys that mean something in both dialects: the value, what is looked at in what the provider was sent, its value."""


@pytest.mark.parametrize(("path", "api"), PAIRS)
@pytest.mark.parametrize("key", sorted(COMPAT))
async def test_a_compat_key_counts_for_every_client_and_provider(
    key: str, path: str, api: str, tmp_path: Path
) -> None:
    value, look, expected = COMPAT[key]
    (found,) = await exchange(tmp_path, path, api, full_request(path), model_keys=compat(**{key: value}))
    assert found.response.status == 200, found.response.body
    assert look(found.sent[0]) == expected
    (plain,) = await exchange(tmp_path, path, api, full_request(path))
    try:
        assert look(plain.sent[0]) != expected, "without the key nothing changes"
    except KeyError:
        assert key.endswith("Routing")


@pytest.mark.parametrize(("path", "api"), PAIRS)
async def test_an_effort_has_the_servers_name(path: str, api: str, tmp_path: Path) -> None:
    keys = {"reasoning": True, **compat(reasoningEffortMap={"high": "ultra"})}
    body = {"reasoning_effort": "high"} if path == CHAT else {"output_config": {"effort": "high"}}
    (found,) = await exchange(tmp_path, path, api, body, model="claude-opus-4-6", model_keys=keys)
    sent = found.sent[0]
    assert (sent["output_config"]["effort"] if api == ANTHROPIC else sent["reasoning_effort"]) == "ultra"
