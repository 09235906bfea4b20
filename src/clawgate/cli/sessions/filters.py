"""The arguments and options that name sessions, for all commands that have them."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from clawgate.cli.completers import complete_agent
from clawgate.cli.context import load_config

_F = TypeVar("_F", bound=Callable[..., Any])


def complete_key(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete keys of sessions. Must not print."""
    from clawgate.cli.sessions.selection import all_sessions

    with contextlib.suppress(click.UsageError, SystemExit), contextlib.redirect_stderr(io.StringIO()):
        sessions = all_sessions(load_config(ctx.params.get("config")), caller=ctx.params.get("caller"))
        return [CompletionItem(one.key) for one in sessions if one.key.startswith(incomplete)]
    return []


caller_option = click.option("--caller", metavar="NAME", help="Only sessions of this caller.")


def filters(command: _F) -> _F:
    """Add ``--agent`` and ``--caller``."""
    agent = click.option(
        "--agent", metavar="ID", shell_complete=complete_agent, help="Only sessions of this agent."
    )
    return agent(caller_option(command))
