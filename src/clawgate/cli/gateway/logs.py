"""``clawgate logs``: what the gateway wrote, for people or for programs."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import click

from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.paths import Paths, place_options, places

_LOOK_EVERY_SECONDS = 0.25
_INTERRUPTED = 130
_LEVELS = ("debug", "info", "warning", "error")


@click.command()
@place_options
@click.option("--follow", "-f", is_flag=True, help="Go on with what is written from now on, until Ctrl-C")
@click.option(
    "--limit",
    "-n",
    type=click.IntRange(0),
    default=200,
    show_default=True,
    metavar="NUMBER",
    help="How many lines of the past",
)
@click.option(
    "--level",
    type=click.Choice(_LEVELS),
    default="debug",
    show_default=True,
    help="Leave out what is less serious",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line")
def logs(config: str | None, follow: bool, limit: int, level: str, as_json: bool) -> None:
    """Show the gateway's log."""
    path = _log_of(places(config), follow)
    _say("meta", f"Log file: {path}", as_json, file=str(path))
    try:
        _show(path, follow, limit, level, as_json)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        click.echo(f"clawgate: {path} cannot be read: {error.strerror}", err=True)
        sys.exit(ExitCode.FAILED)


def _show(path: Path, follow: bool, limit: int, level: str, as_json: bool) -> None:
    from clawgate.processes.instance.log_tail import Follower, last_entries

    follower = (
        Follower(path) if follow else None
    )  # from before the past is read: nothing falls between the two
    for entry in last_entries(path, limit, level):
        click.echo(entry.as_json() if as_json else entry.as_text())
    while follower is not None:
        entries = follower.read()
        for text in follower.notices:
            _say("notice", f"-- {text}", as_json, message=text)
        follower.notices.clear()
        for entry in entries:
            if entry.is_at_least(level):
                click.echo(entry.as_json() if as_json else entry.as_text())
        time.sleep(_LOOK_EVERY_SECONDS)


def _log_of(where: Paths, follow: bool) -> Path:
    """The log of the gateway that runs, or that of the last one that was started; the end if there is none."""
    from clawgate.processes.instance.instance_lock import find_instance

    try:
        running = find_instance(where.folder)
    except OSError:
        running = None
    if running is not None and running.url and running.log is None:
        click.echo(
            f"clawgate: the gateway runs in the foreground ({running}) and writes no log file:", err=True
        )
        click.echo("  its lines are where it was started; for a file: clawgate gateway start", err=True)
        sys.exit(ExitCode.FAILED)
    path = Path(running.log) if running is not None and running.log else where.log
    if not path.exists() and not follow:
        click.echo(
            f"clawgate: there is no log file {path} yet; it begins with: clawgate gateway start", err=True
        )
        sys.exit(ExitCode.FAILED)
    return path


def _say(kind: str, text: str, as_json: bool, **fields: str) -> None:
    click.echo(json.dumps({"type": kind, **fields}) if as_json else text)
