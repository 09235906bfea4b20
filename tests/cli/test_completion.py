"""Completion: the script is where the shell looks, works in that shell, and is written once."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from clawgate.cli.completion import SHELLS, detect_shell
from tests.cli.command import command

PLACES = {
    "bash": ".local/share/bash-completion/completions/clawgate",
    "zsh": ".zfunc/_clawgate",
    "fish": ".config/fish/completions/clawgate.fish",
}
HERE = {"XDG_DATA_HOME": "", "XDG_CONFIG_HOME": ""}


@pytest.mark.parametrize("shell", SHELLS)
def test_installed_it_is_where_the_shell_looks(tmp_path: Path, shell: str) -> None:
    """Installing again changes nothing and says so; no start-up file of the shell is touched."""
    first, again = (
        command("--install-completion", shell, folder=tmp_path, environment=HERE) for _ in range(2)
    )
    path = tmp_path / PLACES[shell]
    assert first.returncode == 0 and f"Completion for {shell} installed: {path}\n  next: " in first.stdout
    assert again.returncode == 0 and "already installed" in again.stdout
    assert [found for found in tmp_path.rglob("*") if found.is_file()] == [path]
    shown = command("--show-completion", shell, folder=tmp_path, environment=HERE)
    assert shown.stdout == path.read_text() and "_CLAWGATE_COMPLETE" in shown.stdout


def test_an_old_script_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / PLACES["fish"]
    path.parent.mkdir(parents=True)
    path.write_text("old")
    assert command("--install-completion", "fish", folder=tmp_path, environment=HERE).returncode == 0
    assert path.read_text() != "old"


@pytest.mark.parametrize("flag", ["--install-completion", "--show-completion"])
def test_without_a_name_the_login_shell_is_taken(tmp_path: Path, flag: str) -> None:
    """The tests are no shell, so it is not found as our parent."""
    environment = HERE | {"SHELL": "/usr/bin/fish"}
    done = command(flag, folder=tmp_path, environment=environment)
    assert done.returncode == 0 and "fish" in done.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_the_command_prints_or_installs_the_same(tmp_path: Path, shell: str) -> None:
    shown = command("--show-completion", shell, folder=tmp_path, environment=HERE).stdout
    for arguments in ([shell], ["--shell", shell], ["-s", shell]):
        assert command("completion", *arguments, folder=tmp_path, environment=HERE).stdout == shown
    done = command("completion", shell, "--install", folder=tmp_path, environment=HERE)
    assert done.returncode == 0 and (tmp_path / PLACES[shell]).read_text() == shown


def test_the_command_takes_the_login_shell_or_a_usage_error(tmp_path: Path) -> None:
    done = command("completion", folder=tmp_path, environment=HERE | {"SHELL": "/usr/bin/fish"})
    assert done.returncode == 0 and "fish" in done.stdout
    done = command("completion", folder=tmp_path, environment={"SHELL": "/bin/tcsh"})
    assert done.returncode == 2 and "name one of: bash, zsh, fish" in done.stderr


def test_an_undetected_shell_is_a_usage_error(tmp_path: Path) -> None:
    done = command("--show-completion", folder=tmp_path, environment={"SHELL": "/bin/tcsh"})
    assert done.returncode == 2 and "name one of: bash, zsh, fish" in done.stderr


@pytest.mark.parametrize(
    ("parent", "login", "found"),
    [
        ("zsh", "/bin/bash", "zsh"),
        ("-bash", "", "bash"),
        ("make", "/usr/bin/fish", "fish"),
        ("make", "", None),
    ],
)
def test_the_shell_that_asks_counts_before_the_login_shell(
    parent: str, login: str, found: str | None
) -> None:
    assert detect_shell(parent, login) == found


def test_an_unwritable_script_is_an_error(tmp_path: Path) -> None:
    (tmp_path / ".zfunc").write_text("")
    done = command("--install-completion", "zsh", folder=tmp_path)
    assert done.returncode == 1 and "cannot be written" in done.stderr


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_with_it(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(command("--show-completion", "bash", folder=tmp_path).stdout)
    program = tmp_path / "clawgate"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m clawgate "$@"\n')
    program.chmod(0o755)
    code = f"source {script}; COMP_WORDS=({program} gateway st); COMP_CWORD=2; _clawgate_completion {program}"
    done = subprocess.run(
        ["bash", "-c", f'{code}; echo "${{COMPREPLY[@]}}"'],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=tmp_path,
    )
    assert done.stdout.split() == ["start", "status", "stop"], done.stderr
