"""An upgrade is decided before the 101, and what comes behind it is never a request."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from clawgate.errors import InvalidToken
from clawgate.policy.authentication import AuthLockout, GuessDelay, LockoutRule
from clawgate.policy.client_ip import TrustedProxies
from clawgate.policy.cross_origin import LOOPBACK_NAMES, CrossOriginPolicy
from clawgate.policy.proxy_identity import ProxyIdentity
from clawgate.relay.admission.admission import ANONYMOUS
from clawgate.relay.admission.upgrade import AdmittedSocket, check_query
from clawgate.relay.downstream.connections import UNAUTHENTICATED_SOCKETS, ConnectionManager
from clawgate.relay.downstream.pipeline import PIPELINE_LIMIT
from clawgate.relay.downstream.websocket_connection import WebSocketConnection
from tests.relay.fake_listener import BEARER, TOKEN, Client, Listener, request, turns
from tests.relay.websocket_frames import ACCEPT, TEXT, Echo, frame, frames_of, upgrade

ORIGIN = "https://app.example"


def listener(*, authenticates: bool = False, **parts: Any) -> tuple[Listener, list[Echo]]:
    """A listener with WebSockets on `/`, and the handlers that it has made."""
    handlers: list[Echo] = []

    def make(manager: ConnectionManager, admitted: AdmittedSocket) -> WebSocketConnection:
        handlers.append(Echo(authenticates=authenticates))
        return WebSocketConnection(manager, admitted, handlers[-1])

    return Listener(make_socket=make, socket_paths=frozenset({b"/"}), **parts), handlers


async def send(data: bytes, *, step: int = 0, **parts: Any) -> tuple[Client, list[Echo]]:
    """Send ``data`` on a new connection, at once or in pieces of ``step`` bytes."""
    made, handlers = listener(**parts)
    client = made.connect()
    for at in range(0, len(data), step or len(data)):
        client.send(data[at : at + (step or len(data))])
        if step:
            await turns(2)
    await turns()
    made.manager.close()
    await turns()
    return client, handlers


ACCEPTED = {
    "plain": upgrade(),
    "case": upgrade(b"Upgrade: WebSocket", b"Connection: UPGRADE"),
    "connection-list": upgrade(b"Connection: keep-alive, Upgrade"),
    "two-connection-headers": upgrade(b"Connection: keep-alive", b"Connection: Upgrade"),
    "upgrade-list": upgrade(b"Upgrade: foo, websocket"),
    "two-upgrade-headers": upgrade(b"Upgrade: foo", b"Upgrade: websocket"),
    "two-upgrade-headers-the-other-way": upgrade(b"Upgrade: websocket", b"Upgrade: h2c"),
    "query": upgrade(target=b"/?a=1"),
    "absolute-form": upgrade(target=b"http://127.0.0.1/"),
    "no-body": upgrade(b"Content-Length: 0"),
    "extensions": upgrade(b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"),
    "subprotocols": upgrade(b"Sec-WebSocket-Protocol: chat, superchat"),
    "same-origin": upgrade(b"Sec-Fetch-Site: same-origin"),
}


@pytest.mark.parametrize("step", [0, 1, 7])
@pytest.mark.parametrize("name", ACCEPTED)
async def test_an_upgrade_is_accepted_and_what_comes_behind_it_is_frames(name: str, step: int) -> None:
    """No extension and no subprotocol is, whatever the client offers."""
    client, handlers = await send(ACCEPTED[name] + frame(TEXT, b"hello"), step=step)
    head, _, rest = client.received.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"HTTP/1.1 101 Switching Protocols"
    assert sorted(lines[1:]) == [
        b"Connection: Upgrade", b"Sec-WebSocket-Accept: " + ACCEPT, b"Upgrade: websocket"
    ]  # fmt: skip
    assert frames_of(rest) == [(TEXT, b"hello")]
    assert handlers[0].log[:2] == ["opened", "message hello"]


REFUSED = {
    "http-1.0": (upgrade().replace(b"HTTP/1.1", b"HTTP/1.0"), 426),
    "post": (upgrade().replace(b"GET", b"POST"), 405),
    "head": (upgrade().replace(b"GET", b"HEAD"), 405),
    "body": (upgrade(b"Content-Length: 5") + b"12345", 400),
    "chunked-body": (upgrade(b"Transfer-Encoding: chunked") + b"2\r\n{}\r\n0\r\n\r\n", 400),
    "no-host": (upgrade(b"Host: -"), 400),
    "foreign-host": (upgrade(host=b"evil.example"), 421),
    "origin": (upgrade(b"Origin: https://evil.example"), 403),
    "null-origin": (upgrade(b"Origin: null"), 403),
    "two-origins": (upgrade(b"Origin: https://app.example", b"Origin: https://evil.example"), 400),
    "cross-site": (upgrade(b"Sec-Fetch-Site: cross-site"), 403),
    "same-site": (upgrade(b"Sec-Fetch-Site: same-site"), 403),
    "no-key": (upgrade(b"Sec-WebSocket-Key: -"), 400),
    "empty-key": (upgrade(b"Sec-WebSocket-Key:"), 400),
    "short-key": (upgrade(b"Sec-WebSocket-Key: dGhl"), 400),
    "long-key": (upgrade(b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZTE="), 400),
    "key-not-base64": (upgrade(b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j!!=="), 400),
    "two-keys": (upgrade(*[b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="] * 2), 400),
    "no-version": (upgrade(b"Sec-WebSocket-Version: -"), 426),
    "version-8": (upgrade(b"Sec-WebSocket-Version: 8"), 426),
    "version-list": (upgrade(b"Sec-WebSocket-Version: 13, 8"), 426),
    "version-padded": (upgrade(b"Sec-WebSocket-Version: 013"), 426),
    "two-versions": (upgrade(*[b"Sec-WebSocket-Version: 13"] * 2), 426),
    "token-in-url": (upgrade(target=b"/?token=x"), 400),
    "dot-segment": (upgrade(target=b"/."), 400),
    "other-path": (upgrade(target=b"/v1/models"), 426),
    "health": (upgrade(target=b"/health"), 426),
    "wrong-token": (upgrade(b"Authorization: Bearer wrong"), 401),
}


@pytest.mark.parametrize("step", [0, 1, 7])
@pytest.mark.parametrize("name", REFUSED)
async def test_an_upgrade_is_refused_and_what_comes_behind_it_is_discarded(name: str, step: int) -> None:
    data, status = REFUSED[name]
    tokens = name != "other-path"
    client, handlers = await send(
        data + request(b"/health") + frame(TEXT, b"hello"), step=step, tokens=tokens
    )
    assert client.statuses == [status]
    assert not handlers
    head, _, body = client.received.partition(b"\r\n\r\n")
    assert b"connection: close" in head
    assert name == "head" or body.startswith(b'{"error":')
    of_websocket = b"sec-websocket-version: 13" in head and b"upgrade: websocket" in head
    assert of_websocket is ("version" in name)


@pytest.mark.parametrize("offer", [b"h2c", b"foo", b"websocket2", b"web socket", b""])
async def test_an_upgrade_to_something_else_is_ignored(offer: bytes) -> None:
    """RFC 9110 section 7.8: it is an offer."""
    client, handlers = await send(upgrade(b"Upgrade: " + offer, target=b"/health"))
    assert client.statuses == [200] and not handlers


async def test_an_upgrade_behind_a_request_is_one() -> None:
    """Its frames wait with it, more of them than a connection that serves requests is read for."""
    text, count = b"x" * 1000, 2 * PIPELINE_LIMIT // 1000
    made, handlers = listener()
    client = made.connect()
    client.send(request(b"/health") + upgrade() + frame(TEXT, text) * count)
    for _ in range(100):
        before = len(handlers)
        await turns(1)
        if len(handlers) > before:
            assert client.transport.reading_paused, "more waits than may"
    made.manager.close()
    await turns()
    assert client.statuses == [200, 101]
    assert handlers[0].log == ["opened", *["message " + "x" * 40] * count, "closed 1006 "]
    assert frames_of(client.received.rpartition(b"\r\n\r\n")[2]) == [(TEXT, text)] * count
    assert not client.transport.reading_paused


async def test_a_listener_without_sockets_accepts_no_upgrade() -> None:
    made = Listener()
    client = made.connect()
    client.send(upgrade(target=b"/v1/models") + request(b"/health"))
    await turns()
    made.manager.close()
    assert client.statuses == [426]


async def test_an_allowed_origin_passes() -> None:
    browser = CrossOriginPolicy(hosts=LOOPBACK_NAMES, origins=frozenset({ORIGIN.encode()}))
    client, handlers = await send(upgrade(b"Origin: " + ORIGIN.encode()), browser=browser)
    assert client.statuses == [101]
    assert handlers[0].socket.origin == ORIGIN


@pytest.mark.parametrize(
    "query",
    [
        b"?token=x", b"?a=1&token=x", b"?TOKEN=x", b"?%74oken=x", b"?access_token=x", b"?auth.token=x", b"?password=",
        b"?auth=x", b"?api_key=x", b"?apiKey=x", b"?a;token=x", b"?authorization=x", b"?deviceToken", b"?secret=1",
        b"?bearer=x", b"?gatewayToken=x",
    ],
)  # fmt: skip
def test_a_credential_in_the_url_is_refused_by_name(query: bytes) -> None:
    with pytest.raises(Exception, match=r"the URL has a credential \('\w") as raised:
        check_query(query)
    assert "=x" not in str(raised.value)


@pytest.mark.parametrize("query", [b"", b"?", b"?a=1", b"?session=main&lang=de", b"?x=token"])
def test_other_parameters_pass(query: bytes) -> None:
    check_query(query)


async def test_a_locked_out_address_is_refused_before_the_upgrade() -> None:
    lockout = AuthLockout(LockoutRule(max_failures=2))
    made, handlers = listener(tokens=True, failures=lockout)
    for _ in range(2):
        made.connect().send(upgrade(b"Authorization: Bearer wrong"))
    client = made.connect()
    client.send(upgrade())
    other = made.connect(peer="192.0.2.7")
    other.send(upgrade())
    await turns()
    assert client.statuses == [429] and b"retry-after: 300" in client.received
    assert other.statuses == [101] and len(handlers) == 1
    made.manager.close()


async def test_a_token_in_the_head_opens_nothing() -> None:
    """The caller is whom the `connect` request names."""
    client, handlers = await send(upgrade(BEARER), tokens=True)
    assert client.statuses == [101]
    with pytest.raises(InvalidToken):
        identify(handlers[0], client, None)


def identify(handler: Echo, client: Client, token: bytes | None, now: float = 0.0) -> str:
    admission = client.protocol._listener.admission
    return admission.identify(handler.socket.head, handler.socket.remote, token, now)


async def test_a_socket_is_identified_as_a_request_is() -> None:
    client, handlers = await send(upgrade(), tokens=True)
    assert identify(handlers[0], client, TOKEN.encode()) == "alice"
    with pytest.raises(InvalidToken):
        identify(handlers[0], client, TOKEN.encode() + b"x")
    open_client, handlers = await send(upgrade())
    assert identify(handlers[0], open_client, None) == ANONYMOUS


async def test_wrong_tokens_on_sockets_and_in_requests_lock_out_together() -> None:
    lockout = AuthLockout(LockoutRule(max_failures=2))
    made, handlers = listener(tokens=True, failures=lockout)
    client = made.connect()
    client.send(upgrade())
    with pytest.raises(InvalidToken):
        identify(handlers[0], client, b"wrong", made.clock())
    made.connect().send(request(b"/v1/models", b"Authorization: Bearer wrong"))
    with pytest.raises(Exception, match="too many wrong tokens"):
        identify(handlers[0], client, TOKEN.encode(), made.clock())
    made.manager.close()


async def test_a_guess_on_a_socket_of_this_machine_is_delayed() -> None:
    client, handlers = await send(upgrade(), tokens=True, local_guesses=GuessDelay())
    delays = []
    for _ in range(3):
        with pytest.raises(InvalidToken) as raised:
            identify(handlers[0], client, b"wrong")
        delays.append(raised.value.delay_seconds)
    assert delays == [0.25, 0.5, 1.0]


async def test_a_proxy_names_the_caller_by_the_head_of_the_upgrade() -> None:
    parts: dict[str, Any] = {
        "identity": ProxyIdentity(user_header=b"x-user", allow_loopback=True),
        "proxies": TrustedProxies.of(["127.0.0.1"]),
        "requires_attribution": True,
    }
    head = upgrade(b"X-User: ann", b"X-Forwarded-For: 192.0.2.7")
    client, handlers = await send(head, **parts)
    assert identify(handlers[0], client, None) == "user:ann"
    assert (handlers[0].socket.peer, handlers[0].socket.remote) == ("192.0.2.7", "127.0.0.1")
    client, handlers = await send(upgrade(b"X-Forwarded-For: 192.0.2.7"), **parts)
    with pytest.raises(InvalidToken):
        identify(handlers[0], client, None)
    client, _ = await send(head, **{**parts, "proxies": TrustedProxies()})
    assert client.statuses == [403]


async def test_a_draining_listener_makes_no_sockets() -> None:
    made, handlers = listener()
    client = made.connect()
    made.manager.draining = True
    client.send(upgrade())
    await turns()
    assert client.statuses == [503] and b"retry-after: 1" in client.received and not handlers
    made.manager.close()


def open_sockets(made: Listener, count: int, peer: str, *lines: bytes) -> list[int]:
    """Open ``count`` sockets of one address; return the statuses of all."""
    statuses = []
    for _ in range(count):
        client = made.connect(peer=peer)
        client.send(upgrade(*lines))
        statuses += client.statuses
    return statuses


@pytest.mark.parametrize("peer", ["192.0.2.7", "2001:db8::1"])
async def test_a_flood_of_idle_sockets_from_one_address_leaves_room_for_others(peer: str) -> None:
    made, handlers = listener(tokens=True)
    statuses = []
    for _ in range(500):  # a refused connection may make room for itself; it gives none to the next socket
        statuses += open_sockets(made, 1, peer)
        await turns(2)
        assert sum("closed" not in handler.log[-1] for handler in handlers) <= UNAUTHENTICATED_SOCKETS == 32
    assert statuses[:33] == [101] * 32 + [429] and set(statuses) == {101, 429}
    assert open_sockets(made, 1, "192.0.2.8") == [101]
    other = made.connect(peer="192.0.2.9")
    other.send(request(b"/v1/models", BEARER))
    await turns()
    assert other.statuses == [] and made.dialer.dials == 1
    made.advance(10)  # each is closed, and has some time to close as well
    made.advance(5)
    await turns()
    assert open_sockets(made, 1, peer) == [101]
    made.manager.close()


async def test_sockets_are_counted_by_network_and_behind_a_proxy_by_client() -> None:
    made, _ = listener(proxies=TrustedProxies.of(["10.0.0.1"]))
    one = open_sockets(made, 20, "2001:db8::1") + open_sockets(made, 20, "2001:db8::2")
    assert one.count(101) == 32
    of_clients = [
        open_sockets(made, 20, "10.0.0.1", b"X-Forwarded-For: 192.0.2.%d" % last) for last in (1, 2)
    ]
    assert of_clients == [[101] * 20] * 2
    made.manager.close()


async def test_a_socket_counts_as_unauthenticated_whatever_its_connection_was_before() -> None:
    """The oldest makes room, as among all connections that have shown nothing."""
    made, handlers = listener(tokens=True)
    clients = [made.connect(peer=f"192.0.{n}.1") for n in range(made.manager.limits.unauthenticated)]
    for _ in range(2):
        for client in clients:
            client.send(request(b"/health", BEARER))
        await turns()
        clients += [made.connect(peer=f"198.51.{n}.1") for n in range(10)]
    for client in clients[:-10]:
        client.send(upgrade())
        assert client.statuses[-1] == 101
    await turns()
    gone = ["closed" in handler.log[-1] for handler in handlers]
    assert gone == [True] * 10 + [False] * made.manager.limits.unauthenticated
    made.manager.close()


async def test_an_authenticated_socket_counts_no_more() -> None:
    made, _ = listener(authenticates=True)
    assert open_sockets(made, 100, "192.0.2.7") == [101] * 100
    made.manager.close()
    await asyncio.sleep(0)
