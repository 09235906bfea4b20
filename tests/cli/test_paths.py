"""Where the files are: OpenClaw's variables decide, --config and --state-dir win."""

from __future__ import annotations

import os
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from clawgate.cli.paths import Paths, find_paths, path_options, read_config_at


def test_everything_of_ours_is_in_one_folder() -> None:
    where = find_paths(environment={"OPENCLAW_STATE_DIR": "/s"})
    assert where == Paths(Path("/s/openclaw.json"), False, Path("/s"))
    assert (where.folder, where.log, where.output) == (
        Path("/s/clawgate"),
        Path("/s/clawgate/logs/gateway.log"),
        Path("/s/clawgate/logs/gateway.out"),
    )


def test_a_config_that_is_named_moves_no_state() -> None:
    where = find_paths("/elsewhere/c.json", {"HOME": "/home/me"})
    assert where == Paths(Path("/elsewhere/c.json"), True, Path("/home/me/.openclaw"))


def test_the_flag_for_the_state_folder_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And is known to everything that is started from there."""
    monkeypatch.setenv("OPENCLAW_STATE_DIR", "/other")
    monkeypatch.delenv("OPENCLAW_CONFIG_PATH", raising=False)
    monkeypatch.chdir(tmp_path)

    @click.command()
    @path_options
    def show(config: str | None) -> None:
        click.echo(f"{find_paths(config).state} {os.environ['OPENCLAW_STATE_DIR']}")

    assert CliRunner().invoke(show, ["--state-dir", "x"]).output == f"{tmp_path / 'x'} {tmp_path / 'x'}\n"


def test_reading_gives_the_file_or_its_problems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "c.json"
    path.write_text("{gateway: {port: 1234}}")
    path.chmod(0o600)
    file, problems = read_config_at(Paths(path, True, tmp_path))
    assert file is not None and file.config.gateway.port == 1234 and problems == []
    path.write_text("{gateway: {port: 'x'}}")
    file, problems = read_config_at(Paths(path, True, tmp_path))
    assert file is None and len(problems) == 1 and "gateway.port" in problems[0]
    assert (
        read_config_at(Paths(tmp_path / "none", True, tmp_path))[1]
        and not read_config_at(Paths(tmp_path / "none", False, tmp_path))[1]
    )
