"""Ends a command: one error line on standard error, the problems below it, an exit status.

The line has the form `clawgate: <where>: <what is wrong>; <what to do>`. With ``--json`` there is an object on standard
output, too.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import NoReturn

import click

from clawgate.cli.exit_codes import ExitCode

UNCHANGED = "Config was not changed."
"""The ``outcome`` of a command that was to edit the config file."""


class CommandFailed(SystemExit):
    """A command ends with an error, which is on standard error already. ``facts`` are more keys of its JSON object."""

    def __init__(self, status: int, message: str, problems: tuple[str, ...]) -> None:
        super().__init__(status)
        self.message = message
        self.problems = problems
        self.facts: dict[str, object] = {}


def fail(
    message: str,
    problems: Iterable[object] = (),
    *,
    outcome: str = "",
    status: int = ExitCode.FAILED,
) -> NoReturn:
    """Print ``message``, each of ``problems`` on a line of its own, and exit with ``status``.

    ``outcome`` is a sentence on the state that the command leaves, such as `UNCHANGED`.
    """
    texts = tuple(map(str, problems))
    print_error(message, texts, outcome=outcome)
    raise CommandFailed(status, message, texts)


@contextlib.contextmanager
def failures_as_json(arguments: Sequence[str]) -> Iterator[None]:
    """Print a failure within as an object on standard output, if ``--json`` is among the command's ``arguments``.

    It is one line, for `clawgate logs` prints an object on each.
    """
    try:
        yield
    except (CommandFailed, click.ClickException) as failure:
        if "--json" in arguments[: arguments.index("--") if "--" in arguments else None]:
            output: dict[str, object] = {"ok": False, "error": failure.message}
            if isinstance(failure, CommandFailed):
                output |= {"problems": failure.problems} if failure.problems else {}
                output |= failure.facts
            else:
                output["error"] = failure.format_message()
            click.echo(json.dumps(output))
        raise


def fail_invalid_config(problems: Iterable[object]) -> NoReturn:
    """Exit with status 2 and every problem of the flags, the environment or the config file."""
    fail("invalid configuration:", problems, status=ExitCode.USAGE)


def print_error(message: str, problems: Iterable[object] = (), *, outcome: str = "") -> None:
    """Print an error in the form of `fail` without exiting."""
    lines = [f"  - {problem}" for problem in problems]
    if outcome and not lines:
        message = message.rstrip(".")
        message += f"{'' if message.endswith('?') else '.'} {outcome}"
    click.echo(f"clawgate: {message}", err=True)
    for line in [*lines, outcome] if lines and outcome else lines:
        click.echo(line, err=True)
