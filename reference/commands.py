"""Describes every command of ``clawgate``, those of the bundled plugins too, as its ``--help`` does.

Hidden commands and options are left out. Must not depend on the machine: an empty home folder, a fixed width.
"""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import click
from click.testing import CliRunner

from clawgate.cli.auth.wizard.targets import ProviderTargets
from clawgate.cli.main import clawgate
from clawgate.cli.paths import find_paths
from clawgate.cli.plugins.installed_commands import bundled_commands
from reference.markdown import GENERATED, code, prose, table

Path = tuple[str, ...]

_WIZARD: Path = ("models", "auth", "login")
"""The command that has more flags for each provider."""

_INTRODUCTION = """\
# Commands

Every command, flag and default, as `clawgate COMMAND --help` prints them. A flag wins over its environment
variable, that wins over the [config file](configuration.md). Commands of a plugin that you installed are
listed by `clawgate plugins list`.
"""


def command_page(statuses: str) -> str:
    """Return the page; ``statuses`` is what docs/errors.md says of exit statuses."""
    with _empty_home():
        sections = [_section(path, command) for path, command in _commands(clawgate) if path]
        plugins = [_plugin_section(name) for name in bundled_commands()]
    return "\n".join(
        [
            GENERATED,
            "",
            _INTRODUCTION,
            _options(clawgate, ()),
            *sections,
            "## Commands of the bundled plugins\n",
            *plugins,
            "## Exit statuses",
            statuses.rstrip(),
            "",
        ]
    )


def _commands(command: click.Command, path: Path = ()) -> Iterator[tuple[Path, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None and not found.hidden:
                yield from _commands(found, (*path, name))


def _section(path: Path, command: click.Command) -> str:
    """Return the section of one command; that of a group of commands names it and no more."""
    title = f"{'##' if len(path) == 1 else '###'} clawgate {' '.join(path)}\n"
    text = _paragraphs(command.help or command.short_help or "")
    if isinstance(command, click.Group):
        return f"{title}\n{text}\n"
    usage = command.collect_usage_pieces(_context(path, command))
    line = f"```text\nclawgate {' '.join([*path, *usage])}\n```\n"
    parts = [title, text, "", line, _options(command, path), _wizard() if path == _WIZARD else ""]
    return "\n".join(part for part in parts if part or part is parts[2])


def _options(command: click.Command, path: Path) -> str:
    return _table(command.get_params(_context(path, command)), _context(path, command))


def _table(options: list[click.Parameter], context: click.Context) -> str:
    """Return the rows of the options that are not hidden; an argument without help is in the line of usage alone."""
    records = [one.get_help_record(context) for one in options if "--help" not in one.opts]
    rows = [[code(one[0]), prose(" ".join(one[1].split()))] for one in records if one and one[1]]
    return table(["option", ""], rows) if rows else ""


def _context(path: Path, command: click.Command) -> click.Context:
    return click.Context(command, info_name=" ".join(["clawgate", *path]))


def _wizard() -> str:
    """Return the flags of the questions, by provider."""
    command = dict(_commands(clawgate))[_WIZARD]
    own = {id(one) for one in command.params}
    parts = ["A provider adds a flag for each of its questions:\n"]
    for provider in _providers():
        context = command.make_context("login", ["--provider", provider], resilient_parsing=True)
        questions = [one for one in command.get_params(context) if id(one) not in own]
        parts.append(f"#### --provider {provider}\n\n{_table(questions, context)}")
    return "\n".join(parts)


def _providers() -> list[str]:
    paths = find_paths()
    file = paths.read_config(environment={})
    return [one.id for one in ProviderTargets(file.config, file.raw, paths.state).candidates()]


def _plugin_section(name: str) -> str:
    shown = CliRunner().invoke(clawgate, [name, "--help"], prog_name="clawgate").output
    usage, _, text = shown.removeprefix("Usage: ").partition("\n")
    return f"### clawgate {name}\n\n```text\n{usage}\n```\n\n{_paragraphs(text)}\n"


def _paragraphs(text: str) -> str:
    """Return the paragraphs of a help text; one that click leaves as it is becomes a block of code."""
    parts = []
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        first, _, rest = paragraph.partition("\n")
        parts.append(f"```text\n{rest}\n```" if first == "\b" else prose(paragraph))
    return "\n\n".join(parts)


@contextmanager
def _empty_home() -> Iterator[None]:
    """Leave out what the config and the variables of this machine would add to defaults and questions."""
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict("os.environ", {"HOME": folder}, clear=True):
        yield
