"""OpenAI's own client of the Responses API in front of a provider of each dialect sees what it would see at OpenAI."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import openai
import pydantic
import pytest

from tests.e2e.test_codex import DIALECTS, TRANSLATED, calls, says
from tests.peers.upstream import FakeUpstream, ScriptChoice
from tests.routing.gateway_server import CLIENT_TOKEN, config_of, provider, serving_gateway

TOOL: Any = {"type": "function", "name": "exec_command", "strict": False, "parameters": {"type": "object"}}
THINKING: Any = {"effort": "low", "summary": "auto"}
SEALED: Any = ["reasoning.encrypted_content"]


class Person(pydantic.BaseModel):
    name: str
    age: int


@asynccontextmanager
async def client_of(
    folder: Path, dialect: str, *scripts: ScriptChoice
) -> AsyncIterator[tuple[openai.AsyncOpenAI, FakeUpstream]]:
    model = {"id": "m", "name": "m", "reasoning": True}
    async with FakeUpstream(*scripts) as upstream:
        made = config_of({"p": provider(upstream.url, dialect, models=[model])})
        async with serving_gateway(folder, made) as gateway:
            base = f"{gateway.url}/v1"
            async with openai.AsyncOpenAI(base_url=base, api_key=CLIENT_TOKEN, max_retries=0) as client:
                yield client, upstream


async def response(client: openai.AsyncOpenAI, given: Any, **more: Any) -> Any:
    """The response that a stream ends with; its events are numbered without a gap and add up to its text."""
    async with client.responses.stream(model="p/m", input=given, **more) as stream:
        events: list[Any] = [event async for event in stream]
        final = await stream.get_final_response()
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert (
        "".join(one.delta for one in events if one.type == "response.output_text.delta") == final.output_text
    )
    return final


@DIALECTS
async def test_a_tool_loop_returns_the_call_and_the_thoughts(tmp_path: Path, dialect: str) -> None:
    async with client_of(tmp_path, dialect, calls(dialect), says(dialect, "Done.")) as (client, upstream):
        more: dict[str, Any] = {"tools": [TOOL], "reasoning": THINKING, "include": SEALED, "store": False}
        first = await response(client, "hi", **more)
        thoughts, call = first.output
        assert (thoughts.type, thoughts.summary[0].text, call.type) == ("reasoning", "Look.", "function_call")
        turn = [thoughts.to_dict(), call.model_dump(exclude_none=True, exclude={"parsed_arguments"})]
        output = {"type": "function_call_output", "call_id": call.call_id, "output": "it ran"}
        last = await response(client, [{"role": "user", "content": "hi"}, *turn, output], **more)
        sent = upstream.requests[-1].body.decode()
    assert (last.status, last.output_text) == ("completed", "Done.")
    assert json.loads(call.arguments) and "it ran" in sent and sent.index("Look.") < sent.index("it ran")


@DIALECTS
async def test_structured_output_is_parsed(tmp_path: Path, dialect: str) -> None:
    async with client_of(tmp_path, dialect, says(dialect, '{"name": "Ada", "age": 36}')) as (
        client,
        upstream,
    ):
        final = await response(client, "who?", text_format=Person)
        sent = upstream.requests[-1].body
    assert final.output_parsed == Person(name="Ada", age=36) and b'"age"' in sent


@TRANSLATED
async def test_a_stream_that_is_cut_raises_and_is_not_completed(tmp_path: Path, dialect: str) -> None:
    seen: list[str] = []

    async def read() -> None:
        stream = await client.responses.create(model="p/m", input="hi", stream=True)
        async for event in stream:
            seen.append(event.type)  # noqa: PERF401  # what came before the error is kept

    async with client_of(tmp_path, dialect, says(dialect, "Half", whole=False)) as (client, _):
        with pytest.raises(openai.APIError, match="the upstream's stream ended before"):
            await read()
    assert "response.output_text.delta" in seen and "response.completed" not in seen
