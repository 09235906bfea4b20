"""``clawgate models auth``: sets providers up by prompts or flags, lists their credentials, removes them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Sequence
from typing import IO, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from clawgate.cli.auth.wizard.flags import ProviderCommand
from clawgate.cli.completers import complete_provider
from clawgate.cli.context import load_config
from clawgate.cli.errors import UNCHANGED, print_error
from clawgate.cli.paths import find_paths, json_option, path_options, read_config_at, set_state_folder
from clawgate.plugins.api.questions import Question

_F = TypeVar("_F", bound=Callable[..., Any])


@click.group()
def auth() -> None:
    """Providers and their credentials: login, edit, list, logout."""


class _NoQuestions(click.ClickException):
    def show(self, file: IO[Any] | None = None) -> None:
        print_error(self.message, outcome=UNCHANGED)


def _questions_for(arguments: Sequence[str]) -> list[Question]:
    """Return the questions of the provider that the unparsed arguments name. Raises `_NoQuestions`."""
    return questions_of_provider(_value_of(arguments, "--provider"), arguments, adding=False)


def questions_of_provider(provider: str | None, arguments: Sequence[str], *, adding: bool) -> list[Question]:
    """Return the questions of ``provider``, none if it is not named. Raises `click.ClickException`."""
    from clawgate.cli.auth.wizard.flow import SignInFailed, questions_of
    from clawgate.cli.auth.wizard.setup_context import Setup
    from clawgate.cli.auth.wizard.targets import ProviderTargets, UnknownTarget

    config, state = (_value_of(arguments, flag) for flag in ("--config", "--state-dir"))
    if provider is None:
        return []
    if state:
        set_state_folder(state)
    loaded = load_config(config)
    file = loaded.file
    try:
        targets = ProviderTargets(file.config, file.raw, loaded.paths.state, file.environment)
        target = targets.add(provider) if adding else targets.find(provider, new=True)
        return questions_of(target, Setup(file.environment, file.raw))[1]
    except (UnknownTarget, SignInFailed) as error:
        raise _NoQuestions(str(error)) from error


def _value_of(arguments: Sequence[str], flag: str) -> str | None:
    """Return the value of the last ``flag value`` or ``flag=value``."""
    value = None
    for index, argument in enumerate(arguments):
        if argument.startswith(f"{flag}="):
            value = argument.partition("=")[2]
        elif argument == flag and index + 1 < len(arguments):
            value = arguments[index + 1]
    return value


class _SignInCommand(ProviderCommand):
    questions = staticmethod(_questions_for)


def _complete_target(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete all providers that can be set up. Must not print, even for an unusable config."""
    with contextlib.suppress(click.UsageError, OSError):
        paths = find_paths(ctx.params.get("config"))
        file, _ = read_config_at(paths)
        if file is not None:
            from clawgate.cli.auth.wizard.targets import ProviderTargets

            candidates = ProviderTargets(file.config, file.raw, paths.state).candidates()
            return [
                CompletionItem(one.id, help=one.label) for one in candidates if one.id.startswith(incomplete)
            ]
    return []


def _sign_in_options(command: _F) -> _F:
    provider = click.option(
        "--provider", metavar="ID", shell_complete=_complete_target, help="Provider to set up."
    )
    return provider(sign_in_flags(command))


def sign_in_flags(command: _F) -> _F:
    """Add the options of every command that sets a provider up, but for the one that names it."""
    options = (
        click.option(
            "--set",
            "pairs",
            multiple=True,
            metavar="NAME=VALUE",
            help="Answer a question by its name; most have a flag of their own.",
        ),
        click.option(
            "--stdin-secret",
            is_flag=True,
            help="With --yes: read the secret from standard input, one per line.",
        ),
        click.option(
            "--yes", "-y", is_flag=True, help="No prompts: use flags, environment and config, and write."
        ),
        click.option("--no-check", is_flag=True, help="Write without testing the connection."),
        click.option(
            "--set-default", is_flag=True, help="Make the provider's first model the default model."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return path_options(command)


@auth.command(cls=_SignInCommand, short_help="Set up a provider: address, credential, models.")
@click.option(
    "--host-prompts",
    is_flag=True,
    help="Prompt in JSON lines, and print the change instead of writing it: for plugins of OpenClaw.",
)
@_sign_in_options
def login(provider: str | None, config: str | None, **flags: Any) -> None:
    """Set up a provider: its address, its credential, its models.

    Without --provider you choose from a list. With --provider ID --help lists a flag for each question of that
    provider. Nothing is written before the connection was tested and you have confirmed the change.
    """
    from clawgate.cli.auth.sign_in import run_sign_in  # slow to import

    run_sign_in(provider, config, flags, editing=False)


@auth.command(cls=_SignInCommand, short_help="Change a provider that is set up.")
@_sign_in_options
def edit(provider: str | None, config: str | None, **flags: Any) -> None:
    """Change a provider that is set up: the same questions as login, with the configured values as defaults."""
    from clawgate.cli.auth.sign_in import run_sign_in

    run_sign_in(provider, config, flags, editing=True)


@auth.command("list", short_help="List the providers and their credentials, masked.")
@json_option
@path_options
def list_credentials(config: str | None, as_json: bool) -> None:
    """List each provider with its kind of credential, masked, and where the credential is from."""
    from clawgate.cli.auth.listing import auth_rows, print_rows

    loaded = load_config(config)
    rows = auth_rows(loaded.file, loaded.catalog)
    if as_json:
        output = {"configPath": str(loaded.path), "providers": [row.to_json() for row in rows]}
        click.echo(json.dumps(output, indent=2))
    else:
        print_rows(rows)


@auth.command(short_help="Remove a provider: secret, settings, aliases.")
@click.option(
    "--provider", metavar="ID", required=True, shell_complete=complete_provider, help="Provider to remove."
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask for confirmation.")
@path_options
def logout(provider: str, yes: bool, config: str | None) -> None:
    """Remove a provider: its secret, its settings, and defaults, fallbacks and aliases that name its models."""
    from clawgate.cli.auth.sign_in import run_sign_out

    run_sign_out(provider, config, yes=yes)
