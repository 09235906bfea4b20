"""Recorded exchanges in both dialects, and what makes a stream legal in each: shared by the tests of translations.

The transcripts were written from the API references of both services; requests and upstream answers are as a real
client and a real service would send them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from clawgate.wire.dialect import Dialect
from clawgate.wire.sse.reader import Event, EventReader
from clawgate.wire.translate.exchange import Translation
from clawgate.wire.translate.translator import translation

FOLDER = Path(__file__).with_name("transcripts")
NAMES = sorted(path.parent.relative_to(FOLDER).as_posix() for path in FOLDER.glob("*/*/request.json"))
PAIRS = {
    "chat_to_messages": (Dialect.CHAT, Dialect.MESSAGES, "claude-sonnet-4-5"),
    "messages_to_chat": (Dialect.MESSAGES, Dialect.CHAT, "gpt-x"),
    "chat_to_responses": (Dialect.CHAT, Dialect.RESPONSES, "gpt-5"),
    "responses_to_chat": (Dialect.RESPONSES, Dialect.CHAT, "gpt-x"),
}
CREATED = 1_700_000_000


def pair_of(name: str) -> str:
    """The pair that a transcript belongs to."""
    return name.partition("/")[0]


def new(pair: str) -> Translation:
    """A fresh exchange of a pair, or of the pair that a transcript belongs to."""
    client, upstream, model = PAIRS[pair_of(pair)]
    return translation(
        client, upstream, requested_model="asked/model", upstream_model=model, created=CREATED, unique_id="u1"
    )


class EventSink(Protocol):
    """What takes events and gives a client's bytes: a translation, or the stream within one."""

    def feed(self, event: Event, out: list[bytes]) -> None: ...
    def end(self, out: list[bytes]) -> None: ...


class Fed:
    """A translated stream that is fed with bytes, in any pieces."""

    def __init__(self, sink: EventSink) -> None:
        self._sink = sink
        self._reader = EventReader()
        self._out: list[bytes] = []

    def feed(self, chunk: bytes) -> bytes:
        """The client's bytes; what came in front of an error that is raised is left for `rest`."""
        for event in self._reader.feed(chunk):
            self._sink.feed(event, self._out)
        return self.rest()

    def end(self) -> bytes:
        self._sink.end(self._out)
        return self.rest()

    def rest(self) -> bytes:
        out, self._out = self._out, []
        return b"".join(out)


def asked(name: str) -> Translation:
    """The exchange of a transcript, its request already translated."""
    exchange = new(name)
    exchange.translate_request(recorded(name, "request.json"))
    return exchange


def recorded(name: str, file: str) -> bytes:
    return (FOLDER / name / file).read_bytes()


def recorded_json(name: str, file: str) -> Any:
    return json.loads(recorded(name, file))


def pieces(stream: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(stream), size or len(stream)):
        yield stream[start : start + size] if size else stream


def sse(*events: object) -> bytes:
    """Events as an upstream would write them, Anthropic's with their names."""
    said = b""
    for event in events:
        if isinstance(event, dict) and isinstance(event.get("type"), str):
            said += b"event: " + event["type"].encode() + b"\n"
        said += b"data: " + json.dumps(event).encode() + b"\n\n"
    return said


def events(stream: bytes) -> list[Any]:
    """The data of every event, decoded, `[DONE]` as it is; the event's name has to be its type."""
    found: list[Any] = []
    for event in stream.decode().split("\n\n")[:-1]:
        lines = [line for line in event.split("\n") if not line.startswith(":")]
        if not lines:
            continue
        fields = dict(line.split(": ", 1) for line in lines)
        assert set(fields) <= {"event", "data"} and len(fields) == len(lines)
        if fields["data"] == "[DONE]":
            found.append("[DONE]")
            continue
        data = json.loads(fields["data"])
        assert fields.get("event") == data.get("type")
        found.append(data)
    assert stream.endswith(b"\n\n") or not stream
    return found


def looks_finished(client: str, stream: bytes) -> bool:
    """Whether a client would take the stream for a whole answer."""
    if client.startswith("chat_to_"):
        return b"[DONE]" in stream or b'"finish_reason":"' in stream
    if client == "responses_to_chat":
        return b"response.completed" in stream or b"response.incomplete" in stream
    return b"message_stop" in stream or b'"stop_reason":"' in stream


def check_chat(stream: bytes, *, whole: bool = True) -> list[Any]:
    """The chunks of a legal chat stream: the role first, one finish reason, `[DONE]` last."""
    said = events(stream)
    chunks = [chunk for chunk in said if chunk != "[DONE]" and "error" not in chunk]
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    if choices:
        assert choices[0]["delta"]["role"] == "assistant"
        assert all("role" not in choice["delta"] for choice in choices[1:])
    finishes = [choice["finish_reason"] for choice in choices if choice["finish_reason"] is not None]
    calls = [call for choice in choices for call in choice["delta"].get("tool_calls", ())]
    indexes = [call["index"] for call in calls if "id" in call]
    assert indexes == list(range(len(indexes)))
    begun: set[int] = set()
    for call in calls:
        assert ("id" in call) == (call["index"] not in begun)
        begun.add(call["index"])
    assert all(chunk["object"] == "chat.completion.chunk" for chunk in chunks)
    assert (said[-1:] == ["[DONE]"]) == whole and said.count("[DONE]") == int(whole)
    assert len(finishes) == int(whole)
    return chunks


def check_messages(stream: bytes, *, whole: bool = True) -> list[Any]:
    """The events of a legal Messages stream: its start, blocks one after the other, delta and stop last."""
    said = [event for event in events(stream) if event["type"] not in ("ping", "error")]
    kinds = [event["type"] for event in said]
    assert not kinds or kinds[0] == "message_start"
    assert kinds.count("message_start") <= 1
    open_block: tuple[int, str] | None = None
    blocks = 0
    for event in said:
        match event["type"]:
            case "content_block_start":
                assert open_block is None and event["index"] == blocks
                open_block = (blocks, event["content_block"]["type"])
                blocks += 1
            case "content_block_delta":
                assert open_block is not None and event["index"] == open_block[0]
                assert (open_block[1], event["delta"]["type"]) in {
                    ("text", "text_delta"),
                    ("tool_use", "input_json_delta"),
                    ("thinking", "thinking_delta"),
                    ("thinking", "signature_delta"),
                }
            case "content_block_stop":
                assert open_block is not None and event["index"] == open_block[0]
                open_block = None
            case "message_delta":
                assert open_block is None
    assert (kinds[-2:] == ["message_delta", "message_stop"]) == whole
    assert kinds.count("message_delta") == kinds.count("message_stop") == int(whole)
    return said


_OF_PART = {"output_text": "text", "refusal": "refusal", "reasoning_summary_text": "text"}


def check_responses(stream: bytes, *, whole: bool = True) -> list[Any]:
    """The events of a legal Responses stream: numbered; items and parts begin, grow and end as what they grew to."""
    said = events(stream)
    assert [event["sequence_number"] for event in said] == list(range(len(said)))
    kinds = [event["type"].removeprefix("response.") for event in said]
    assert kinds[:2] == ["created", "in_progress"][: len(kinds)]
    items: dict[int, Any] = {}
    ended: list[Any] = []
    texts: dict[tuple[Any, ...], str] = {}  # what was added at each place
    for kind, event in zip(kinds, said, strict=True):
        index = event.get("output_index")
        if kind == "output_item.added":
            assert index == len(items) and event["item"]["status"] == "in_progress"
            items[index] = event["item"]
        elif kind == "output_item.done":
            item = event["item"]
            assert (items[index]["id"], items[index]["type"]) == (item["id"], item["type"])
            ended.append((index, item))
        elif index is not None:
            assert event["item_id"] == items[index]["id"] and index not in dict(ended)
            place = (index, event.get("content_index"), event.get("summary_index"))
            name, _, what = kind.rpartition(".")
            if what == "delta":
                texts[place] = texts.get(place, "") + event["delta"]
            elif what == "done" and not name.endswith("_part"):
                member = _OF_PART.get(name) or ("input" if name == "custom_tool_call_input" else "arguments")
                assert event[member] == texts.pop(place, "")
    if whole:
        assert not texts and len(ended) == len(items)
        assert said[-1]["response"]["output"] == [item for _, item in sorted(ended, key=lambda one: one[0])]
        assert len({item["id"] for _, item in ended}) == len(ended)
    lasts = [kind for kind in kinds if kind in ("completed", "incomplete")]
    assert len(lasts) == int(whole) and (kinds[-1:] == lasts or not whole)
    return said


CHECKS = {
    "chat_to_messages": check_chat,
    "messages_to_chat": check_messages,
    "chat_to_responses": check_chat,
    "responses_to_chat": check_responses,
}
