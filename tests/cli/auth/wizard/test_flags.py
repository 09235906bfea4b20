"""Each question is a flag, with its own help; what cannot be one can still be set by name."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from clawgate.cli.auth.wizard.flags import ProviderCommand, answers_of, options_of, secret_warning
from clawgate.plugins.api.questions import Question
from tests.cli.auth.wizard.scripted import EVERY_KIND


class _Kit(ProviderCommand):
    questions = staticmethod(lambda arguments: EVERY_KIND if "kit" in arguments else ())


@click.command(cls=_Kit)
@click.option("--provider")
@click.option("--set", "pairs", multiple=True)
def command(provider: str | None, pairs: tuple[str, ...], **given: object) -> None:
    click.echo(answers_of(given, pairs, EVERY_KIND))


def run(*arguments: str) -> str:
    return CliRunner().invoke(command, arguments).output


def test_every_question_is_a_flag() -> None:
    shown = run("--provider", "kit", "--help")
    assert all(question.flag_name in shown for question in EVERY_KIND)
    assert (
        "--private / --no-private" in shown
        and "[env var: KIT_TOKEN]" in shown
        and "Mode: fast, slow" in shown
    )


def test_flags_answer() -> None:
    assert run("--provider", "kit", "--team", "red", "--no-private", "--port", "x") == (
        "{'team': 'red', 'private': 'no', 'port': 'x'}\n"
    )
    assert run("--provider", "kit", "--private", "--set", "remote-url=https://x") == (
        "{'private': 'yes', 'remote_url': 'https://x'}\n"
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--team", "red"), "No such option"),
        (("--provider", "kit", "--taem", "red"), "--team"),
        (("--provider", "kit", "--set", "nope=1"), "no such question; there are: team, remote_url"),
        (("--provider", "kit", "--set", "team"), "--set needs name=value"),
    ],
)
def test_what_is_no_flag(arguments: tuple[str, ...], says: str) -> None:
    assert says in run(*arguments)


def test_a_flag_of_the_command_goes_first_and_a_name_is_one_flag() -> None:
    questions = [
        Question(name="set", text="Set"),
        Question(name="odd", text="Odd", flag="odd"),
        Question(name="key", text="Key"),
        Question(name="key", text="Key again"),
        Question(name="help", text="Help"),
    ]
    assert [option.opts for option in options_of(questions, {"--set"})] == [["--key"]]


@pytest.mark.parametrize(("text", "warned"), [("canary-secret", True), ("${KEY}", False), ("", False)])
def test_a_secret_among_the_arguments_is_warned_of(text: str, warned: bool) -> None:
    warning = secret_warning({"token": text}, EVERY_KIND)
    assert (warning is not None) == warned and "canary" not in str(warning)
