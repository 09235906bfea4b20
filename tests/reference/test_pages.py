"""The pages of docs/reference are those that the commands and the settings give; nothing public is missing."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import click
import pytest

from reference.commands import command_page
from reference.markdown import code, prose
from reference.pages import pages
from tests.test_references import COMMANDS, MODULES

PAGES = pages()
TEXTS = {path.name: text for path, text in PAGES.items()}
INTERNAL = {
    "CLAWGATE_ARGUMENTS_FD",
    "CLAWGATE_CHILD",
    "CLAWGATE_LISTEN_FDS",
    "CLAWGATE_LISTEN_PID",
    "CLAWGATE_LOCK_FD",
}
"""From one process of clawgate to the next."""


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_is_as_the_code_gives_it(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == PAGES[path], "run scripts/reference"


@pytest.mark.parametrize("path", [one for one in COMMANDS if one], ids=" ".join)
def test_every_command_has_a_section_with_each_of_its_options(path: tuple[str, ...]) -> None:
    section = re.split(rf"^##+ clawgate {' '.join(path)}\n", TEXTS["cli.md"], flags=re.MULTILINE)[1]
    section = re.split(r"^##+ clawgate ", section, flags=re.MULTILINE)[0]
    options = [] if isinstance(COMMANDS[path], click.Group) else COMMANDS[path].params
    for option in options:
        if isinstance(option, click.Option) and not option.hidden:
            assert option.opts[0] in section


def test_a_hidden_command_and_a_hidden_option_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    option = click.Option(["--not-for-people"], hidden=True, help="Hidden.")
    group = click.Group(
        "clawgate", commands=[click.Command("old", hidden=True), click.Command("new", params=[option])]
    )
    monkeypatch.setattr("reference.commands.clawgate", group)
    monkeypatch.setattr("reference.commands.bundled_commands", dict)
    page = command_page("")
    assert "clawgate new" in page and "old" not in page and "not-for-people" not in page


def test_every_variable_that_the_code_reads_is_in_the_table() -> None:
    name = re.compile(r"(OPENCLAW|CLAWGATE|PROXY_BRIDGE|OPENAI|ANTHROPIC|OWL)_[A-Z_]*[A-Z]\Z")
    constants = (
        node.value
        for module in MODULES
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    used = {text for text in constants if name.match(text)}
    table = TEXTS["configuration.md"].partition("## Environment variables")[2]
    assert used - INTERNAL == set(re.findall(r"^\| `(\w+)` \|", table, flags=re.MULTILINE))


def test_no_setting_is_without_a_meaning() -> None:
    rows = re.findall(
        r"^\| (`[^|]*`) \| [^|]* \| [^|]* \| ([^|]*) \| (?:live|restart) \|$",
        TEXTS["configuration.md"],
        flags=re.MULTILINE,
    )
    assert len(rows) > 200
    assert [key for key, meaning in rows if not meaning.strip()] == []


def test_text_is_not_read_as_markup() -> None:
    assert prose("a|b *c* <id> [d] snake_case `x|y`") == r"a\|b \*c\* \<id\> \[d\] snake_case `x|y`"
    assert code("a|b") == r"`a\|b`"
