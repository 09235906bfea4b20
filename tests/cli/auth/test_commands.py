"""`clawgate models auth`: help with the questions of a provider, the list, completion."""

from __future__ import annotations

import json
from pathlib import Path

import click
from click.testing import CliRunner

from clawgate.cli.auth import commands as auth
from clawgate.cli.main import clawgate
from tests.cli.auth.auth_command import run, untouched


def test_help_shows_the_questions_of_the_provider(path: Path) -> None:
    found = CliRunner().invoke(clawgate, ["models", "auth", "login", "--provider=openai", "--help"])
    assert found.exit_code == 0 and "--key SECRET" in found.output and "OPENAI_API_KEY" in found.output
    assert "--key" not in CliRunner().invoke(clawgate, ["models", "auth", "login", "--help"]).output


def test_list_shows_where_each_credential_is_from(path: Path) -> None:
    found = run(path, "list")
    assert found.exit_code == 0 and "header X-Proxy-Token  c...n" in found.stdout
    rows = {row["id"]: row for row in json.loads(run(path, "list", "--json").stdout)["providers"]}
    assert rows["lan"]["variable"] == "NO_SUCH_KEY" and rows["lan"]["ready"] is False
    assert rows["far"]["source"] == "openclaw.json:10" and rows["far"]["maskedSecret"] == "c...y"
    assert rows["openai"]["source"] is None
    assert untouched(path)


def test_help_works_for_an_unknown_provider(path: Path) -> None:
    found = run(path, "login", "--provider", "owll", "--help")
    assert found.exit_code == 0 and "--set-default" in found.output


def test_what_can_be_set_up_is_completed(path: Path) -> None:
    """Also what is not configured yet; taking away is for what is."""
    parameter = next(one for one in auth.login.params if one.name == "provider")
    context = click.Context(auth.login)
    context.params["config"] = str(path)
    found = [one.value for one in parameter.shell_complete(context, "")]
    assert {"openai", "owl", "proxy-bridge", "anthropic-claude-proxy", "custom"} <= set(found)
    assert [one.value for one in parameter.shell_complete(context, "ow")] == ["owl"]
    path.write_text("{")
    assert parameter.shell_complete(context, "") == []
