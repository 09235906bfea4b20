"""Asks for a yes or no before a command changes something. Ctrl-C counts as no and ends the command."""

from __future__ import annotations

import sys

import click

from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.terminal.read_line import read_line

_WORDS = {"y": True, "yes": True, "n": False, "no": False}


def confirm(question: str, *, default: bool, on_abort: str, err: bool = False) -> bool:
    """Return the answer; Enter takes ``default``.

    Ctrl-C and the end of the input print ``on_abort`` and exit with status 130.
    """
    known = {**_WORDS, "": default}
    while True:
        try:
            answer = read_line(f"{question} [{'Y/n' if default else 'y/N'}]: ", err=err).strip().lower()
        except UnicodeDecodeError:
            answer = "?"
        except (EOFError, KeyboardInterrupt):
            click.echo(f"\n{on_abort}", err=True)
            sys.exit(ExitCode.INTERRUPTED)
        if answer in known:
            return known[answer]
        click.echo("  ! answer yes or no", err=err)
