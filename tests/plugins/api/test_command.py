"""A command of a plugin, and the usual one, which prints a report."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clawgate.plugins.api import PluginConfig, ServiceStatus
from clawgate.plugins.api.command import CommandContext, CommandPlugin, StatusCommand, StatusReport
from clawgate.testing.plugins.fake_host import FakeHost


class Command:
    name = "sample"
    help = "A sample."

    def run(self, context: CommandContext, arguments: Sequence[str]) -> int:
        return len(arguments)


def test_an_object_with_all_members_is_a_command_and_one_without_run_is_none() -> None:
    command: CommandPlugin = Command()
    assert isinstance(command, CommandPlugin)
    assert not isinstance(object(), CommandPlugin)


# The status command


class Config(PluginConfig):
    ok: bool = True


async def report(context: CommandContext, config: Config) -> StatusReport:
    return StatusReport(
        ok=config.ok,
        details={"server": "up"},
        rows=[("server", "up")],
        next_step="" if config.ok else "fix it",
        lines=["last lines:", "  x"],
    )


COMMAND = StatusCommand(
    name="sample",
    help="Show the state.",
    usage="Show the state of the sample.",
    config_class=Config,
    report=report,
    invalid_config_step="edit the file",
)


def run(folder: Path, *words: str, ok: bool = True) -> tuple[int, FakeHost]:
    host = FakeHost(state_dir=folder, config=Config(ok=ok))
    return asyncio.run(COMMAND.run(host, words)), host


def test_it_is_a_command_that_exits_with_0_only_if_the_report_is_ok(tmp_path: Path) -> None:
    assert isinstance(COMMAND, CommandPlugin)
    assert run(tmp_path, "status")[0] == 0 == run(tmp_path)[0]
    assert run(tmp_path, "status", ok=False)[0] == 1


def test_what_the_gateway_would_not_send_is_not_ok_whatever_the_report_finds(tmp_path: Path) -> None:
    for words in ("status",), ("status", "--json"):
        host = FakeHost(
            state_dir=tmp_path, config=Config(ok=True), request_error="it rejected the last request"
        )
        assert asyncio.run(COMMAND.run(host, words)) == 1
        assert "it rejected the last request" in "".join(host.printed)


def test_the_text_has_aligned_rows_the_verdict_the_next_step_and_the_lines(tmp_path: Path) -> None:
    _, host = run(tmp_path, "status", ok=False)
    assert host.printed == [
        "server:    up",
        "requests:  would fail, or may fail",
        "next step: fix it",
        "last lines:",
        "  x",
    ]
    assert "requests: would succeed" in run(tmp_path)[1].printed


def test_the_document_has_the_details(tmp_path: Path) -> None:
    _, host = run(tmp_path, "status", "--json", ok=False)
    assert json.loads("\n".join(host.printed)) == {"ok": False, "server": "up", "nextStep": "fix it"}


@pytest.mark.parametrize("verb", ["status", "restart"])
def test_an_invalid_config_is_its_problems_and_what_to_do(verb: str, tmp_path: Path) -> None:
    host = FakeHost(
        state_dir=tmp_path,
        config=PluginConfig(),
        problems=("port: must be a number",),
        gateway_url="http://g",
    )
    assert asyncio.run(COMMAND.run(host, [verb, "--json"])) == 1
    assert host.service_restarts == 0
    document = json.loads("\n".join(host.printed))
    assert document == {"ok": False, "problems": ["port: must be a number"], "nextStep": "edit the file"}
    assert host.printed_errors == ["port: must be a number", "next step: edit the file"]


@pytest.mark.parametrize(
    ("words", "status"), [(["--help"], 0), (["-h"], 0), (["begin"], 2), (["status", "x"], 2)]
)
def test_help_and_unknown_words_print_the_usage(tmp_path: Path, words: list[str], status: int) -> None:
    code, host = run(tmp_path, *words)
    assert (
        code == status
        and "Usage: clawgate sample status|restart|logs [--json]" in (*host.printed, *host.printed_errors)[0]
    )


UP = ServiceStatus(state="ready", ok=True, lines=("one", "two"))


@pytest.mark.parametrize(
    ("services", "running", "status", "text"),
    [
        ((UP,), True, 0, "Restarted"),
        ((), False, 1, "no gateway is running"),
        ((), True, 1, "the gateway runs no service of it; see: clawgate sample status"),
        ((replace(UP, state="adopted", details={"holder": "node (pid 9)"}),), True, 1, "node (pid 9)"),
    ],
)
def test_restart_restarts_the_services_of_a_running_gateway(
    tmp_path: Path, services: tuple[ServiceStatus, ...], running: bool, status: int, text: str
) -> None:
    host = FakeHost(state_dir=tmp_path, config=Config(), services=services)
    if not running:
        stopped: Any = host
        stopped.gateway_url = None
    assert asyncio.run(COMMAND.run(host, ["restart"])) == status
    assert text in "".join(host.printed + host.printed_errors)
    assert host.service_restarts == (1 if status == 0 else 0)
    asyncio.run(COMMAND.run(host, ["restart", "--json"]))
    assert json.loads(host.printed[-1])["ok"] is (status == 0)


def test_logs_prints_the_lines_of_the_services(tmp_path: Path) -> None:
    host = FakeHost(state_dir=tmp_path, config=Config(), services=(UP,))
    assert asyncio.run(COMMAND.run(host, ["logs"])) == 0 and host.printed == ["one", "two"]
    asyncio.run(COMMAND.run(host, ["logs", "--json"]))
    assert json.loads(host.printed[-1]) == {"lines": ["one", "two"]}
    host.services = ()
    assert asyncio.run(COMMAND.run(host, ["logs"])) == 1 and "clawgate logs" in host.printed_errors[-1]
