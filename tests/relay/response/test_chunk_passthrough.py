"""What passes is one whole chunk of whole events, and its last one is remembered."""

from __future__ import annotations

import pytest

from clawgate.relay.interfaces import ChunkPassthrough
from clawgate.relay.response.chunk_passthrough import CHUNK_ENDS, SHORTEST_CONTENT, chunk_prefixes


def framed(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


@pytest.mark.parametrize("filler", [80, 81, 100, 245, 246, 247, 248, 4000, 4086, 4087, 65_525, 1_048_600])
@pytest.mark.parametrize("field", [b"data:", b"event:"])
def test_the_length_of_a_chunk_implies_its_prefix(filler: int, field: bytes) -> None:
    """Also where one byte more takes another digit."""
    chunk = framed(field + b"x" * filler + b"\n\n")
    assert chunk.startswith(chunk_prefixes(len(chunk))) and chunk.endswith(CHUNK_ENDS)


@pytest.mark.parametrize(
    "body",
    [
        b"data: [DONE]\n\n",
        b'data: {"type":"ping"}\n\n',
        b'event: ping\ndata: {"type": "ping"}\n\n',
        b'event: keepalive\ndata: {"type": "keepalive", "sequence_number": 12466}\n\n',
        b"data: a\n\n",
    ],
)
def test_a_chunk_that_may_mean_something_to_a_limit_or_an_end_is_read(body: bytes) -> None:
    chunk = framed(body)
    assert len(body) < SHORTEST_CONTENT and not chunk.startswith(chunk_prefixes(len(chunk)))


@pytest.mark.parametrize("body", [b"data: " + b"x" * 70 + b"\n\n", b"data: " + b"x" * 300 + b"\n\n"])
def test_what_is_more_or_less_than_one_chunk_does_not_begin_so(body: bytes) -> None:
    whole = framed(body)
    for other in (
        whole + whole,
        whole + whole[:1],
        whole[:-1],
        whole[1:],
        b"0" + whole,
        whole.replace(b"\r\n", b";x=y\r\n", 1),
    ):
        assert not other.startswith(chunk_prefixes(len(other)))


def test_the_content_of_the_last_chunk_is_without_its_framing() -> None:
    passthrough = ChunkPassthrough(bytearray().extend, ())
    assert passthrough.last_content == b""
    passthrough.last_chunk = framed(b"data: a\r\n\r\n")
    assert passthrough.last_content == b"data: a\r\n\r\n"
