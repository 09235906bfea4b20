"""The parts of bridge and server follow from the settings; what cannot work is rejected at start."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import pytest

from clawgate.app.factory import connection_limit, new_via_value, raise_fd_limit
from clawgate.app.role import Role
from clawgate.app.upstreams import is_sent_in_the_clear
from clawgate.errors import HostNotAllowed, OriginNotAllowed
from clawgate.providers.credential import basic_value
from clawgate.settings.problems import SettingsInvalid
from clawgate.wire.http.url import parse_url
from tests.app.roles import OTHER, bridge, server

BUILDERS = pytest.mark.parametrize("build", [bridge, server])


def source_passes(role: Role, host: bytes, origin: bytes | None = None) -> bool:
    try:
        role.connections.admission.browser.check_source(host=host, origin=origin, fetch_site=None)
    except (HostNotAllowed, OriginNotAllowed):
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
def test_which_hosts_are_accepted(values: dict[str, Any], host: bytes, passes: bool) -> None:
    assert source_passes(server(**values), host) is passes


@BUILDERS
def test_a_page_of_another_origin_needs_to_be_allowed(build: Any) -> None:
    assert not source_passes(build(), b"localhost", b"https://page.example")
    allowed = build(allowOrigin=["https://page.example"])
    assert source_passes(allowed, b"localhost", b"https://page.example")
    assert not source_passes(allowed, b"localhost", b"https://other.example")


@BUILDERS
def test_limits_are_those_of_the_settings(build: Any) -> None:
    role = build(
        connectTimeout=1, firstByteTimeout=2, idleTimeout=3, totalTimeout=4, drainTimeout=5, maxBodyMb=0.5
    )
    limits = role.upstream.limits
    assert (limits.connect, limits.first_byte, limits.idle, limits.total) == (1, 2, 3, 4)
    assert role.drain_seconds == 5
    pool = build(maxUpstreamConnections=7, upstreamWaitTimeout=8).upstream.pool.limits
    assert (pool.max_connections, pool.wait_seconds) == (
        7,
        8,
    ) and "--max-upstream-connections" in pool.setting
    assert role.connections.admission.body_limit == role.connections.limits.body_bytes == 512 * 1024


@BUILDERS
def test_two_roles_have_different_via_values(build: Any) -> None:
    """The loop check distinguishes this process from another one with the same config."""
    assert build().connections.admission.via_pseudonym != build().connections.admission.via_pseudonym
    assert new_via_value().startswith(b"clawgate-")


@pytest.mark.parametrize("userinfo", ["", "u:p@ss@", "u@", ":@"])
def test_a_proxys_password_goes_to_the_proxy_and_is_in_no_address(userinfo: str) -> None:
    """An ``@`` within the password is the password's."""
    plan = bridge(upstreamProxy=f"http://{userinfo}proxy.lan:3128").upstream.pool._endpoint
    assert str(plan.proxy) == "http://proxy.lan:3128" and str(plan.origin) == "http://127.0.0.1:8089"
    assert plan.proxy_authorization == (basic_value(userinfo[:-1]) if userinfo else None)


def test_unusable_tls_files_are_rejected_at_start(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    for values in (
        {"caFile": "/no/such"},
        {"caFile": str(tmp_path / "empty.pem")},
        {"clientCertificate": "/no/such"},
    ):
        with pytest.raises(SettingsInvalid, match="caFile"):
            bridge(remoteUrl="https://h", **values)


@pytest.mark.parametrize(
    ("host", "remote"),
    [
        ("127.0.0.1", "http://127.0.0.1:18800"),
        ("127.0.0.1", "http://localhost:18800/v1"),
        ("127.0.0.1", "https://[::1]:18800"),
        ("localhost", "http://127.0.0.1:18800"),
        ("::1", "http://LOCALHOST.:18800"),
    ],
)
def test_a_remote_that_is_this_listener_is_rejected_at_start(host: str, remote: str) -> None:
    with pytest.raises(SettingsInvalid, match="this listener itself"):
        bridge(host=host, remoteUrl=remote)
    assert bridge(host=host, remoteUrl=remote, bridgePort=18801).upstream.origin == parse_url(remote)[0]


@pytest.mark.parametrize(
    ("host", "remote"),
    [("0.0.0.0", "http://127.0.0.1:18800"), ("192.168.1.5", "http://192.168.1.5:18800")],
)
def test_a_wildcard_listener_recognizes_itself(host: str, remote: str) -> None:
    with pytest.raises(SettingsInvalid, match="this listener itself"):
        bridge(host=host, remoteUrl=remote, bridgeToken=OTHER)


def test_a_base_url_that_is_this_listener_is_rejected_at_start() -> None:
    with pytest.raises(SettingsInvalid, match="this listener itself"):
        server(baseUrl="http://127.0.0.1:8089/v1")


@pytest.mark.parametrize(
    "host",
    ["169.254.169.254", "[fd00:ec2::254]", "100.100.100.200", "[::ffff:169.254.169.254]", "169.254.1.1",
     "[64:ff9b::a9fe:a9fe]", "0.0.0.0"],
)  # fmt: skip
def test_an_address_that_is_never_dialled_is_rejected_at_start(host: str) -> None:
    """Metadata, link-local and such, however they are written; the operator's trust does not open them."""
    for build, key in ((bridge, "remoteUrl"), (server, "baseUrl")):
        with pytest.raises(SettingsInvalid, match="never dialled"):
            build(**{key: f"http://{host}/v1"})


@pytest.mark.parametrize("host", ["10.1.2.3", "192.168.0.9", "[fd12::1]", "100.64.0.1", "ai.lan", "8.8.8.8"])
def test_private_networks_of_the_operator_are_accepted(host: str) -> None:
    assert bridge(remoteUrl=f"http://{host}").upstream.origin.port == 80


@pytest.mark.parametrize(
    ("url", "open_to_all"),
    [
        ("https://8.8.8.8", False), ("https://ai.example", False), ("http://127.0.0.1", False),
        ("http://localhost", False), ("http://10.0.0.1", False), ("http://8.8.8.8", True),
        ("http://ai.example", True),
    ],
)  # fmt: skip
def test_what_is_sent_in_the_clear(url: str, open_to_all: bool) -> None:
    """A name may be anywhere; a private network is the operator's own matter."""
    assert is_sent_in_the_clear(parse_url(url)[0]) is open_to_all


@pytest.mark.parametrize(
    ("soft", "connections"),
    [(4096, (4096 - 64) // 2), (64, 16), (resource.RLIM_INFINITY, (65_536 - 64) // 2)],
)
def test_clients_leave_descriptors_for_their_upstreams(
    soft: int, connections: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two for each client and some to spare; a very low limit still serves a few. The limit itself stays as it is."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: pytest.fail("a getter changed the limit"))
    assert connection_limit() == connections
    assert bridge().connections.limits.connections == connections


@pytest.mark.parametrize(
    ("hard", "raised"), [(4096, 4096), (resource.RLIM_INFINITY, 65_536), (1_000_000, 65_536), (1024, None)]
)
def test_the_limit_of_open_files_is_raised_as_far_as_allowed(
    hard: int, raised: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: calls.append(limits))
    raise_fd_limit()
    assert calls == ([] if raised is None else [(raised, hard)])


def test_a_limit_that_may_not_be_raised_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int, limits: tuple[int, int]) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    raise_fd_limit()
    assert connection_limit() == (1024 - 64) // 2


@BUILDERS
@pytest.mark.parametrize("key", ["caFile", "clientCertificate"])
def test_a_file_that_cannot_be_read_is_named(build: Any, key: str) -> None:
    url = {"remoteUrl" if build is bridge else "baseUrl": "https://api.example"}
    with pytest.raises(SettingsInvalid, match=r"/nowhere/x\.pem cannot be read: No such file"):
        build(**url, **{key: "/nowhere/x.pem"})
