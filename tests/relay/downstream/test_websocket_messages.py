"""Frames become messages as RFC 6455 says, however the bytes are split, and each fault has its close code."""

from __future__ import annotations

import logging
import struct
import tracemalloc
from itertools import pairwise

import pytest

from clawgate.relay.downstream.websocket_messages import WebSocketMessages
from tests.relay.websocket_frames import (
    BINARY,
    CLOSE,
    CONT,
    PING,
    PONG,
    TEXT,
    close,
    frame,
    frames_of,
)

LIMIT = 70_000
EURO = "x€𝄞".encode()


def outcome(data: bytes, step: int = 0) -> tuple[list[str], list[tuple[int, bytes]], tuple[int, str] | None]:
    """The messages of ``data``, what is written in response, and how the connection closes."""
    messages = WebSocketMessages(LIMIT)
    texts: list[str] = []
    written: list[bytes] = []
    for at in range(0, len(data), step or len(data)):
        texts += messages.feed(data[at : at + (step or len(data))])
        written += messages.pending()
    if b"" in written:
        assert written.index(b"") == len(written) - 1, "nothing is written behind the end"
    return texts, frames_of(b"".join(written)), messages.end


def message(text: bytes, cuts: list[int]) -> bytes:
    """``text`` as one message in fragments that end at ``cuts``."""
    edges = [0, *cuts, len(text)]
    parts = [text[a:b] for a, b in pairwise(edges)]
    last = len(parts) - 1
    return b"".join(frame(CONT if at else TEXT, part, fin=at == last) for at, part in enumerate(parts))


Row = tuple[bytes, list[str]]
WHOLE: dict[str, Row] = {
    "empty": (frame(TEXT), [""]),
    "text": (frame(TEXT, b"hello"), ["hello"]),
    "two": (frame(TEXT, b"a") + frame(TEXT, b"b"), ["a", "b"]),
    "125": (frame(TEXT, b"x" * 125), ["x" * 125]),
    "126": (frame(TEXT, b"x" * 126), ["x" * 126]),
    "65535": (frame(TEXT, b"x" * 65_535), ["x" * 65_535]),
    "65536": (frame(TEXT, b"x" * 65_536), ["x" * 65_536]),
    "length-wider-than-it-must-be": (frame(TEXT, b"ab", wide=8) + frame(TEXT, b"c", wide=2), ["ab", "c"]),
    "fragments": (message(b"hello", [1, 3]), ["hello"]),
    "empty-fragments": (message(b"hi", [0, 0, 1, 1, 2]), ["hi"]),
    "only-empty-fragments": (message(b"", [0, 0]), [""]),
    "two-fragmented": (message(b"ab", [1]) + message(b"cd", [1]), ["ab", "cd"]),
    "line-ends": (message(b"a\r\nb\rc\n", [2, 5]), ["a\r\nb\rc\n"]),
    "utf8": (frame(TEXT, EURO), [EURO.decode()]),
    "nul": (frame(TEXT, b"\x00"), ["\x00"]),
    "noncharacter": (frame(TEXT, "\uffff".encode()), ["\uffff"]),
    "highest": (frame(TEXT, "\U0010ffff".encode()), ["\U0010ffff"]),
    "at-the-limit": (message(b"x" * LIMIT, [30_000]), ["x" * LIMIT]),
}


@pytest.mark.parametrize("step", [0, 1, 2, 3, 1000])
@pytest.mark.parametrize("name", WHOLE)
def test_frames_become_messages(name: str, step: int) -> None:
    data, texts = WHOLE[name]
    if step in (1, 2, 3) and len(data) > 10_000:
        step *= 997
    assert outcome(data, step) == (texts, [], None)


@pytest.mark.parametrize("cut", range(len(EURO) + 1))
def test_a_character_may_be_split_between_fragments(cut: int) -> None:
    assert outcome(message(EURO, [cut]))[0] == [EURO.decode()]


def test_a_message_in_many_fragments_takes_about_its_own_memory() -> None:
    """Whose limit is that of all sockets: what is held has to be what is counted."""
    character = "\u20ac".encode()
    messages = WebSocketMessages(2**20)
    assert list(messages.feed(frame(TEXT, character, fin=False))) == []
    fragments = frame(CONT, character, fin=False) * 1000
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(20):
            assert list(messages.feed(fragments)) == []
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert messages.held_bytes == 60_003 and after - before < 2 * messages.held_bytes


@pytest.mark.parametrize("step", [0, 1])
def test_a_ping_between_fragments_is_answered_at_once(step: int) -> None:
    data = frame(TEXT, b"a", fin=False) + frame(PING, b"p" * 125) + frame(CONT, b"b")
    assert outcome(data, step) == (["ab"], [(PONG, b"p" * 125)], None)


def test_pongs_and_messages_keep_the_order_of_their_frames() -> None:
    """Also where they come in one read, with a close frame behind them."""
    messages = WebSocketMessages(LIMIT)
    data = (
        frame(PING, b"1")
        + frame(TEXT, b"a")
        + frame(PING, b"2")
        + frame(TEXT, b"b")
        + frame(PING, b"3")
        + close()
    )
    seen = [[text, *frames_of(b"".join(messages.pending()))] for text in messages.feed(data)]
    assert seen == [["a", (PONG, b"1")], ["b", (PONG, b"2")]]
    assert frames_of(b"".join(messages.pending())) == [(PONG, b"3"), (CLOSE, b"")]


@pytest.mark.parametrize("behind", [b"", close(1000)])
def test_a_close_of_ours_between_messages_ends_them(behind: bytes) -> None:
    """Whatever comes behind it in the same read: one close frame is written."""
    messages = WebSocketMessages(LIMIT)
    texts = messages.feed(frame(TEXT, b"a") + frame(TEXT, b"b") + frame(PING) + behind)
    assert next(texts) == "a"
    messages.close(4000, "")
    written = frames_of(b"".join(messages.pending()))
    assert [opcode for opcode, _ in written] == [PONG, CLOSE] and messages.end == (4000, "")


def test_every_ping_has_its_pong_and_a_pong_has_none() -> None:
    data = frame(PONG, b"unasked") + frame(PING) + frame(PING, b"1") + frame(PING, b"2")
    assert outcome(data) == ([], [(PONG, b""), (PONG, b"1"), (PONG, b"2")], None)


FAULTS = {
    "unmasked": (frame(TEXT, b"a", masked=False), 1002),
    "unmasked-ping": (frame(PING, b"a", masked=False), 1002),
    "reserved-1": (frame(TEXT, b"a", reserved=4), 1002),
    "reserved-2": (frame(TEXT, b"a", reserved=2), 1002),
    "reserved-3": (frame(PING, b"a", reserved=1), 1002),
    **{f"opcode-{opcode}": (frame(opcode, b"a"), 1002) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "ping-too-long": (frame(PING, b"x" * 126), 1002),
    "pong-too-long": (frame(PONG, b"x" * 126), 1002),
    "close-too-long": (frame(CLOSE, b"\x03\xe8" + b"x" * 124), 1002),
    "fragmented-ping": (frame(PING, b"a", fin=False), 1002),
    "fragmented-close": (frame(CLOSE, b"\x03\xe8", fin=False), 1002),
    "continuation-of-nothing": (frame(CONT, b"a"), 1002),
    "text-within-a-message": (frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"), 1002),
    "binary-within-a-message": (frame(TEXT, b"a", fin=False) + frame(BINARY, b"b"), 1002),
    "continuation-behind-the-last": (message(b"ab", [1]) + frame(CONT, b"c"), 1002),
    "binary": (frame(BINARY, b"a"), 1003),
    "binary-begun": (frame(BINARY, b"a", fin=False), 1003),
    "binary-empty": (frame(BINARY), 1003),
    "too-big": (frame(TEXT, b"x" * (LIMIT + 1)), 1009),
    "too-big-in-fragments": (message(b"x" * (LIMIT + 1), [20_000, 40_000, 60_000]), 1009),
    "too-big-announced": (frame(TEXT, length=2**40), 1009),
    "too-big-announced-63": (frame(TEXT, length=2**63 - 1), 1009),
    "too-big-announced-64": (frame(TEXT, length=2**64 - 1), 1009),
    "invalid-byte": (frame(TEXT, b"a\xffb"), 1007),
    "overlong": (frame(TEXT, b"\xc0\xaf"), 1007),
    "surrogate": (frame(TEXT, b"\xed\xa0\x80"), 1007),
    "beyond-unicode": (frame(TEXT, b"\xf4\x90\x80\x80"), 1007),
    "cut-character": (frame(TEXT, b"\xe2\x82"), 1007),
    "cut-character-in-fragments": (message(b"a\xe2\x82", [2]), 1007),
    "invalid-in-the-first-fragment": (frame(TEXT, b"\xff", fin=False), 1007),
    "close-of-one-byte": (frame(CLOSE, b"\x03"), 1002),
    "close-reason-not-utf8": (close(1000, b"\xff"), 1007),
    **{
        f"close-{code}": (close(code), 1002)
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535)
    },
}


@pytest.mark.parametrize("step", [0, 1])
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_closes_with_its_code_and_nothing_behind_it_counts(name: str, step: int) -> None:
    """Nor does a close frame in the same bytes; what came in front of the fault does."""
    data, code = FAULTS[name]
    if step and len(data) > 10_000:
        step = 997
    texts, written, end = outcome(frame(TEXT, b"before") + data + frame(TEXT, b"behind") + close(1000), step)
    behind = {"continuation-behind-the-last": ["ab"]}.get(name, [])
    assert texts == ["before", *behind]
    assert [opcode for opcode, _ in written] == [CLOSE]
    assert struct.unpack("!H", written[0][1][:2]) == (code,)
    assert end is not None and end[0] == code


@pytest.mark.parametrize("step", [0, 1])
@pytest.mark.parametrize(
    "code", [None, 1000, 1001, 1002, 1003, 1007, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
)
def test_a_close_frame_is_returned_once(code: int | None, step: int) -> None:
    data = close(code, b"" if code is None else "adiós".encode())
    texts, written, end = outcome(frame(TEXT, b"a") + data + frame(TEXT, b"b") + frame(PING) + data, step)
    assert texts == ["a"]
    assert [(opcode, payload) for opcode, payload in written] == [(CLOSE, data[6:] and unmasked(data))]
    assert end == (code or 1005, "" if code is None else "adiós")


def unmasked(data: bytes) -> bytes:
    return bytes(byte ^ b"\x37\xfa\x21\x3d"[index % 4] for index, byte in enumerate(data[6:]))


def test_a_close_of_ours_waits_for_that_of_the_client() -> None:
    """What the client sent before it got ours is read, and the end comes with its own close frame."""
    messages = WebSocketMessages(LIMIT)
    messages.close(1008, "€" * 60)
    (written,) = messages.pending()
    ((opcode, payload),) = frames_of(written)
    assert (opcode, payload) == (CLOSE, b"\x03\xf0" + "€".encode() * 41)
    assert messages.end == (1008, "€" * 41)
    messages.close(1000, "again")
    messages.ping()
    assert messages.pending() == []
    list(messages.feed(close(1008)))
    assert messages.pending() == [b""]
    assert messages.end == (1008, "€" * 41)


def test_the_end_of_the_stream_without_a_close_frame_is_1006() -> None:
    messages = WebSocketMessages(LIMIT)
    messages.feed_eof()
    assert messages.end == (1006, "") and messages.pending() == [b""]


def test_the_limit_can_be_lifted() -> None:
    messages = WebSocketMessages(10)
    messages.allow(20)
    assert list(messages.feed(frame(TEXT, b"x" * 20))) == ["x" * 20]


def test_what_is_announced_is_not_reserved() -> None:
    """64 MB that never come cost nothing (CVE-2026-42437)."""
    messages = WebSocketMessages(2**26)
    list(messages.feed(frame(TEXT, b"a" * 10, length=2**26)))
    assert len(messages._protocol.reader.buffer) < 100


def test_no_payload_reaches_a_log(caplog: pytest.LogCaptureFixture) -> None:
    """`websockets` writes every frame at the level DEBUG."""
    caplog.set_level(logging.DEBUG)
    outcome(frame(TEXT, b"SECRET") + frame(PING, b"SECRET") + close(1000, b"SECRET"))
    assert "SECRET" not in caplog.text
    assert not logging.getLogger("clawgate.relay.frames").isEnabledFor(logging.INFO)
