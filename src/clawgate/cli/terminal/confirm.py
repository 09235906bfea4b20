"""Does a person agree? A yes or no for commands that change something, with Ctrl-C as a no that is never lost."""

from __future__ import annotations

import sys

import click

from clawgate.cli.terminal.read_line import read_line

_INTERRUPTED = 130  # 128 + SIGINT, as shells have it
_WORDS = {"y": True, "yes": True, "n": False, "no": False}


def confirmed(question: str, *, default: bool, left: str, err: bool = False) -> bool:
    """Enter takes ``default``. Ctrl-C and the end of the input end the command, which says ``left``."""
    known = {**_WORDS, "": default}
    while True:
        try:
            said = read_line(f"{question} [{'Y/n' if default else 'y/N'}]: ", err=err).strip().lower()
        except UnicodeDecodeError:
            said = "?"
        except (EOFError, KeyboardInterrupt):
            click.echo(f"\n{left}", err=True)
            sys.exit(_INTERRUPTED)
        if said in known:
            return known[said]
        click.echo("  ! answer yes or no", err=err)
