"""A translated answer: head, framing and ends as the client's dialect has them, and no end that is none."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clawgate.errors import GatewayStopping, UpstreamFailed, UpstreamMalformed
from clawgate.relay.interfaces import ResponseHead, ResponseWriter
from clawgate.relay.response.buffered import LIMIT
from clawgate.wire.dialect import Dialect
from clawgate.wire.translate.chat_upstream.opaque_state import MARK, split
from tests.peers import faults
from tests.peers.faults import SSE_FIELDS, chunk, head
from tests.peers.message_reader import MessageReader
from tests.peers.response import Response
from tests.peers.script import Close, Hold, ReadBody, Reset, Send, Trickle, Wait
from tests.peers.upstream import FakeUpstream
from tests.relay.response.streams import (
    COMPLETE,
    EVENT_STREAM,
    FRAMES,
    MESSAGES_FRAMES,
    PAIRS,
    SECRET,
    TRANSLATED,
    provider_writer,
    response_head,
    written,
)
from tests.routing.gateway_server import (
    ANTHROPIC,
    CHAT,
    KEY,
    MESSAGES,
    OPENAI,
    config_of,
    provider,
    question,
    serving_gateway,
)
from tests.wire.exchanges import events, sse

CUT = GatewayStopping("it stops")
JSON = b"application/json"


def writer(head: ResponseHead, *, stream: bool = True, **options: Any) -> ResponseWriter:
    """A chat client's response from a server that speaks Messages."""
    return provider_writer(head, stream=stream, **options)


def read(sent: bytes) -> MessageReader:
    reader = MessageReader("response", to_method="POST")
    reader.feed(sent)
    assert reader.anomalies == [] and reader.unread == b""
    return reader


# As bytes.


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_a_stream_passes_as_it_comes_and_ends_with_its_upstream(size: int) -> None:
    """However it is cut: one head, chunks, the last one only at the end."""
    stream = writer(response_head(content_type=EVENT_STREAM))
    whole = b"".join(MESSAGES_FRAMES)
    sent = b""
    for at in range(0, len(whole), size):
        stream.feed(whole[at : at + size])
        sent += stream.flush(ended=False)
        assert not sent.endswith(b"\r\n0\r\n\r\n")
    sent += stream.flush(ended=True)
    reader = read(sent)
    assert reader.complete and reader.head is not None
    assert reader.head.all("x-clawgate-provider") == ["a"] and reader.head.get("x-request-id") == "r1"
    assert reader.head.get("set-cookie") is None and SECRET not in reader.head.raw
    assert reader.head.all("content-type") == ["text/event-stream; charset=utf-8"]
    assert events(bytes(reader.body))[-1] == "[DONE]"


def test_the_head_of_a_stream_does_not_wait_for_its_first_event() -> None:
    """Comments keep the client warm, and are no beginning for the first-byte limit."""
    stream = writer(response_head(content_type=EVENT_STREAM))
    assert (stream.headers_pending, stream.progress.content_started) == (True, False)
    stream.feed(b": ping\n\n")
    assert stream.flush(ended=False).startswith(b"HTTP/1.1 200 OK\r\n")
    assert (stream.headers_pending, stream.progress.content_started) == (False, False)
    stream.feed(MESSAGES_FRAMES[0])
    assert stream.progress.content_started


def test_http10_gets_no_chunks_and_its_end_announced() -> None:
    stream = writer(response_head(content_type=EVENT_STREAM), http10=True)
    stream.feed(b"".join(MESSAGES_FRAMES))
    sent = stream.flush(ended=True)
    assert b"transfer-encoding" not in sent and b"connection: close\r\n" in sent and stream.until_close
    assert sent.endswith(b"data: [DONE]\n\n")


def test_a_whole_response_is_held_back_until_it_is_whole() -> None:
    whole = writer(response_head(content_type=JSON), stream=False)
    body = json.dumps(COMPLETE[ANTHROPIC]).encode()
    whole.feed(body[:9])
    assert (whole.flush(ended=False), whole.headers_pending, whole.abort_message(CUT)) == (
        b"",
        True,
        (b"", False),
    )
    whole.feed(body[9:])
    reader = read(whole.flush(ended=True))
    assert reader.complete and reader.framing == "length" and not whole.headers_pending
    said = json.loads(bytes(reader.body))
    assert said["choices"][0]["message"]["content"] == "hi" and said["model"] == "a/m"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"<html>", b'{"type":"message"}', b"\xff", b"[" * 9999]
)
def test_a_whole_response_that_means_nothing_is_the_upstreams_fault(body: bytes) -> None:
    """And can still have a status of its own."""
    whole = writer(response_head(content_type=JSON), stream=False)
    whole.feed(body)
    with pytest.raises(UpstreamFailed):
        whole.flush(ended=True)
    assert whole.headers_pending


def test_a_whole_response_has_a_bound() -> None:
    whole = writer(response_head(content_type=JSON), stream=False)
    piece = bytes(LIMIT // 4)
    for _ in range(4):
        whole.feed(piece)
    with pytest.raises(UpstreamMalformed, match="body of over"):
        whole.feed(b"x")


@pytest.mark.parametrize(
    ("answer", "stream"),
    [
        (response_head(content_type=JSON, encoded=True), False),
        (response_head(content_type=EVENT_STREAM, encoded=True), True),
        (response_head(500, content_type=JSON, encoded=True), False),
    ],
)  # fmt: skip
def test_what_is_compressed_is_rejected_at_its_head(answer: ResponseHead, stream: bool) -> None:
    """Nothing was sent, so another provider may still be tried."""
    with pytest.raises(UpstreamMalformed):
        writer(answer, stream=stream)


@pytest.mark.parametrize("http10", [True, False])
def test_a_whole_response_where_a_stream_was_requested_becomes_one(http10: bool) -> None:
    made = writer(response_head(content_type=JSON), http10=http10)
    made.feed(json.dumps(COMPLETE[ANTHROPIC]).encode())
    assert made.flush(ended=False) == b""
    sent = made.flush(ended=True)
    _, _, body = sent.partition(b"\r\n\r\n")
    assert (
        b"content-type: text/event-stream" in sent and b"data: [DONE]" in body and b'"content":"hi"' in body
    )
    assert body.endswith(b"\r\n0\r\n\r\n") is not http10


@pytest.mark.parametrize("content_type", [b"application/json", EVENT_STREAM])
def test_an_error_with_status_200_is_raised_without_secrets(content_type: bytes) -> None:
    made = writer(response_head(content_type=content_type))
    error = {"type": "error", "error": {"type": "x", "message": f"no {SECRET.decode()}"}}
    body = sse(error) if content_type == EVENT_STREAM else json.dumps(error).encode()
    with pytest.raises(UpstreamFailed, match=r"no \*+$"):
        _read_out(made, body)
    assert made.headers_pending


@pytest.mark.parametrize("stream", [True, False])
def test_a_response_that_repeats_our_credential_does_not_pass_it_on(stream: bool) -> None:
    made = writer(response_head(content_type=JSON), stream=stream)
    body = json.dumps(
        COMPLETE[ANTHROPIC] | {"content": [{"type": "text", "text": f"it is {SECRET.decode()}"}]}
    )
    sent = _read_out(made, body.encode())
    assert SECRET not in sent and b"it is ****" in sent


def test_a_password_that_is_not_ascii_is_masked_in_messages() -> None:
    made = writer(response_head(content_type=JSON), secrets=("geheimnis-für-alle".encode(),))
    with pytest.raises(UpstreamFailed, match=r"no \*+$"):
        _read_out(made, json.dumps({"error": "no geheimnis-für-alle"}).encode())


def _read_out(made: ResponseWriter, body: bytes) -> bytes:
    made.feed(body)
    return made.flush(ended=True)


@pytest.mark.parametrize(
    ("content_type", "reason"), [(b"text/html", "sent a web page"), (b"", 'although "stream" was requested')]
)
def test_what_is_neither_a_stream_nor_an_object_is_rejected_at_its_beginning(
    content_type: bytes, reason: str
) -> None:
    made = writer(response_head(content_type=content_type))
    with pytest.raises(UpstreamMalformed, match=reason):
        made.feed(b" <html>")


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("content_type", [b"application/json", b"text/html", EVENT_STREAM])
def test_an_error_keeps_its_status_and_becomes_the_clients(stream: bool, content_type: bytes) -> None:
    """Its credential hidden, also where a piece ends within it; whatever the server sent as its type."""
    body = b'{"type":"error","error":{"type":"overloaded_error","message":"no ' + SECRET + b'"}}'
    error = writer(
        response_head(529, content_type=content_type, headers=[(b"retry-after", b"7")]), stream=stream
    )
    for at in range(0, len(body), 11):
        error.feed(body[at : at + 11])
        assert error.flush(ended=False) == b""
    sent = error.flush(ended=True)
    reader = read(sent)
    assert reader.head is not None and reader.head.start[1] == "529" and reader.head.get("retry-after") == "7"
    assert SECRET not in sent and "no " in json.loads(bytes(reader.body))["error"]["message"]


@pytest.mark.parametrize("client", [Dialect.MESSAGES, Dialect.RESPONSES])
@pytest.mark.parametrize("stream", [True, False])
def test_a_credential_is_masked_in_what_is_packed_into_ids(client: Dialect, stream: bool) -> None:
    """A signature that repeats it: packed, it has another spelling."""
    signed = {"google": {"thought_signature": SECRET.decode()}}
    call = {"index": 0, "id": "c1", "extra_content": signed, "function": {"name": "f", "arguments": "{}"}}
    choice = {
        "index": 0,
        "delta" if stream else "message": {"tool_calls": [call]},
        "finish_reason": "tool_calls",
    }
    body = json.dumps({"id": "c", "choices": [choice]}).encode()
    made = provider_writer(
        response_head(content_type=EVENT_STREAM if stream else JSON),
        client=client,
        upstream=Dialect.CHAT,
        stream=stream,
    )
    sent = written(made, b"data: " + body + b"\n\n" if stream else body)
    ids = {found.decode() for found in re.findall(rb'"((?:c1)%s[^"]+)"' % MARK.encode(), sent)}
    states = [split(found)[1] for found in ids]
    assert states and all(
        state and state.call == {"extra_content": {"google": {"thought_signature": "*" * len(SECRET)}}}
        for state in states
    )


@pytest.mark.parametrize("at", range(len(MESSAGES_FRAMES)))
def test_an_aborted_stream_ends_with_an_error_and_no_end(at: int) -> None:
    """Wherever it stops."""
    stream = writer(response_head(content_type=EVENT_STREAM))
    stream.feed(b"".join(MESSAGES_FRAMES[:at]))
    sent = stream.flush(ended=False) + stream.abort_message(CUT)[0]
    reader = read(sent)
    assert not reader.complete
    *before, last = events(bytes(reader.body))
    assert last["error"]["code"] == "gateway_stopping" and "[DONE]" not in before
    assert (
        not [choice for event in before for choice in event["choices"] if choice["finish_reason"]] or at > 6
    )


def test_nothing_that_came_is_lost_before_an_untimely_end() -> None:
    stream = writer(response_head(content_type=EVENT_STREAM))
    sent = stream.flush(ended=False)
    stream.feed(b"".join(MESSAGES_FRAMES[:5]))
    with pytest.raises(UpstreamFailed):
        stream.flush(ended=True)
    assert "Grüße".encode() in sent + stream.abort_message(CUT)[0]


def test_nothing_that_came_is_lost_before_nonsense_in_the_same_chunk() -> None:
    stream = writer(response_head(content_type=EVENT_STREAM))
    sent = stream.flush(ended=False)
    with pytest.raises(UpstreamMalformed):
        stream.feed(b"".join(MESSAGES_FRAMES[:5]) + b"data: nonsense\n\n")
    assert "Grüße".encode() in sent + stream.abort_message(CUT)[0]


def test_a_stream_that_failed_before_its_head_can_still_have_a_status() -> None:
    stream = writer(response_head(content_type=EVENT_STREAM))
    with pytest.raises(UpstreamFailed):
        stream.flush(ended=True)
    assert stream.headers_pending


@pytest.mark.parametrize("close", [True, False])
def test_the_end_of_the_connection_is_announced(close: bool) -> None:
    stream = writer(response_head(content_type=EVENT_STREAM), close=close)
    assert (b"connection: close\r\n" in stream.flush(ended=False)) is close


# Served.


def error_of(answer: Response, path: str) -> dict[str, Any]:
    """The error as the last event, in the dialect of ``path``."""
    assert answer.status == 200 and not answer.complete, answer
    text = answer.body.decode()
    assert "[DONE]" not in text and '"message_stop"' not in text and '"finish_reason":"' not in text
    *_, last = [event for event in text.split("\n\n") if event]
    named, _, data = last.rpartition("data: ")
    said: dict[str, Any] = json.loads(data)
    assert (named == "event: error\n") == (path == MESSAGES) == ("type" in said)
    found: dict[str, Any] = said["error"]
    return found


def _cut(wire: bytes) -> faults.Steps:
    return (ReadBody(), Send(wire), Close())


def _reset(wire: bytes) -> faults.Steps:
    return (ReadBody(), Send(wire), Wait(0.05), Reset())


def _garbage(wire: bytes) -> faults.Steps:
    return (ReadBody(), Send(wire + b"not a chunk\r\n"), Hold())


@PAIRS
@pytest.mark.parametrize("failure", [_cut, _reset, _garbage], ids=["FIN", "RST", "no chunk"])
@pytest.mark.parametrize("frames", [1, 3])
async def test_a_stream_that_breaks_ends_with_an_error_in_the_clients_dialect(
    path: str, api: str, failure: Callable[[bytes], faults.Steps], frames: int, tmp_path: Path
) -> None:
    """In each of the four pairs; never with a proper end."""
    start = head(200, [*SSE_FIELDS, ("Transfer-Encoding", "chunked")])
    wire = start + b"".join(chunk(frame) for frame in FRAMES[api][:frames])
    async with (
        FakeUpstream(failure(wire)) as upstream,
        serving_gateway(tmp_path, config_of({"x": provider(upstream.url, api)})) as stand,
    ):
        answer = await stand.ask(question("x/m", stream=True), target=path)
        assert error_of(answer, path)["code"] in ("upstream_closed", "upstream_malformed")
        assert answer.header("x-clawgate-provider") == "x"
        await stand.quiet()


@PAIRS
async def test_a_proper_end_of_http_is_no_end_of_a_translated_response(
    path: str, api: str, tmp_path: Path
) -> None:
    """The last chunk came and the last event did not: told, but where OpenAI's bytes pass as they are."""

    gates = [asyncio.Event(), asyncio.Event()]
    gates[0].set()
    async with (
        FakeUpstream(faults.sse_gated(gates, FRAMES[api][:3])) as upstream,
        serving_gateway(tmp_path, config_of({"x": provider(upstream.url, api)})) as stand,
        await stand.client() as client,
    ):
        await stand.send(client, question("x/m", stream=True), target=path)
        await client.saw(b"200 OK")
        gates[1].set()
        answer = await client.response()
        if (path, api) == (CHAT, OPENAI):
            assert answer.complete and answer.body == b"".join(FRAMES[api][:3])
        else:
            error_of(answer, path)


@TRANSLATED
@pytest.mark.parametrize(
    "script",
    [
        faults.cut(faults.response(b'{"a":1}'), len(faults.response(b'{"a":1}')) - 2),
        (ReadBody(), Send(faults.response(b"<html>"))),
        (ReadBody(), Send(faults.response(b""))),
        (ReadBody(), Send(head(204))),
        (ReadBody(), Send(faults.response(b"\x1f\x8b", fields=[("Content-Encoding", "gzip")]))),
    ],
    ids=["cut", "no JSON", "empty", "204", "compressed"],
)
async def test_a_response_that_cannot_be_translated_is_a_502_in_the_clients_dialect(
    path: str, api: str, script: faults.Steps, tmp_path: Path
) -> None:
    """As JSON, whole, with the connection good for more."""
    good = faults.json_response(COMPLETE[api])
    async with (
        FakeUpstream(script, good) as upstream,
        serving_gateway(tmp_path, config_of({"x": provider(upstream.url, api)})) as stand,
        await stand.client() as client,
    ):
        answer = await stand.ask(question("x/m"), target=path, client=client)
        assert answer.complete and answer.status == 502 and ("type" in answer.json()) == (path == MESSAGES)
        assert answer.json()["error"]["code"] in ("upstream_closed", "upstream_malformed")
        assert (await stand.ask(question("x/m"), target=path, client=client)).status == 200


@TRANSLATED
@pytest.mark.parametrize("frames", [0, 3])
async def test_an_error_event_of_the_provider_is_the_last_event(
    path: str, api: str, frames: int, tmp_path: Path
) -> None:
    """In its own words and the client's dialect; the dialect's own end never follows."""
    told = {"error": {"type": "overloaded_error", "message": "too busy"}} | (
        {"type": "error"} if api == ANTHROPIC else {}
    )
    script = faults.sse_response([*FRAMES[api][:frames], sse(told)])
    async with (
        FakeUpstream(script) as upstream,
        serving_gateway(tmp_path, config_of({"x": provider(upstream.url, api)})) as stand,
    ):
        answer = await stand.ask(question("x/m", stream=True), target=path)
        assert b"too busy" in answer.body and KEY.encode() not in answer.body
        if answer.status == 200:
            assert "too busy" in error_of(answer, path)["message"]


@PAIRS
@pytest.mark.parametrize("limit", ["first_byte", "idle", "total"])
async def test_a_planned_exchange_keeps_its_limits(path: str, api: str, limit: str, tmp_path: Path) -> None:
    """Comments are no first byte; an event in between is none of the total's business."""
    start = head(200, [*SSE_FIELDS, ("Transfer-Encoding", "chunked")])
    begun = Send(start + chunk(FRAMES[api][0]))
    more = {OPENAI: FRAMES[OPENAI][1], ANTHROPIC: FRAMES[ANTHROPIC][2]}[api]
    scripts: dict[str, faults.Steps] = {
        "first_byte": (ReadBody(), Send(start), Trickle(chunk(b": ping\n\n"), 0.02)),
        "idle": (ReadBody(), begun, Hold()),
        "total": (ReadBody(), begun, Trickle(chunk(more), 0.02)),
    }
    async with (
        FakeUpstream(scripts[limit]) as upstream,
        serving_gateway(tmp_path, config_of({"x": provider(upstream.url, api)})) as stand,
    ):
        stand.limit("x", **{"connect": 1.0, "first_byte": 9.0, "idle": 9.0, "total": 9.0} | {limit: 0.3})
        answer = await stand.ask(question("x/m", stream=True), target=path)
        if limit == "first_byte" and answer.status == 504:
            assert answer.json()["error"]["code"] == "upstream_timed_out"
        else:
            error = error_of(answer, path)
            assert error["code"] == "upstream_timed_out" and f"limit '{limit}'" in error["message"]
        await upstream.saw_close(0)


@TRANSLATED
async def test_a_buffered_response_that_stalls_is_a_504(path: str, api: str, tmp_path: Path) -> None:
    """It is held back, so its failure can have a status."""
    wire = faults.response(json.dumps(COMPLETE[api]).encode())
    async with (
        FakeUpstream(faults.stalls_after(wire, len(wire) - 3)) as upstream,
        serving_gateway(tmp_path, config_of({"x": provider(upstream.url, api)})) as stand,
    ):
        stand.limit("x", connect=1, first_byte=9, idle=0.2, total=9)
        answer = await stand.ask(question("x/m"), target=path)
        assert (
            answer.complete and answer.status == 504 and "limit 'idle'" in answer.json()["error"]["message"]
        )
        await upstream.saw_close(0)


@PAIRS
@pytest.mark.parametrize("how", ["close", "half-close", "reset"])
async def test_a_client_that_leaves_a_stream_frees_the_provider(
    path: str, api: str, how: str, tmp_path: Path
) -> None:
    gates = [asyncio.Event() for _ in FRAMES[api]]
    gates[0].set()
    async with (
        FakeUpstream(faults.sse_gated(gates, FRAMES[api])) as upstream,
        serving_gateway(tmp_path, config_of({"x": provider(upstream.url, api)})) as stand,
        await stand.client() as client,
    ):
        await stand.send(client, question("x/m", stream=True), target=path)
        await client.saw(b"200 OK")
        if how == "reset":
            client.reset()
        elif how == "half-close":
            client.half_close()
        else:
            await client.close()
        await upstream.saw_close(0)
        await client.close()
        await stand.quiet()


@PAIRS
async def test_the_end_of_a_drain_sends_every_stream_an_error_in_its_dialect(
    path: str, api: str, tmp_path: Path
) -> None:
    gates = [asyncio.Event() for _ in FRAMES[api]]
    gates[0].set()
    async with (
        FakeUpstream(faults.sse_gated(gates, FRAMES[api])) as upstream,
        serving_gateway(tmp_path, config_of({"x": provider(upstream.url, api)})) as stand,
        await stand.client() as client,
    ):
        await stand.send(client, question("x/m", stream=True), target=path)
        await client.saw(b"data: ")
        stand.role.connections.stop_all(GatewayStopping("it stops"))
        assert error_of(await client.response(), path)["code"] == "gateway_stopping"
        await upstream.saw_close(0)
