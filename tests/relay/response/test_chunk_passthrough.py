"""What passes is one whole chunk of whole events, and its last one is remembered."""

from __future__ import annotations

import pytest

from clawgate.relay.interfaces import ChunkPassthrough
from clawgate.relay.response.chunk_passthrough import CHUNK_ENDS, chunk_beginnings


def framed(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


@pytest.mark.parametrize(
    "filler", [0, 1, 6, 7, 8, 100, 245, 246, 247, 248, 4000, 4086, 4087, 65_525, 1_048_600]
)
@pytest.mark.parametrize("field", [b"data:", b"event:"])
def test_the_length_of_a_chunk_tells_how_it_begins(filler: int, field: bytes) -> None:
    """Also where one byte more takes another digit."""
    chunk = framed(field + b"x" * filler + b"\n\n")
    assert chunk.startswith(chunk_beginnings(len(chunk))) and chunk.endswith(CHUNK_ENDS)


@pytest.mark.parametrize("body", [b"data: a\n\n", b"data: " + b"x" * 300 + b"\n\n"])
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
        assert not other.startswith(chunk_beginnings(len(other)))


def test_the_last_chunk_is_told_once() -> None:
    """Without its framing."""
    passthrough = ChunkPassthrough(bytearray().extend, ())
    passthrough.last_chunk = framed(b"data: a\r\n\r\n")
    assert passthrough.pop_last_chunk() == b"data: a\r\n\r\n"
    assert passthrough.pop_last_chunk() == b""
