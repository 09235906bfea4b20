"""`clawgate <name>` of a plugin: it runs if that is enabled, and whatever it does, there is an exit status."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from clawgate.cli.main import clawgate
from clawgate.cli.plugins import plugin_command as module
from clawgate.cli.plugins.plugin_command import plugin_command, plugin_commands
from clawgate.processes.instance.instance_lock import Instance
from tests.cli.catalogs import alone
from tests.plugins.samples import docs_plugin, imports_undone


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    alone(tmp_path, monkeypatch)
    (tmp_path / ".openclaw").mkdir(mode=0o700)
    with imports_undone():
        yield tmp_path


def plugins(*arguments: str) -> None:
    found = CliRunner().invoke(clawgate, ["plugins", *arguments])
    assert found.exit_code == 0, found.output


def house(home: Path, spoil: Callable[[str], str] = str) -> None:
    folder = docs_plugin(home)
    code = folder / "house_model" / "__init__.py"
    code.write_text(spoil(code.read_text()))
    plugins("install", str(folder), "--yes", "--enable")


def run(*arguments: str) -> Result:
    command = plugin_command("house-model")
    assert command is not None
    return CliRunner().invoke(command, arguments)


def test_only_an_enabled_plugins_command_runs(home: Path) -> None:
    house(home)
    assert plugin_commands()["house-model"] == "An OpenAI-compatible server in the house."
    plugins("disable", "house-model")
    found = run()
    assert found.exit_code == 1 and "enable it with: clawgate plugins enable house-model" in found.stderr
    assert plugin_command("no-such-command") is None


def test_names_are_listed_without_running_anything(home: Path) -> None:
    mark = f"\nwith open({str(home / 'ran')!r}, 'a') as mark: mark.write('x')\n"
    with imports_undone():
        house(home, lambda code: code + mark)
    before = (home / "ran").read_text()
    plugin_commands()
    assert (home / "ran").read_text() == before


def test_it_gets_its_arguments_its_problems_and_its_status(home: Path) -> None:
    house(home)
    found = run("status", "--json", "--help")
    assert found.exit_code == 1 and "baseUrl: is not set" in found.stderr


def test_what_it_fetches_goes_through_the_gateways_dialer(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house(home)
    monkeypatch.setenv("HOUSE_MODEL_URL", "http://127.0.0.1:1/v1")
    monkeypatch.setenv("HOUSE_MODEL_KEY", "canary-house-key")
    found = run("--json")
    assert found.exit_code == 1 and '"ok": false' in found.stdout and "canary" not in found.output


def test_one_that_cannot_be_loaded_is_a_reason(home: Path) -> None:
    house(home, lambda code: code + "\n1 / 0\n")
    found = run()
    assert (
        found.exit_code == 1 and "the plugin 'house-model' cannot be used: ZeroDivisionError" in found.stderr
    )


@pytest.mark.parametrize(
    ("does", "status", "says"),
    [
        ("return 7", 7, ""),
        ("return 'fine'", 1, ""),
        ("raise ValueError('no')", 1, "the plugin 'house-model' failed: ValueError: no"),
        ("raise SystemExit(3)", 3, ""),
        ("raise KeyboardInterrupt", 130, ""),
    ],
)
def test_whatever_a_command_does_there_is_a_status(home: Path, does: str, status: int, says: str) -> None:
    house(
        home,
        lambda code: code.replace(
            "        if context.config is None:", f"        {does}\n        if False:", 1
        ),
    )
    found = run()
    assert found.exit_code == status and says in found.stderr and "Traceback" not in found.output


_GIVES_UP = """
        assert context.gateway_url
        return 0 if await context.restart_services() else 4
"""
_IS_INTERRUPTED = """
        assert context.gateway_url
        import asyncio
        restarting = asyncio.ensure_future(context.restart_services())
        await asyncio.sleep(0)
        restarting.cancel()
        await asyncio.wait([restarting])
        return 4
"""


@pytest.mark.parametrize(
    ("does", "seconds"), [(_GIVES_UP, 0.0), (_IS_INTERRUPTED, 60.0)], ids=["gives up", "is interrupted"]
)
def test_a_request_for_a_restart_is_not_left_behind_where_it_is_not_taken(
    home: Path, monkeypatch: pytest.MonkeyPatch, does: str, seconds: float
) -> None:
    house(
        home, lambda code: code.replace("        if context.config is None:", f"{does}\n        if False:", 1)
    )
    monkeypatch.setattr(module, "_RESTART_SECONDS", seconds)
    instance = Instance.claim(home / ".openclaw" / "clawgate")
    try:
        instance.announce("http://127.0.0.1:1", 1, home, None)
        found = run()
    finally:
        instance.release()
    assert found.exit_code == 4, found.output
    assert not list((home / ".openclaw" / "clawgate" / "plugin-state" / "house-model").iterdir())
