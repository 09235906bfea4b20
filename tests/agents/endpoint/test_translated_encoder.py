"""What a client of another dialect gets of a run's events, as a stream and as one body."""

from __future__ import annotations

import json
from typing import Any

from clawgate.agents.endpoint.doors import read_messages
from clawgate.agents.endpoint.event_encoder import EventEncoder, rest_of
from clawgate.agents.request.images import ImageRules
from clawgate.agents.run.events import Finished, RunEvent, Started, TextDelta
from clawgate.agents.run.step import Call, Usage
from clawgate.errors import UpstreamClosed

CALL = Call("c1", "look", '{"at":1}')
EVENTS: list[RunEvent] = [
    Started(),
    TextDelta("Hi"),
    TextDelta(" you"),
    Finished("Hi you", "tool_calls", (CALL,), Usage(5, 2, cached_tokens=1)),
]


def encoder(*, stream: bool = True, resumable: bool = False) -> EventEncoder:
    asked = {
        "model": "openclaw",
        "max_tokens": 9,
        "stream": stream,
        "messages": [{"role": "user", "content": "x"}],
    }
    tools = [{"name": "look", "input_schema": {"type": "object"}}]
    read = read_messages(json.dumps({**asked, "tools": tools}).encode(), ImageRules())
    return read.encoder("r1", 1, resumable=resumable)


def events(stream: bytes) -> list[Any]:
    return [json.loads(part.partition(b"data: ")[2]) for part in stream.split(b"\n\n") if part]


def test_a_stream_begins_at_once_and_has_the_texts_as_they_come() -> None:
    made = encoder()
    (start,) = events(b"".join(made.frames(EVENTS[0])))
    assert start["type"] == "message_start" and start["message"]["id"] == "msg_r1"
    text = [event for part in EVENTS[1:3] for event in events(b"".join(made.frames(part)))]
    assert [event["delta"]["text"] for event in text if "delta" in event] == ["Hi", " you"]


def test_a_stream_and_a_body_are_the_same_message() -> None:
    content_type, stream = encoder().complete(EVENTS)
    assert content_type.startswith("text/event-stream")
    body_type, body = encoder(stream=False).complete(EVENTS)
    message = json.loads(body)
    assert body_type == "application/json" and message["id"] == "msg_r1"
    assert message["content"] == [
        {"type": "text", "text": "Hi you"},
        {"type": "tool_use", "id": "c1", "name": "look", "input": {"at": 1}},
    ]
    assert message["stop_reason"] == "tool_use" and message["usage"]["cache_read_input_tokens"] == 1
    *_, delta, stop = events(stream)
    assert stop == {"type": "message_stop"} and delta["delta"]["stop_reason"] == "tool_use"
    assert delta["usage"] == message["usage"]
    blocks = [event["content_block"] for event in events(stream) if event["type"] == "content_block_start"]
    assert [block["type"] for block in blocks] == ["text", "tool_use"] and blocks[1]["id"] == "c1"


def test_each_event_of_a_resumable_stream_has_its_number() -> None:
    _, stream = encoder(resumable=True).complete(EVENTS)
    ids = [line for line in stream.split(b"\n") if line.startswith(b"id: ")]
    assert ids == [b"id: r1-%d" % number for number in range(1, len(ids) + 1)]
    assert rest_of(stream, len(ids) - 1).endswith(b'data: {"type":"message_stop"}\n\n')


def test_a_failure_is_the_last_event() -> None:
    made = encoder()
    list(made.frames(EVENTS[0]))
    (error,) = events(made.failure(UpstreamClosed("it was cut")))
    assert error["type"] == "error" and "it was cut" in error["error"]["message"]
