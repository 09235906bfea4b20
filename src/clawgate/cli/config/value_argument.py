"""Reads the VALUE of ``config set`` from the command line or standard input, and checks the keys in it."""

from __future__ import annotations

import sys

import click

from clawgate.cli.errors import UNCHANGED, fail
from clawgate.settings.json5.document import same_value
from clawgate.settings.json5.source_map import InvalidJson5, spans_of
from clawgate.settings.key_path import KeyPath, format_key_path
from clawgate.settings.redaction import redact


def read_stdin() -> str:
    """Return standard input without its last line end; on a terminal, one line that is not echoed."""
    try:
        if sys.stdin.isatty():
            return _read_hidden()
        return sys.stdin.read().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        fail("standard input is not UTF-8 text", outcome=UNCHANGED)


def _read_hidden() -> str:
    from clawgate.cli.terminal.read_line import read_line

    try:
        return read_line("Value (not shown): ", hidden=True, err=True)
    except EOFError:
        fail("no value was given", outcome=UNCHANGED)


def parse_value(text: str, kind: str | None) -> object:
    """Return ``text`` itself for the kind "string", else its JSON5 value.

    Text that is not JSON5 ends the command for the kind "json"; without a kind it is the value.
    """
    if kind == "string":
        return text
    import pyjson5

    try:
        spans_of(text)
        return pyjson5.decode(text)
    except (InvalidJson5, pyjson5.Json5Exception) as error:
        if kind is None:
            return text
        reason = error.message if isinstance(error, InvalidJson5) else "it cannot be read"
        fail(f"the value is not JSON5: {reason}", outcome=UNCHANGED)


def warn_of_secret(path: KeyPath, value: object) -> None:
    """Warn if a secret was given as an argument, where other users and the shell's history can see it."""
    if not same_value(redact(value, path), value):
        click.echo(
            "Warning: every user of this machine can see a secret in the arguments (ps), and the shell keeps it; "
            "use --stdin, or write a reference such as ${NAME}.",
            err=True,
        )


def check_keys(path: KeyPath, value: object) -> None:
    """Warn of keys that only OpenClaw reads; one that is in neither schema ends the command."""
    from clawgate.settings.openclaw.unknown_keys import unknown_keys_at
    from clawgate.settings.schema.upstream_keys import VERSION

    for unread in unknown_keys_at(path, value):
        name = format_key_path((*path[: len(unread.path)], *unread.path[len(path) :]))
        if unread.is_openclaw:
            click.echo(f"Warning: clawgate does not read {name}; the key is kept for OpenClaw", err=True)
            continue
        rejects = f"neither clawgate nor OpenClaw {VERSION}, which rejects its whole config for it"
        if unread.suggestion is not None:
            fail(f"{name} is a key of {rejects}; did you mean '{unread.suggestion}'?", outcome=UNCHANGED)
        if unread.may_be_secret:
            fail(
                f"{format_key_path(unread.path[:-1]) or 'the file'} contains a key of {rejects}; leave it out",
                outcome=UNCHANGED,
            )
        fail(f"{name} is a key of {rejects}; leave it out", outcome=UNCHANGED)
