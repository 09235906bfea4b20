"""OpenAI's own chat client in front of a Responses server, through the gateway, sees what it would see at OpenAI."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.peers import responses_api as api
from tests.peers.faults import chat_frames, error_response, json_response, sse_response
from tests.peers.upstream import FakeUpstream, ScriptChoice
from tests.routing.gateway_server import CLIENT_TOKEN, config_of, provider, serving_gateway

RESPONSES = "openai-responses"
MODEL = {"id": "m", "name": "m", "reasoning": True}
USER = {"role": "user", "content": "hi"}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
STREAMED = pytest.mark.parametrize("streamed", [False, True])


@asynccontextmanager
async def client_of(
    folder: Path, *scripts: ScriptChoice, fallback: ScriptChoice = ()
) -> AsyncIterator[tuple[openai.AsyncOpenAI, FakeUpstream]]:
    """A client of a gateway whose default model is at a scripted Responses server, with a chat server behind it."""
    async with FakeUpstream(*scripts) as upstream, FakeUpstream(fallback) as second:
        providers = {
            "p": provider(upstream.url, RESPONSES, models=[MODEL]),
            "q": provider(second.url, models=[MODEL]),
        }
        made = config_of(providers, primary="p/m", fallbacks=("q/m",) if fallback else ())
        async with serving_gateway(folder, made) as gateway:
            base = f"{gateway.url}/v1"
            async with openai.AsyncOpenAI(base_url=base, api_key=CLIENT_TOKEN, max_retries=0) as client:
                yield client, upstream


async def message(client: openai.AsyncOpenAI, messages: Any, *, streamed: bool, **more: Any) -> Any:
    """The first choice, as the client reads it; of a stream as it adds it up."""
    if not streamed:
        return (await client.chat.completions.create(model="", messages=messages, **more)).choices[0]
    async with client.chat.completions.stream(model="", messages=messages, **more) as stream:
        return (await stream.get_final_completion()).choices[0]


@STREAMED
async def test_a_tool_loop_keeps_the_model_s_thoughts(tmp_path: Path, streamed: bool) -> None:
    thinks = api.responds(api.reasoning("Look."), api.function_call("f", '{"a":1}', call_id="call_9"))
    async with client_of(tmp_path, thinks, api.responds(api.message("Done."))) as (client, upstream):
        first = await message(client, [USER], streamed=streamed, tools=[TOOL], reasoning_effort="low")
        assert first.finish_reason == "tool_calls" and first.message.reasoning_content == "Look."
        [call] = first.message.tool_calls
        assert (call.id, json.loads(call.function.arguments)) == ("call_9", {"a": 1})
        turn = first.message.model_dump(exclude_none=True, exclude={"parsed"})
        result = {"role": "tool", "tool_call_id": call.id, "content": "ok"}
        second = await message(client, [USER, turn, result], streamed=streamed, tools=[TOOL])
        assert second.message.content == "Done."
    asked, repeated = (json.loads(request.body) for request in upstream.requests)
    assert [request.target for request in upstream.requests] == ["/v1/responses"] * 2
    assert asked["store"] is False and asked["reasoning"]["effort"] == "low"
    kinds = [item["type"] for item in repeated["input"]]
    assert kinds == ["message", "reasoning", "function_call", "function_call_output"]
    assert repeated["input"][1]["encrypted_content"] == "gAAAA-sealed"


@STREAMED
@pytest.mark.parametrize(
    "failure",
    [
        api.fails("over", "rate_limit_exceeded", begun=False),
        api.fails("over", "rate_limit_exceeded"),
        api.fails("over", "rate_limit_exceeded", begun=False, kept_alive=True),
        error_response(503, "over"),
    ],
)
async def test_a_failure_before_anything_was_said_leads_to_the_fallback(
    tmp_path: Path, failure: ScriptChoice, streamed: bool
) -> None:
    answers = sse_response(chat_frames("Here."))
    async with client_of(tmp_path, failure, fallback=answers) as (client, _):
        assert (await message(client, [USER], streamed=streamed)).message.content == "Here."


@STREAMED
async def test_a_failure_without_a_fallback_has_the_upstream_s_words(tmp_path: Path, streamed: bool) -> None:
    async with client_of(tmp_path, api.fails("over", "rate_limit_exceeded")) as (client, _):
        with pytest.raises(openai.APIError, match="over"):
            await message(client, [USER], streamed=streamed)


async def test_a_stream_that_is_cut_is_an_error_and_has_no_finish_reason(tmp_path: Path) -> None:
    async with client_of(tmp_path, api.cut_after(6, api.message("Hello"))) as (client, _):
        reasons: list[str | None] = []

        async def read() -> None:
            stream: Any = await client.chat.completions.create(model="", messages=as_sent, stream=True)
            async for chunk in stream:
                reasons.extend(choice.finish_reason for choice in chunk.choices)

        as_sent: Any = [USER]
        with pytest.raises(openai.APIError):
            await read()
        assert reasons and not any(reasons)


@STREAMED
async def test_a_server_that_streams_by_its_own_will_is_read(tmp_path: Path, streamed: bool) -> None:
    response = api.response_of(api.message("Hello"))
    script = api.frames_of(api.events_of(response))
    other = sse_response(script) if not streamed else json_response(response)
    async with client_of(tmp_path, other) as (client, _):
        assert (await message(client, [USER], streamed=streamed)).message.content == "Hello"


@STREAMED
async def test_an_error_of_the_upstream_keeps_its_status_and_words(tmp_path: Path, streamed: bool) -> None:
    async with client_of(tmp_path, error_response(400, "no such thing")) as (client, _):
        with pytest.raises(openai.BadRequestError, match="no such thing"):
            await message(client, [USER], streamed=streamed)
