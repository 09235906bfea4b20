"""`--url` is for a gateway elsewhere, which gets what was given with it and nothing of this machine's config."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from clawgate.cli.remote import Remote, remote_options
from tests.processes.instance.fake_gateway import FakeGateway, failure, ok


@pytest.fixture(autouse=True)
def _no_secret_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("OPENCLAW_GATEWAY_TOKEN", "OPENCLAW_GATEWAY_PASSWORD"):
        monkeypatch.delenv(name, raising=False)


def run(*arguments: str, **environment: str) -> Result:
    @click.command()
    @remote_options
    def command(remote: Remote | None) -> None:
        click.echo("here" if remote is None else str(remote.call("health", {})))

    return CliRunner().invoke(command, arguments, env=environment)


def test_without_an_address_it_is_for_this_machine() -> None:
    assert run().stdout == "here\n"


@pytest.mark.parametrize(
    ("arguments", "environment", "auth"),
    [
        (["--token", "t"], {}, {"token": "t"}),
        (["--password", "p"], {}, {"password": "p"}),
        ([], {"OPENCLAW_GATEWAY_TOKEN": "e"}, {"token": "e"}),
        (["--password", "p"], {"OPENCLAW_GATEWAY_TOKEN": "e"}, {"password": "p"}),
        ([], {}, {}),
    ],
)
def test_it_gets_what_was_given(
    arguments: list[str], environment: dict[str, str], auth: dict[str, Any]
) -> None:
    with FakeGateway(others=lambda method, params: [ok({"method": method})]) as fake:
        found = run("--url", fake.url, *arguments, **environment)
        assert (found.exit_code, found.stdout) == (0, "{'method': 'health'}\n")
        assert fake.params("connect")[0]["auth"] == auth


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--token", "canary-t"], "--token: it is for a gateway elsewhere; give its address with --url"),
        (["--password", "canary-p"], "--password: it is for a gateway elsewhere"),
        (["--allow-plain"], "--allow-plain: it is for a gateway elsewhere"),
        (["--url", "ws://192.0.2.1:1"], "192.0.2.1 is not this machine, and ws:// is not encrypted"),
        (["--url", "wss://u:canary@example.com"], "a secret does not belong into an address"),
    ],
)
def test_a_wrong_use_is_refused_and_shows_no_secret(arguments: list[str], message: str) -> None:
    found = run(*arguments)
    assert found.exit_code == 2 and message in found.stderr and "canary" not in found.output


def test_a_wrong_secret_ends_the_command_with_the_option_that_gives_it() -> None:
    wrong = failure("unauthorized: gateway token mismatch", code="AUTH_TOKEN_MISMATCH")
    with FakeGateway(welcome=wrong) as fake:
        found = run("--url", fake.url, "--token", "canary-t")
    assert found.exit_code == 1 and "canary" not in found.output
    assert found.stderr == (
        "clawgate: unauthorized: gateway token mismatch; give that gateway's secret with --token or --password\n"
    )
