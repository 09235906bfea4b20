"""A failure in a stream is what it really is: with a status where nothing was sent yet, and else in the stream."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from clawgate.bundled.anthropic_claude_proxy.error_mapping import map_error as judge
from clawgate.errors import UpstreamClosed, UpstreamFailed
from clawgate.plugins.api import MappedError
from clawgate.relay.interfaces import ResponseWriter
from clawgate.relay.response.error_mapping import MapError
from clawgate.relay.response.progress import HOLD_SECONDS
from clawgate.wire.dialect import Dialect
from tests.bundled.anthropic_claude_proxy.stand_in import FAULTS
from tests.peers.faults import LAST_CHUNK, SSE_FIELDS, chunk, head
from tests.peers.script import Hold, ReadBody, Send, Step, Wait
from tests.peers.upstream import FakeUpstream
from tests.relay.response.streams import MESSAGES_FRAMES, provider_writer
from tests.routing.gateway_server import (
    ANTHROPIC,
    CHAT,
    KEY,
    MESSAGES,
    config_of,
    provider,
    question,
    serving_gateway,
)
from tests.routing.test_attempt import Hooks
from tests.wire.event_stream import dispatched
from tests.wire.exchanges import sse

PING = b": ping\n\n"


def error(name: str) -> bytes:
    _, kind, message = FAULTS[name]
    return sse({"type": "error", "error": {"type": kind, "message": message}})


def stream(map_error: MapError = judge, secrets: tuple[bytes, ...] = ()) -> ResponseWriter:
    return provider_writer(client=Dialect.MESSAGES, map_error=map_error, secrets=secrets)


def passed(writer: ResponseWriter, body: bytes, size: int) -> tuple[bytes, UpstreamFailed]:
    """What was sent until the writer raised, and what it raised."""
    sent = b""
    for at in range(0, len(body), size):
        try:
            writer.feed(body[at : at + size])
        except UpstreamFailed as error:
            return sent, error
        sent += writer.flush(ended=False)
    raise AssertionError("no failure was seen")


@pytest.mark.parametrize("size", [1, 13, 100_000])
def test_the_head_waits_for_the_first_event_and_comments_with_it(size: int) -> None:
    """Then everything goes on as it came, event by event."""
    writer = stream()
    writer.feed(PING * 2)
    assert (writer.flush(ended=False), writer.headers_pending, writer.progress.content_started) == (
        b"",
        True,
        False,
    )
    whole, sent = b"".join(MESSAGES_FRAMES), b""
    for at in range(0, len(whole), size):
        writer.feed(whole[at : at + size])
        sent += writer.flush(ended=False)
        still_waits = writer.headers_pending
        assert still_waits == (not sent)
    sent += writer.flush(ended=True)
    assert (
        sent.startswith(b"HTTP/1.1 200 OK\r\n")
        and sent.endswith(b"\n\n\r\n" + LAST_CHUNK)
        and writer.progress.content_started
    )
    assert dispatched(sent.partition(b"\r\n\r\n")[2]) == dispatched(whole)


@pytest.mark.parametrize("size", [1, 100_000])
@pytest.mark.parametrize("pings", [0, 3])
def test_a_failure_in_front_of_content_sends_no_head(size: int, pings: int) -> None:
    writer = stream()
    sent, failure = passed(writer, PING * pings + error("404"), size)
    assert sent == b"" and writer.headers_pending and failure.status == 404
    assert failure.message == "Claude responded with 404: model: claude-opus-4.6"


@pytest.mark.parametrize("size", [1, 100_000])
def test_one_that_has_begun_ends_with_what_the_failure_is(size: int) -> None:
    """In place of the upstream's own event, of which not a byte was sent."""
    writer = stream()
    sent, failure = passed(writer, b"".join(MESSAGES_FRAMES[:5]) + error("529"), size)
    sent += writer.abort_message(failure)[0]
    assert not sent.endswith(LAST_CHUNK) and sent.count(b"event: error") == 1
    told = json.loads(dispatched(sent.partition(b"\r\n\r\n")[2].replace(b"\r\n", b"\n"))[-1].splitlines()[0])
    assert told["error"]["type"] == "overloaded_error" and "overloaded" in told["error"]["message"]


@pytest.mark.parametrize("size", [1, 100_000])
@pytest.mark.parametrize("at", [-2, -1], ids=["end and stop", "stop alone"])
def test_a_failure_behind_a_proper_end_is_one(size: int, at: int) -> None:
    """Clients stop reading at the end, so that does not go on before it is known to be one."""
    writer, ended = stream(), (*MESSAGES_FRAMES[:5], *MESSAGES_FRAMES[at:])
    sent, failure = passed(writer, b"".join(ended) + error("429"), size)
    assert failure.status == 429 and (b"content_block_delta" in sent or size > 1)
    assert b"message_delta" not in sent and b"message_stop" not in sent


def test_the_end_passes_with_the_end_or_with_what_comes_behind_it() -> None:
    writer = stream()
    writer.feed(b"".join(MESSAGES_FRAMES))
    assert b"message_stop" not in writer.flush(ended=False)
    writer.feed(PING)  # whoever keeps it warm has nothing more to say about it
    assert b"message_stop" in writer.flush(ended=False)
    assert writer.flush(ended=True) == LAST_CHUNK
    writer = stream()
    writer.feed(b"".join(MESSAGES_FRAMES))
    assert b"message_stop" in writer.flush(ended=True)


def test_a_client_is_not_left_without_a_head_for_ever() -> None:
    writer = stream()
    writer.feed(PING)
    assert writer.flush(ended=False) == writer.on_silence(HOLD_SECONDS - 1) == b""
    assert writer.on_silence(HOLD_SECONDS).startswith(b"HTTP/1.1 200 OK\r\n")
    assert not writer.headers_pending and not writer.progress.content_started


@pytest.mark.parametrize("ping", [PING, sse({"type": "ping"})], ids=["comments", "events"])
def test_pings_are_no_beginning(ping: bytes) -> None:
    """So that the limit for the first byte goes on, also where the client was told that there is a stream."""
    writer = stream()
    for _ in range(32):
        writer.feed(ping)
    assert writer.on_silence(HOLD_SECONDS) != b"" and not writer.progress.content_started


def test_half_of_an_event_at_the_end_is_none() -> None:
    """What would come of it at a client is no JSON."""
    writer = stream()
    writer.feed(b"".join(MESSAGES_FRAMES[:5]) + MESSAGES_FRAMES[3][:-20])
    sent = writer.flush(ended=False)
    with pytest.raises(UpstreamClosed) as caught:
        writer.flush(ended=True)
    sent += writer.abort_message(caught.value)[0]
    assert [json.loads(line[6:]) for line in sent.split(b"\n") if line.startswith(b"data: ")]


def test_a_last_event_may_lack_its_blank_line() -> None:
    writer = stream()
    writer.feed(b"".join(MESSAGES_FRAMES)[:-2])
    assert b"message_stop" in writer.flush(ended=True)
    writer = stream()
    writer.feed(b"".join(MESSAGES_FRAMES) + error("429")[:-2])
    with pytest.raises(UpstreamFailed) as caught:
        writer.flush(ended=True)
    assert caught.value.status == 429


def test_a_stream_without_content_sends_no_head() -> None:
    writer = stream()
    writer.feed(PING)
    with pytest.raises(UpstreamClosed):
        writer.flush(ended=True)
    assert writer.headers_pending


def test_a_failure_that_cannot_be_mapped_is_a_failure() -> None:
    writer = stream(lambda status, body: None)
    with pytest.raises(UpstreamFailed) as caught:
        writer.feed(error("404"))
    assert caught.value.status is None


def test_no_credential_goes_back_in_a_verdict() -> None:
    writer = stream(lambda _, body: MappedError(status=401, message=body.decode()), secrets=(KEY.encode(),))
    with pytest.raises(UpstreamFailed) as caught:
        writer.feed(sse({"type": "error", "error": {"message": f"not {KEY}"}}))
    assert KEY not in caught.value.message and "****" in caught.value.message


REALLY = {
    "400": (400, "invalid_request_error", "invalid_request_error"),
    "key": (401, "authentication_error", "authentication_error"),
    "403": (403, "permission_error", "permission_error"),
    "404": (404, "not_found_error", "invalid_request_error"),
    "429": (429, "rate_limit_error", "rate_limit_error"),
    "500": (502, "api_error", "upstream_error"),
    "529": (529, "overloaded_error", "service_unavailable"),
}


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
@pytest.mark.parametrize("fault", REALLY)
async def test_through_a_gateway_a_failure_has_its_real_status(path: str, fault: str, tmp_path: Path) -> None:
    """In the client's dialect, behind a comment, and though the upstream would go on for ever."""
    status, in_messages, in_chat = REALLY[fault]
    begin = head(fields=(*SSE_FIELDS, ("Transfer-Encoding", "chunked")))
    steps = (ReadBody(), Send(begin), Send(chunk(PING)), Send(chunk(error(fault))), Hold())
    async with FakeUpstream(steps) as upstream:
        config = config_of({"a": provider(upstream.url, ANTHROPIC)})
        async with serving_gateway(tmp_path, config) as stand:
            stand.role.router.hooks = Hooks(judge=judge)
            found = await stand.ask(question("a/m", stream=True), target=path)
            said = found.json()
            assert found.status == status and found.header("x-clawgate-provider") == "a"
            assert said["error"]["type"] == (in_chat if path == CHAT else in_messages)
            assert (said.get("type") == "error") == (path == MESSAGES)
            await stand.quiet()


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
async def test_through_a_gateway_a_stream_that_has_begun_says_what_it_is(path: str, tmp_path: Path) -> None:
    begin = head(fields=(*SSE_FIELDS, ("Transfer-Encoding", "chunked")))
    frames = [chunk(frame) for frame in MESSAGES_FRAMES[:5]]
    seen = asyncio.Event()
    said: list[Step] = [Send(begin), *map(Send, frames)]
    steps = (ReadBody(), *said, Wait(seen), Send(chunk(error("429"))), Hold())
    async with FakeUpstream(steps) as upstream:
        config = config_of({"a": provider(upstream.url, ANTHROPIC)})
        async with serving_gateway(tmp_path, config) as stand, await stand.client() as client:
            stand.role.router.hooks = Hooks(judge=judge)
            await stand.send(client, question("a/m", stream=True), target=path)
            await client.saw(b"HTTP/1.1 200 OK\r\n")
            seen.set()
            found = await client.response()
            told = json.loads(found.events()[-1])
            assert not found.complete and told["error"]["type"] == "rate_limit_error"
            assert b"[DONE]" not in found.body and b"message_stop" not in found.body


ROLE = b'data: {"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'
WORD = b'data: {"model":"m","choices":[{"index":0,"delta":{"content":"po"}}]}\n\n'
MADE_UP = b'data: {"model":"<synthetic>","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
@pytest.mark.parametrize(
    "frames",
    [(b":ok\n\n", MADE_UP, DONE), (DONE,), (ROLE, MADE_UP, DONE), (ROLE, WORD, DONE), (ROLE, WORD)],
    ids=["made up", "bare end", "empty", "no reason", "cut"],
)
async def test_through_a_gateway_a_chat_stream_without_a_response_is_a_failure(
    path: str, frames: tuple[bytes, ...], tmp_path: Path
) -> None:
    """Measured at claude-max-api-proxy and meridian: no error is told, and all looks as if it had gone well."""
    begin = head(fields=(*SSE_FIELDS, ("Transfer-Encoding", "chunked")))
    wire = b"".join([begin, *map(chunk, frames), LAST_CHUNK])
    async with FakeUpstream((ReadBody(), Send(wire))) as upstream:
        config = config_of({"a": provider(upstream.url)})
        async with serving_gateway(tmp_path, config) as stand:
            stand.role.router.hooks = Hooks(judge=judge)
            found = await stand.ask(question("a/m", stream=True), target=path)
            assert found.status == 502 or not found.complete
            assert b"[DONE]" not in found.body and b"message_stop" not in found.body
            assert b'"finish_reason":"stop"' not in found.body and b"error" in found.body


@pytest.mark.parametrize(("fault", "served"), [("429", "b"), ("400", "a")])
async def test_the_mapped_status_decides_on_a_fallback(fault: str, served: str, tmp_path: Path) -> None:
    begin = head(fields=(*SSE_FIELDS, ("Transfer-Encoding", "chunked")))
    steps = (ReadBody(), Send(begin), Send(chunk(error(fault))), Send(LAST_CHUNK))
    well = (ReadBody(), Send(b"".join([begin, *map(chunk, MESSAGES_FRAMES), LAST_CHUNK])))
    async with FakeUpstream(steps) as first, FakeUpstream(well) as second:
        both = {"a": provider(first.url, ANTHROPIC), "b": provider(second.url, ANTHROPIC)}
        config = config_of(both, primary="a/m", fallbacks=("b/m",))
        async with serving_gateway(tmp_path, config) as stand:
            stand.role.router.hooks = Hooks(judge=judge)
            found = await stand.ask(question("", stream=True), target=MESSAGES)
            assert found.header("x-clawgate-provider") == served
            assert found.status == (200 if served == "b" else 400)
