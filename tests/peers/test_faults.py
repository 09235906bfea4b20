"""Each ready-made script is what its name says, as a strict client reads it."""

from __future__ import annotations

import asyncio
from typing import Literal

import pytest

from tests.peers import faults
from tests.peers.client import RawClient
from tests.peers.response import ConnectionClosed, Response
from tests.peers.script import Script
from tests.peers.upstream import FakeUpstream

WHOLE = b"".join(faults.CHAT_FRAMES)


def play(script: Script, *, wait_for_end: bool = False) -> tuple[Response, ConnectionClosed | None]:
    """One request against the script: the response, and the end of the connection if it is to be awaited."""

    async def run() -> tuple[Response, ConnectionClosed | None]:
        async with FakeUpstream(script) as upstream, await RawClient.open(upstream.url) as client:
            await client.request("/v1/chat/completions", b"{}")
            response = await client.response()
            return response, await client.ended() if wait_for_end else None

    return asyncio.run(run())


@pytest.mark.parametrize("chunked", [True, False])
def test_streams_are_whole(chunked: bool) -> None:
    """Both framings carry the same frames, a chunk a frame, and end correctly."""
    response, _ = play(faults.sse_response(chunked=chunked))
    assert response.complete and response.anomalies == ()
    assert response.body == WHOLE
    assert response.chunks == (faults.CHAT_FRAMES if chunked else ())
    assert response.framing == ("chunked" if chunked else "close")
    assert response.events()[-1] == "[DONE]" and len(response.events()) == len(faults.CHAT_FRAMES)


def test_the_text_survives_bytes_that_split_characters() -> None:
    """The default text has 2, 3 and 4 byte characters, so that a decoder per chunk cannot pass."""
    assert {len(character.encode()) for character in faults.CHAT_TEXT} == {1, 2, 3, 4}


@pytest.mark.parametrize(
    ("script", "status", "field", "value"),
    [
        (faults.json_response({}), 200, "content-type", "application/json"),
        (faults.rate_limited("7"), 429, "retry-after", "7"),
        (
            faults.rate_limited("Wed, 21 Oct 2026 07:28:00 GMT"),
            429,
            "retry-after",
            "Wed, 21 Oct 2026 07:28:00 GMT",
        ),
        (faults.error_response(503, kind="server_error"), 503, "content-type", "application/json"),
        (faults.early_response(413, close=False), 413, "connection", None),
        (faults.http10_response(), 200, "content-length", None),
        (faults.oversized_head(100_000), 200, "x-large", "a" * 100_000),
        (faults.interim(100, 103, then=faults.json_response({})), 200, "link", None),
        (faults.error_mid_stream(), 200, "transfer-encoding", "chunked"),
    ],
)
def test_correct_answers(script: Script, status: int, field: str, value: str | None) -> None:
    """These are unusual but correct: complete, with the field they are about."""
    response, _ = play(script)
    assert (response.status, response.header(field)) == (status, value)
    assert response.complete and response.anomalies == ()


def test_interim_answers_are_in_front() -> None:
    """100 and 103 come before the answer, 103 with its Link."""
    response, _ = play(faults.interim(100, 103, then=faults.json_response({})))
    assert [head.start[1] for head in response.interim] == ["100", "103"]
    assert response.interim[1].get("link") is not None


WIRE = faults.sse_bytes()


@pytest.mark.parametrize(
    ("script", "how", "says"),
    [
        (faults.cut(WIRE, len(WIRE) - 1), "fin", "end of the connection in the body (chunked"),
        (faults.cut(WIRE, len(WIRE) // 2), "fin", "end of the connection in the body (chunked"),
        (faults.cut(WIRE, 40), "fin", "end of the connection in the head"),
        (faults.cut(WIRE, 0), "fin", "before any byte"),
        (faults.cut_mid_chunk(), "fin", "end of the connection in the body (chunked"),
        (faults.reset_after(faults.sse_bytes(chunked=False), 300), "reset", "reset in the body (close"),
        (faults.garbage_head(), "fin", "malformed start line"),
    ],
)
def test_damaged_answers(script: Script, how: Literal["fin", "reset"], says: str) -> None:
    """These never look complete, and end in the way they say."""
    response, ended = play(script, wait_for_end=True)
    assert not response.complete
    assert says in " ".join(response.anomalies)
    assert ended is not None and ended.how == how


def test_cut_mid_chunk_keeps_what_was_whole() -> None:
    """The frames before the cut are there, the cut one is partial and not empty."""
    response, _ = play(faults.cut_mid_chunk())
    assert response.chunks == faults.CHAT_FRAMES[:-2]
    assert response.partial and faults.CHAT_FRAMES[-2].startswith(response.partial)


async def test_early_answer_comes_before_the_body() -> None:
    """The answer is there although only the head of a large request was sent."""
    async with (
        FakeUpstream(faults.early_response()) as upstream,
        await RawClient.open(upstream.url) as client,
    ):
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nfirst")
        assert (await client.response()).status == 413
        assert not upstream.requests[0].complete


async def test_pings_are_no_events() -> None:
    """A stream of comments has chunks and no event, and does not end."""
    script = faults.pings_only(0.0, times=5)
    async with FakeUpstream(script) as upstream, await RawClient.open(upstream.url) as client:
        await client.request("/", b"{}")
        so_far = await client.response_so_far(lambda response: len(response.chunks) == 5)
        assert so_far.events() == [] and not so_far.complete and client.how_ended is None


@pytest.mark.parametrize("script", [faults.never_responds(), faults.stalls_after(WIRE, 0)])
async def test_silence(script: Script) -> None:
    """The request is read whole, and nothing comes back."""
    async with FakeUpstream(script) as upstream, await RawClient.open(upstream.url) as client:
        await client.request("/", b"{}")
        await upstream.saw_body(0)
        with pytest.raises(TimeoutError, match="received 0 bytes"):
            await client.response(within=0.02)
