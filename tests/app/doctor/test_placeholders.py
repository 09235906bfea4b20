"""A provider behind a fake-IP DNS is recognised, with the command that lets it be used."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest

from clawgate.app.doctor.placeholders import look_up, with_placeholders
from clawgate.policy.egress.policy import NetworkRules
from clawgate.policy.egress.rules import FakeIp
from clawgate.providers.provider import Provider
from clawgate.wire.http.url import Origin

FAKED = "198.18.0.7"
SWITCH = "clawgate config set plugins.entries.clawgate.config.network.fakeIp '{}'"


def provider(name: str, host: str, **more: Any) -> Provider:
    return Provider(id=name, api="openai-completions", origin=Origin("https", host, 443), **more)


def dns(hosts: Iterable[str]) -> Mapping[str, Sequence[str]]:
    """A fake-IP DNS: every name has a placeholder, but one."""
    return {host: ["8.8.8.8"] if host == "real.lan" else ["8.8.4.4", FAKED] for host in hosts}


def test_a_name_with_a_placeholder_is_found_with_what_allows_it() -> None:
    providers = [provider("a", "far.lan"), provider("b", "real.lan")]
    assert with_placeholders(providers, dns) == {"a": (FAKED, SWITCH)}


def test_nothing_is_found_where_placeholders_are_allowed() -> None:
    rules = NetworkRules(fake_ip=FakeIp())
    assert with_placeholders([provider("a", "far.lan", network=rules)], dns) == {}


@pytest.mark.parametrize(
    ("host", "more"),
    [
        ("198.18.0.7", {}),
        ("localhost", {}),
        ("owl.internal", {}),
        ("owl.test", {}),
        ("owl.example", {}),
        ("far.lan", {"proxy": "http://127.0.0.1:1"}),
    ],
)
def test_only_names_that_we_resolve_are_looked_up(host: str, more: dict[str, Any]) -> None:
    asked: list[str] = []

    def recorder(hosts: Iterable[str]) -> Mapping[str, Sequence[str]]:
        asked.extend(hosts)
        return {}

    assert with_placeholders([provider("a", host, **more)], recorder) == {} and asked == []


def test_names_are_looked_up_once_and_one_without_an_address_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def getaddrinfo(host: str, port: object, **_: object) -> list[tuple[object, ...]]:
        asked.append(host)
        if host == "none.lan":
            raise socket.gaierror(-2, "no such name")
        return [(2, 1, 6, "", (FAKED, 0))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    assert look_up(["far.lan", "none.lan", "far.lan"]) == {"far.lan": [FAKED]}
    assert sorted(asked) == ["far.lan", "none.lan"]
