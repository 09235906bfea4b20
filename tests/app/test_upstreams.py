"""A provider becomes connections: its place, its head lines, its TLS, its proxy and its limits, each as configured."""

from __future__ import annotations

import re
import ssl
from pathlib import Path
from typing import Any

import pytest

from clawgate.app.upstreams import provider_upstream
from clawgate.errors import GatewayError
from clawgate.policy.timeouts import TimeLimits
from clawgate.providers.credential import bearer
from clawgate.providers.provider import Provider
from clawgate.relay.upstream.dial import Dialer
from clawgate.relay.upstream.fetch import fetch
from clawgate.relay.upstream.upstream import Upstream
from clawgate.wire.http.url import parse_url
from tests.e2e.certificates import Authority, server_side
from tests.peers import faults
from tests.peers.script import Close, Send
from tests.peers.throwaway_ca import make_throwaway
from tests.peers.upstream import FakeUpstream
from tests.relay.recording_dialer import RecordingDialer
from tests.relay.upstream.test_tunnel import TinyProxy

KEY = "sk-u3Zr8mWc6QfXv1NbTj4K"
ELSEWHERE = ("127.0.0.1", 18789)


def upstream(
    url: str | None, *, listening: tuple[str, int] = ELSEWHERE, dialer: Dialer | None = None, **more: Any
) -> Upstream:
    origin, path = parse_url(url) if url else (None, "")
    made: dict[str, Any] = {
        "origin": origin,
        "path": path or "/v1",
        "credential": bearer(KEY),
        "allow_private": True,
        **more,
    }
    found = Provider(id="x", api="openai-completions", **made)
    return provider_upstream(found, dialer or Dialer(), via=b"clawgate-me", listening=listening)


def test_a_provider_has_the_bound_of_its_connections() -> None:
    limits = upstream(
        "http://h/v1", max_connections=3, connection_wait_seconds=4, max_connections_setting="the.key"
    ).pool.limits
    assert (limits.max_connections, limits.wait_seconds, limits.setting) == (3, 4, "the.key")


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("http://h.example/v1", b"POST /v1/chat/completions HTTP/1.1\r\nhost: h.example\r\n"),
        (
            "http://h.example:81/openai/v2",
            b"POST /openai/v2/chat/completions HTTP/1.1\r\nhost: h.example:81\r\n",
        ),
        ("http://[::1]:8000/v1", b"POST /v1/chat/completions HTTP/1.1\r\nhost: [::1]:8000\r\n"),
    ],
)
def test_a_base_url_replaces_v1(url: str, sent: bytes) -> None:
    assert upstream(url).encode_head(b"POST", b"/v1/chat/completions", b"").startswith(sent)


def test_a_head_has_one_credential_and_the_operators_lines() -> None:
    """Theirs in place of ours where both have one."""
    head = upstream("http://h/v1", headers=(("X-Team", "a b"), ("User-Agent", "mine"))).encode_head(
        b"POST", b"/v1/x", b""
    )
    assert head.count(KEY.encode()) == 1 and b"x-team: a b\r\n" in head
    assert head.lower().count(b"user-agent: ") == 1 and b"user-agent: mine\r\n" in head
    assert upstream("http://h/v1").encode_head(b"POST", b"/v1/x", b"").count(b"user-agent: clawgate/") == 1


def test_a_provider_without_a_base_url_is_rejected() -> None:
    with pytest.raises(ValueError, match="no baseUrl"):
        upstream(None)


@pytest.mark.parametrize(
    ("url", "listening", "itself"),
    [
        ("http://127.0.0.1:4000/v1", ("127.0.0.1", 4000), True),
        ("http://localhost:4000/v1", ("127.0.0.1", 4000), True),
        ("http://127.0.0.1:4000/v1", ("::1", 4000), True),
        ("http://10.0.0.7:4000/v1", ("10.0.0.7", 4000), True),
        ("http://127.0.0.1:4001/v1", ("127.0.0.1", 4000), False),
        ("http://10.0.0.8:4000/v1", ("10.0.0.7", 4000), False),
        ("http://10.0.0.8:4000/v1", ("127.0.0.1", 4000), False),
    ],
)
def test_a_provider_at_the_gateways_own_address_is_rejected(
    url: str, listening: tuple[str, int], itself: bool
) -> None:
    if itself:
        with pytest.raises(ValueError, match="this gateway itself"):
            upstream(url, listening=listening)
    else:
        upstream(url, listening=listening)


@pytest.mark.parametrize(
    ("seconds", "limits"),
    [
        (None, TimeLimits()),
        (2.0, TimeLimits(connect=2.0, first_byte=2.0, idle=2.0, total=3600.0)),
        (60.0, TimeLimits(connect=10.0, first_byte=60.0, idle=60.0, total=3600.0)),
        (7200.0, TimeLimits(connect=10.0, first_byte=7200.0, idle=7200.0, total=7200.0)),
    ],
)
def test_how_long_a_provider_may_be_silent(seconds: float | None, limits: TimeLimits) -> None:
    """Its setting is for silence; connecting is never given longer than usual."""
    assert upstream("http://h/v1", timeout_seconds=seconds).limits == limits


def test_private_addresses_are_allowed_per_provider() -> None:
    """The switch that allows private addresses, and its name for the error message."""
    for trusted in (True, False):
        route = upstream("http://h/v1", allow_private=trusted, allow_private_setting="the.key").pool._endpoint
        assert (route.policy.private, route.policy.setting) == (trusted, "the.key")


async def test_connect_to_a_proxy_has_the_proxys_credential() -> None:
    """In its own head; the provider's key is not for it to see."""
    refusal = (Send(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n"), Close())
    async with FakeUpstream(refusal) as proxy:
        place = proxy.url.removeprefix("http://")
        dialer = RecordingDialer()
        made = upstream("http://inside.example/v1", proxy=f"http://user:secret@{place}", dialer=dialer)
        with pytest.raises(GatewayError, match="proxy"):
            await fetch(made, b"/v1/models", connect_seconds=5, response_seconds=5)
        (request,) = proxy.requests
        assert request.raw_head.startswith(b"CONNECT inside.example:80 HTTP/1.1\r\n")
        assert request.header("proxy-authorization") == "Basic dXNlcjpzZWNyZXQ="
        assert KEY.encode() not in request.raw
        assert [entry.dialled for entry in dialer.ledger] == ["127.0.0.1"]


def test_a_proxy_needs_no_user() -> None:
    made = upstream("http://h/v1", proxy="http://127.0.0.1:9").pool._endpoint
    assert made.proxy is not None and made.proxy_authorization is None


async def outcome(made: Upstream) -> str:
    """What came of one request: its status, or the class of the error."""
    try:
        return str((await fetch(made, b"/v1/models", connect_seconds=5, response_seconds=5)).status)
    except Exception as error:  # noqa: BLE001  # the class is the result
        return type(error).__name__
    finally:
        made.pool.close()


@pytest.mark.parametrize("as_text", [True, False], ids=["PEM text", "a file"])
async def test_only_the_configured_authority_is_trusted(as_text: bool, tmp_path: Path) -> None:
    """Without it, with another one, for another name: no request is sent."""
    own, other = Authority(tmp_path, "own"), Authority(tmp_path, "other")

    def given(authority: Authority) -> str:
        return authority.file.read_text() if as_text else str(authority.file)

    issued = own.issue("127.0.0.1", "inside.example")
    async with FakeUpstream(faults.json_response({}), tls=server_side(issued)) as server:
        url = f"{server.url}/v1"
        assert await outcome(upstream(url, ca=given(own))) == "200"
        assert await outcome(upstream(url, ca=given(own), server_name="inside.example")) == "200"
        assert (
            await outcome(upstream(url, ca=given(own), server_name="else.example")) == "UpstreamUnreachable"
        )
        assert await outcome(upstream(url, ca=given(other))) == "UpstreamUnreachable"
        assert await outcome(upstream(url)) == "UpstreamUnreachable"
        assert len(server.requests) == 2
        assert await outcome(upstream(url, insecure=True)) == "200"


async def test_the_configured_name_is_the_one_that_is_checked_through_a_proxy_as_well(tmp_path: Path) -> None:
    own = Authority(tmp_path, "own")
    issued = own.issue("127.0.0.1", "inside.example")
    async with FakeUpstream(faults.json_response({}), tls=server_side(issued)) as server:
        async with TinyProxy(server.port) as proxy:
            given: dict[str, Any] = {"ca": str(own.file), "proxy": f"http://127.0.0.1:{proxy.port}"}
            far = "https://far.example/v1"
            assert await outcome(upstream(far, server_name="inside.example", **given)) == "200"
            assert await outcome(upstream(far, **given)) == "UpstreamUnreachable"
            assert await outcome(upstream(f"{server.url}/v1", server_name="else.example", **given)) != "200"
        assert len(server.requests) == 1


@pytest.mark.parametrize("as_text", [True, False], ids=["PEM text", "a file"])
async def test_a_client_certificate_is_presented_if_configured(
    as_text: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no copy of its key is left behind."""
    own = Authority(tmp_path, "own")
    ours = own.issue("client", client=True).file
    left = tmp_path / "temporary"
    left.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(left))
    server_tls = server_side(own.issue("127.0.0.1"), demands=own)
    async with FakeUpstream(faults.json_response({}), tls=server_tls) as server:
        shown = ours.read_text() if as_text else str(ours)
        made = upstream(f"{server.url}/v1", ca=str(own.file), certificate=shown, key=shown)
        assert list(left.iterdir()) == []
        assert await outcome(made) == "200"
        assert await outcome(upstream(f"{server.url}/v1", ca=str(own.file))) != "200"


@pytest.mark.parametrize(
    "tls", [{"ca": "/nowhere.pem"}, {"ca": "-----BEGIN nonsense"}, {"certificate": "/nowhere.pem"},
            {"certificate": "-----BEGIN nonsense", "key": "-----BEGIN nonsense"}]
)  # fmt: skip
def test_unusable_tls_settings_are_an_error(tls: dict[str, Any]) -> None:
    """Which `Direct` takes for a provider that is not configured."""
    with pytest.raises((ValueError, OSError)):
        upstream("https://h/v1", **tls)


def test_plain_http_has_no_tls_and_https_never_goes_without() -> None:
    assert upstream("http://h/v1").pool._endpoint.tls is None
    context = upstream("https://h/v1").pool._endpoint.tls
    assert context is not None and context.verify_mode is ssl.CERT_REQUIRED and context.check_hostname


@pytest.mark.parametrize("holder", ["key", "certificate"])
def test_a_client_key_that_others_can_read_is_rejected(holder: str, tmp_path: Path) -> None:
    """Also if it is in the file of the certificate."""
    make_throwaway(tmp_path)
    file = tmp_path / "server.pem"
    files: dict[str, Any] = {"certificate": str(file), "key": str(file) if holder == "key" else None}
    upstream("https://h/v1", **files)
    file.chmod(0o644)
    says = f"its request.tls: {file}: other users have access to it (mode 0644); run: chmod 600 {file}"
    with pytest.raises(ValueError, match=re.escape(says)):
        upstream("https://h/v1", **files)
