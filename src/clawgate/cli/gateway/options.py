"""The flags that run a gateway, shared by `gateway run`, `gateway start` and `gateway restart`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from clawgate.cli.paths import env_file_option, path_options

_F = TypeVar("_F", bound=Callable[..., Any])

SECRET_VARIABLES = {"token": "OPENCLAW_GATEWAY_TOKEN", "password": "OPENCLAW_GATEWAY_PASSWORD"}
"""A background gateway gets its secrets in these variables: other users can read its command line."""


def _names(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """Check a list of hosts or origins, of which each flag may give several."""
    if not given:
        return ()
    from pydantic import TypeAdapter, ValidationError

    from clawgate.settings.fields import HostNames, Origins
    from clawgate.settings.problems import format_message

    kind: TypeAdapter[tuple[str, ...]] = TypeAdapter(HostNames if option.name == "allow_host" else Origins)
    try:
        return kind.validate_python(given)
    except ValidationError as error:
        raise click.BadParameter(format_message(error.errors()[0])) from None


class _Port(click.IntRange):
    name = "port (a number from 0 to 65535)"


class _Seconds(click.FloatRange):
    name = "number of seconds"


_OPTIONS = (
    click.option(
        "--port",
        type=_Port(0, 65_535),
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
    click.option(
        "--allow-host",
        multiple=True,
        callback=_names,
        metavar="TEXT",
        help="Further name to accept in Host, '*' for any; repeat it, or give a comma list.",
    ),
    click.option(
        "--allow-origin",
        multiple=True,
        callback=_names,
        metavar="TEXT",
        help="Web origin whose pages may send requests; repeat it, or give a comma list.",
    ),
    click.option(
        "--drain-timeout",
        type=_Seconds(0, 86_400, min_open=True),
        metavar="NUMBER",
        help="Seconds that responses in progress get to finish when the gateway stops.  [default: 30]",
    ),
    click.option("--verbose", is_flag=True, help="Log more."),
)


def run_options(command: _F) -> _F:
    for option in reversed(_OPTIONS):
        command = option(command)
    return path_options(env_file_option(command))


def timeout_option(default: float, text: str) -> Callable[[_F], _F]:
    return click.option(
        "--timeout",
        type=_Seconds(0, min_open=True),
        default=default,
        show_default=True,
        metavar="SECONDS",
        help=text,
    )


def public_flags(flags: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the arguments of `gateway run` for ``flags``, without the secrets and ``--log-file``."""
    arguments: list[str] = []
    for name in ("port", "bind", "drain_timeout", "config", "env_file"):
        if flags.get(name) is not None:
            arguments += [f"--{name.replace('_', '-')}", str(flags[name])]
    for name in ("allow_host", "allow_origin"):
        arguments += [f"--{name.replace('_', '-')}={value}" for value in flags.get(name, ())]
    return (*arguments, "--verbose") if flags.get("verbose") else tuple(arguments)
