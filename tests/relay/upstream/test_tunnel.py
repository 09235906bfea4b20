"""Through a configured proxy: CONNECT for both schemes, each rejection distinguished, no secret shown to it."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Self

import pytest

from clawgate.errors import EgressDenied, UpstreamUnreachable
from clawgate.relay.upstream.endpoint import UpstreamEndpoint
from clawgate.wire.http.url import parse_url
from tests.e2e.certificates import Authority, server_side
from tests.e2e.stand import KINDS, Kind, credential_of, serving, until
from tests.peers import faults
from tests.peers.upstream import FakeUpstream
from tests.relay.recording_dialer import OPEN, RecordingDialer

GOOD = faults.json_response({"next": "fine"})
ROLES = pytest.mark.parametrize("kind", KINDS)
GRANTED = b"HTTP/1.1 200 Connection established\r\nX-Proxy: tiny\r\n\r\n"


class TinyProxy:
    """A CONNECT proxy of a few lines: sends everything to ``target``, whatever is requested."""

    def __init__(self, target: int, *, says: bytes = GRANTED, then_closes: bool = False) -> None:
        self._target, self._says, self._then_closes = target, says, then_closes
        self.heads: list[bytes] = []
        self.tunnelled = bytearray()
        self.open = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        await until(lambda: self.open == 0, "the proxy's connections to end")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(self._says)
                if self._then_closes:
                    return
                if b" 200 " not in self._says[:14]:
                    await reader.read()
                    return
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
                back = asyncio.get_running_loop().create_task(_pump(far_reader, writer))
                while data := await reader.read(65_536):
                    self.tunnelled += data
                    far_writer.write(data)
                far_writer.close()
                await back
        finally:
            writer.close()
            self.open -= 1


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"), "good")


def resolver_for(names: dict[str, str]) -> RecordingDialer:
    async def resolver(host: str, port: int) -> Sequence[str]:
        return [names[host]]

    return RecordingDialer(resolver)


@ROLES
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_request_goes_through_the_tunnel(scheme: str, kind: Kind, authority: Authority) -> None:
    """The proxy gets the name, which is not resolved here; streams and keep-alive work as without it."""
    tls = server_side(authority.issue("api.example")) if scheme == "https" else None
    async with (
        FakeUpstream(GOOD, faults.sse_response(), GOOD, tls=tls) as upstream,
        TinyProxy(upstream.port) as proxy,
    ):
        options: dict[str, Any] = {"ca_file": str(authority.file)} if tls else {}
        dialer = resolver_for({"proxy.example": "127.0.0.1"})
        async with (
            serving(kind, f"{scheme}://api.example:4444", dialer=dialer, **options,
                    upstream_proxy=f"http://user:pass word@proxy.example:{proxy.port}") as stand,
            await stand.client() as client,
        ):  # fmt: skip
            assert (await stand.ask(client)).json() == {"next": "fine"}
            assert (await stand.ask(client)).body == b"".join(faults.CHAT_FRAMES)
            assert (await stand.ask(client)).json() == {"next": "fine"}
            assert len(proxy.heads) == len(upstream.connections) == 1
            assert proxy.heads[0].startswith(
                b"CONNECT api.example:4444 HTTP/1.1\r\nHost: api.example:4444\r\n"
            )
            basic = base64.b64encode(b"user:pass word")
            assert b"Proxy-Authorization: Basic " + basic in proxy.heads[0]
            secret = credential_of(kind).encode()
            assert secret not in proxy.heads[0]
            assert (secret in proxy.tunnelled) is (scheme == "http")
            assert all(request.header("proxy-authorization") is None for request in upstream.requests)
            assert upstream.requests[0].header("host") == "api.example:4444"
            assert (
                dialer.ledger[-1].origin.host == "proxy.example" and dialer.ledger[-1].dialled == "127.0.0.1"
            )


REFUSALS = [
    b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 403 Forbidden\r\n\r\n",
    b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\nbad",
    b"HTTP/2 200\r\n\r\n",
    b"HTTP/1.1 2000 OK\r\n\r\n",
    b"\x05\x00garbage\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: " + b"y" * 20_000,
    GRANTED + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL",
]


@ROLES
@pytest.mark.parametrize("says", REFUSALS, ids=lambda says: says[:24].decode("latin-1"))
async def test_a_proxy_that_opens_no_tunnel_is_a_502(says: bytes, kind: Kind) -> None:
    """With what that means; nothing of the request is sent, and nothing of the proxy's own reaches the client."""
    async with FakeUpstream(GOOD) as upstream, TinyProxy(upstream.port, says=says) as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        async with serving(kind, "http://api.example", upstream_proxy=url) as stand:
            response = await stand.fresh()
            error = response.json()["error"]
            assert (response.status, error["code"]) == (502, "upstream_unreachable")
            assert "proxy" in error["message"] and "EVIL" not in error["message"]
            assert upstream.requests == [] and credential_of(kind).encode() not in proxy.tunnelled
            await stand.all_quiet(kept=0)


@pytest.mark.parametrize("credential", ["user:canary-pass", None])
async def test_what_a_proxy_says_is_not_repeated_for_it_may_be_our_password(credential: str | None) -> None:
    """Only its status is shown, with a next step for the one about credentials."""
    echo = base64.b64encode(b"user:canary-pass")
    async with TinyProxy(9, says=b"HTTP/1.1 407 " + echo + b" canary-pass\r\n\r\n") as proxy:
        user = f"{credential}@" if credential else ""
        url = f"http://{user}127.0.0.1:{proxy.port}"
        async with serving("bridge", "http://api.example", upstream_proxy=url) as stand:
            response = await stand.fresh()
            message = response.json()["error"]["message"]
            assert "user and password (407)" in message
            assert ("rejects the configured" in message) is (credential is not None)
            assert b"canary" not in response.body and echo not in response.body


@ROLES
@pytest.mark.parametrize("says", [b"", b"HTTP/1.1 200", GRANTED], ids=["nothing", "half a head", "a tunnel"])
async def test_a_proxy_that_closes_is_a_502_at_once(says: bytes, kind: Kind) -> None:
    """Also in the moment in which the tunnel is open: the first-byte limit is not waited for."""
    async with TinyProxy(9, says=says, then_closes=True) as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        async with serving(kind, "http://api.example", upstream_proxy=url, first_byte_timeout=5) as stand:
            response = await stand.fresh()
            assert response.status == 502, response.body
            assert response.json()["error"]["code"] in ("upstream_unreachable", "upstream_closed")
            await stand.all_quiet(kept=0)


@ROLES
async def test_a_proxy_that_says_nothing_counts_as_connecting(kind: Kind) -> None:
    """504 with 'connect'; a client that leaves before ends the attempt."""
    async with FakeUpstream(faults.never_responds()) as proxy:
        async with serving(
            kind, "http://api.example", upstream_proxy=proxy.url, connect_timeout=0.2
        ) as stand:
            response = await stand.fresh()
            assert response.status == 504 and "'connect'" in response.json()["error"]["message"]
            await proxy.saw_close(0)
        async with serving(kind, "http://api.example", upstream_proxy=proxy.url) as stand:
            client = await stand.client()
            await stand.send(client)
            await proxy.saw_request(1)
            await client.close()
            await proxy.saw_close(1)
            await stand.all_quiet(kept=0)


@pytest.mark.parametrize("host", ["metadata.google.internal", "0xa9fea9fe", "2852039166"])
async def test_what_is_never_dialled_is_not_asked_of_a_proxy_either(host: str) -> None:
    """Who would resolve the name there is not ours to see; private places behind a proxy are its own affair."""
    async with TinyProxy(9) as proxy:
        dialer = RecordingDialer()
        route = UpstreamEndpoint(
            origin=parse_url(f"http://{host}")[0],
            policy=OPEN,
            proxy=parse_url(f"http://127.0.0.1:{proxy.port}")[0],
        )
        with pytest.raises(EgressDenied, match="metadata"):
            await dialer.open(asyncio.Protocol, route)
        assert proxy.heads == [] and [entry.dialled for entry in dialer.ledger] == [None]


async def test_a_tunnel_that_begins_at_another_peer_than_was_checked_is_aborted() -> None:
    """Nothing is sent to it."""
    loop = asyncio.get_running_loop()
    original = loop.create_connection

    async def elsewhere(make: Any, host: str, port: int, **more: Any) -> Any:
        return await original(make, "127.0.0.1", port, **more)

    loop.create_connection = elsewhere  # type: ignore[method-assign,assignment]
    async with TinyProxy(9) as proxy:
        dialer = resolver_for({"proxy.example": "127.0.0.2"})
        route = UpstreamEndpoint(
            origin=parse_url("http://api.example")[0],
            policy=OPEN,
            proxy=parse_url(f"http://proxy.example:{proxy.port}")[0],
        )
        with pytest.raises(UpstreamUnreachable):
            await dialer.open(asyncio.Protocol, route)
        direct = UpstreamEndpoint(origin=parse_url(f"http://proxy.example:{proxy.port}")[0], policy=OPEN)
        with pytest.raises(UpstreamUnreachable):
            await dialer.open(asyncio.Protocol, direct)
        assert proxy.heads == []


@ROLES
async def test_a_proxy_at_an_address_that_may_not_be_dialled_is_refused(kind: Kind) -> None:
    """The proxy's own address is checked like any other."""
    dialer = resolver_for({"proxy.example": "169.254.169.254"})
    async with serving(
        kind, "http://api.example", dialer=dialer, upstream_proxy="http://proxy.example:80"
    ) as stand:
        response = await stand.fresh()
        assert (response.status, response.json()["error"]["code"]) == (403, "private_network_blocked")
        assert [dial.dialled for dial in dialer.ledger] == [None]


@ROLES
async def test_a_certificate_is_checked_inside_the_tunnel(kind: Kind, authority: Authority) -> None:
    """A proxy that answers in the upstream's place has no certificate for it."""
    tls = server_side(authority.issue("proxy.example"))
    async with FakeUpstream(GOOD, tls=tls) as impostor, TinyProxy(impostor.port) as proxy:
        url, ca = f"http://127.0.0.1:{proxy.port}", str(authority.file)
        async with serving(kind, "https://api.example", upstream_proxy=url, ca_file=ca) as stand:
            response = await stand.fresh()
            assert response.status == 502 and "TLS" in response.json()["error"]["message"]
            assert impostor.requests == []
