"""A stream that is cut, at any byte and in any way, never looks finished, and nothing is made up."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.e2e.stand import KINDS, Kind, Stand, serving
from tests.e2e.whatwg import dispatched
from tests.peers import faults
from tests.peers.connection import Request
from tests.peers.faults import LAST_CHUNK, SSE_FIELDS, Steps, chunk, head
from tests.peers.response import Response
from tests.peers.script import Close, ReadBody, Reset, Send, Wait
from tests.peers.upstream import FakeUpstream

_OURS = re.compile(rb'(?:\n\n)?data: (\{"error":\{.*\}\})\n\n', re.DOTALL)
_MAY_BE_DONE = re.compile(rb"data(:\s*(\[.*)?)?")

REALISTIC = (
    b": connected\r\n\r\n"
    + b"".join(faults.CHAT_FRAMES[:2]).replace(b"\n", b"\r\n")
    + b": ping\n\n"
    + b"event: message\nid: 7\nretry: 10\n"
    + b"".join(faults.CHAT_FRAMES[2:4])
    + b"data: {\ndata:  \"multi\": 1}\r\r"
    + "data: {\"t\":\"é \u2028 \U0001f99e [DONE]\"}\n\n".encode()
    + b"".join(faults.CHAT_FRAMES[-2:])
)  # fmt: skip
CRLF = b"".join(faults.CHAT_FRAMES[-3:]).replace(b"\n", b"\r\n")
CR = b"".join(faults.CHAT_FRAMES[-3:]).replace(b"\n", b"\r")
TIGHT = b'data:{"a":1}\n\ndata:[DONE]\n\n'
SPLIT_DONE = b"data: {}\n\ndata: [DO\ndata: NE]\n\ndata: [DONE]\n\n"
DONE_FIRST = b"data: {}\n\ndata: [DONE]\ndata: x\n\n"


def chunked(payload: bytes, size: int) -> tuple[bytes, list[int]]:
    """The wire bytes of a chunked stream, and how much of the payload has come after each of them."""
    wire = head(200, [*SSE_FIELDS, ("Transfer-Encoding", "chunked")])
    come = [0] * len(wire)
    for at in range(0, len(payload), size):
        piece = payload[at : at + size]
        line = b"%x\r\n" % len(piece)
        come += (
            [at] * len(line) + [at + number for number in range(1, len(piece) + 1)] + [at + len(piece)] * 2
        )
        wire += chunk(piece)
    come += [len(payload)] * len(LAST_CHUNK)
    return wire + LAST_CHUNK, come


def with_length(payload: bytes) -> tuple[bytes, list[int]]:
    wire = head(200, [*SSE_FIELDS, ("Content-Length", str(len(payload)))])
    return wire + payload, [0] * len(wire) + list(range(1, len(payload) + 1))


def until_close(payload: bytes) -> tuple[bytes, list[int]]:
    wire = head(200, [*SSE_FIELDS, ("Connection", "close")])
    return wire + payload, [0] * len(wire) + list(range(1, len(payload) + 1))


def ours_behind(body: bytes, payload: bytes, come: int) -> dict[str, str] | None:
    """Our error event behind the ``come`` bytes of the payload that had come; fails for anything else."""
    assert body[:come] == payload[:come]
    if len(body) == come:
        return None
    match = _OURS.fullmatch(body[come:])
    assert match, f"made up after {payload[:come][-60:]!r}: {body[come:]!r}"
    error: dict[str, str] = json.loads(match[1])["error"]
    assert error["code"] == "upstream_closed"
    return error


def judge(response: Response, payload: bytes, come: int, *, whole: bool) -> None:
    """The claims of this file about one answer, of which ``come`` bytes of the payload had left the upstream."""
    body = response.body + response.partial
    if whole:
        assert response.complete and body == payload and response.anomalies == ()
        return
    assert not response.complete
    judge_events(body, payload, come, may_speak=response.framing == "chunked")


def judge_events(body: bytes, payload: bytes, come: int, *, may_speak: bool) -> None:
    """What a standard reader makes of a stream that was cut: no end that the upstream had not said."""
    error = ours_behind(body, payload, come)
    passed = payload[:come]
    seen, sent = dispatched(body), dispatched(passed)
    if error is not None:
        assert json.loads(seen.pop()) == {"error": error}
    assert seen[: len(sent)] == sent and len(seen) <= len(sent) + 1
    assert not any(event.startswith("[DONE]") for event in seen[len(sent) :])
    done = any(event.startswith("[DONE]") for event in sent)
    if (
        error is None and passed and may_speak and not done
    ):  # silence is only for where ours would make up a [DONE]
        last = re.split(rb"\r\n\r\n|\n\n|\r\r", passed.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n"))[-1]
        lines = re.split(rb"\r\n|\n|\r", last)
        assert any(map(_MAY_BE_DONE.fullmatch, lines)), f"no error event after {passed[-60:]!r}"


def cuts(wire: bytes, how: Close | Reset, ready: asyncio.Event) -> Steps:
    return (ReadBody(), Send(wire), Wait(ready), how)


async def cut_at_each(
    stand: Stand,
    upstream: FakeUpstream,
    wires: Sequence[tuple[bytes, list[int]]],
    offsets: Sequence[tuple[int, int, Close | Reset]],
    payload: bytes,
) -> None:
    """Cut wire number w after ``at`` bytes for each (w, at, how), and judge what came."""
    ready = [asyncio.Event() for _ in offsets]

    def script(request: Request) -> Steps:
        number, at, how = offsets[request.number]
        return cuts(wires[number][0][:at], how, ready[request.number])

    upstream._scripts = (script,)
    for index, (number, at, how) in enumerate(offsets):
        wire, come = wires[number]
        arrived = come[at - 1] if at else 0
        in_body = at >= wire.index(b"\r\n\r\n") + 4
        async with await stand.client() as client:
            await stand.send(client)
            if in_body:  # what was sent before the cut has arrived: a reset cannot overtake it
                await client.response_so_far(
                    lambda response, least=arrived: (
                        response.head is not None  # type: ignore[misc]
                        and len(response.body) + len(response.partial) >= least
                    )
                )
            ready[index].set()
            response = await client.response()
        if in_body:
            closes = b"Connection: close" in wire and isinstance(how, Close)
            whole = at == len(wire) and (isinstance(how, Close) or b"Connection: close" not in wire)
            if closes and at < len(wire):
                assert (
                    response.complete and response.body == payload[:arrived]
                )  # nobody can tell: RFC 9112, 6.3
                continue
            judge(response, payload, arrived, whole=whole)
        else:
            assert response.status == 502 and response.json()["error"]["code"] == "upstream_closed"


def every(
    wire: bytes, number: int, hows: Sequence[Close | Reset], step: int = 1
) -> Iterator[tuple[int, int, Close | Reset]]:
    for at in range(0, len(wire) + 1, step):
        for how in hows:
            yield number, at, how


BOTH: tuple[Close | Reset, ...] = (Close(), Reset())


@pytest.mark.parametrize("how", BOTH, ids=["FIN", "RST"])
async def test_a_realistic_stream_cut_at_every_byte_never_looks_finished(how: Close | Reset) -> None:
    """Head, chunk framing, CRLF, comments, half characters, usage and [DONE]: every offset of the wire."""
    wire = chunked(REALISTIC, 61)
    async with FakeUpstream((Close(),)) as upstream, serving("bridge", upstream.url) as stand:
        await cut_at_each(stand, upstream, [wire], list(every(wire[0], 0, [how])), REALISTIC)
        await stand.all_quiet()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "payload",
    [CRLF, CR, TIGHT, SPLIT_DONE, DONE_FIRST],
    ids=["CRLF", "CR", "no spaces", "two lines", "first line"],
)
async def test_the_end_of_a_stream_cut_at_every_byte_never_looks_finished(payload: bytes, kind: Kind) -> None:
    """The last frames, in every spelling of line ends, with every framing of the upstream's."""
    wires = [chunked(payload, 1000), chunked(payload, 3), with_length(payload), until_close(payload)]
    offsets: list[tuple[int, int, Close | Reset]] = []
    for number, (wire, _) in enumerate(wires):
        start = wire.index(b"\r\n\r\n") + 4
        step = 5 if number == 1 else 1 + (len(payload) > 100)
        offsets += [cut for cut in every(wire, number, BOTH, step) if cut[1] >= start]
    async with FakeUpstream((Close(),)) as upstream, serving(kind, upstream.url) as stand:
        await cut_at_each(stand, upstream, wires, offsets, payload)
        await stand.all_quiet()


@pytest.mark.parametrize("how", BOTH, ids=["FIN", "RST"])
async def test_a_cut_stream_never_looks_finished_to_an_http10_client(how: Close | Reset) -> None:
    """Where only the end of the connection ends an answer, a cut is an error event or a reset."""
    payload = CRLF[-120:]
    wire, come = chunked(payload, 1000)
    start = wire.index(b"\r\n\r\n") + 4
    seen = asyncio.Event()

    def script(request: Request) -> Steps:
        return cuts(wire[: start + request.number], how, seen)

    async with FakeUpstream(script) as upstream, serving("bridge", upstream.url) as stand:
        for at in range(start, len(wire)):
            seen.clear()
            async with await stand.client() as client:
                await client.send(
                    b"POST /v1/chat/completions HTTP/1.0\r\nContent-Type: application/json\r\n"
                    b"Host: localhost\r\nContent-Length: 2\r\n\r\n{}"
                )
                arrived = come[at - 1]
                await client.response_so_far(
                    lambda response, least=arrived: (
                        response.head is not None  # type: ignore[misc]
                        and len(response.body) >= least
                    )
                )
                seen.set()
                response = await client.response()
            judge_events(response.body, payload, arrived, may_speak=True)
            assert len(response.body) > arrived or not response.complete, f"cut at {at}: looks whole"


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
async def test_any_stream_cut_anywhere_never_looks_finished(data: st.DataObject) -> None:
    """Streams made of hostile lines, in any chunks, cut anywhere."""
    line = st.sampled_from(
        [b"data: [DONE]", b"data:[DONE]", b"data: [DONE] ", b"data", b"data:", b"data: {}", b": [DONE]", b":",
         b"", b"", b"event: x", b"data: [DONE", b"data: x[DONE]", b"id", "data: \U0001f99e".encode(),
         b"\xef\xbb\xbfdata: a"]
    )  # fmt: skip
    end = st.sampled_from([b"\n", b"\r\n", b"\r"])
    payload = b"".join(data.draw(st.lists(st.builds(lambda a, b: a + b, line, end), min_size=1, max_size=14)))
    wire, come = chunked(payload, data.draw(st.integers(1, 40)))
    start = wire.index(b"\r\n\r\n") + 4
    at = data.draw(st.integers(start, len(wire) - 1))
    how: Close | Reset = data.draw(st.sampled_from(BOTH))
    async with FakeUpstream((Close(),)) as upstream, serving("bridge", upstream.url) as stand:
        ready = asyncio.Event()
        upstream._scripts = (cuts(wire[:at], how, ready),)
        async with await stand.client() as client:
            await stand.send(client)
            least = come[at - 1]
            await client.response_so_far(
                lambda response: (
                    response.head is not None and len(response.body) + len(response.partial) >= least
                )
            )
            ready.set()
            response = await client.response()
        judge(response, payload, least, whole=False)
