"""Prints what a command did to the gateway: lines for people, or with ``--json`` one object, also for a failure.

The object begins as that of OpenClaw's own ``gateway start --json``: ``ok``, ``action``, ``result`` or ``error``.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import click

from clawgate.cli.errors import CommandFailed


@dataclass(slots=True)
class ActionOutput:
    """The output of one command. ``action`` is its name, as start."""

    action: str
    as_json: bool
    warnings: list[str] = field(default_factory=list)

    def line(self, text: str) -> None:
        if not self.as_json:
            click.echo(text)

    def warn(self, text: str) -> None:
        """Print a line on standard error, and keep it for the object."""
        self.warnings.append(text)
        click.echo(text, err=True)

    def finish(self, result: str, **facts: object) -> None:
        """Print the object: ``result`` is one word, as started."""
        if self.as_json:
            output = {"ok": True, "action": self.action, "result": result, **facts, **self.noted()}
            click.echo(json.dumps(output, indent=2))

    def noted(self) -> dict[str, object]:
        return {"warnings": self.warnings} if self.warnings else {}


@contextlib.contextmanager
def action_output(action: str, *, as_json: bool) -> Iterator[ActionOutput]:
    """Yield the output of a command; the object of a failure within has its action and its warnings."""
    output = ActionOutput(action, as_json)
    try:
        yield output
    except CommandFailed as failure:
        failure.facts = {"action": action, **output.noted()}
        raise
