"""With which flags is a gateway run? Shared by the commands that run, start and restart one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from clawgate.cli.paths import place_options

_F = TypeVar("_F", bound=Callable[..., Any])

SECRET_VARIABLES = {"token": "OPENCLAW_GATEWAY_TOKEN", "password": "OPENCLAW_GATEWAY_PASSWORD"}
"""Secrets reach a process that we start in its environment: others can read its command line."""

_OPTIONS = (
    click.option(
        "--port",
        type=click.IntRange(0, 65_535),
        metavar="NUMBER",
        help="Port to listen on  [env OPENCLAW_GATEWAY_PORT; default 18789]",
    ),
    click.option(
        "--bind",
        metavar="TEXT",
        help="loopback, lan, auto, tailnet, custom or an address  [default loopback]",
    ),
    click.option("--token", metavar="SECRET", help="Token that callers need  [env OPENCLAW_GATEWAY_TOKEN]"),
    click.option(
        "--password", metavar="SECRET", help="Password that callers need  [env OPENCLAW_GATEWAY_PASSWORD]"
    ),
    click.option("--verbose", is_flag=True, help="Log more"),
    click.option(
        "--env-file", metavar="FILE", help="File with environment variables; none is read that is not named"
    ),
)


def run_options(command: _F) -> _F:
    """Adds them, and those that say where the files are."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return place_options(command)


def seconds_option(default: float, text: str) -> Callable[[_F], _F]:
    """``--timeout``."""
    return click.option(
        "--timeout",
        type=click.FloatRange(0, min_open=True),
        default=default,
        show_default=True,
        metavar="SECONDS",
        help=text,
    )


def plain_flags(given: Mapping[str, Any]) -> tuple[str, ...]:
    """The flags of `gateway run` that stand for ``given``, without the secrets and the file for the log."""
    flags: list[str] = []
    for name in ("port", "bind", "config", "env_file"):
        if given.get(name) is not None:
            flags += [f"--{name.replace('_', '-')}", str(given[name])]
    return (*flags, "--verbose") if given.get("verbose") else tuple(flags)
