"""What do the commands of ``clawgate models auth`` say at the end: what was done, what is missing, what comes next?"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.paths import places

if TYPE_CHECKING:
    from clawgate.cli.auth.wizard.answers import MissingAnswer
    from clawgate.cli.auth.wizard.flow import SignInResult
    from clawgate.cli.context import LoadedConfig
    from clawgate.processes.instance.instance_lock import RunningInstance
    from clawgate.settings.openclaw.update import WriteResult

_INTERRUPTED = 130  # 128 + SIGINT, as shells have it


def tell_missing(error: MissingAnswer, *, yes: bool) -> NoReturn:
    click.echo("clawgate: nobody can be asked here, and these answers are missing:", err=True)
    for question in error.questions:
        flag = (
            f"{question.flag_name}/--no-{question.flag_name[2:]}"
            if question.kind == "confirm"
            else (f"{question.flag_name} ...")
        )
        ways = [flag]
        if question.kind == "secret":
            ways.append("--stdin-secret")
        ways += [f"the variable {name}" for name in question.variables]
        click.echo(f"  {question.text}: {', or '.join(ways)}", err=True)
    if not yes:
        click.echo("  and --yes, to write without being asked", err=True)
    click.echo("Config was not changed.", err=True)
    sys.exit(ExitCode.FAILED)


def abandoned(*, declined: bool = False) -> NoReturn:
    """``declined``: by an answer, and not by Ctrl-C."""
    click.echo("Nothing was changed.", err=True)
    sys.exit(ExitCode.FAILED if declined else _INTERRUPTED)


def who_runs(config: str | None) -> RunningInstance | None:
    from clawgate.processes.instance.instance_lock import find_instance

    try:
        return find_instance(places(config).folder)
    except OSError:
        return None


def show_diff(line: str) -> None:
    plain = "NO_COLOR" in os.environ or os.environ.get("TERM", "dumb") == "dumb"
    colour = None if plain or line.startswith(("---", "+++")) else {"+": "green", "-": "red"}.get(line[:1])
    if colour is None:
        click.echo(line)
    else:
        click.secho(line, fg=colour)


def tell_written(known: LoadedConfig, written: WriteResult) -> None:
    click.echo(f"Updated config: {known.path}")
    if written.backup is not None:
        click.echo(f"  Backup: {written.backup}")
    for problem in written.remaining:
        click.echo(f"Warning: still wrong with the file: {problem}", err=True)


def tell_done(known: LoadedConfig, config: str | None, done: SignInResult) -> None:
    if done.written is None:
        click.echo("No change: the config says all of this already.")
        return
    tell_written(known, done.written)
    click.echo(f"Provider: {done.provider}")
    if done.default:
        click.echo(f"Default model set to {done.change.default_model}")
    elif done.change.default_model and str(known.catalog.primary) != done.change.default_model:
        model, is_one = done.change.default_model, known.catalog.primary is not None
        now = "current default unchanged" if is_one else "there is no default yet"
        click.echo(f"Default model available: {model} ({now}; run clawgate models set {model} to apply)")
    for note in done.change.notes:
        click.echo(f"Note: {note}")
    running = who_runs(config)
    for name in done.references:
        where = "the gateway that runs" if running else "the gateway"
        click.echo(
            f"Note: the file refers to {name}; {where} has to find that variable, too "
            f"(in its environment, or in {places(config).state / '.env'})"
        )
    if running is None:
        click.echo("Next: clawgate gateway run, or clawgate models status --probe")
    elif running.config is None or Path(running.config) == known.path.absolute():
        click.echo(f"The gateway that runs (pid {running.pid}) takes this over by itself.")
    else:
        click.echo(f"Note: the gateway that runs (pid {running.pid}) reads another config: {running.config}")


def tell_after_logout(known: LoadedConfig, provider: str) -> None:
    from clawgate.providers.catalog import BUILT_IN

    own = BUILT_IN.get(provider)
    if own is not None and known.file.environment.get(own.variable):
        click.echo(f"Note: {own.variable} is still set, and {provider} can be asked with it.")
    primary = known.catalog.primary
    if primary is not None and primary.provider == provider:
        click.echo("Note: there is no default model now. Next: clawgate models set <provider/model>")
