"""Each role is put together as its settings say, and refuses what would make it unsafe."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from clawgate.app import Role, build_bridge, build_server, open_listener
from clawgate.errors import (
    EgressDenied,
    GatewayError,
    HostRefused,
    MethodNotAllowed,
    RouteUnknown,
    Unauthenticated,
)
from clawgate.relay.dial import Dialer
from clawgate.settings.load import SettingsInvalid
from clawgate.settings.model import BridgeSettings, ServerSettings
from tests.settings.canary import BRIDGE, KEY, SERVER, TOKEN

OTHER = "Vx4-other-8Rt2_mN6q"


def bridge(**values: Any) -> Role:
    return build_bridge(BridgeSettings.model_validate(BRIDGE | values))


def server(**values: Any) -> Role:
    return build_server(ServerSettings.model_validate(SERVER | values))


def sent(role: Role, target: bytes = b"/v1/models") -> bytes:
    return role.upstream.head(b"GET", target, b"")


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("http://h", b"GET /v1/models HTTP/1.1"),
        ("http://h/", b"GET /v1/models HTTP/1.1"),
        ("http://h/v1", b"GET /v1/models HTTP/1.1"),
        ("http://h/proxy", b"GET /proxy/v1/models HTTP/1.1"),
        ("http://h/proxy/v1/", b"GET /proxy/v1/models HTTP/1.1"),
    ],
)
def test_the_bridge_goes_to_the_remotes_v1_with_or_without_it_in_the_url(url: str, line: bytes) -> None:
    assert sent(bridge(remoteUrl=url)).partition(b"\r\n")[0] == line


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("http://h", b"GET /v1/models HTTP/1.1"),
        ("http://h/v1/", b"GET /v1/models HTTP/1.1"),
        ("http://h/api/v3", b"GET /api/v3/models HTTP/1.1"),
    ],
)
def test_the_servers_base_url_takes_the_place_of_v1(url: str, line: bytes) -> None:
    assert sent(server(baseUrl=url)).partition(b"\r\n")[0] == line


def test_exactly_one_credential_leaves_each_role() -> None:
    assert sent(bridge()).count(TOKEN.encode()) == 1 and b"x-proxy-token: " in sent(bridge())
    assert b"authorization" not in sent(bridge())
    head = sent(server(organization="org-1", project="p-1"))
    assert head.count(f"authorization: Bearer {KEY}\r\n".encode()) == 1 and TOKEN.encode() not in head
    assert b"openai-organization: org-1\r\n" in head and b"openai-project: p-1\r\n" in head


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "ai.lan", "", "127.0.0.1.evil.example"])
def test_a_bridge_that_others_can_reach_needs_a_token(host: str) -> None:
    with pytest.raises(SettingsInvalid, match="--bridge-token"):
        bridge(host=host)
    gate = bridge(host=host, bridgeToken=OTHER).front.gate
    assert (
        gate.tokens is not None
        and gate.tokens.holder(OTHER.encode()) == "bridge"
        and gate.failures is not None
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LOCALHOST"])
def test_a_bridge_of_this_machine_alone_needs_none(host: str) -> None:
    assert bridge(host=host).front.gate.tokens is None


def test_every_server_asks_for_tokens_and_counts_failures() -> None:
    gate = server(maxAuthFailures=2, authLockout=7).front.gate
    assert gate.tokens is not None and gate.failures is not None
    assert gate.tokens.holder(TOKEN.encode()) == "default"
    with pytest.raises(Unauthenticated):
        gate.tokens.holder(KEY.encode())
    gate.failures.failed("a", 0)
    gate.failures.failed("a", 0)
    assert gate.failures.locked_for("a", 0) == 7


def host_passes(role: Role, host: bytes) -> bool:
    try:
        role.front.gate.browser.check_source(host=host, origin=None, fetch_site=None)
    except HostRefused:
        return False
    return True


@pytest.mark.parametrize(
    ("values", "host", "passes"),
    [
        ({}, b"localhost:1", True), ({}, b"evil.example", False), ({"allowHost": ["AI.lan"]}, b"ai.lan", True),
        ({"allowHost": ["ai.lan"]}, b"evil.example", False), ({"allowHost": ["ai.lan"]}, b"127.0.0.1", True),
        ({"allowHost": "*"}, b"evil.example", True), ({"host": "127.0.0.2"}, b"127.0.0.2:80", True),
        ({"host": "0.0.0.0", "allowHost": ["ai.lan"]}, b"evil.example", False), ({"host": "0.0.0.0"},
        b"any.example", True),
    ],
)  # fmt: skip
def test_which_hosts_are_answered_for(values: dict[str, Any], host: bytes, passes: bool) -> None:
    assert host_passes(server(**values), host) is passes


def test_what_each_role_relays() -> None:
    bridge().front.gate.routes.check(b"DELETE", b"/v1/files/a")
    with pytest.raises(RouteUnknown):
        server().front.gate.routes.check(b"GET", b"/v1/files")
    with pytest.raises(MethodNotAllowed):
        server().front.gate.routes.check(b"GET", b"/v1/chat/completions")


def test_limits_and_rates_are_those_of_the_settings() -> None:
    role = server(
        connectTimeout=1, firstByteTimeout=2, idleTimeout=3, totalTimeout=4, drainTimeout=5, maxBodyMb=0.5
    )
    limits = role.upstream.limits
    assert (limits.connect, limits.first_byte, limits.idle, limits.total) == (1, 2, 3, 4)
    assert (
        role.drain_seconds == 5 and role.front.gate.body_limit == role.front.limits.body_bytes == 512 * 1024
    )
    assert role.front.gate.rates is None and role.front.gate.model_rule is None
    limited = server(maxConcurrent=1, models="a").front.gate
    assert limited.rates is not None and limited.model_rule is not None
    limited.model_rule.check("a")
    with pytest.raises(GatewayError):
        limited.model_rule.check("b")


@pytest.mark.parametrize("build", [bridge, server])
def test_two_processes_have_two_names(build: Any) -> None:
    """The loop check tells this process from another one that is configured alike."""
    assert build().front.gate.own_via != build().front.gate.own_via


def test_tls_files_that_cannot_be_used_are_a_problem(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    for values in (
        {"caFile": "/no/such"},
        {"caFile": str(tmp_path / "empty.pem")},
        {"clientCertificate": "/no/such"},
    ):
        with pytest.raises(SettingsInvalid, match="caFile"):
            bridge(remoteUrl="https://h", **values)


def test_a_change_of_the_tokens_file_reaches_the_gate(tmp_path: Path) -> None:
    """A broken one does not: the earlier tokens stay valid."""
    path = tmp_path / "tokens"
    path.touch(0o600)
    path.write_text(f"alice:{TOKEN}\n")
    learnt: list[str] = []
    role = build_server(
        ServerSettings.model_validate({"openaiApiKey": KEY, "proxyTokensFile": str(path)}),
        learn=learnt.extend,
    )
    assert learnt == [TOKEN]  # by those who keep it out of the log
    ((_, look), *_) = role.chores

    def edit(text: str, tick: int) -> None:
        path.write_text(text)
        os.utime(path, ns=(tick, tick))
        look()

    def holder(token: str) -> str:
        assert role.front.gate.tokens is not None
        return role.front.gate.tokens.holder(token.encode())

    edit("broken", 1)
    assert holder(TOKEN) == "alice"
    edit(f"bob:{OTHER}", 2)
    assert holder(OTHER) == "bob" and OTHER in learnt
    with pytest.raises(Unauthenticated):
        holder(TOKEN)


def test_the_listener_is_the_one_that_was_configured() -> None:
    """Port 0 takes a free one; a taken one is an OSError, not another port."""
    (one,) = open_listener(server(port=0))
    with one:
        host, port = one.getsockname()
        assert host == "127.0.0.1" and port > 0
        with pytest.raises(OSError, match="in use"):
            open_listener(server(port=port))
        with socket.create_connection((host, port), timeout=5):
            pass


def test_the_dialer_that_was_given_is_the_one_that_is_used() -> None:
    """Tests answer for the resolver; nothing else may open a connection."""
    dialer = Dialer()
    assert build_bridge(BridgeSettings.model_validate(BRIDGE), dialer=dialer).dialer is dialer
    assert issubclass(EgressDenied, GatewayError)
