"""`clawgate models auth` with a config file and a server that lists models."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from clawgate.cli.main import clawgate
from tests.cli.catalogs import CONFIG
from tests.cli.model_list import ModelList

KEY = "canary-auth-key-0123"


def run(path: Path, *arguments: str, given: str = "", **environment: str) -> Result:
    found = CliRunner().invoke(
        clawgate, ["models", "auth", *arguments, "--config", str(path)], input=given, env=environment
    )
    assert "canary" not in found.output and "Traceback" not in found.output
    return found


def untouched(path: Path) -> bool:
    return path.read_text() == CONFIG and [entry.name for entry in path.parent.iterdir()] == [path.name]


def login(path: Path, server: ModelList, *arguments: str, given: str = "", **environment: str) -> Result:
    flags = ("--provider", "custom", "--id", "hut2", "--base-url", server.url, "--private-network")
    return run(path, "login", *flags, *arguments, given=given, **environment)
