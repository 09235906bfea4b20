"""The gateway keeps the proxy alive, uses one that is there already, and never takes a stranger for it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from clawgate.bundled.anthropic_claude_proxy.config import ProxyConfig
from clawgate.bundled.anthropic_claude_proxy.service import ProxyService, child_spec, trusted_user
from clawgate.plugins.api import PluginError, Service
from tests.bundled.anthropic_claude_proxy.host import Host, command
from tests.bundled.anthropic_claude_proxy.test_provider import proxy
from tests.other_user import NOBODY, listening_as, needs_another_user
from tests.ports import free_port


def served(folder: Path, steps: Callable[[Host, ProxyService], Awaitable[None]], **settings: Any) -> Host:
    """Run the service with these settings, and do that while it runs."""

    async def run() -> Host:
        config = ProxyConfig.model_validate(
            {"port": free_port(), "restartDelayMs": 50, "command": command()} | settings
        )
        host, service = Host(config, folder), ProxyService()
        async with asyncio.timeout(45):
            await service.start(host)
            try:
                await steps(host, service)
            finally:
                await service.stop()
        return host

    return asyncio.run(run())


async def until_state(host: Host, service: ProxyService, *states: str) -> None:
    await host.until(lambda: service.status().state in states)


def pid_of(service: ProxyService) -> int:
    found = service.status().details["pid"]
    assert isinstance(found, int)
    return found


def test_it_is_a_service_that_does_nothing_before_its_start() -> None:
    service = ProxyService()
    as_any: object = service
    assert isinstance(as_any, Service)
    assert service.status().state == "stopped"
    assert service.unavailable() is not None
    asyncio.run(service.stop())


def test_it_starts_the_proxy_and_ends_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Requests fail from the first moment until it is ready; at the end nothing of it is left."""
    caplog.set_level(logging.INFO)
    pids = []

    async def steps(host: Host, service: ProxyService) -> None:
        assert service.unavailable() is not None
        await until_state(host, service, "ready")
        assert service.unavailable() is None
        found = service.status()
        assert found.ok and found.details["version"] == "1.43.0" and found.details["loggedIn"] is True
        pids.append(pid_of(service))

    served(tmp_path, steps)
    assert "starting proxy..." in caplog.messages
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_the_proxy_gets_the_port_and_no_key_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-not-for-it")
    monkeypatch.setenv("CLAUDE_CODE_OAUTH_TOKEN", "token-for-it")
    seen = tmp_path / "environment.json"

    async def steps(host: Host, service: ProxyService) -> None:
        await until_state(host, service, "ready")

    host = served(tmp_path, steps, command=command("--environment", str(seen)))
    found = json.loads(seen.read_text())
    assert found["MERIDIAN_PORT"] == found["CLAUDE_PROXY_PORT"] == str(host.config.port)
    assert found["CLAUDE_CODE_OAUTH_TOKEN"] == "token-for-it" and "ANTHROPIC_API_KEY" not in found
    assert not any("token-for-it" in word for spec in host.specs for word in spec.argv)


def test_a_proxy_that_dies_is_started_again(tmp_path: Path) -> None:
    async def steps(host: Host, service: ProxyService) -> None:
        await until_state(host, service, "ready")
        first = pid_of(service)
        os.kill(first, signal.SIGKILL)
        await host.until(lambda: service.status().details["restarts"] == 1 and service.status().ok)
        assert pid_of(service) != first and service.unavailable() is None

    served(tmp_path, steps)


def test_one_that_ends_at_once_is_told_with_its_last_lines(tmp_path: Path) -> None:
    """Its own words are in what a request gets, too."""
    program = ["/bin/sh", "-c", "echo could not find Claude Code executable; exit 1"]

    async def steps(host: Host, service: ProxyService) -> None:
        await until_state(host, service, "backing_off", "given_up")
        why = service.unavailable()
        assert why is not None and "could not find Claude Code executable" in why.lines

    served(tmp_path, steps, command=program, restartDelayMs=5000)


def test_a_proxy_that_is_logged_out_gets_no_requests(tmp_path: Path) -> None:
    async def steps(host: Host, service: ProxyService) -> None:
        await until_state(host, service, "unhealthy")
        why, found = service.unavailable(), service.status()
        assert why is not None and "Not logged in" in why.reason
        assert not found.ok and "CLAUDE_CODE_OAUTH_TOKEN" in found.next_step

    served(tmp_path, steps, command=command("--health", "unhealthy"))


@pytest.mark.parametrize("arguments", [("--health", "degraded"), ("--kind", "oldest"), ("--kind", "old")])
def test_proxies_of_every_age_are_used(tmp_path: Path, arguments: tuple[str, str]) -> None:
    async def steps(host: Host, service: ProxyService) -> None:
        await until_state(host, service, "ready", "degraded")
        assert service.unavailable() is None

    served(tmp_path, steps, command=command(*arguments))


@pytest.mark.parametrize("auto_start", [True, False])
def test_a_proxy_that_is_there_is_used_and_left_alone(tmp_path: Path, auto_start: bool) -> None:
    async def steps(host: Host, service: ProxyService) -> None:
        await until_state(host, service, "adopted")
        assert service.unavailable() is None and service.status().details.get("pid") is None

    with proxy() as running:
        served(tmp_path, steps, port=running.port, autoStart=auto_start)
        served(tmp_path, steps, port=running.port, autoStart=auto_start)


def test_a_stranger_on_the_port_gets_nothing(tmp_path: Path) -> None:
    async def steps(host: Host, service: ProxyService) -> None:
        await until_state(host, service, "port_taken")
        assert service.unavailable() is not None and not service.status().ok

    with proxy(health="html") as stranger:
        served(tmp_path, steps, port=stranger.port)
        assert stranger.requests == []


def test_with_auto_start_off_nothing_is_started(tmp_path: Path) -> None:
    marker = tmp_path / "started"

    async def steps(host: Host, service: ProxyService) -> None:
        await host.until(lambda: "nothing listens" in service.status().reason)
        assert service.status().state == "stopped" and service.unavailable() is not None

    served(tmp_path, steps, autoStart=False, command=["/bin/sh", "-c", f"touch {marker}"])
    assert not marker.exists()


def test_times_are_seconds_for_the_host() -> None:
    spec = child_spec(ProxyConfig.model_validate({"restartDelayMs": 1500, "autoRestart": False}), {})
    assert (spec.restart_delay, spec.auto_restart, spec.argv[0]) == (1.5, False, "bunx")


# Whom it trusts


@pytest.mark.parametrize("auto_start", [True, False])
def test_a_proxy_in_its_internal_mode_gets_no_request(
    tmp_path: Path, auto_start: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A user may have started it so; the gateway's own is always started in passthrough mode."""

    async def steps(host: Host, service: ProxyService) -> None:
        await host.until(lambda: "internal mode" in service.status().reason)
        why, status = service.unavailable(), service.status()
        assert why is not None and "internal mode" in why.reason and not status.ok
        assert "MERIDIAN_PASSTHROUGH=1" in status.next_step

    with proxy(kind="old", mode="internal") as running:
        served(tmp_path, steps, port=running.port, autoStart=auto_start)
        assert running.requests == []
    assert [one.levelname for one in caplog.records if "a shell" in one.message].count("WARNING") == 1


@needs_another_user
def test_a_proxy_of_another_user_is_used_only_if_the_config_names_the_user(tmp_path: Path) -> None:
    """Any user of the machine can respond as a healthy Claude proxy does."""
    body = b'{"status":"healthy","version":"1.43.0","auth":{"loggedIn":true},"mode":"passthrough"}'
    head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)

    async def rejected(host: Host, service: ProxyService) -> None:
        await until_state(host, service, "port_taken")
        assert service.unavailable() is not None and f"uid {NOBODY}" in service.status().reason

    async def used(host: Host, service: ProxyService) -> None:
        await until_state(host, service, "adopted")
        assert service.unavailable() is None

    with listening_as(NOBODY, response=head + body) as (port, _):
        served(tmp_path, rejected, port=port)
        served(tmp_path, used, port=port, proxyUser=NOBODY)


def test_the_user_of_the_proxy_is_a_name_a_number_or_any() -> None:
    def user(value: Any) -> Any:
        return trusted_user(ProxyConfig.model_validate({"proxyUser": value}))

    assert (user(None), user("any"), user(1234), user("root")) == ("self", "any", 1234, 0)
    with pytest.raises(PluginError, match="no user 'nobody-like-that'"):
        user("nobody-like-that")


def test_only_what_the_process_depends_on_needs_a_new_one(tmp_path: Path) -> None:
    """Restart limits, models and the trusted user change while it runs."""

    async def steps(host: Host, service: ProxyService) -> None:
        await until_state(host, service, "ready")
        first = pid_of(service)

        def changed(**settings: Any) -> ProxyConfig:
            given = host.config.model_dump(by_alias=True, exclude_unset=True)
            return ProxyConfig.model_validate(given | settings)

        for settings in (
            {"port": free_port()},
            {"env": {"A": "b"}},
            {"cwd": str(tmp_path)},
            {"autoStart": False},
            {"command": command("--kind", "new")},
        ):
            assert not service.reconfigure(changed(**settings)), settings
        kept = {"models": ["claude-opus-4-7"], "restartDelayMs": 90_000, "autoRestart": False}
        assert service.reconfigure(changed(**kept)) and pid_of(service) == first
        with pytest.raises(PluginError):
            service.reconfigure(changed(proxyUser="no-such-user"))
        os.kill(first, signal.SIGKILL)
        await until_state(host, service, "stopped")

    served(tmp_path, steps)
    assert not ProxyService().reconfigure(ProxyConfig())
