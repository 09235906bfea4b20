"""The bridge: any client of this machine in, exactly one credential out, and its operator hears of failures."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator

import pytest

from clawgate.errors import UnknownRoute
from clawgate.settings.problems import SettingsInvalid
from tests.app.roles import OTHER, bridge, sent
from tests.e2e.stand import BODY, PATH, PROXY_TOKEN, serving, until
from tests.peers import faults
from tests.peers.upstream import FakeUpstream
from tests.settings.canary import TOKEN

BRIDGE_TOKEN = "bt-N3vQx8ZsKd5WmR7yLp"
FOREIGN = (
    ("Authorization", "Bearer sk-of-the-client"),
    ("X-Proxy-Token", "token-of-the-client"),
    ("X-Api-Key", "key-of-the-client"),
    ("Cookie", "session=of-the-client"),
    ("OpenAI-Organization", "org-of-the-client"),
    ("X-Forwarded-For", "10.0.0.9"),
    ("X-Anything", "of-the-client"),
)


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """Messages that were logged as a warning or worse; filled as they come."""
    logged: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logged.append(record.getMessage())

    handler = Keep(logging.WARNING)
    logging.getLogger("clawgate").addHandler(handler)
    caplog.set_level(logging.INFO, "clawgate")
    yield logged
    logging.getLogger("clawgate").removeHandler(handler)


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("http://h", b"GET /v1/models HTTP/1.1"),
        ("http://h/", b"GET /v1/models HTTP/1.1"),
        ("http://h/v1", b"GET /v1/models HTTP/1.1"),
        ("http://h/proxy", b"GET /proxy/v1/models HTTP/1.1"),
        ("http://h/proxy/v1/", b"GET /proxy/v1/models HTTP/1.1"),
        ("http://h/v1/proxy", b"GET /v1/proxy/v1/models HTTP/1.1"),
        ("http://h/av1", b"GET /av1/v1/models HTTP/1.1"),
    ],
)
def test_requests_go_to_the_remotes_v1_with_or_without_it_in_the_url(url: str, line: bytes) -> None:
    assert sent(bridge(remoteUrl=url)).partition(b"\r\n")[0] == line


async def test_exactly_the_proxy_token_leaves() -> None:
    """Whatever the client presents itself: of its fields only those on the list go on."""
    async with (
        FakeUpstream(faults.json_response({})) as upstream,
        serving("bridge", upstream.url) as stand,
    ):
        assert (await stand.fresh(fields=FOREIGN)).status == 200
        (request,) = upstream.requests
        assert request.header_all("x-proxy-token") == [PROXY_TOKEN]
        assert {name.lower() for name, _ in request.headers} == {
            "host", "user-agent", "accept-encoding", "x-proxy-token", "via", "content-type", "content-length",
        }  # fmt: skip
        assert b"of-the-client" not in request.raw and upstream.anomalies == []
    head = sent(bridge())
    assert head.count(TOKEN.encode()) == 1 and b"authorization" not in head


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "ai.lan", "", "127.0.0.1.evil.example"])
def test_a_bridge_beyond_loopback_needs_a_token(host: str) -> None:
    """The refusal names the address and the flag; with the token, failures are counted."""
    with pytest.raises(SettingsInvalid, match="--bridge-token") as caught:
        bridge(host=host)
    assert f"'{host}'" in str(caught.value)
    admission = bridge(host=host, bridgeToken=OTHER).connections.admission
    assert admission.tokens is not None and admission.failures is not None
    assert admission.tokens.authenticate(OTHER.encode()) == "bridge"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LOCALHOST"])
def test_a_bridge_on_loopback_needs_no_token(host: str) -> None:
    assert bridge(host=host).connections.admission.tokens is None


def test_every_path_below_v1_is_relayed() -> None:
    routes = bridge().connections.admission.routes
    for method in (b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE"):
        routes.check(method, b"/v1/files/a")
    for path in (b"/v1/", b"/v1", b"/", b"/v2/models", b"/health/x"):
        with pytest.raises(UnknownRoute):
            routes.check(b"GET", path)


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", PATH), ("GET", "/v1/models"), ("DELETE", "/v1/files/a"), ("GET", "/"), ("GET", "/nowhere"),
        ("PATCH", "/health"),
    ],
)  # fmt: skip
async def test_every_path_needs_the_bridge_token(method: str, target: str) -> None:
    """Without it no path is disclosed; a wrong one is as good as none."""
    async with (
        FakeUpstream(faults.json_response({})) as upstream,
        serving("bridge", upstream.url, bridge_token=BRIDGE_TOKEN) as stand,
    ):
        body = BODY if method == "POST" else None
        wrong = ("Authorization", f"Bearer {PROXY_TOKEN}")
        if target != "/health":  # open to everybody, as long as nothing wrong is presented
            response = await stand.fresh(body, method=method, target=target)
            assert (response.status, response.json()["error"]["code"]) == (401, "missing_token")
        response = await stand.fresh(body, method=method, target=target, fields=(wrong,))
        assert (response.status, response.json()["error"]["code"]) == (401, "invalid_token")
        assert upstream.requests == []
        for field in (("Authorization", f"Bearer {BRIDGE_TOKEN}"), ("X-Proxy-Token", BRIDGE_TOKEN)):
            assert (await stand.fresh(body, method=method, target=target, fields=(field,))).status != 401
        for request in upstream.requests:
            assert request.header_all("x-proxy-token") == [PROXY_TOKEN]
            assert BRIDGE_TOKEN.encode() not in request.raw


async def test_deep_health_needs_no_token_on_an_open_bridge() -> None:
    """It probes the remote with the token; the plain one sends nothing."""
    async with (
        FakeUpstream(faults.json_response({})) as upstream,
        serving("bridge", upstream.url) as stand,
    ):
        plain = (await stand.fresh(None, target="/health")).json()
        assert plain["ok"] and plain["role"] == "bridge" and upstream.requests == []
        deep = await stand.fresh(None, target="/health?deep=1")
        assert deep.status == 200 and deep.json()["upstream"]["state"] == "reachable"
        assert deep.json()["upstream"]["url"] == upstream.url
        (probe,) = upstream.requests
        assert (probe.target, probe.header("x-proxy-token")) == ("/v1/models", PROXY_TOKEN)


async def test_deep_health_needs_the_token_of_a_bridge() -> None:
    """A stranger learns that it lives and nothing more, and cannot make it ask the remote."""
    async with (
        FakeUpstream(faults.error_response(401)) as upstream,
        serving("bridge", upstream.url, bridge_token=BRIDGE_TOKEN) as stand,
    ):
        stranger = await stand.fresh(None, target="/health?deep=1")
        assert stranger.status == 200 and set(stranger.json()) == {"ok", "status", "version"}
        assert upstream.requests == []
        caller = await stand.fresh(None, target="/health?deep=1", fields=(("X-Proxy-Token", BRIDGE_TOKEN),))
        assert caller.status == 503 and caller.json()["upstream"]["state"] == "unauthorized"
        assert PROXY_TOKEN.encode() not in caller.body


async def test_a_failure_is_a_warning_with_its_reason(warnings: list[str]) -> None:
    """Also one in front of us; what went well is not logged."""
    async with (
        FakeUpstream(faults.json_response({})) as upstream,
        serving("bridge", upstream.url) as stand,
    ):
        assert (await stand.fresh()).status == 200
        assert warnings == []
        assert (await stand.fresh(target="/nowhere")).status == 404
        assert len(warnings) == 1 and warnings[0].startswith("POST /nowhere: 404 unknown_route, ")
        assert "unknown route '/nowhere'; did you mean /v1/nowhere" in warnings[0]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with serving("bridge", f"http://127.0.0.1:{port}") as stand:
        assert (await stand.fresh(target=f"{PATH}?q=canary")).status == 502
        assert f"POST {PATH}: 502 upstream_unreachable" in warnings[-1] and str(port) in warnings[-1]
        assert len(warnings) == 2 and "canary" not in warnings[-1]


@pytest.mark.parametrize("verbose", [False, True])
async def test_a_client_that_disconnects_is_not_logged_as_a_failure(
    verbose: bool, warnings: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """``--verbose`` shows it, and every request that went well, as information."""
    async with (
        FakeUpstream(faults.never_responds(), faults.json_response({})) as upstream,
        serving("bridge", upstream.url, verbose=verbose) as stand,
    ):
        client = await stand.client()
        await stand.send(client)
        await upstream.saw_body(0)
        client.reset()
        await client.close()
        await stand.all_quiet()
        assert (await stand.fresh()).status == 200
    assert warnings == []
    logged = [
        record.getMessage().partition(",")[0] for record in caplog.records if "POST" in record.getMessage()
    ]
    assert logged == ([f"POST {PATH}: 499 client_left", f"POST {PATH}: 200"] if verbose else [])


async def test_a_rejected_credential_is_logged_once_for_many_requests(warnings: list[str]) -> None:
    """The client sees the remote's own 401; the operator learns what to look at."""
    async with (
        FakeUpstream(faults.error_response(401, "bad token")) as upstream,
        serving("bridge", upstream.url) as stand,
        await stand.client() as client,
    ):
        for _ in range(5):
            response = await stand.ask(client)
            assert response.status == 401 and response.json()["error"]["message"] == "bad token"
        (advice,) = warnings
        assert upstream.url in advice and "--proxy-token" in advice and "/health?deep=1" in advice
        assert PROXY_TOKEN not in advice


async def test_a_wrong_bridge_token_is_not_logged_as_a_wrong_proxy_token(warnings: list[str]) -> None:
    async with (
        FakeUpstream(faults.json_response({})) as upstream,
        serving("bridge", upstream.url, bridge_token=BRIDGE_TOKEN) as stand,
    ):
        response = await stand.fresh(fields=(("X-Proxy-Token", OTHER),))
        assert response.status == 401
        assert len(warnings) == 1 and "401 invalid_token" in warnings[0] and OTHER not in warnings[0]


async def test_a_loop_of_bridges_is_detected() -> None:
    """One whose remote is itself after all (by another name) responds with 508 instead of looping for ever."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    async with serving("bridge", f"http://127.0.0.1:{port}") as stand:
        server = stand.host.servers[0]
        loop = asyncio.get_running_loop()
        again = await loop.create_server(
            lambda: stand.role.connections.make_protocol(stand.host.config, stand.host.server_state, {}),
            "127.0.0.1",
            port,
        )
        try:
            response = await stand.fresh()
            assert (response.status, response.json()["error"]["code"]) == (508, "loop_detected")
            await until(lambda: stand.role.connections.connection_count <= 1, "the circle to end")
        finally:
            again.close()
        assert server.is_serving()
