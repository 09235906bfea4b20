"""What an upstream connection hands on, what it keeps back, and when it is not used again."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from clawgate.relay.interfaces import ChunkPassthrough
from clawgate.relay.upstream.connection import TURN_BYTES, UpstreamConnection
from clawgate.relay.upstream.response_parser import HEAD_LIMIT
from tests.e2e.stand import BODY, KINDS, PATIENCE, Kind, credential_of, serving, until
from tests.peers import faults
from tests.peers.script import Close, Drip, ReadBody, Reset, Send, Wait
from tests.peers.throwaway_ca import make_throwaway
from tests.peers.upstream import FakeUpstream
from tests.relay.fakes import (
    OK,
    STREAM_HEAD,
    FakeHandler,
    FakeOwner,
    FakeTransport,
    chunked,
    connected,
    settle,
    slices,
)

GOOD = faults.json_response({"next": "fine"})
A = faults.response(b'{"a":1}')
B = faults.response(b'{"b":2}', fields=[("x-request-id", "of-B"), ("openai-model", "B")])


@pytest.mark.parametrize("size", [1, 20, 40])
async def test_a_head_is_only_remembered_as_what_it_was(size: int) -> None:
    """A response in pieces behind known ones is not remembered under their head."""
    whole, pieces = (ReadBody(), Send(A)), (ReadBody(), Drip(B, size, 0.001))
    async with (
        FakeUpstream(whole, whole, pieces, whole, pieces, whole) as upstream,
        serving("bridge", upstream.url) as stand,
        await stand.client() as client,
    ):
        for number, expected in enumerate([A, A, B, A, B, A]):
            response = await stand.ask(client)
            of_b = expected is B
            assert response.body == (b'{"b":2}' if of_b else b'{"a":1}'), number
            assert response.header("x-request-id") == ("of-B" if of_b else None), number
            assert response.header("openai-model") == ("B" if of_b else None), number
        assert len(upstream.connections) == 1


UNASKED = [
    ("a response", faults.response(b"EVIL", 200)),
    ("a time-out response", faults.response(b"EVIL", 408, [("Connection", "close")])),
    ("part of a head", b"HTTP/1.1 200 OK\r\nX-Evil: 1\r\n"),
    ("an interim response", faults.head(100)),
    ("garbage", b"EVIL"),
    ("one byte", b"\n"),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("unasked", [wire for _, wire in UNASKED], ids=[name for name, _ in UNASKED])
async def test_bytes_on_an_idle_connection_never_meet_the_next_request(unasked: bytes, kind: Kind) -> None:
    """What an upstream sends without a request ends its connection; the next client sees nothing of it."""
    gate = asyncio.Event()
    async with (
        FakeUpstream((*GOOD, Wait(gate), Send(unasked)), GOOD) as upstream,
        serving(kind, upstream.url) as stand,
    ):
        assert (await stand.fresh()).json() == {"next": "fine"}
        assert stand.role.upstream.pool.idle_count == 1
        gate.set()
        await upstream.saw_close(0)
        await until(lambda: stand.role.upstream.pool.open_count == 0, "the pool to let go")
        second = await stand.fresh()
        assert second.status == 200 and second.json() == {"next": "fine"}
        assert upstream.requests[1].connection is upstream.connections[1]


def _serve_one(listener: socket.socket) -> socket.socket:
    """Accept one connection, read one request, respond; blocking."""
    connection, _ = listener.accept()
    with contextlib.suppress(TimeoutError):
        _answer_one(connection)
    return connection


def _answer_one(connection: socket.socket) -> None:
    connection.settimeout(PATIENCE)
    received = b""
    while not received.endswith(BODY):
        received += connection.recv(65_536)
    connection.sendall(faults.response(b'{"next":"fine"}'))


@pytest.mark.parametrize("unasked", [wire for _, wire in UNASKED], ids=[name for name, _ in UNASKED])
async def test_unasked_bytes_are_seen_before_the_loop_has_read_them(unasked: bytes) -> None:
    """A request that the loop reads before them is given another connection all the same."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with serving("bridge", url) as stand, await stand.client() as client:
            first = asyncio.get_running_loop().run_in_executor(None, _serve_one, listener)
            assert (await stand.ask(client)).json() == {"next": "fine"}
            with await first as idle:
                # The loop stands still here: the kernel has the request first, then the bytes.
                sent = client.received.copy()
                second = asyncio.get_running_loop().run_in_executor(None, _serve_one, listener)
                await stand.send(client)
                idle.sendall(unasked)
                assert client.received == sent
                response = await client.response()
                assert response.status == 200 and response.json() == {"next": "fine"}
                assert b"EVIL" not in client.received
                (await second).close()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [200, 401, 500])
async def test_what_is_meant_for_us_never_reaches_the_client(status: int, kind: Kind) -> None:
    """Cookies, challenges, places and the key owner's account end here."""
    fields = [
        ("Set-Cookie", "session=canary-1; HttpOnly"),
        ("set-cookie2", "canary-2"),
        ("WWW-Authenticate", "Basic realm=canary-3"),
        ("Proxy-Authenticate", "Basic realm=canary-4"),
        ("Location", "http://canary-5/"),
        ("OpenAI-Organization", "org-canary-6"),
        ("Server", "canary-7"),
        ("Via", "1.1 canary-8"),
        ("Alt-Svc", 'h3=":443"; ma=canary-9'),
        ("Strict-Transport-Security", "max-age=1; canary-10"),
        ("Access-Control-Allow-Origin", "*, canary-11"),
        ("X-Anything", "canary-12"),
        ("Connection", "x-request-id"),
        ("X-Request-Id", "canary-13"),
        ("Keep-Alive", "timeout=5, canary-14"),
        ("X-RateLimit-Remaining-Tokens", "17"),
    ]
    async with (
        FakeUpstream(faults.json_response({"ok": 1}, status, fields)) as upstream,
        serving(kind, upstream.url) as stand,
        await stand.client() as client,
    ):
        for _ in range(3):  # the third is the short way, where there is one
            response = await stand.ask(client)
            assert response.status == status and response.json() == {"ok": 1}
            assert response.header("x-ratelimit-remaining-tokens") == "17"
        assert b"canary" not in client.received


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [400, 401, 429, 500])
@pytest.mark.parametrize("size", [1, 7, 100_000])
async def test_an_upstream_that_repeats_our_credential_is_masked(status: int, size: int, kind: Kind) -> None:
    """In an error's body and fields, however it is cut, the key is stars of the same length."""
    secret = credential_of(kind)
    body = f'{{"error":{{"message":"Incorrect API key: {secret}. {secret}"}}}}'.encode()
    fields = [("x-request-id", f"req-{secret}"), ("x-ratelimit-limit-requests", secret)]
    for wire in (
        faults.response(body, status, fields),
        faults.head(status, [*fields, ("Transfer-Encoding", "chunked")])
        + b"".join(faults.chunk(body[at : at + 9]) for at in range(0, len(body), 9))
        + faults.LAST_CHUNK,
    ):
        async with (
            FakeUpstream((ReadBody(), Drip(wire, size))) as upstream,
            serving(kind, upstream.url) as stand,
            await stand.client() as client,
        ):
            response = await stand.ask(client)
            assert response.complete and response.status == status
            assert response.body == body.replace(secret.encode(), b"*" * len(secret))
            assert response.header("x-request-id") == "req-" + "*" * len(secret)
            assert secret.encode() not in client.received


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("spelling", [bytes, bytes.lower, base64.b64encode])
@pytest.mark.parametrize("is_short", [True, False])
async def test_a_header_of_a_successful_response_repeats_our_credential_in_no_spelling(
    spelling: Callable[[bytes], bytes], kind: Kind, is_short: bool
) -> None:
    said = spelling(credential_of(kind).encode())
    clean, hostile = (
        faults.json_response({"ok": 1}, fields=[("X-Request-Id", f"req-{value}")])
        for value in ("1" if is_short else "1" * 99, said.decode())
    )
    async with (
        FakeUpstream(hostile, clean, hostile, hostile) as upstream,
        serving(kind, upstream.url) as stand,
        await stand.client() as client,
    ):
        for _ in range(4):  # from the second on with a known head
            assert (await stand.ask(client)).json() == {"ok": 1}
        assert said[:20] not in client.received


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("offset", range(-24, 4, 3))
async def test_a_credential_is_masked_wherever_it_stands_in_a_large_error(offset: int, kind: Kind) -> None:
    """Also where the part that is held back ends and the next one begins."""
    secret = credential_of(kind).encode()
    body = b"x" * (65_536 + offset) + secret + b"y" * 200_000 + secret
    wire = faults.response(body, 500)
    split = len(wire) - len(body) + 65_537
    script = (ReadBody(), Send(wire[:split]), Wait(0.02), Send(wire[split:]))
    async with (
        FakeUpstream(script) as upstream,
        serving(kind, upstream.url) as stand,
        await stand.client() as client,
    ):
        response = await stand.ask(client)
        assert response.complete and len(response.body) == len(body)
        assert secret not in client.received
        for size in range(12, len(secret)):  # nor a large part of it
            assert secret[:size] + b"y" not in response.body


@pytest.mark.parametrize("kind", KINDS)
async def test_a_credential_in_the_head_of_an_answer_of_known_shape_is_masked(kind: Kind) -> None:
    """The short way of answers passes ids on unread, but never our credential as one."""
    secret = credential_of(kind)
    harmless = faults.response(b"{}", fields=[("x-request-id", "req-1")])
    telling = faults.response(b"{}", fields=[("x-request-id", f"req-{secret}")])
    scripts = [(ReadBody(), Send(wire)) for wire in (harmless, harmless, telling, harmless)]
    async with (
        FakeUpstream(*scripts) as upstream,
        serving(kind, upstream.url) as stand,
        await stand.client() as client,
    ):
        for number in range(4):
            response = await stand.ask(client)
            assert response.complete and response.status == 200, number
        assert stand.role.upstream.pool.response_heads
        assert secret.encode() not in client.received


@pytest.mark.parametrize("broken", [b"1\r\nxyz", b"2\r\nab\n\n", b"3\r\nabc\r\r"])
async def test_a_chunk_with_a_broken_end_is_not_passed_on_as_it_came(broken: bytes) -> None:
    """It has the size of a whole chunk and stands where one belongs, but does not end like one."""
    good = b"9\r\ndata: 1\n\n\r\n"
    head = faults.head(200, [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")])
    script = (ReadBody(), Send(head + good), Wait(0.05), Send(good), Wait(0.05), Send(broken), Wait(0.05))
    async with (
        FakeUpstream(script) as upstream,
        serving("bridge", upstream.url) as stand,
        await stand.client() as client,
    ):
        response = await stand.ask(client)
        assert not response.complete
        assert response.body.startswith(b"data: 1\n\ndata: 1\n\n")
        assert b"upstream_malformed" in response.body
        assert broken not in client.received


@pytest.mark.parametrize("how", [Close(), Reset()], ids=["FIN", "RST"])
async def test_an_interim_answer_does_not_hide_that_the_answer_never_came(how: Close | Reset) -> None:
    """100 and then the end, on a reused connection: a 502, and the request is not repeated."""
    script = (ReadBody(), Send(faults.head(100)), how)
    async with (
        FakeUpstream(GOOD, script, GOOD) as upstream,
        serving("bridge", upstream.url) as stand,
        await stand.client() as client,
    ):
        await stand.ask(client)
        response = await stand.ask(client)
        assert (response.status, response.json()["error"]["code"]) == (502, "upstream_closed")
        assert len(upstream.requests) == 2


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "PUT", "PATCH"])
async def test_other_methods_pass_the_bridge_with_the_right_framing(method: str) -> None:
    """A response to HEAD has a length and no body; the connection is not confused by it."""
    wire = faults.response(b'{"ok":true}')
    sent = wire[: wire.index(b"\r\n\r\n") + 4] if method == "HEAD" else wire
    async with (
        FakeUpstream((ReadBody(), Send(sent)), GOOD) as upstream,
        serving("bridge", upstream.url) as stand,
        await stand.client() as client,
    ):
        body = b"{}" if method in ("PUT", "PATCH") else None
        response = await stand.ask(client, body, method=method, target="/v1/files/x", to_method=method)
        assert response.complete and response.anomalies == ()
        assert response.header("content-length") == "11"
        assert (await stand.ask(client)).json() == {"next": "fine"}
        assert upstream.requests[0].method == method and upstream.anomalies == []


async def test_a_head_with_a_body_behind_it_for_a_head_request_does_not_poison() -> None:
    """An upstream that sends a body to HEAD loses its connection, and no client sees the body."""
    async with (
        FakeUpstream((ReadBody(), Send(faults.response(b"EVIL"))), GOOD) as upstream,
        serving("bridge", upstream.url) as stand,
        await stand.client() as client,
    ):
        response = await stand.ask(client, None, method="HEAD", target="/v1/models", to_method="HEAD")
        assert response.complete
        assert (await stand.ask(client)).json() == {"next": "fine"}
        assert b"EVIL" not in client.received


WORDS = b"x" * 80
CHUNKS = [
    b"data: 1%b\n\n" % WORDS, b"data: 2%b\n\n" % WORDS, b"d", b"x" * 300, b"data: %b\r\n0\r\n\r\n" % WORDS,
    b"event: e\ndata: 3%b\n\n" % WORDS, b": warm\n\n", b"data: %b\r\n\r\n" % (b"x" * 300),
    b"data: KEY%b\n\n" % WORDS, b"data: last%b\n\n" % WORDS, b"data: [DONE]\n\n",
]  # fmt: skip
PASS = [1, 4, 5, 7, 9]
"""Which of them pass: not the first one behind the head, no part of an event, no comment, no credential, no end."""


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 16, 300, 10_000])
async def test_chunks_pass_alike_however_the_upstream_cuts_them(size: int) -> None:
    """Whole chunks take a short way, parts of chunks the parser's: mixing both loses and makes up nothing."""
    framed = b"".join(b"%X\r\n%b\r\n" % (len(body), body) for body in CHUNKS) + b"0\r\n\r\n"
    whole = [b"%x\r\n%b\r\n" % (len(body), body) for body in CHUNKS]
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    pieces = [framed[at : at + size] for at in range(0, len(framed), size)]

    class Passing(FakeHandler):
        """A handler that takes chunks as they come and keeps the body."""

        def __init__(self) -> None:
            super().__init__()
            self.passed: list[bytes] = []

        def pass_by(self, framed: bytes) -> None:
            size, _, rest = framed.partition(b"\r\n")
            assert rest[int(size, 16) :] == b"\r\n"
            self.passed.append(rest[:-2])
            self.body += rest[:-2]

        def chunk_passthrough(self) -> ChunkPassthrough:
            return ChunkPassthrough(self.pass_by, (b"KEY",))

    for reads in (
        pieces,
        [*whole[:2], *slices(b"".join(whole[2:]), size), b"0\r\n\r\n"],
        [*whole, b"0\r\n\r\n"],
    ):
        handler = Passing()
        connection, _ = connected()
        connection.start_response(handler, head_only=False)
        for read in [head, *reads]:
            connection.data_received(read)
        assert (handler.body, handler.end) == (b"".join(CHUNKS), "complete")
        if reads == [*whole, b"0\r\n\r\n"]:
            assert handler.passed == [CHUNKS[at] for at in PASS]


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (faults.response(b"too large", 413), (413, b"too large", "complete")),
        (faults.response(b"ok"), (200, b"ok", "complete")),
        (faults.response(b"too large", 413)[:-3], (413, b"too la", "upstream_closed")),
        (b"HTTP/1.1 413 ", (0, b"", "upstream_closed")),
    ],
)
async def test_an_early_response_is_read_although_the_request_ran_into_the_reset_behind_it(
    response: bytes, expected: tuple[int, bytes, str]
) -> None:
    """An upstream that refuses a large body and closes resets the connection while we are still writing."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        owner = FakeOwner()
        known = faults.response(b"{}")
        owner.response_heads.remember(known.removesuffix(b"{}"), 200, b"")
        assert owner.response_heads[0].match(known)
        _, connection = await loop.create_connection(
            lambda: UpstreamConnection(owner), *listener.getsockname()
        )
        handler = FakeHandler()
        connection.start_response(handler, head_only=False)
        theirs, _ = listener.accept()
        # The loop does not run here: the response and the reset are in the kernel before we write.
        theirs.sendall(response)
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        theirs.close()
        connection.write([b"the rest of the body"])
        await until(lambda: bool(handler.end), "the end")
        assert (handler.status, handler.body, handler.end) == expected


@pytest.mark.parametrize("size", [10_000, HEAD_LIMIT * 2])
async def test_a_head_that_is_too_large_is_refused_however_it_is_read(size: int) -> None:
    """In pieces, and in one read with its body behind it."""
    handler = FakeHandler()
    connection, transport = connected()
    connection.start_response(handler, head_only=False)
    response = b"HTTP/1.1 200 OK\r\nX: %b\r\nContent-Length: 2\r\n\r\n{}" % (b"x" * (HEAD_LIMIT + 20_000))
    for piece in slices(response, size):
        if not handler.end:
            transport.receive(piece)
            await turns_of(handler, transport)
    assert (handler.status, handler.end) == (0, "upstream_malformed")


async def test_a_large_body_in_the_same_read_makes_no_large_head() -> None:
    handler = FakeHandler()
    connection, _ = connected()
    connection.start_response(handler, head_only=False)
    body = b"\r\n\r\n" + b"x" * HEAD_LIMIT + b"\r\n\r\n"
    connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    assert (handler.status, handler.end, handler.body) == (200, "complete", body)


@pytest.mark.parametrize("version", [b"HTTP/2.0", b"HTTP/0.9"])
async def test_a_response_in_another_version_is_malformed(version: bytes) -> None:
    """It is framed by rules that were not requested."""
    handler = FakeHandler()
    connection, _ = connected()
    connection.start_response(handler, head_only=False)
    connection.data_received(version + b" 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    assert (handler.status, handler.end) == (0, "upstream_malformed")


UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\nhalf or all"


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("close_notify", [False, True])
async def test_a_body_that_ends_with_the_connection_is_complete_only_after_an_orderly_end(
    tls: bool, close_notify: bool
) -> None:
    """RFC 9112 section 9.8: over TLS, an end without close_notify may be the work of an attacker."""
    handler = FakeHandler()
    connection, transport = connected(tls=tls)
    connection.start_response(handler, head_only=False)
    transport.receive(UNTIL_CLOSE)
    transport.end(close_notify=close_notify)
    assert handler.body == b"half or all"
    assert handler.end == ("upstream_closed" if tls and not close_notify else "complete")


async def test_an_end_without_eof_is_not_orderly() -> None:
    """uvloop reports a TLS connection that ended without close_notify by `connection_lost` alone."""
    handler = FakeHandler()
    connection, transport = connected(tls=True)
    connection.start_response(handler, head_only=False)
    transport.receive(UNTIL_CLOSE)
    transport.lose()
    assert handler.end == "upstream_closed"


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("close_notify", [False, True])
def test_close_notify_is_seen_on_a_real_connection(loop: str, close_notify: bool, tmp_path: Path) -> None:
    """Both loops report a missing one differently, and neither as an error."""
    ca = make_throwaway(tmp_path)

    def serve(listener: socket.socket) -> None:
        accepted, _ = listener.accept()
        with ca.server.wrap_socket(accepted, server_side=True) as peer:
            peer.recv(100)
            peer.sendall(UNTIL_CLOSE)
            if close_notify:
                peer.unwrap()

    async def work() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            server = asyncio.get_running_loop().run_in_executor(None, serve, listener)
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: UpstreamConnection(FakeOwner()),
                *listener.getsockname(),
                ssl=ca.client,
                server_hostname="127.0.0.1",
            )
            handler = FakeHandler()
            connection.start_response(handler, head_only=False)
            connection.write([b"GET / HTTP/1.1\r\n\r\n"])
            await server
            await until(lambda: bool(handler.end), "the end")
            assert (handler.body, handler.end) == (
                b"half or all",
                "complete" if close_notify else "upstream_closed",
            )

    with asyncio.Runner(loop_factory=uvloop.new_event_loop if loop == "uvloop" else None) as runner:
        runner.run(work())


async def turns_of(handler: FakeHandler, transport: FakeTransport) -> list[int]:
    """How much of the body each turn of the loop brings, until the connection is read again."""
    sizes = [len(handler.body)]
    for _ in range(10_000):
        if transport.reading or transport.is_closing():
            break
        await asyncio.sleep(0)
        sizes.append(len(handler.body) - sum(sizes))
    return sizes


@pytest.mark.parametrize(
    ("head", "unit"),
    [
        (faults.head(200, [("Transfer-Encoding", "chunked")]), chunked(b"x")),
        (STREAM_HEAD, chunked(b": x\n\n" * 1000)),
        (STREAM_HEAD, chunked(b"data: {}\n\n")),
    ],
    ids=["1-byte chunks", "comments", "tiny events"],
)
async def test_what_means_much_work_is_handled_in_turns(head: bytes, unit: bytes) -> None:
    """One hostile upstream must not stop the loop for everybody: a read has a quarter of a megabyte."""
    handler = FakeHandler()
    connection, transport = connected()
    connection.start_response(handler, head_only=False)
    transport.receive(head)
    count = 250_000 // len(unit)
    transport.receive(unit * count)
    turns = await turns_of(handler, transport)
    assert len(turns) > 20 and max(turns) <= TURN_BYTES
    assert len(handler.body) == count * int(unit[: unit.index(b"\r")], 16)


@pytest.mark.parametrize("chunk_size", [None, 10_000])
async def test_a_large_body_is_handled_at_once(chunk_size: int | None) -> None:
    """It costs a copy, however large it is."""
    handler = FakeHandler()
    connection, transport = connected()
    connection.start_response(handler, head_only=False)
    body = b"x" * 250_000
    if chunk_size is None:
        transport.receive(faults.head(200, [("Content-Length", "250000")]) + body)
    else:
        transport.receive(
            faults.head(200, [("Transfer-Encoding", "chunked")]) + chunked(*slices(body, chunk_size))
        )
    assert handler.body == body and transport.calls == []


async def test_turns_wait_while_the_handler_does() -> None:
    handler = FakeHandler()
    connection, transport = connected()
    connection.start_response(handler, head_only=False)
    transport.receive(STREAM_HEAD)
    transport.receive(chunked(b"data: {}\n\n") * 3000)
    connection.pause_reading()
    await settle()
    before = len(handler.body)
    connection.resume_reading()
    assert len(await turns_of(handler, transport)) > 3
    assert before <= TURN_BYTES and handler.body == b"data: {}\n\n" * 3000


@pytest.mark.parametrize("end", ["close", "reset"])
async def test_what_waits_for_its_turn_comes_before_the_end(end: str) -> None:
    handler = FakeHandler()
    connection, transport = connected()
    connection.start_response(handler, head_only=False)
    transport.receive(STREAM_HEAD)
    transport.receive(chunked(b"data: {}\n\n") * 3000 + chunked(b""))
    transport.lose(None if end == "close" else ConnectionResetError())
    assert handler.end == "complete" and handler.body == b"data: {}\n\n" * 3000


async def test_nothing_comes_of_what_waits_once_the_connection_was_given_up() -> None:
    handler = FakeHandler()
    connection, transport = connected()
    connection.start_response(handler, head_only=False)
    transport.receive(STREAM_HEAD)
    transport.receive(chunked(b"data: {}\n\n") * 3000)
    before = handler.body
    connection.abort()
    await settle()
    assert handler.body == before and handler.end == ""


async def test_bytes_behind_a_response_make_its_connection_unusable_although_they_wait() -> None:
    handler = FakeHandler()
    connection, transport = connected()
    connection.start_response(handler, head_only=False)
    transport.receive(STREAM_HEAD)
    transport.receive(chunked(b"data: {}\n\n", b"") + OK * 200)
    await turns_of(handler, transport)
    assert handler.end == "complete" and not connection.reusable


@pytest.mark.parametrize(
    "interim", [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"]
)
@pytest.mark.parametrize("size", [len(b"HTTP/1.1 100 Continue\r\n\r\n"), 1000, 250_000])
async def test_interim_responses_are_bounded(interim: bytes, size: int) -> None:
    """They carry nothing, and each costs a turn of the parser."""
    handler = FakeHandler()
    connection, transport = connected()
    connection.start_response(handler, head_only=False)
    fed = 0
    for piece in slices(interim * 20_000, size):
        transport.receive(piece)
        await turns_of(handler, transport)
        fed += len(piece)
        if handler.end:
            break
    assert handler.end == "upstream_malformed" and fed < HEAD_LIMIT + max(size, TURN_BYTES) + 1


async def test_some_interim_responses_are_none_of_the_clients_business() -> None:
    handler = FakeHandler()
    connection, transport = connected()
    connection.start_response(handler, head_only=False)
    for _ in range(50):
        transport.receive(b"HTTP/1.1 102 Processing\r\n\r\n")
    transport.receive(OK)
    assert (handler.status, handler.end) == (200, "complete")


async def test_a_connection_is_read_again_behind_a_response_that_came_in_turns() -> None:
    handler = FakeHandler()
    connection, transport = connected()
    connection.start_response(handler, head_only=False)
    transport.receive(STREAM_HEAD)
    transport.receive(chunked(b"data: {}\n\n") * 3000 + chunked(b""))
    assert len(await turns_of(handler, transport)) > 3
    assert handler.end == "complete" and connection.reusable and transport.reading
