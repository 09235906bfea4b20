"""Confirms what a command removes or adds: by ``--yes``, or by a yes on a terminal; anything else ends the command."""

from __future__ import annotations

import sys

import click

from clawgate.cli.errors import fail
from clawgate.cli.terminal.confirm import confirm

yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask for confirmation.")


def require_confirmation(question: str, *, yes: bool, outcome: str) -> None:
    """Return once it is confirmed. ``outcome`` is the sentence on the state that the command leaves if it is not."""
    if yes:
        return
    if not sys.stdin.isatty():
        fail("not a terminal: pass --yes to confirm", outcome=outcome)
    if not confirm(question, default=False, on_abort=outcome, err=True):
        fail("aborted", outcome=outcome)
