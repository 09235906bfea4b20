"""What the commands print at their end: the backup, the next step, and whether a running gateway reloads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from clawgate.cli.auth.messages import (
    exit_aborted,
    fail_missing,
    print_after_logout,
    print_diff_line,
    print_result,
)
from clawgate.cli.auth.wizard.answers import MissingAnswer
from clawgate.cli.auth.wizard.flow import SignInResult
from clawgate.cli.context import LoadedConfig, load_config
from clawgate.cli.first_request import next_command
from clawgate.plugins.api.provider import ConfigChange
from clawgate.processes.instance.instance_lock import Instance
from clawgate.processes.instance.run_records import ConfigReport, write_report
from clawgate.settings.openclaw.update import WriteResult
from tests.cli.auth.wizard.scripted import EVERY_KIND
from tests.cli.catalogs import CONFIG, alone, config_file

CHANGE = ConfigChange(plugin_config={}, provider={}, default_model="far/opus", notes=("terms apply",))


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LoadedConfig:
    alone(tmp_path, monkeypatch)
    (tmp_path / ".openclaw").mkdir(mode=0o700)
    return load_config(str(config_file(tmp_path / ".openclaw")))


@pytest.fixture
def gateway(known: LoadedConfig) -> Iterator[Instance]:
    instance = Instance.claim(known.path.parent / "clawgate", environment={})
    yield instance
    instance.release()


def done(known: LoadedConfig, **changes: object) -> SignInResult:
    said: dict[str, object] = {
        "provider": "far", "change": CHANGE, "is_default": False, "references": (),
        "written": WriteResult(known.path, changed=True, backup=known.path.with_name("x.bak")),
    }  # fmt: skip
    return SignInResult(**(said | changes))  # type: ignore[arg-type]  # each has its type above


def test_what_was_done_and_what_comes_next(known: LoadedConfig, capsys: pytest.CaptureFixture[str]) -> None:
    print_result(known, None, done(known, references=("FAR_KEY",)))
    assert capsys.readouterr().out == (
        f"Updated config: {known.path}\n"
        f"  Backup: {known.path.with_name('x.bak')}\n"
        "Provider: far\n"
        "Default model available: far/opus (current default unchanged; run clawgate models set far/opus to apply)\n"
        "Note: terms apply\n"
        "Note: the config refers to the variable FAR_KEY; the gateway needs it too, in its environment "
        f"or in {known.path.parent / '.env'} (mode 0600)\n"
        f"Next: {next_command('gateway start', known.paths)}\n"
    )


def test_the_default_is_printed_once(known: LoadedConfig, capsys: pytest.CaptureFixture[str]) -> None:
    print_result(known, None, done(known, is_default=True))
    assert "Default model set to far/opus\n" in capsys.readouterr().out
    present = ConfigChange(plugin_config={}, provider={}, default_model="owl/qwen")
    print_result(known, None, done(known, change=present))
    assert "Default model" not in capsys.readouterr().out


def test_a_missing_default_is_printed(known: LoadedConfig, capsys: pytest.CaptureFixture[str]) -> None:
    known.path.write_text(CONFIG.replace('primary: "owl/qwen", ', ""))
    print_result(load_config(str(known.path)), None, done(known))
    assert "available: far/opus (there is no default yet; run clawgate models set" in capsys.readouterr().out


def test_a_gateway_that_runs_takes_it_over(
    known: LoadedConfig, gateway: Instance, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway.announce("http://127.0.0.1:1", 1, known.path, None)
    write_report(known.path.parent / "clawgate", gateway.id, ConfigReport(digest="d", used=True))
    written = WriteResult(known.path, changed=True, digest="d")
    print_result(known, None, done(known, references=("FAR_KEY",), written=written))
    shown = capsys.readouterr().out
    assert f"The running gateway (pid {os.getpid()}) uses it." in shown
    assert "Next:" not in shown and "the running gateway needs it" in shown


def test_a_gateway_with_another_config_does_not(
    known: LoadedConfig, gateway: Instance, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway.announce("http://127.0.0.1:1", 1, known.path.with_name("other.json"), None)
    print_result(known, None, done(known))
    assert "uses another config" in capsys.readouterr().out


def test_missing_answers_list_every_flag_and_variable(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        fail_missing(MissingAnswer(EVERY_KIND), yes=False)
    shown = capsys.readouterr().err
    assert caught.value.code == 1 and "  - Private?: --private/--no-private\n" in shown
    assert "  - Token: --token ..., or --stdin-secret, or the variable KIT_TOKEN\n" in shown


def test_an_abort_says_that_nothing_changed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        exit_aborted()
    assert caught.value.code == 130 and capsys.readouterr().err == "Config was not changed.\n"
    with pytest.raises(SystemExit) as caught:
        exit_aborted(declined=True)
    assert caught.value.code == 1


def test_a_logout_from_the_default_provider_is_noted(
    known: LoadedConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    print_after_logout(known, "owl")
    print_after_logout(known, "far")
    assert capsys.readouterr().out.count("there is no default model now") == 1


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_diff_is_plain_where_colours_are_not_wanted(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("click.utils.should_strip_ansi", lambda *_: False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    print_diff_line("+new")
    assert capsys.readouterr().out == "\x1b[32m+new\x1b[0m\n"
    monkeypatch.setenv(name, value)
    print_diff_line("+new")
    assert capsys.readouterr().out == "+new\n"
