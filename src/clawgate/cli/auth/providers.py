"""``clawgate providers``: adds a server of any name with the wizard, lists the providers, removes one.

The same as `clawgate models auth`, for whom thinks of servers and not of credentials.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from clawgate.cli.auth.commands import list_credentials, questions_of_provider, sign_in_flags
from clawgate.cli.auth.wizard.flags import ProviderCommand
from clawgate.cli.completers import complete_provider
from clawgate.cli.groups import DefaultVerbGroup
from clawgate.cli.paths import path_options
from clawgate.plugins.api.questions import Question

_WITHOUT_VALUE = ("--yes", "--stdin-secret", "--set-default", "--private-network")
"""Nor has one whose name begins with "no-"."""


def _questions_for(arguments: Sequence[str]) -> list[Question]:
    return questions_of_provider(_first_word(arguments), arguments, adding=True)


def _first_word(arguments: Sequence[str]) -> str | None:
    """Return the first argument that is neither a flag nor the value of one."""
    words = iter(arguments)
    for word in words:
        if not word.startswith("-"):
            return word
        is_short = not word.startswith("--") or "=" in word
        if not (is_short or word[2:5] == "no-" or word in _WITHOUT_VALUE):
            next(words, None)
    return None


class _AddCommand(ProviderCommand):
    questions = staticmethod(_questions_for)


@click.group(cls=DefaultVerbGroup, default="list")
def providers() -> None:
    """Providers: add a server of your own, list, remove."""


@providers.command(cls=_AddCommand, short_help="Add a server of your own.")
@click.argument("provider", metavar="ID")
@sign_in_flags
def add(provider: str, config: str | None, **flags: Any) -> None:
    """Add the provider ID: a server with the API of OpenAI or Anthropic. A request names its models as ID/model.

    The questions are those of clawgate models auth login; with --help each has a flag.
    """
    from clawgate.cli.auth.sign_in import run_sign_in  # slow to import

    run_sign_in(provider, config, flags, adding=True)


providers.add_command(list_credentials, "list")


@providers.command(short_help="Remove a provider: secret, settings, aliases.")
@click.argument("provider", metavar="ID", shell_complete=complete_provider)
@click.option("--yes", "-y", is_flag=True, help="Do not ask for confirmation.")
@path_options
def remove(provider: str, yes: bool, config: str | None) -> None:
    """Remove the provider ID: its secret, its settings, and defaults, fallbacks and aliases that name its models."""
    from clawgate.cli.auth.sign_in import run_sign_out

    run_sign_out(provider, config, yes=yes)
