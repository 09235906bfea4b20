"""The options of `clawgate agent` and `clawgate chat`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from clawgate.cli.chat.conversation import MAIN
from clawgate.cli.completers import complete_agent, complete_model
from clawgate.cli.paths import env_file_option, path_options
from clawgate.cli.remote import remote_options

_F = TypeVar("_F", bound=Callable[..., Any])


def _header_value(context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    if value is not None and not (value.isascii() and value.isprintable()):
        raise click.BadParameter("it has characters that a header cannot have; use printable ASCII")
    return value


_OPTIONS = (
    click.option(
        "--agent",
        default="",
        metavar="ID",
        shell_complete=complete_agent,
        help="The agent; without it the default one.",
    ),
    click.option(
        "--session",
        default=MAIN,
        show_default=True,
        metavar="KEY",
        callback=_header_value,
        help="The session to continue or to begin.",
    ),
    click.option(
        "--model",
        metavar="MODEL",
        callback=_header_value,
        shell_complete=complete_model,
        help="A model in place of the agent's own.",
    ),
    click.option("--local", is_flag=True, help="Run the agent in this process, without a running gateway."),
)


def conversation_options(command: _F) -> _F:
    """Add the options of a conversation, ``--env-file``, those of paths and of a gateway elsewhere."""
    command = remote_options(command)
    for option in reversed(_OPTIONS):
        command = option(command)
    return path_options(env_file_option(command))
