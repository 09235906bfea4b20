"""A command that changes the config prints what the running gateway did with it, and nothing that it only should do."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from clawgate.cli.effect import WAIT_SECONDS, Effect, effect_of
from clawgate.cli.paths import Paths
from clawgate.processes.instance.instance_lock import Instance
from clawgate.processes.instance.run_records import ConfigReport, write_report
from clawgate.settings.key_path import KeyPath
from clawgate.settings.openclaw.update import WriteResult
from tests.cli.gateway.test_run import serving
from tests.cli.gateway_home import TOKEN, Home, ask

PID = os.getpid()
KEY: KeyPath = ("gateway", "auth", "token")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "openclaw.json", False, tmp_path)


@pytest.fixture
def gateway(paths: Paths) -> Iterator[Instance]:
    """One that serves this config."""
    instance = Instance.claim(paths.folder, environment={})
    instance.announce("http://127.0.0.1:1", 1, paths.config, None)
    yield instance
    instance.release()


def effect(paths: Paths, *changed: KeyPath, waits: list[float] | None = None) -> Effect:
    written = WriteResult(paths.config, changed=True, digest="new")
    slept: list[float] = [] if waits is None else waits
    return effect_of(paths, written, changed, sleep=slept.append)


def test_without_a_gateway_nothing_is_said(paths: Paths) -> None:
    assert effect(paths) == Effect()


def test_a_change_that_is_used(paths: Paths, gateway: Instance) -> None:
    waits: list[float] = []
    write_report(paths.folder, gateway.id, ConfigReport(digest="new", used=True))
    found = effect(paths, KEY, waits=waits)
    assert found.text == f"The running gateway (pid {PID}) uses it." and not found.warnings and not waits


@pytest.mark.parametrize(
    ("changed", "reads"),
    [
        ((("commands", "native"),), False),
        ((("gateway", "tailscale", "mode"),), False),
        ((("agents", "entries", "main", "cwd"),), False),
        ((("models", "providers", "p", "models", 2, "name"),), True),
        ((("gateway",),), True),
        ((("plugins", "entries", "x", "config", "any"),), True),
        ((("commands",), ("gateway", "bind")), True),
        ((), True),
    ],
)
def test_a_key_that_only_openclaw_reads_is_not_used(
    paths: Paths, gateway: Instance, changed: tuple[KeyPath, ...], *, reads: bool
) -> None:
    write_report(paths.folder, gateway.id, ConfigReport(digest="new", used=True))
    assert effect(paths, *changed).text.endswith("uses it." if reads else "does not read it.")


def test_a_change_that_needs_a_restart(paths: Paths, gateway: Instance) -> None:
    report = ConfigReport(digest="new", used=True, needs_restart=("gateway.port",))
    write_report(paths.folder, gateway.id, report)
    assert effect(paths).text == "Restart the gateway to apply gateway.port: clawgate gateway restart"


def test_a_change_that_is_not_used(paths: Paths, gateway: Instance) -> None:
    report = ConfigReport(digest="new", used=False, admits_callers=False, problems=("it is odd",))
    write_report(paths.folder, gateway.id, report)
    found = effect(paths, KEY)
    assert "does NOT use the changed config" in found.text and found.is_used is False
    assert found.warnings[0] == "it is odd" and "admits no caller" in found.warnings[1]


@pytest.mark.parametrize("changed", [KEY, KEY[:2], KEY[:1]])
def test_a_key_that_something_else_sets(paths: Paths, gateway: Instance, changed: KeyPath) -> None:
    elsewhere = {"gateway.auth.token": "environment variable OPENCLAW_GATEWAY_TOKEN"}
    write_report(paths.folder, gateway.id, ConfigReport(digest="new", used=True, given_elsewhere=elsewhere))
    (warning,) = effect(paths, changed).warnings
    assert "takes gateway.auth.token from environment variable OPENCLAW_GATEWAY_TOKEN" in warning
    assert effect(paths, ("models",)).warnings == ()


@pytest.mark.parametrize("report", [ConfigReport(digest="old", used=True), None])
def test_a_gateway_that_does_not_report_is_not_spoken_for(
    paths: Paths, gateway: Instance, report: ConfigReport | None
) -> None:
    if report is not None:
        write_report(paths.folder, gateway.id, report)
    waits: list[float] = []
    found = effect(paths, waits=waits)
    assert "has not reported within 10 s" in found.text and found.is_used is None
    assert sum(waits) == pytest.approx(WAIT_SECONDS, abs=0.1)


def test_a_report_of_an_earlier_run_is_none(paths: Paths, gateway: Instance) -> None:
    write_report(paths.folder, "earlier", ConfigReport(digest="new", used=True))
    assert "has not reported" in effect(paths).text


def test_a_gateway_with_another_config(paths: Paths, gateway: Instance) -> None:
    gateway.announce("http://127.0.0.1:1", 1, paths.config.with_name("other.json"), None)
    assert "uses another config" in effect(paths).text


def test_a_gateway_that_is_starting(paths: Paths) -> None:
    instance = Instance.claim(paths.folder, environment={})
    assert "is still starting" in effect(paths).text
    instance.release()


def test_a_key_of_the_server_is_none_of_the_gateways(paths: Paths, gateway: Instance) -> None:
    own: KeyPath = ("plugins", "entries", "openai-proxy", "config", "proxyToken")
    assert effect(paths, own).text == "A running 'clawgate server run' uses it after a restart."


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path)
    made.configure()
    yield made
    made.close()


def test_a_token_that_is_removed_while_a_gateway_runs_is_revoked(home: Home) -> None:
    """And the command says what that means; a new one is reported as in use."""
    process = serving(home)
    port = home.running().port
    assert port is not None and ask(port, "/v1/models")[0] == 200
    removed = home.run("config", "unset", "gateway.auth.token")
    assert removed.returncode == 0
    assert "does NOT use the changed config" in removed.stdout
    assert "gateway.auth.token" in removed.stderr and "admits no caller" in removed.stderr
    assert ask(port, "/v1/models")[0] == 401
    restored = home.run("config", "set", "gateway.auth.token", TOKEN)
    assert f"The running gateway (pid {process.pid}) uses it." in restored.stdout
    assert ask(port, "/v1/models")[0] == 200
    changed = home.run("models", "set", "local/m2", "--json")
    assert json.loads(changed.stdout)["gateway"]["used"] is True
    process.terminate()
    process.communicate()
