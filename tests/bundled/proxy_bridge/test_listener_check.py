"""Whose listener is on the bridge's port is found out without telling it anything."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from clawgate.bundled.proxy_bridge.listener_check import check_listener
from clawgate.plugins.api import FetchFailed, FetchRequest, FetchResponse
from tests.bundled.proxy_bridge.host import Host, remote
from tests.ports import free_port


@pytest.mark.parametrize(
    ("said", "who", "instance"),
    [
        ({"status": "live", "version": "1.0", "role": "bridge", "instance": "abc"}, "bridge", "abc"),
        ({"status": "live", "version": "1.0"}, "bridge", None),
        ({"status": "live", "version": "1.0", "role": "server", "instance": "abc"}, "other", None),
        ({"status": "live"}, "other", None),
        ({"status": "ok"}, "other", None),
        ([], "other", None),
        (b"<html>", "other", None),
    ],
)
def test_a_bridge_is_known_by_its_health(
    tmp_path: Path, said: object, who: str, instance: str | None
) -> None:
    host = Host(tmp_path)
    with remote((200, said)) as server:
        found = asyncio.run(check_listener(host.fetch, server.url))
    assert (found.kind, found.instance) == (who, instance) and bool(found.reason) is (who != "bridge")
    assert [(plan.secret, dict(plan.headers)) for plan in host.requests] == [(None, {})]


def test_a_bridge_that_refuses_every_request_is_known_by_its_reason(tmp_path: Path) -> None:
    health = {"status": "live", "version": "1.0", "role": "bridge", "instance": "abc", "ok": False}
    with remote((503, health | {"message": "remoteUrl: is not set"})) as server:
        found = asyncio.run(check_listener(Host(tmp_path).fetch, server.url))
    assert (found.kind, found.instance) == ("bridge", "abc") and "remoteUrl: is not set" in found.reason


def test_nobody_is_told_from_somebody_who_is_odd(tmp_path: Path) -> None:
    assert asyncio.run(check_listener(Host(tmp_path).fetch, f"http://127.0.0.1:{free_port()}")).kind == "none"

    async def odd(plan: FetchRequest) -> FetchResponse:
        raise FetchFailed("malformed", "no HTTP")

    assert asyncio.run(check_listener(odd, "http://127.0.0.1:1")).kind == "other"
