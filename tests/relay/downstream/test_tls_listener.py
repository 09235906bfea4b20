"""TLS connections are counted from their accept, and their handshakes end in time."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from clawgate.relay.downstream import tls_listener
from clawgate.relay.downstream.tls_listener import TlsListener
from tests.e2e.certificates import Authority
from tests.e2e.stand import until

pytestmark = pytest.mark.anyio


class Echo(asyncio.Protocol):
    """Sends back what it gets."""

    transport: asyncio.Transport
    ended = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True


class Owner:
    def __init__(self) -> None:
        self.handshakes: dict[Echo, Callable[[], object]] = {}
        self.protocols: list[Echo] = []

    def handshake_started(self, protocol: Echo, abort: Callable[[], object]) -> None:
        self.protocols.append(protocol)
        self.handshakes[protocol] = abort

    def handshake_ended(self, protocol: Echo) -> None:
        del self.handshakes[protocol]


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Of a server on 127.0.0.1, and of a client that trusts it."""
    folder: Path = tmp_path_factory.mktemp("tls")
    authority = Authority(folder, "authority")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(authority.issue("127.0.0.1").file)
    return server, ssl.create_default_context(cafile=authority.file)


@asynccontextmanager
async def listening(context: ssl.SSLContext, seconds: float = 30.0) -> AsyncIterator[tuple[Owner, int]]:
    owner = Owner()
    with socket.create_server(("127.0.0.1", 0)) as sock:
        listener = TlsListener(sock, context, Echo, owner, handshake_seconds=seconds)
        yield owner, sock.getsockname()[1]
        listener.close()
        for abort in list(owner.handshakes.values()):
            abort()
        await until(lambda: not owner.handshakes, "all handshakes to end")


async def test_a_connection_is_served_after_its_handshake(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    server, client = contexts
    async with listening(server) as (owner, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client)
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        assert not owner.handshakes and len(owner.protocols) == 1
        writer.close()
        await until(lambda: owner.protocols[0].ended, "the connection to end")


async def test_a_client_that_says_nothing_counts_from_its_accept_and_can_be_aborted(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    async with listening(contexts[0]) as (owner, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await until(lambda: len(owner.handshakes) == 1, "the accept to be reported")
        (abort,) = owner.handshakes.values()
        abort()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await reader.readexactly(1)
        assert not owner.handshakes
        writer.close()


async def test_a_handshake_that_does_not_come_ends_in_time(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    async with listening(contexts[0], seconds=0.05) as (owner, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await asyncio.wait_for(reader.read(), 10) == b""
        await until(lambda: not owner.handshakes, "the handshake to end")
        assert len(owner.protocols) == 1
        writer.close()


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x05"])
async def test_a_client_that_leaves_or_speaks_no_tls_is_counted_out(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], sent: bytes
) -> None:
    async with listening(contexts[0]) as (owner, port):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        await writer.drain()
        writer.close()
        await until(lambda: bool(owner.protocols) and not owner.handshakes, "the handshake to fail")


async def test_accepting_continues_after_descriptors_ran_out(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And after a connection that ended in the backlog."""
    monkeypatch.setattr(tls_listener, "_ACCEPT_RETRY_SECONDS", 0.0)
    loop = asyncio.get_running_loop()
    failures = [OSError(errno.EMFILE, "too many"), ConnectionAbortedError(errno.ECONNABORTED, "gone")]

    class Failing:
        create_task = staticmethod(loop.create_task)
        connect_accepted_socket = staticmethod(loop.connect_accepted_socket)

        @staticmethod
        async def sock_accept(sock: socket.socket) -> tuple[socket.socket, object]:
            if failures:
                raise failures.pop(0)
            return await loop.sock_accept(sock)

    owner = Owner()
    with socket.create_server(("127.0.0.1", 0)) as sock:
        listener = TlsListener(sock, contexts[0], Echo, owner, handshake_seconds=30, loop=Failing)
        _, writer = await asyncio.open_connection("127.0.0.1", sock.getsockname()[1], ssl=contexts[1])
        assert not failures
        writer.close()
        listener.close()
