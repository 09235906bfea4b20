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

from clawgate.bundled.anthropic_claude_proxy import service as service_module
from clawgate.bundled.anthropic_claude_proxy.config import ProxyConfig
from clawgate.bundled.anthropic_claude_proxy.service import (
    STATE_FILE,
    ProxyService,
    plan_of,
    read_state,
    write_state,
)
from clawgate.plugins.api import Service
from tests.bundled.anthropic_claude_proxy.host import Host, command
from tests.bundled.anthropic_claude_proxy.test_provider import proxy
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
    assert not any("token-for-it" in word for plan in host.plans for word in plan.argv)


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
        assert why is not None and "could not find Claude Code executable" in why.reason

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


# The note for the status command


def test_a_change_is_noted_for_the_status_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_module, "_NOTE_SECONDS", 0.0)

    async def steps(host: Host, service: ProxyService) -> None:
        await until_state(host, service, "ready")
        path = tmp_path / STATE_FILE
        while (read_state(tmp_path, host.instance) or {}).get("state") != "ready":  # noqa: ASYNC110  # a file
            await asyncio.sleep(0)
        assert path.stat().st_mode & 0o777 == 0o600
        found = read_state(tmp_path, host.instance)
        assert found is not None and found["details"]["pid"] > 0

    served(tmp_path, steps)


def test_what_does_not_run_any_more_has_no_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway may go on without it, as after `plugins disable`: its last state would be taken for its present."""
    monkeypatch.setattr(service_module, "_NOTE_SECONDS", 0.0)

    async def steps(host: Host, service: ProxyService) -> None:
        while not (tmp_path / STATE_FILE).exists():  # noqa: ASYNC110  # a file
            await asyncio.sleep(0)

    served(tmp_path, steps)
    assert not (tmp_path / STATE_FILE).exists()


def test_a_note_of_another_run_is_none(tmp_path: Path) -> None:
    """A gateway that was killed leaves its note behind."""
    write_state(tmp_path, {"instance": "a"})
    assert read_state(tmp_path, "a") == {"instance": "a"}
    assert read_state(tmp_path, "b") is None and read_state(tmp_path, None) is None
    (tmp_path / STATE_FILE).write_bytes(b"[" * 100_000)
    assert read_state(tmp_path, "a") is None


def test_times_are_seconds_for_the_host() -> None:
    plan = plan_of(ProxyConfig.model_validate({"restartDelayMs": 1500, "autoRestart": False}), {})
    assert (plan.restart_delay, plan.auto_restart, plan.argv[0]) == (1.5, False, "bunx")
