"""Every command, flag, config key and file that a message, a docstring or a page of the documentation names exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from clawgate.bundled.anthropic_claude_proxy.provider import ProxyProvider
from clawgate.bundled.proxy_bridge.provider import BridgeProvider
from clawgate.cli.main import clawgate
from clawgate.plugins.api import Answers
from clawgate.plugins.host.discovery import find_plugins
from clawgate.settings.openclaw.schema import schema

ROOT = Path(__file__).parents[1]
PAGES = [
    *ROOT.glob("*.md"),
    ROOT / "benchmarks" / "README.md",
    *ROOT.glob("docs/*.md"),
    *ROOT.glob("changes/*.md"),
]
"""Without docs/decisions: a record is not edited when a name changes."""
MODULES = sorted((ROOT / "src" / "clawgate").rglob("*.py"))

EXAMPLES = {"house-model", "{}", "<name>"}
"""Commands of plugins that the documentation invents, and placeholders."""
PROSE = {"behind", "is", "listening"}
"""What may follow the name of a group of commands in a sentence: a clawgate server behind it."""
OTHER_PROGRAMS = re.compile(r"\b(pip|pipx|uv|git|systemctl|docker|tailscale|scripts/\w+) [^`\n]*")
"""Their flags are not ours."""
RUNS_OTHER_PROGRAMS = {
    "bundled/anthropic_claude_proxy/package_pin.py",
    "plugins/install/sources.py",
    "cli/gateway/service.py",
    "benchmarks/README.md",
}

COMMAND = re.compile(r"(?<![\w./@-])clawgate((?: (?:[a-z][\w-]*|\{\}|<\w+>|-h\b|--[\w-]+))+)")
INSTRUCTION = re.compile(r"(`|\b(run|see|try|with):? |\$ )$")
FLAG = re.compile(r"(?<![\w{}/-])--(?!no-\{)[a-z][a-z-]*[a-z]")
_PART = r"\.(?:[A-Za-z_]\w*(?![\w/])|<\w+>|\"[^\"\s]+\"|\{\})"
KEY = re.compile(
    r"(?<![\w./@\"-])(?:gateway|models|plugins(?!\.(?:api|host|install)\b)|agents)"
    rf"{_PART}(?:{_PART}|\[[^\]\n]+\])*"
)
FILE = re.compile(r"(?<![\w./-])(?:\.\./)*(?:docs|scripts|benchmarks|changes|tests|src)/[\w./-]*\w")
"""A path from the top of the repository, or from a page's own folder."""
NOT_FILES = {"benchmarks/results/latest.json", "docs/decisions/NNNN-title.md"}


def texts(module: Path) -> Iterator[str]:
    """The strings of a module; what an f-string inserts is "{}"."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    joined = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    parts = {id(part) for node in joined for part in ast.walk(node) if part is not node}
    for node in joined:
        yield "".join(str(one.value) if isinstance(one, ast.Constant) else "{}" for one in node.values)
    for leaf in ast.walk(tree):
        if isinstance(leaf, ast.Constant) and isinstance(leaf.value, str) and id(leaf) not in parts:
            yield leaf.value


def commands(
    command: click.Command, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands(found, (*path, name))


COMMANDS = dict(commands(clawgate))
OF_PLUGINS = {
    name for one in find_plugins(ROOT / "none") if one.manifest is not None for name in one.manifest.commands
}
FLAGS = {"--help", "--json"} | {
    name
    for command in COMMANDS.values()
    for one in command.params
    for name in (*one.opts, *one.secondary_opts)
}
FLAGS |= {
    one.flag_name
    for provider in (ProxyProvider(), BridgeProvider())
    for one in provider.questions(Answers(), {})
}


def wrong_commands(text: str) -> Iterator[str]:
    for match in COMMAND.finditer(text):
        words = match[1].split()
        if words[0] in OF_PLUGINS | EXAMPLES or words[0].startswith("-"):
            continue
        if (words[0],) not in COMMANDS:
            if INSTRUCTION.search(text[: match.start()]):
                yield match[0]  # else it is prose: clawgate reads ...
            continue
        path: tuple[str, ...] = ()
        while words and (*path, words[0]) in COMMANDS:
            path = (*path, words.pop(0))
        command = COMMANDS[path]
        if isinstance(command, click.Group) and words and words[0][0].isalpha() and words[0] not in PROSE:
            yield match[0]
        flags = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
        if not hasattr(command, "questions"):  # `models auth login` has a flag for each question
            yield from (
                f"{match[0]}" for word in words if word.startswith("--") and word not in flags | {"--help"}
            )


def wrong_flags(text: str) -> Iterator[str]:
    yield from (name for name in FLAG.findall(OTHER_PROGRAMS.sub("", text)) if name not in FLAGS)


def wrong_keys(text: str) -> Iterator[str]:
    for match in KEY.finditer(text):
        parts = re.findall(r"\"[^\"]+\"|<\w+>|\{\}|\w+|\[[^\]]+\]", match[0])
        if not exists(schema(), [part.strip('[]"') for part in parts]):
            yield match[0]


def wrong_files(text: str, folder: Path = ROOT) -> Iterator[str]:
    for name in set(FILE.findall(text)) - NOT_FILES:
        if not (ROOT / name).exists() and not (folder / name).exists():
            yield name


def exists(node: Any, parts: list[str]) -> bool:
    """Whether the JSON schema of the config file has a key at this path; an id or an index may be any."""
    if not parts:
        return True
    found = [node]
    for one in found:
        if "$ref" in one:
            found.append(schema()["$defs"][one["$ref"].rpartition("/")[2]])
        found += [*one.get("anyOf", ()), *one.get("allOf", ())]
    for one in found:
        properties = one.get("properties", {})
        if parts[0] == "{}" and properties:
            return True  # some key that the message inserts
        if parts[0] in properties:
            if exists(properties[parts[0]], parts[1:]):
                return True
        elif isinstance(more := one.get("additionalProperties", one.get("items")), dict):
            if exists(more, parts[1:]):
                return True
        elif one.get("type") == "object" and not properties:
            return True  # the settings of a plugin are its own
    return False


@pytest.mark.parametrize("path", [*MODULES, *PAGES], ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_text_names_exists(path: Path) -> None:
    is_page = path.suffix == ".md"
    foreign = any(path.as_posix().endswith(name) for name in RUNS_OTHER_PROGRAMS)
    wrong: list[str] = []
    for text in [path.read_text(encoding="utf-8")] if is_page else texts(path):
        wrong += [*wrong_commands(text), *wrong_files(text, path.parent)]
        wrong += () if foreign else wrong_flags(text)
        wrong += wrong_keys(text) if " " in text else ()  # without one it is an identifier: "gateway.json"
    assert not wrong


@pytest.mark.parametrize(
    ("find", "text", "found"),
    [
        (wrong_commands, "run clawgate gateway launch", ["clawgate gateway launch"]),
        (wrong_commands, "try: clawgate gatway run", ["clawgate gatway run"]),
        (wrong_commands, "`clawgate gateway start --bogus`", ["clawgate gateway start --bogus"]),
        (wrong_commands, "`clawgate gateway start --port 1`; clawgate reads it", []),
        (wrong_flags, "pass --yess, or `pip wheel --no-deps`", ["--yess"]),
        (wrong_files, "see docs/errors.md and docs/nothing.md", ["docs/nothing.md"]),
        (wrong_keys, "set gateway.prot or gateway.port", ["gateway.prot"]),
        (wrong_keys, "models.providers.<id>.request.allowPrivateNetwork is not true", []),
        (
            wrong_keys,
            'plugins.entries."x".config.anything and models.providers[0].baseURL',
            ["models.providers[0].baseURL"],
        ),
    ],
)
def test_a_name_that_does_not_exist_is_found(find: Any, text: str, found: list[str]) -> None:
    assert list(find(text)) == found
