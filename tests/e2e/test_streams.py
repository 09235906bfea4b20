"""Streams pass byte for byte, each piece as soon as it is here."""

from __future__ import annotations

import asyncio
import random

import pytest

from tests.e2e.stand import KINDS, Kind, serving
from tests.e2e.whatwg import dispatched
from tests.peers import faults
from tests.peers.faults import LAST_CHUNK, SSE_FIELDS, chunk, head
from tests.peers.response import Response
from tests.peers.script import Close, Drip, ReadBody, Send, Wait
from tests.peers.upstream import FakeUpstream

pytestmark = pytest.mark.slow

CHAT = b"".join(faults.CHAT_FRAMES)
USAGE = b"".join(faults.chat_frames("x " * 50))
_noise = random.Random(7)  # the same bytes in every run

PAYLOADS = {
    "one byte": b":",
    "one event": b"data: {}\n\n",
    "a chat": CHAT,
    "a chat with CRLF": CHAT.replace(b"\n", b"\r\n"),
    "a chat with CR": CHAT.replace(b"\n", b"\r"),
    "mixed line ends": b"data: a\r\n\ndata: b\n\r\ndata: c\r\r\n\n",
    "a byte order mark": b"\xef\xbb\xbf" + CHAT,
    "comments only": b": ping\n\n" * 40,
    "comments between events": CHAT.replace(b"\n\n", b"\n\n: ping\n\n"),
    "fields of every kind": b"event: x\nid: 1\nretry: 5\ndata\ndata:\ndata:  two\nother: y\n\n" + CHAT,
    "no blank line at the end": CHAT + b"data: never finished",
    "no [DONE]": b"".join(faults.CHAT_FRAMES[:-1]),
    "[DONE] twice": CHAT + b"data: [DONE]\n\n",
    "bytes behind [DONE]": CHAT + b"data: {}\n\n: bye\n\n",
    "an error in mid-stream": b"".join(faults.CHAT_FRAMES[:2]) + b'data: {"error":{"message":"overloaded"}}\n\n',
    "text of four bytes a character": faults.sse({"t": "🦞🧑‍🚀" * 200}) + b"data: [DONE]\n\n",
    "separators that are no line ends": faults.sse({"t": "a\u0085b\u2028c\u2029d\x0be\x0cf"}) + CHAT,
    "not UTF-8": b"data: \xff\xfe\xc3\x28\xa0\n\n" + CHAT,
    "NUL and control characters": b"data: \x00\x01\x1b[0m\n\n" + CHAT,
    "named events": b"event: response.created\ndata: {}\n\nevent: response.completed\ndata: {}\n\n",
    "usage behind the end": USAGE,
    "64 kB in one event": b"data: " + b"x" * 65_536 + b"\n\n",
    "1 MB in one event": b"data: " + b"y" * 1_000_000 + b"\n\ndata: [DONE]\n\n",
    "1 MB in many events": b"data: 0123456789abcdef\n\n" * 43_000,
    "1 MB of noise": _noise.randbytes(1_000_000),
}  # fmt: skip


def wire_of(payload: bytes, framing: str, size: int) -> bytes:
    if framing == "chunked":
        pieces = [payload[at : at + size] for at in range(0, len(payload), size)]
        start = head(200, [*SSE_FIELDS, ("Transfer-Encoding", "chunked")])
        return start + b"".join(map(chunk, pieces)) + LAST_CHUNK
    if framing == "length":
        return head(200, [*SSE_FIELDS, ("Content-Length", str(len(payload)))]) + payload
    return head(200, [*SSE_FIELDS, ("Connection", "close")]) + payload


CASES = [
    (name, framing, size, write)
    for name in PAYLOADS
    for framing, size, write in (
        ("chunked", 1, 1400), ("chunked", 7, 5), ("chunked", 4096, 1), ("chunked", 10**9, 10**9),
        ("length", 1, 3), ("close", 1, 4),
    )
    if len(PAYLOADS[name]) < 200_000 or (write > 1000 or framing != "chunked")
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PAYLOADS)
async def test_a_whole_stream_is_byte_identical_however_it_is_cut_into_pieces(name: str, kind: Kind) -> None:
    """Every framing, chunk size and write size gives the client the same bytes, complete, and the same events."""
    payload = PAYLOADS[name]
    large = len(payload) > 200_000
    for _, framing, size, write in (case for case in CASES if case[0] == name):
        wire = wire_of(payload, framing, 997 if large and size == 1 else size)
        send = (Drip(wire, max(write, 60_000)),) if large else (Drip(wire, max(write, len(wire) // 400)),)
        end = (Close(),) if framing == "close" else ()
        async with (
            FakeUpstream((ReadBody(), *send, *end)) as upstream,
            serving(kind, upstream.url) as stand,
            await stand.client() as client,
        ):
            response = await stand.ask(client)
            assert response.complete and response.anomalies == (), (framing, size)
            assert response.body == payload, (framing, size)
            assert response.header("content-type") == "text/event-stream; charset=utf-8"
            assert response.framing == ("length" if framing == "length" else "chunked")
            if len(payload) < 100_000:
                assert dispatched(response.body) == dispatched(payload)
            await client.close()
            await stand.all_quiet(kept=0 if framing == "close" else 1)


def test_there_are_at_least_sixty_streams() -> None:
    """The bar of this topic, counted for each role."""
    assert len(CASES) >= 60


@pytest.mark.parametrize("kind", KINDS)
async def test_each_event_is_passed_on_before_the_next_one_exists(kind: Kind) -> None:
    """Nothing is held back: the head before the first event, and each event before the upstream has the next."""
    gates = [asyncio.Event() for _ in faults.CHAT_FRAMES]
    async with (
        FakeUpstream(faults.sse_gated(gates)) as upstream,
        serving(kind, upstream.url) as stand,
        await stand.client() as client,
    ):
        await stand.send(client)
        start = await client.response_so_far()
        assert start.status == 200 and start.body == b""
        assert start.header("x-accel-buffering") == "no"
        for number, gate in enumerate(gates):
            gate.set()
            expected = b"".join(faults.CHAT_FRAMES[: number + 1])

            def enough(response: Response, size: int = len(expected)) -> bool:
                return len(response.body) >= size

            assert (await client.response_so_far(enough)).body == expected
        assert (await client.response()).complete


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("content_type", ["application/json", "application/octet-stream"])
async def test_other_bodies_are_passed_on_as_they_come_too(content_type: str, kind: Kind) -> None:
    """Not only event streams: half of a file is here before the other half exists."""
    gate = asyncio.Event()
    wire = faults.response(b"a" * 100_000 + b"b" * 100_000, content_type=content_type)
    script = (ReadBody(), Send(wire[:-100_000]), Wait(gate), Send(wire[-100_000:]))
    async with (
        FakeUpstream(script) as upstream,
        serving(kind, upstream.url) as stand,
        await stand.client() as client,
    ):
        await stand.send(client)
        half = await client.response_so_far(
            lambda response: len(response.body) + len(response.partial) >= 100_000
        )
        assert half.body + half.partial == b"a" * 100_000
        gate.set()
        assert (await client.response()).body == b"a" * 100_000 + b"b" * 100_000


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pieces", [1, 3, 1000])
@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_request_bodies_arrive_byte_for_byte(framing: str, pieces: int, kind: Kind) -> None:
    """Of any size and in any pieces, with the framing that the client chose, and correct to a strict reader."""
    sizes = [1, 2, 1000, 65_536, 1_000_001] if pieces < 1000 else [1, 500, 20_000]
    async with (
        FakeUpstream(faults.json_response({"ok": 1})) as upstream,
        serving(kind, upstream.url) as stand,
        await stand.client() as client,
    ):
        for size in sizes:
            body = _noise.randbytes(size)
            step = max(size // pieces, 1)
            parts = [body[at : at + step] for at in range(0, size, step)]
            length = (
                ("Content-Length", str(size)) if framing == "length" else ("Transfer-Encoding", "chunked")
            )
            fields = (*stand.fields, ("Content-Type", "application/json"), length)
            await client.request(method="POST", fields=fields)
            if framing == "chunked":
                parts = [*map(chunk, parts), LAST_CHUNK]
            await client.send(*parts)
            assert (await client.response()).json() == {"ok": 1}
            assert upstream.requests[-1].body == body
        assert upstream.anomalies == []
        assert len(upstream.connections) == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_a_body_without_an_end_is_nobodys_request(kind: Kind) -> None:
    """A client that leaves in the middle of its upload leaves no whole request behind."""
    async with (
        FakeUpstream(faults.json_response({"ok": 1})) as upstream,
        serving(kind, upstream.url) as stand,
    ):
        for fields, sent in (
            (("Content-Length", "100"), b"x" * 99),
            (("Transfer-Encoding", "chunked"), chunk(b"x" * 99) + b"0\r\n"),
        ):
            async with await stand.client() as client:
                await client.request(
                    method="POST", fields=(*stand.fields, ("Content-Type", "application/json"), fields)
                )
                await client.send(sent)
                number = len(upstream.requests)
                await upstream.saw_request(max(number - 1, 0))
        await stand.all_quiet(kept=0)
        assert not any(request.complete for request in upstream.requests)
