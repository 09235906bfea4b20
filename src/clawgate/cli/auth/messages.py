"""What the commands of ``clawgate models auth`` print at their end: the result, what is missing, the next step."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import click

from clawgate.cli.auth.wizard.answers import MissingAnswer
from clawgate.cli.auth.wizard.flow import SignInResult
from clawgate.cli.context import LoadedConfig, print_remaining, print_written
from clawgate.cli.effect import effect_of, print_effect
from clawgate.cli.errors import UNCHANGED, fail
from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.first_request import next_command, print_request_to
from clawgate.cli.paths import find_paths
from clawgate.plugins.api.questions import Question
from clawgate.processes.instance.instance_lock import RunningInstance, find_instance
from clawgate.providers.built_in import BUILT_IN


def fail_missing(error: MissingAnswer, *, yes: bool) -> NoReturn:
    """Exit with the flags that answer the missing questions; ``yes``: --yes was given."""
    lines = [
        f"{question.text}: {', or '.join(_sources(question))}{_without(question)}"
        for question in error.questions
    ]
    if not yes:
        lines.append("--yes, to write without a prompt")
    fail("not a terminal: missing options:", lines, outcome=UNCHANGED)


def _without(question: Question) -> str:
    """What to do where there is no answer, if the question knows it."""
    _, mark, fix = (question.problem("") or "").partition("; ")
    return mark + fix


def _sources(question: Question) -> list[str]:
    flag = question.flag_name
    sources = [f"{flag}/--no-{flag[2:]}" if question.kind == "confirm" else f"{flag} ..."]
    if question.kind == "secret":
        sources.append("--stdin-secret")
    return sources + [f"the variable {name}" for name in question.variables]


def exit_aborted(*, declined: bool = False) -> NoReturn:
    click.echo(UNCHANGED, err=True)
    sys.exit(ExitCode.FAILED if declined else ExitCode.INTERRUPTED)


def running_gateway(config: str | None) -> RunningInstance | None:
    """Return the gateway that uses this user's state folder, None if there is none."""
    try:
        return find_instance(find_paths(config).folder)
    except OSError:
        return None


def print_diff_line(line: str) -> None:
    """Print a line of a diff, colored if the terminal supports it and NO_COLOR is not set."""
    plain = "NO_COLOR" in os.environ or os.environ.get("TERM", "dumb") == "dumb"
    color = None if plain or line.startswith(("---", "+++")) else {"+": "green", "-": "red"}.get(line[:1])
    if color is None:
        click.echo(line)
    else:
        click.secho(line, fg=color)


def print_result(loaded: LoadedConfig, config: str | None, result: SignInResult) -> None:
    if result.written is None:
        click.echo("No change: the config has all of this already.")
        return
    print_written(loaded.path, result.written)
    print_remaining(result.written)
    click.echo(f"Provider: {result.provider}")
    _print_default(loaded, result)
    if result.makes_token:
        click.echo(f"Gateway token: made; to print it: {next_command('gateway token', loaded.paths)}")
    for note in result.change.notes:
        click.echo(f"Note: {note}")
    effect = effect_of(loaded.paths, result.written)
    for name in result.references:
        gateway = "the running gateway" if effect.pid else "the gateway"
        click.echo(
            f"Note: the config refers to the variable {name}; {gateway} needs it too, in its environment "
            f"or in {find_paths(config).state / '.env'} (mode 0600)"
        )
    if effect.pid is None:
        click.echo(f"Next: {next_command('gateway start', loaded.paths)}")
        return
    print_effect(effect)
    running = running_gateway(config)
    if effect.is_used and running is not None:
        print_request_to(loaded.paths, {}, running, click.echo)


def _print_default(loaded: LoadedConfig, result: SignInResult) -> None:
    model, current = result.change.default_model, loaded.catalog.primary
    if result.is_default:
        click.echo(f"Default model set to {model}")
    elif model and str(current) != model:
        state = "current default unchanged" if current is not None else "there is no default yet"
        click.echo(f"Default model available: {model} ({state}; run clawgate models set {model} to apply)")


def print_after_logout(loaded: LoadedConfig, provider: str) -> None:
    """Print what may surprise after a logout: a variable that still works, a missing default."""
    built_in = BUILT_IN.get(provider)
    if built_in is not None and loaded.file.environment.get(built_in.variable):
        click.echo(f"Note: {built_in.variable} is still set, so requests to {provider} still work.")
    primary = loaded.catalog.primary
    if primary is not None and primary.provider == provider:
        click.echo("Note: there is no default model now. Next: clawgate models set <provider/model>")
