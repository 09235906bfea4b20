"""The scripted server of the Responses API sends what OpenAI's own SDK reads, and nothing that it does not know."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from tests.peers import responses_api as api
from tests.peers.upstream import FakeUpstream

CITATION = {"type": "url_citation", "start_index": 0, "end_index": 2, "url": "https://e", "title": "E"}
EVERYTHING = (
    api.reasoning("Hm.", "So."),
    api.message("Hello 🦞", "!", annotations=[CITATION]),
    api.refusal("No.", item_id="msg_2"),
    api.function_call("f", '{"a":1}'),
    api.custom_tool_call("c", "1+1", call_id="call_2"),
)


@pytest.mark.parametrize(
    "response",
    [
        api.response_of(*EVERYTHING),
        api.response_of(api.message("cut"), status="incomplete", incomplete_details={"reason": "max_output_tokens"}),
        api.response_of(status="failed", error={"code": "server_error", "message": "boom"}),
    ],
)  # fmt: skip
def test_every_event_is_one_that_the_sdk_knows(response: dict[str, Any]) -> None:
    known: TypeAdapter[ResponseStreamEvent] = TypeAdapter(ResponseStreamEvent)
    for event in api.events_of(response):
        known.validate_python(event)
    Response.model_validate(response)


async def test_the_sdk_reads_a_stream_as_it_reads_the_response() -> None:
    async with FakeUpstream(api.responds(*EVERYTHING)) as upstream:
        client = openai.AsyncOpenAI(base_url=f"{upstream.url}/v1", api_key="k", max_retries=0)
        async with client, client.responses.stream(model="m", input="hi") as stream:
            async for _ in stream:
                pass
            streamed = await stream.get_final_response()
            whole = await client.responses.create(model="m", input="hi")
    assert whole.output_text == streamed.output_text == "Hello 🦞!"
    assert [item.type for item in streamed.output] == [item.type for item in whole.output]


async def test_a_failure_is_one_for_the_sdk() -> None:
    async with FakeUpstream(api.fails(begun=False)) as upstream:
        client = openai.AsyncOpenAI(base_url=f"{upstream.url}/v1", api_key="k", max_retries=0)
        async with client:
            stream = await client.responses.create(model="m", input="hi", stream=True)
            kinds = [event.type async for event in stream]
            response = await client.responses.create(model="m", input="hi")
    assert kinds == ["error"] and response.status == "failed"


def test_a_stream_can_be_cut_and_may_have_no_names() -> None:
    events = api.events_of(api.response_of(api.message("Hello")))
    assert api.frames_of(events[:1], named=False)[0].startswith(b'data: {"type":"response.created"')
    assert (
        len(api.cut_after(3, api.message("Hello"))) == 2 + 3 + 1
    )  # the body is read, head, events, last chunk
