"""A group without a verb does what is most probably wanted; its verbs, its help and completion stay as they are."""

from __future__ import annotations

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from clawgate.cli.groups import DefaultVerbGroup, fail_unknown_command
from clawgate.cli.main import clawgate


@click.group(cls=DefaultVerbGroup, default="show", context_settings={"help_option_names": ["-h", "--help"]})
def group() -> None:
    """A group."""


@group.command()
@click.option("--json", "as_json", is_flag=True)
def show(as_json: bool) -> None:
    click.echo(f"shown {as_json}")


@group.command()
def change() -> None:
    click.echo("changed")


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        ([], "shown False\n"),
        (["--json"], "shown True\n"),
        (["show"], "shown False\n"),
        (["change"], "changed\n"),
    ],
)
def test_the_default_verb_runs_where_none_is_given(arguments: list[str], output: str) -> None:
    found = CliRunner().invoke(group, arguments)
    assert (found.exit_code, found.output) == (0, output)


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_is_that_of_the_group(flag: str) -> None:
    found = CliRunner().invoke(group, [flag])
    assert found.exit_code == 0 and "change" in found.output and "shown" not in found.output


@pytest.mark.parametrize("arguments", [["nonsense"], ["--nonsense"], ["--json", "change"]])
def test_what_is_neither_verb_nor_option_is_a_usage_error(arguments: list[str]) -> None:
    found = CliRunner().invoke(group, arguments)
    assert found.exit_code == 2 and "Usage: " in found.stderr and "changed" not in found.stdout


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("login", "'mcp login' or 'models auth login'"),
        ("models login", "'models auth login'"),
        ("models add", "'models aliases add' or 'models fallbacks add'"),
        ("models lst", "'list'"),
        ("start", "'gateway start'"),
        ("run", "'bridge run' or 'gateway run' or 'server run'"),
    ],
)
def test_a_command_without_its_group_is_completed(words: str, meant: str) -> None:
    found = CliRunner().invoke(clawgate, words.split())
    assert found.exit_code == 2 and found.stderr.rstrip().endswith(f"Did you mean {meant}?")


def test_completion_offers_the_verbs() -> None:
    complete = ShellComplete(group, {}, "group", "_GROUP_COMPLETE")
    assert [one.value for one in complete.get_completions([], "")] == ["change", "show"]
    assert [one.value for one in complete.get_completions(["show"], "--j")] == ["--json"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("shw", "No such command 'shw'. Did you mean 'show'?"),
        ("nonsense", "No such command 'nonsense'."),
        ("sh\x1bw", "No such command 'sh\\x1bw'. Did you mean 'show'?"),
    ],
)
def test_an_unknown_command_is_a_usage_error_with_the_one_that_was_meant(name: str, message: str) -> None:
    with pytest.raises(click.UsageError) as caught:
        fail_unknown_command(name, ["show", "change"], click.Context(group))
    assert caught.value.message == message
