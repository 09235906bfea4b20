"""Flags of a gateway: what is handed on to the one that runs, and what is not."""

from __future__ import annotations

from typing import Any

import click
import pytest
from click.testing import CliRunner

from clawgate.cli.gateway.options import SECRET_VARIABLES, public_flags, run_options, timeout_option


def test_flags_are_handed_on_without_secrets() -> None:
    given = {
        "port": 0,
        "bind": "lan",
        "config": "/c",
        "env_file": "x.env",
        "token": "secret",
        "password": "secret",
        "allow_host": ("a", "b"),
        "allow_origin": ("https://a",),
        "log_file": "/l",
        "verbose": True,
    }
    assert public_flags(given) == (
        "--port", "0", "--bind", "lan", "--config", "/c", "--env-file", "x.env", "--allow-host=a", "--allow-host=b",
        "--allow-origin=https://a", "--verbose",
    )  # fmt: skip


def test_what_was_not_given_is_not_handed_on() -> None:
    assert public_flags({"port": None, "verbose": False}) == () == public_flags({})


def test_every_flag_is_one_that_the_command_takes() -> None:
    """And those that are secrets have a variable to travel in."""

    @click.command()
    @run_options
    def run(**given: object) -> None: ...

    names = {option.name for option in run.params}
    assert names == {
        "port", "bind", "token", "password", "allow_host", "allow_origin", "verbose", "drain_timeout", "env_file",
        "config", "state_dir",
    }  # fmt: skip
    assert set(SECRET_VARIABLES) <= names


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["--allow-host", "a.lan,b.lan", "--allow-host", "*"], ["a.lan", "b.lan", "*"]),
        (["--allow-origin", "https://a.lan"], ["https://a.lan"]),
        (["--allow-host", "https://a.lan"], None),
        (["--allow-origin", "a.lan"], None),
        (["--allow-origin", "*"], None),
        (["--allow-host", ","], None),
    ],
)
def test_names_are_checked_before_anything_starts(given: list[str], expected: list[str] | None) -> None:
    @click.command()
    @run_options
    def run(**flags: Any) -> None:
        click.echo("\n".join((*flags["allow_host"], *flags["allow_origin"])))

    done = CliRunner().invoke(run, given)
    if expected is None:
        assert done.exit_code == 2 and given[0] in done.output
    else:
        assert done.output.split() == expected


def test_no_time_is_no_timeout() -> None:
    @click.command()
    @timeout_option(5.0, "How long")
    def wait(timeout: float) -> None:
        click.echo(timeout)

    assert CliRunner().invoke(wait, []).output == "5.0\n"
    assert CliRunner().invoke(wait, ["--timeout", "0"]).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--port", "abc"], "'abc' is not a valid port (a number from 0 to 65535)."),
        (["--timeout", "abc"], "'abc' is not a valid number of seconds."),
    ],
)
def test_what_is_no_number_is_named(arguments: list[str], problem: str) -> None:
    @click.command()
    @run_options
    @timeout_option(1.0, "Time limit.")
    def run(**flags: Any) -> None: ...

    found = CliRunner().invoke(run, arguments)
    assert found.exit_code == 2 and problem in found.stderr
