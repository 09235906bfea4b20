"""Flags of a gateway: what is handed on to the one that runs, and what is not."""

from __future__ import annotations

import click
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
        "log_file": "/l",
        "verbose": True,
    }
    assert public_flags(given) == (
        "--port", "0", "--bind", "lan", "--config", "/c", "--env-file", "x.env", "--verbose",
    )  # fmt: skip


def test_what_was_not_given_is_not_handed_on() -> None:
    assert public_flags({"port": None, "verbose": False}) == () == public_flags({})


def test_every_flag_is_one_that_the_command_takes() -> None:
    """And those that are secrets have a variable to travel in."""

    @click.command()
    @run_options
    def run(**given: object) -> None: ...

    names = {option.name for option in run.params}
    assert names == {"port", "bind", "token", "password", "verbose", "env_file", "config", "state_dir"}
    assert set(SECRET_VARIABLES) <= names


def test_no_time_is_no_timeout() -> None:
    @click.command()
    @timeout_option(5.0, "How long")
    def wait(timeout: float) -> None:
        click.echo(timeout)

    assert CliRunner().invoke(wait, []).output == "5.0\n"
    assert CliRunner().invoke(wait, ["--timeout", "0"]).exit_code == 2
