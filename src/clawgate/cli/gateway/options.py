"""The flags that run a gateway, shared by `gateway run`, `gateway start` and `gateway restart`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from clawgate.cli.paths import env_file_option, path_options

_F = TypeVar("_F", bound=Callable[..., Any])

SECRET_VARIABLES = {"token": "OPENCLAW_GATEWAY_TOKEN", "password": "OPENCLAW_GATEWAY_PASSWORD"}
"""A background gateway gets its secrets in these variables: other users can read its command line."""

_OPTIONS = (
    click.option(
        "--port",
        type=click.IntRange(0, 65_535),
        metavar="NUMBER",
        help="Port to listen on; 0 takes a free one.  [env var: OPENCLAW_GATEWAY_PORT; default: 18789]",
    ),
    click.option(
        "--bind",
        metavar="TEXT",
        help="Where to listen: loopback, lan, auto, tailnet, custom or an IP address.  [default: loopback]",
    ),
    click.option(
        "--token",
        metavar="SECRET",
        help="Token that clients must present.  [env var: OPENCLAW_GATEWAY_TOKEN]",
    ),
    click.option(
        "--password",
        metavar="SECRET",
        help="Password that clients must present.  [env var: OPENCLAW_GATEWAY_PASSWORD]",
    ),
    click.option("--verbose", is_flag=True, help="Log more."),
)


def run_options(command: _F) -> _F:
    """Add the flags that run a gateway, and ``--config`` and ``--state-dir``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return path_options(env_file_option(command))


def timeout_option(default: float, text: str) -> Callable[[_F], _F]:
    """Return a decorator that adds ``--timeout``, in seconds."""
    return click.option(
        "--timeout",
        type=click.FloatRange(0, min_open=True),
        default=default,
        show_default=True,
        metavar="SECONDS",
        help=text,
    )


def public_flags(flags: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the arguments of `gateway run` for ``flags``, without the secrets and ``--log-file``."""
    arguments: list[str] = []
    for name in ("port", "bind", "config", "env_file"):
        if flags.get(name) is not None:
            arguments += [f"--{name.replace('_', '-')}", str(flags[name])]
    return (*arguments, "--verbose") if flags.get("verbose") else tuple(arguments)
