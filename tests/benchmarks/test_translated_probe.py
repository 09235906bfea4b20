"""What proves a translator before it is timed must not be easy to please."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from benchmarks.payloads import CHUNKS, SENT_IN_TEXT
from benchmarks.translated_probe import read_chat_stream, read_messages_stream, read_responses_stream
from benchmarks.upstream_dialects import CHAT, MESSAGES, RESPONSES, UpstreamDialect

Reader = Callable[[bytes], list[str]]
_FRAMING = re.compile(rb"[0-9a-f]+\r\n((?:[^\r]|\r(?!\n))*)\r\n")


def as_read(dialect: UpstreamDialect, chunks: int = CHUNKS) -> bytes:
    """The upstream's own stream without its HTTP framing."""
    framed = dialect.opening + b"".join(dialect.chunk() for _ in range(chunks)) + dialect.ending
    return b"".join(_FRAMING.findall(framed))


READERS = [
    pytest.param(CHAT, read_chat_stream, id="chat"),
    pytest.param(MESSAGES, read_messages_stream, id="messages"),
    pytest.param(RESPONSES, read_responses_stream, id="responses"),
]


@pytest.mark.parametrize(("dialect", "read"), READERS)
def test_the_upstreams_own_stream_is_whole_and_every_text_is_found(
    dialect: UpstreamDialect, read: Reader
) -> None:
    stream = as_read(dialect)
    assert len(read(stream)) == CHUNKS
    assert len(SENT_IN_TEXT.findall(stream)) == CHUNKS


@pytest.mark.parametrize(("dialect", "read"), READERS)
def test_a_stream_without_one_of_its_framing_events_is_refused(
    dialect: UpstreamDialect, read: Reader
) -> None:
    events = as_read(dialect, chunks=1).split(b"\n\n")[:-1]
    needed = [event for event in events if not event.startswith(b"event: ping") and b" risk" not in event]
    for lost in needed:
        rest = b"".join(event + b"\n\n" for event in events if event != lost)
        with pytest.raises((ValueError, KeyError, IndexError)):
            read(rest)


@pytest.mark.parametrize(("dialect", "read"), READERS)
def test_a_stream_that_was_cut_anywhere_is_refused(dialect: UpstreamDialect, read: Reader) -> None:
    stream = as_read(dialect, chunks=1)
    for size in range(len(stream)):
        with pytest.raises((ValueError, KeyError, IndexError)):
            read(stream[:size])


def test_a_finish_that_is_told_twice_is_refused() -> None:
    stream = as_read(CHAT, chunks=1)
    ending = next(event for event in stream.split(b"\n\n") if b'"finish_reason":"stop"' in event)
    with pytest.raises(ValueError, match="finish reasons"):
        read_chat_stream(stream.replace(ending, ending + b"\n\n" + ending))
