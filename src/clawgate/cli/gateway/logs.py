"""``clawgate logs``: prints the log of the gateway, for people or for programs."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import click

from clawgate.cli.errors import fail
from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.gateway.options import timeout_option
from clawgate.cli.paths import Paths, find_paths, path_options
from clawgate.cli.remote import Remote, remote_options
from clawgate.policy.printable import escape_controls
from clawgate.processes.instance.instance_lock import find_instance
from clawgate.processes.instance.log_tail import Entry, Follower, last_entries, parse_line

_POLL_SECONDS = 0.25
_REMOTE_POLL_SECONDS = 1.0
_MOST_LINES = 5000
_MOST_BYTES = 1_000_000
"""Of one response: as much as the protocol allows."""
_LEVELS = ("debug", "info", "warning", "error")


@click.command()
@path_options
@click.option("--follow", "-f", is_flag=True, help="Print new lines as they come, until Ctrl-C.")
@click.option(
    "--limit",
    "-n",
    type=click.IntRange(0),
    default=200,
    show_default=True,
    metavar="NUMBER",
    help="Number of past lines to show.",
)
@click.option(
    "--level",
    type=click.Choice(_LEVELS),
    default="debug",
    show_default=True,
    help="Minimum level of the lines to show.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object per line, for programs.")
@timeout_option(10.0, "Time limit for a response, with --url.")
@remote_options
def logs(
    config: str | None,
    follow: bool,
    limit: int,
    level: str,
    as_json: bool,
    timeout: float,
    remote: Remote | None,
) -> None:
    """Print the log of the gateway: of this machine's its file, of one at --url what it sends of it."""
    if remote is not None:
        try:
            _print_remote(remote, follow, limit, level, as_json)
        except KeyboardInterrupt:
            sys.exit(ExitCode.INTERRUPTED)
        return
    path = _find_log(find_paths(config), follow)
    _print_note("meta", f"Log file: {path}", as_json, file=str(path))
    try:
        _print_log(path, follow, limit, level, as_json)
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        raise
    except OSError as error:
        fail(f"{path} cannot be read: {error.strerror}")


def _print_log(path: Path, follow: bool, limit: int, level: str, as_json: bool) -> None:
    # The follower starts before the past is read, so that no line between the two is lost.
    follower = Follower(path) if follow else None
    past = last_entries(path, limit, level)
    if not past and not follow:
        _print_note("notice", "-- no lines", as_json, message="no lines")
    _print_entries(past, level, as_json)
    while follower is not None:
        entries = follower.read()
        for text in follower.notices:
            _print_note("notice", f"-- {text}", as_json, message=text)
        follower.notices.clear()
        _print_entries(entries, level, as_json)
        time.sleep(_POLL_SECONDS)


def _print_remote(remote: Remote, follow: bool, limit: int, level: str, as_json: bool) -> None:
    cursor: int | None = None
    with remote.connected() as gateway:
        while True:
            params = {"limit": _MOST_LINES, "maxBytes": _MOST_BYTES} | ({"cursor": cursor} if cursor else {})
            found = gateway.request("logs.tail", params, seconds=remote.seconds)
            entries = [parse_line(str(line).encode()) for line in found.get("lines") or ()]
            if cursor is None:
                file = escape_controls(str(found.get("file")))
                _print_note("meta", f"Log file: {file} of {remote.url}", as_json, file=file, url=remote.url)
                past = [entry for entry in entries if entry.is_at_least(level)]
                entries = past[-limit:] if limit else []
                if not entries and not follow:
                    _print_note("notice", "-- no lines", as_json, message="no lines")
            elif found.get("reset") or found.get("truncated"):
                text = "the log file was rotated" if found.get("reset") else "lines are missing here"
                _print_note("notice", f"-- {text}", as_json, message=text)
            _print_entries(entries, level, as_json)
            if not follow:
                return
            cursor = int(found.get("cursor") or 0)
            time.sleep(_REMOTE_POLL_SECONDS)


def _print_entries(entries: Iterable[Entry], level: str, as_json: bool) -> None:
    for entry in entries:
        if entry.is_at_least(level):
            click.echo(entry.as_json() if as_json else entry.as_text())


def _find_log(paths: Paths, follow: bool) -> Path:
    """Return the log of the running gateway, or of the last background one; without either the command ends."""
    try:
        running = find_instance(paths.folder)
    except OSError:
        running = None
    if running is not None and running.url and running.log is None:
        fail(
            f"the gateway runs in the foreground ({running}) and writes no log file; see the terminal that it "
            "was started in, or run it in the background with: clawgate gateway start"
        )
    path = Path(running.log) if running is not None and running.log else paths.log
    if not path.exists() and not follow:
        fail(f"there is no log file {path} yet; start the gateway with: clawgate gateway start")
    return path


def _print_note(kind: str, text: str, as_json: bool, **fields: str) -> None:
    click.echo(json.dumps({"type": kind, **fields}) if as_json else text)
