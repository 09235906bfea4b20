"""``clawgate models auth``: set providers up by questions or flags, look at their credentials, take them away."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn, TypeVar

import click
from click.shell_completion import CompletionItem

from clawgate.cli.auth.messages import (
    abandoned,
    show_diff,
    tell_after_logout,
    tell_done,
    tell_missing,
    tell_written,
    who_runs,
)
from clawgate.cli.auth.wizard.flags import ProviderCommand, answers_of, warn_of_secrets
from clawgate.cli.context import LoadedConfig, complete_provider, configured, refused
from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.model_changes import model_options
from clawgate.cli.paths import place_options, places, read

if TYPE_CHECKING:
    from clawgate.cli.auth.wizard.flow import SignInContext, SignInOptions
    from clawgate.cli.auth.wizard.targets import ProviderTarget, ProviderTargets
    from clawgate.plugins.api.questions import Question

_F = TypeVar("_F", bound=Callable[..., Any])


@click.group()
def auth() -> None:
    """Providers and their credentials: sign in, change, list, sign out."""


class _NoQuestions(click.ClickException):
    """The provider cannot be set up."""

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"clawgate: {self.message.rstrip('.')}. Config was not changed.", err=True)


def _questions_for(arguments: Sequence[str]) -> list[Question]:
    """Of the provider that the arguments name, whatever else they say. Raises `_NoQuestions`."""
    from clawgate.cli.auth.wizard.flow import SignInFailed, questions_of
    from clawgate.cli.auth.wizard.setup_context import Setup
    from clawgate.cli.auth.wizard.targets import UnknownTarget

    config, state, provider = (
        _value_of(arguments, flag) for flag in ("--config", "--state-dir", "--provider")
    )
    if provider is None:
        return []
    if state:
        os.environ["OPENCLAW_STATE_DIR"] = str(Path(state).expanduser().absolute())
    known = configured(config)
    try:
        subject = _subjects(known, config).find(provider, new=True)
        return questions_of(subject, Setup(known.file.environment, known.file.raw))[1]
    except (UnknownTarget, SignInFailed) as error:
        raise _NoQuestions(str(error)) from error


def _value_of(arguments: Sequence[str], flag: str) -> str | None:
    """Of ``flag value`` or ``flag=value``, the last one."""
    found = None
    for at, argument in enumerate(arguments):
        if argument.startswith(f"{flag}="):
            found = argument.partition("=")[2]
        elif argument == flag and at + 1 < len(arguments):
            found = arguments[at + 1]
    return found


class _Asking(ProviderCommand):
    questions = staticmethod(_questions_for)


def _complete_offer(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """All that can be set up, by manifests; none for a file that cannot be read."""
    with contextlib.suppress(click.UsageError, OSError):
        where = places(ctx.params.get("config"))
        file, _ = read(where)
        if file is not None:
            from clawgate.cli.auth.wizard.targets import ProviderTargets

            offers = ProviderTargets(file.config, file.raw, where.state).offers()
            return [CompletionItem(one.id, help=one.label) for one in offers if one.id.startswith(incomplete)]
    return []


def _asking_options(command: _F) -> _F:
    options = (
        click.option("--provider", metavar="ID", shell_complete=_complete_offer, help="Which provider."),
        click.option(
            "--set",
            "pairs",
            multiple=True,
            metavar="NAME=VALUE",
            help="Answer a question; each has a flag, too.",
        ),
        click.option(
            "--stdin-secret",
            is_flag=True,
            help="Read the secret from standard input; one a line. With --yes.",
        ),
        click.option("--yes", "-y", is_flag=True, help="Ask nothing: flags, environment and config answer."),
        click.option("--no-check", is_flag=True, help="Write without trying the connection."),
        click.option(
            "--set-default", is_flag=True, help="Its first model answers when a request names none."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return place_options(command)


@auth.command(cls=_Asking)
@_asking_options
def login(provider: str | None, config: str | None, **given: Any) -> None:
    """Set a provider up: its address, its credential, its models.

    Without --provider you choose from a list. With --provider X --help all questions of X are shown as flags.
    Nothing is written before the connection was tried and you have seen the change.
    """
    _sign_in(provider, config, given, editing=False)


@auth.command(cls=_Asking)
@_asking_options
def edit(provider: str | None, config: str | None, **given: Any) -> None:
    """Change a provider that is set up: the same questions, answered with what is configured."""
    _sign_in(provider, config, given, editing=True)


@auth.command("list")
@model_options
def list_credentials(config: str | None, as_json: bool) -> None:
    """Each provider with its kind of credential, masked, and where that comes from."""
    from clawgate.cli.auth.listing import auth_rows, show_rows

    known = configured(config)
    rows = auth_rows(known.file, known.catalog)
    if as_json:
        shown = {"configPath": str(known.path), "providers": [row.shown() for row in rows]}
        click.echo(json.dumps(shown, indent=2))
    else:
        show_rows(rows)


@auth.command()
@click.option("--provider", metavar="ID", required=True, shell_complete=complete_provider, help="Which one.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@place_options
def logout(provider: str, yes: bool, config: str | None) -> None:
    """Take a provider away: its secret, its settings, and the names that lead to its models."""
    from clawgate.cli.auth.wizard.flow import SignInFailed, sign_out
    from clawgate.cli.auth.wizard.prompter import Aborted, Declined
    from clawgate.cli.auth.wizard.targets import UnknownTarget

    known = configured(config)
    subjects = _subjects(known, config)
    if provider not in subjects.configured():
        refused(f'"{provider}" is not in the config; it has: {", ".join(subjects.configured()) or "none"}')
    subject: ProviderTarget | None = None
    try:
        subject = subjects.find(provider, new=False)
    except UnknownTarget as error:
        click.echo(f"Warning: {error}. Only what every provider has is taken away.", err=True)
    if not yes and not _on_a_terminal():
        refused("logout asks before it takes anything away, and this is no terminal: run it with --yes")
    try:
        written = sign_out(provider, subject, _desk(known, config, ask=not yes))
    except SignInFailed as error:
        refused(str(error))
    except (Aborted, KeyboardInterrupt) as error:
        abandoned(declined=isinstance(error, Declined))
    assert written is not None  # the provider was there
    tell_written(known, written)
    click.echo(f"Signed out: {provider}")
    tell_after_logout(known, provider)


def _sign_in(provider: str | None, config: str | None, given: dict[str, Any], *, editing: bool) -> None:
    from clawgate.cli.auth.wizard.answers import InvalidAnswer, MissingAnswer
    from clawgate.cli.auth.wizard.flow import SignInFailed, sign_in
    from clawgate.cli.auth.wizard.prompter import Aborted, Declined
    from clawgate.cli.auth.wizard.targets import UnknownTarget

    known = configured(config)
    ask = not given["yes"] and _on_a_terminal()
    try:
        desk = _desk(known, config, ask=ask)
        subjects = _subjects(known, config)
        if provider is None:
            provider = _choose(subjects, desk, editing=editing)
        subject = subjects.find(provider, new=not editing)
        wishes = _wishes(subject, known, given, editing=editing)
        if not ask and not given["yes"]:
            _ask_for_flags(subject, wishes, desk)
        done = sign_in(subject, wishes, desk)
    except (UnknownTarget, SignInFailed) as error:
        refused(str(error))
    except InvalidAnswer as error:
        for problem in error.problems:
            click.echo(f"clawgate: {problem}", err=True)
        click.echo("Config was not changed.", err=True)
        sys.exit(ExitCode.USAGE)
    except MissingAnswer as error:
        tell_missing(error, yes=True)
    except (Aborted, KeyboardInterrupt) as error:
        abandoned(declined=isinstance(error, Declined))
    tell_done(known, config, done)


def _choose(subjects: ProviderTargets, desk: SignInContext, *, editing: bool) -> str:
    offers = [offer for offer in subjects.offers() if offer.configured or not editing]
    names = [offer.id for offer in offers]
    if desk.asker is None:
        refused(f"name the provider with --provider: {', '.join(names) or 'none is configured'}")
    if not names:
        refused("no provider is configured; to set one up: clawgate models auth login")
    labels = [
        f"{offer.label}{' (configured)' if offer.configured and not editing else ''}" for offer in offers
    ]
    desk.asker.say("Which provider?")
    return desk.asker.one_of(
        "Provider",
        list(zip(names, labels, strict=True)),
        names[0],
        lambda text: None if text in names else f"one of {', '.join(names)}",
    )


def _wishes(
    subject: ProviderTarget, known: LoadedConfig, given: dict[str, Any], *, editing: bool
) -> SignInOptions:
    from clawgate.cli.auth.wizard.flow import SignInOptions, questions_of
    from clawgate.cli.auth.wizard.setup_context import Setup

    questions = questions_of(subject, Setup(known.file.environment, known.file.raw))[1]
    flags = answers_of(given, given["pairs"], questions)
    if warning := warn_of_secrets(flags, questions):
        click.echo(warning, err=True)
    stdin: list[str] = []
    if given["stdin_secret"]:
        if sys.stdin.isatty():
            raise click.UsageError("--stdin-secret reads from a pipe; on a terminal the secret is asked for")
        stdin = [line for line in sys.stdin.read(65_536).splitlines() if line.strip()]
        if not stdin:
            refused("--stdin-secret: standard input is empty")
    return SignInOptions(
        flags=flags,
        stdin=stdin,
        try_first=not given["no_check"],
        default=given["set_default"],
        editing=editing,
    )


def _ask_for_flags(subject: ProviderTarget, wishes: SignInOptions, desk: SignInContext) -> NoReturn:
    """There is no terminal: end, with exactly what would have to be given."""
    from clawgate.cli.auth.wizard.answers import MissingAnswer
    from clawgate.cli.auth.wizard.flow import ask_for_answers

    try:
        ask_for_answers(subject, wishes, desk)
    except MissingAnswer as error:
        tell_missing(error, yes=False)
    refused("this is no terminal, so nothing can be asked; all answers are there: run it again with --yes")


def _on_a_terminal() -> bool:
    from clawgate.cli.auth.wizard.prompter import on_a_terminal

    return on_a_terminal()


def _subjects(known: LoadedConfig, config: str | None) -> ProviderTargets:
    from clawgate.cli.auth.wizard.targets import ProviderTargets

    return ProviderTargets(known.file.config, known.file.raw, places(config).state)


def _desk(known: LoadedConfig, config: str | None, *, ask: bool) -> SignInContext:
    from clawgate.cli.auth.wizard.flow import SignInContext
    from clawgate.cli.auth.wizard.prompter import TerminalPrompter
    from clawgate.cli.auth.wizard.setup_context import Ports

    running = who_runs(config)
    asker = TerminalPrompter() if ask else None
    return SignInContext(
        known=known,
        asker=asker,
        show=asker.say if asker is not None else click.echo,
        show_diff=show_diff,
        warn=lambda text: click.echo(text, err=True),
        ports=Ports(
            gateway_port=known.file.config.gateway.port,
            gateway_pid=running.pid if running else None,
        ),
    )
