"""Comments and pings are no progress, however they are spelt and cut; everything with data is."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgate.errors import UpstreamMalformed
from clawgate.relay.interfaces import ResponseProgress
from clawgate.relay.response.progress import (
    KEEPALIVE_LIMIT,
    has_content,
    note_event,
    note_open_event,
    only_opens,
)
from clawgate.wire.sse.reader import EventReader
from tests.cpu_time import grows_by_at_most
from tests.wire.exchanges import sse

EVENT = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'
PING = b'event: ping\ndata: {"type": "ping"}\n\n'


class Detector:
    """A stream that is read, and what came of it."""

    def __init__(self) -> None:
        self.progress = ResponseProgress(content_started=False)
        self._reader = EventReader()

    def feed(self, chunk: bytes) -> bool:
        for event in self._reader.feed(chunk):
            note_event(self.progress, event)
        if self._reader.open_bytes:
            note_open_event(self.progress, self._reader)
        return self.progress.has_progressed()


def progress_of(stream: bytes, size: int) -> list[bool]:
    detector = Detector()
    return [detector.feed(stream[at : at + size]) for at in range(0, len(stream), size)]


KEEPALIVES = [
    b": ping\n\n",
    b":\n",
    b"\n\n\n",
    b": ping\r\n\r\n",
    b": ping\r\r",
    PING,
    PING.replace(b"\n", b"\r\n"),
    PING.replace(b"\n", b"\r"),
    b'event:ping\ndata:{"type":"ping"}\n\n',
    b"event: ping\ndata: {}\n\n",
    b"event: ping\n\n",
    b'data: {"type":"ping"}\n\n',
    b'data: { "cost": "0", "type" : "ping" }\n\n',
    b'id: 7\nevent: ping\ndata: {"type": "ping"}\n\n',
    b": note\nevent: ping\ndata: {}\n\n",
    b'event: keepalive\ndata: {"type":"keepalive","sequence_number":466}\n\n',
    b'event: keepalive\r\ndata: {"type": "keepalive", "sequence_number": 12466}\r\n\r\n',
    b'data: {"type": "keepalive", "sequence_number": 3}\n\n',
    b"event: keepalive\n\n",
    b"retry: 3000\n\n",
    b"data: \n\n",
    b": " + b"x" * (3000) + b"\n\n",
    b"\xef\xbb\xbf: ping\n\n",
]
CONTENT = [
    EVENT,
    b"data: [DONE]\n\n",
    b"data:x\n\n",
    b"data: x\r\n\r\n",
    b"data: x\r\r",
    b'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"text":"event: ping"}}\n\n',
    b'data: {"delta":{"type":"ping"}}\n\n',
    b"data: ping\n\n",
    b': ping\ndata: {"a":1}\n\n',
    b"event: pings\ndata: {}\n\n",
    b'event: keepalive\ndata: {"type":"response.output_text.delta"}\n\n',
    b"data: " + b"x" * (3000) + b"\n\n",
    b"event: ping\ndata: {}\n\n" * 3 + EVENT,
]
SIZES = pytest.mark.parametrize("size", [1, 2, 3, 7, 40, 10_000])


@SIZES
@pytest.mark.parametrize("keepalive", KEEPALIVES)
def test_a_keepalive_is_no_progress(keepalive: bytes, size: int) -> None:
    assert not any(progress_of(keepalive * 3, size))


@SIZES
@pytest.mark.parametrize("content", CONTENT)
def test_content_is_progress(content: bytes, size: int) -> None:
    assert any(progress_of(content, size))


@SIZES
@pytest.mark.parametrize("content", CONTENT)
@pytest.mark.parametrize("keepalive", KEEPALIVES[:-1])
def test_each_keeps_its_meaning_behind_the_other(keepalive: bytes, content: bytes, size: int) -> None:
    detector = Detector()
    for event, progress in ((keepalive, False), (content, True), (keepalive, False), (content, True)):
        fed = [detector.feed(event[at : at + size]) for at in range(0, len(event), size)]
        assert any(fed) is progress, event


@given(st.lists(st.sampled_from(KEEPALIVES[:-1]), min_size=1), st.lists(st.integers(0, 400)))
def test_keepalives_are_no_progress_wherever_they_are_cut(parts: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(parts)
    detector, before = Detector(), 0
    for cut in [*sorted(cut for cut in cuts if cut < len(stream)), len(stream)]:
        assert not detector.feed(stream[before:cut])
        before = cut
    assert detector.progress.keepalive_bytes == len(stream)
    assert detector.feed(EVENT) and detector.progress.keepalive_bytes == 0


def test_a_long_event_is_progress_while_it_arrives() -> None:
    """An image comes in one event of megabytes."""
    fed = progress_of(b"data: " + b"x" * 100_000 + b"\n\n" + PING * 3, 1000)
    assert all(fed[2:100]) and fed[-1:] == [True]
    assert not any(progress_of(b": " + b"x" * 100_000, 1000))


@pytest.mark.parametrize("unit", [b": " + b"x" * 5000, b": ping\n\n", PING])
def test_a_stream_of_keepalives_alone_is_malformed_at_the_bound(unit: bytes) -> None:
    """Whether its comments end or not."""
    detector = Detector()
    for _ in range(KEEPALIVE_LIMIT // len(unit)):
        assert not detector.feed(unit)
    with pytest.raises(UpstreamMalformed, match="comments and pings"):
        detector.feed(unit * 2)


def test_complete_events_have_content_unless_all_of_them_are_keepalives() -> None:
    assert has_content(PING + EVENT) and not has_content(PING * 3) and not has_content(b"")


def chat(finish: str | None = None, **delta: object) -> bytes:
    return sse({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


def block(**content: object) -> bytes:
    return sse({"type": "content_block_start", "index": 0, "content_block": content})


OPENINGS = [
    chat(role="assistant", content=""),
    chat(role="assistant", content=None, refusal=None, tool_calls=[]),
    chat(),
    sse({"choices": [], "usage": {"prompt_tokens": 9}}),
    sse({"choices": [], "prompt_filter_results": [{"prompt_index": 0}]}),
    sse({"choices": [{"index": 0, "text": "", "finish_reason": None}]}),
    sse({"type": "message_start", "message": {"id": "m", "content": []}}),
    b'event: message_start\ndata: {"message": {"id": "m"}}\n\n',
    block(type="text", text="", citations=None),
    block(type="thinking", thinking="", signature=""),
    sse({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": ""}}),
    sse({"type": "response.created", "response": {"id": "r"}}),
    sse({"type": "response.in_progress", "response": {"id": "r"}}),
]
SHOWN = [
    chat(content="a"),
    chat(reasoning_content="a"),
    chat(tool_calls=[{"index": 0}]),
    chat("stop"),
    sse({"choices": [{"index": 0, "text": "a", "finish_reason": None}]}),
    sse({"choices": [{"message": {"role": "assistant", "content": "a"}}]}),
    sse({"choices": ["a"]}),
    block(type="text", text="a"),
    block(type="tool_use", id="1", name="f", input={}),
    block(type="redacted_thinking", data="x"),
    sse({"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "a"}}),
    sse({"type": "content_block_stop", "index": 0}),
    sse({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}),
    sse({"type": "response.output_text.delta", "delta": "a"}),
    sse({"confetti": 1}),
    b"data: [DONE]\n\n",
    b"data: text\n\n",
    sse([]),
]


@pytest.mark.parametrize(
    ("raw", "opens"), [*((raw, True) for raw in OPENINGS), *((raw, False) for raw in SHOWN)]
)
def test_what_opens_a_response_shows_nothing_of_it(raw: bytes, opens: bool) -> None:
    (event,) = EventReader().feed(raw)
    assert only_opens(event) is opens


@pytest.mark.parametrize("unit", [b":\n\n", b"\n", b"\r", b": x\n", PING, EVENT, b"data: x\n", b"x"])
def test_the_time_is_linear(unit: bytes) -> None:
    """Twenty times the bytes take about twenty times the time, not four hundred."""

    streams = [unit * (size // len(unit)) for size in (50_000, 1_000_000)]
    small, large = (partial(progress_of, stream, 16_384) for stream in streams)
    assert grows_by_at_most(100, small, large)
