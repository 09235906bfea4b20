"""The options with which a command is for a gateway at an address: ``--url`` and what it is presented there.

Law: what is at that address gets only what was given with the address, never a secret of this machine's config.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import click

from clawgate.cli.errors import fail
from clawgate.processes.instance.gateway_client import (
    GatewayAddress,
    GatewayCallFailed,
    GatewayConnection,
    connect,
    url_problem,
)

_F = TypeVar("_F", bound=Callable[..., Any])
_VARIABLES = {"token": "OPENCLAW_GATEWAY_TOKEN", "password": "OPENCLAW_GATEWAY_PASSWORD"}
_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Remote:
    """A gateway at an address that was given. ``seconds`` is how long a response may take."""

    address: GatewayAddress = field(repr=False)
    seconds: float

    @property
    def url(self) -> str:
        return self.address.url

    @contextlib.contextmanager
    def connected(self) -> Iterator[GatewayConnection]:
        """Yield a connection that may read. What fails there ends the command."""
        try:
            with connect(self.address, seconds=self.seconds) as connection:
                yield connection
        except GatewayCallFailed as failure:
            fail(with_next_step(failure).message)

    def call(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the payload of one response. What fails there ends the command."""
        with self.connected() as connection:
            return connection.request(method, params, seconds=self.seconds)


def with_next_step(failure: GatewayCallFailed) -> GatewayCallFailed:
    """Return the error of a call to a remote gateway, with what to give where it lacks a secret."""
    if failure.code.startswith("auth_") or failure.code in ("device_identity_required", "not_paired"):
        message = f"{failure.message}; give that gateway's secret with --token or --password"
        return type(failure)(message, failure.code)
    return with_model_step(failure, "see there: clawgate models status")


def with_model_step(failure: GatewayCallFailed, step: str) -> GatewayCallFailed:
    """Return the error of a model's provider with its code and ``step``; another one as it is."""
    if not failure.code.startswith(("upstream_", "provider_")):
        return failure
    message = f"{failure.message.rstrip('. ')} ({failure.code}); {step}, or choose another model with --model"
    return type(failure)(message, failure.code)


_ADDRESS = (
    click.option("--url", metavar="URL", help="A gateway elsewhere: ws://HOST:PORT or wss://HOST:PORT."),
    click.option(
        "--token", metavar="SECRET", help="Its token, with --url.  [env var: OPENCLAW_GATEWAY_TOKEN]"
    ),
    click.option(
        "--password", metavar="SECRET", help="Its password, with --url.  [env var: OPENCLAW_GATEWAY_PASSWORD]"
    ),
    click.option(
        "--allow-plain",
        is_flag=True,
        help="Allow ws:// to another machine: anyone on the way reads the token.",
    ),
)


def remote_options(command: _F) -> _F:
    """Add ``--url`` and what belongs to it; the command gets them as ``remote``, None without ``--url``.

    ``timeout`` is the command's own option, where it has one.
    """

    @functools.wraps(command)
    def with_remote(
        *arguments: Any,
        url: str | None,
        token: str | None,
        password: str | None,
        allow_plain: bool,
        **more: Any,
    ) -> Any:
        seconds = more.get("timeout", _SECONDS)
        return command(*arguments, remote=_remote(url, token, password, allow_plain, seconds), **more)

    found: Any = with_remote
    for option in reversed(_ADDRESS):
        found = option(found)
    return found  # type: ignore[no-any-return]  # a decorator of click's


def _remote(
    url: str | None, token: str | None, password: str | None, allow_plain: bool, seconds: float
) -> Remote | None:
    given = {name: value for name, value in (("token", token), ("password", password)) if value}
    if url is None:
        if given or allow_plain:
            raise click.UsageError(
                f"--{next(iter(given), 'allow-plain')}: it is for a gateway elsewhere; give its address with --url"
            )
        return None
    if (problem := url_problem(url, allow_plain=allow_plain)) is not None:
        raise click.BadParameter(problem, param_hint="--url")
    if not given:
        given = {name: found for name, variable in _VARIABLES.items() if (found := os.environ.get(variable))}
    return Remote(GatewayAddress(url, given), seconds)
