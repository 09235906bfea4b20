"""Every command, flag, config key and file that a message, a docstring or a page of the documentation names exists."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pyjson5
import pytest
from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from clawgate.bundled.anthropic_claude_proxy.config import ProxyConfig
from clawgate.bundled.anthropic_claude_proxy.provider import ProxyProvider
from clawgate.bundled.owl.config import OwlSettings
from clawgate.bundled.proxy_bridge.provider import BridgeProvider
from clawgate.cli.auth.wizard.builtin_provider import BuiltinProvider
from clawgate.cli.main import clawgate
from clawgate.control.websocket.methods.table import METHODS
from clawgate.plugins.api import Answers
from clawgate.plugins.host.discovery import find_plugins
from clawgate.settings.openclaw.own_settings import OwnSettings
from clawgate.settings.roles.bridge import BridgeSettings
from clawgate.settings.roles.server import ServerSettings
from clawgate.settings.schema.openclaw import schema
from tests.cli.command import command as run_command

ROOT = Path(__file__).parents[1]
PAGES = [
    *ROOT.glob("*.md"),
    ROOT / "benchmarks" / "README.md",
    ROOT / "deploy" / "README.md",
    *ROOT.glob("docs/*.md"),
    *ROOT.glob("changes/*.md"),
]
"""Without docs/decisions: a record is not edited when a name changes."""
MODULES = sorted((ROOT / "src" / "clawgate").rglob("*.py"))

SETTINGS: dict[str, type[BaseModel]] = {
    BridgeSettings.ENTRY: BridgeSettings,
    ServerSettings.ENTRY: ServerSettings,
    "anthropic-claude-proxy": ProxyConfig,
    "owl": OwlSettings,
    "clawgate": OwnSettings,
}
"""The settings of an entry, by its id."""
EXAMPLES = {"house-model", "{}", "<name>"}
"""Commands of plugins that the documentation invents, and placeholders."""
PROSE = {"behind", "is", "listening"}
"""What may follow the name of a group of commands in a sentence: a clawgate server behind it."""
OTHER_PROGRAMS = re.compile(
    r"\b(curl|pip|pipx|uvx?|git|openclaw|systemctl|docker|kubectl|helm|tailscale|vllm|llama-server|scripts/\w+) [^`\n]*"
)
"""Their flags are not ours."""
RUNS_OTHER_PROGRAMS = {
    "bundled/anthropic_claude_proxy/package_pin.py",
    "plugins/install/sources.py",
    "cli/service.py",
    "benchmarks/README.md",
}

COMMAND = re.compile(r"(?<![\w./@-])clawgate((?: (?:[a-z][\w-]*|\{\}|<\w+>|-h\b|--[\w-]+))+)")
INSTRUCTION = re.compile(r"(`|\b(run|see|try|with):? |\$ )$")
FLAG = re.compile(r"(?<![\w{}/-])--(?!no-\{)[a-z][a-z-]*[a-z]")
_PART = r"\.(?:[A-Za-z_]\w*(?![\w/])|<\w+>|\"[^\"\s]+\"|\{\})"
KEY = re.compile(
    r"(?<![\w./@\"-])(?:gateway(?!\.md\b)|models|plugins(?!\.(?:api|host|install)\b)|agents)"
    rf"{_PART}(?:{_PART}|\[[^\]\n]+\])*"
)
FILE = re.compile(r"(?<![\w./-])(?:\.\./)*(?:docs|scripts|benchmarks|changes|tests|src)/[\w./-]*\w")
"""A path from the top of the repository, or from a page's own folder."""
NOT_FILES = {"benchmarks/results/latest.json", "docs/decisions/NNNN-title.md"}


def texts(module: Path) -> Iterator[str]:
    """The strings of a module; what an f-string or a sum inserts is "{}"."""
    inner: set[int] = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if id(node) not in inner and (text := text_of(node)) is not None:
            is_whole = isinstance(node, ast.JoinedStr | ast.BinOp)
            inner |= {id(one) for one in ast.walk(node)} if is_whole else set()
            yield text
            for one in ast.walk(node) if is_whole else ():  # what is inserted may have texts of its own
                if isinstance(one, ast.FormattedValue | ast.Call):
                    inner -= {id(part) for part in ast.walk(one)}


def text_of(node: ast.AST) -> str | None:
    """The text of a string, an f-string or a sum of such; None for anything else."""
    match node:
        case ast.Constant(value=str(value)):
            return value
        case ast.JoinedStr(values=values):
            return "".join(text_of(one) or "{}" for one in values)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            parts = text_of(left), text_of(right)
            return None if parts == (None, None) else "".join("{}" if one is None else one for one in parts)
    return None


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
    for provider in (ProxyProvider(), BridgeProvider(), BuiltinProvider("", {}))
    for one in provider.questions(Answers(), {})
}
OF_DEPLOY = set(re.findall(r"^  (--[\w-]+)", (ROOT / "deploy" / "deploy.sh").read_text(), re.MULTILINE))
"""Those that the help of deploy.sh lists: they are known in the sections and news that name it."""


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
    for part in re.split(r"\n(?=#|- )", OTHER_PROGRAMS.sub("", text)):
        known = FLAGS | OF_DEPLOY if "deploy.sh" in part else FLAGS
        yield from (name for name in FLAG.findall(part) if name not in known)


def wrong_keys(text: str) -> Iterator[str]:
    for match in KEY.finditer(text):
        if match[0] in METHODS:
            continue  # of OpenClaw's protocol
        parts = re.findall(r"\"[^\"]+\"|<\w+>|\{\}|[\w-]+|\[[^\]]+\]", match[0])
        path = [part.strip('[]"') for part in parts]
        is_setting = path[:2] == ["plugins", "entries"] and path[3:4] == ["config"] and bool(path[4:])
        settings = SETTINGS.get(path[2]) if is_setting else None
        known = settings is None or path[4] in {"{}", *map(to_camel, settings.model_fields)}
        if not (known and exists(schema(), path)):
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
    assert not wrong_names(path)


@pytest.mark.parametrize("name", ["page.md", "module.py"])
@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("see `clawgate gateway launch` for it", "clawgate gateway launch"),
        ("pass --yess=1 to it", "--yess"),
        ("set gateway.prot to it", "gateway.prot"),
        ('set plugins.entries."proxy-bridge".config.prt', 'plugins.entries."proxy-bridge".config.prt'),
        ("read docs/nothing.md first", "docs/nothing.md"),
    ],
)
def test_a_wrong_name_is_found_in_every_kind_of_text(
    text: str, wrong: str, name: str, tmp_path: Path
) -> None:
    """Of a page, and of a string of a module in one part, in two, in a sum, with an insertion."""
    path, half = tmp_path / name, len(text) // 2
    one, other = text[:half], text[half:]
    strings = [repr(text), f"f{text!r}", f"{one!r} {other!r}", f"{one!r} + {other!r}", f"f'{{x}} ' f{text!r}"]
    for content in [f"y = {string}" for string in strings] if path.suffix == ".py" else [text]:
        path.write_text(content)
        assert wrong_names(path) == [wrong], content


def shell_commands(page: Path) -> Iterator[list[str]]:
    """The words of each command of clawgate's in the shell blocks of a page, to the end of its line."""
    for block in re.findall(r"^```sh\n(.*?)^```$", page.read_text(), flags=re.MULTILINE | re.DOTALL):
        lines = block.replace("\\\n", "")
        for match in re.finditer(r"(?:^|\$\()clawgate ([^)\n]*)", lines, flags=re.MULTILINE):
            yield shlex.split(match[1], comments=True)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page_are_parsed_to_their_end(page: Path) -> None:
    for words in shell_commands(page):
        if words[0] not in OF_PLUGINS and not EXAMPLES & set(words):
            parse(words)


def test_a_flag_of_another_command_is_no_flag_of_this_one() -> None:
    with pytest.raises(click.NoSuchOption):
        parse(shlex.split("gateway start --port 1 --require-ok"))


def parse(words: list[str]) -> None:
    """Raise click.UsageError for what the commands do not accept; nothing is run."""
    command: click.Command | None = clawgate
    context, name = None, "clawgate"
    while command is not None:
        try:
            context = command.make_context(name, words, parent=context)
        except click.exceptions.Exit:  # --version and --help print, and are done
            return
        if not isinstance(command, click.Group):
            return
        found, command, words = command.resolve_command(context, [*context._protected_args, *context.args])
        name = found or name


EXAMPLES_OF_CONFIG = [
    pytest.param((ROOT / "deploy" / "config" / "openclaw.json").read_text(), id="deploy"),
    *(
        pytest.param(text, id=f"{page.name}-{number}")
        for page in PAGES
        for number, text in enumerate(
            re.findall(r"^```json5\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
        )
    ),
]


@pytest.mark.parametrize("text", EXAMPLES_OF_CONFIG)
def test_an_example_of_a_config_is_valid(text: str, tmp_path: Path) -> None:
    """With a value for each variable that it refers to; a warning is a fault, too."""
    path = tmp_path / "openclaw.json"
    path.touch(0o600)
    path.write_text(text)
    variables = dict.fromkeys(re.findall(r"\$\{(\w+)\}", text), "a-value-of-the-example-17")
    found = run_command("config", "validate", "--config", str(path), folder=tmp_path, environment=variables)
    assert found.returncode == 0 and "arning" not in found.stdout + found.stderr, found.stdout + found.stderr


def wrong_names(path: Path) -> list[str]:
    """Everything that a module or a page names and that does not exist."""
    foreign = any(path.as_posix().endswith(name) for name in RUNS_OTHER_PROGRAMS)
    wrong: list[str] = []
    for text in [path.read_text(encoding="utf-8")] if path.suffix == ".md" else texts(path):
        wrong += [*wrong_commands(text), *wrong_files(text, path.parent)]
        wrong += () if foreign else wrong_flags(text)
        wrong += wrong_keys(text) if " " in text else ()  # without one it is an identifier: "gateway.json"
    return wrong


@pytest.mark.parametrize(
    ("find", "text", "found"),
    [
        (wrong_commands, "run clawgate gateway launch", ["clawgate gateway launch"]),
        (wrong_commands, "try: clawgate gatway run", ["clawgate gatway run"]),
        (wrong_commands, "`clawgate gateway start --bogus`", ["clawgate gateway start --bogus"]),
        (wrong_commands, "`clawgate gateway start --port 1`; clawgate reads it", []),
        (wrong_flags, "pass --yess, or `pip wheel --no-deps`", ["--yess"]),
        (wrong_flags, "`deploy.sh --rollback`\nand --offline\n\n## B\nthen --rollback", ["--rollback"]),
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


DEPLOY = ROOT / "deploy"
DEPLOY_FILES = sorted(
    path
    for path in DEPLOY.rglob("*")
    if path.is_file() and path.suffix != ".md" and "__pycache__" not in path.parts
)
OF_OTHERS = {
    "CLAWGATE_EXTRAS", "CLAWGATE_SITE", "CLAWGATE_UPSTREAM", "CLAWGATE_USER",  # of docker-compose.yml and Caddyfile
    "POSTGRES_DB", "POSTGRES_PASSWORD", "POSTGRES_USER",  # of the image postgres
}  # fmt: skip
"""Variables that our files give to other programs."""
VARIABLE = re.compile(r"\b(?:CLAWGATE|OPENAI|OPENCLAW|ANTHROPIC|POSTGRES)_[A-Z_]*[A-Z]\b")


@pytest.mark.parametrize("path", DEPLOY_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_variable_that_a_file_of_deploy_names_is_read(path: Path) -> None:
    source = {name for module in MODULES for name in VARIABLE.findall(module.read_text(encoding="utf-8"))}
    named = set(VARIABLE.findall(path.read_text(encoding="utf-8")))
    assert named <= source | OF_OTHERS, sorted(named - source - OF_OTHERS)


def test_every_variable_of_the_example_reaches_a_container() -> None:
    example = re.findall(r"^#?([A-Z_]+)=", (DEPLOY / ".env.example").read_text(), flags=re.MULTILINE)
    compose = (DEPLOY / "docker-compose.yml").read_text()
    assert example and set(example) <= set(VARIABLE.findall(compose))


@pytest.mark.parametrize("path", DEPLOY_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_command_that_a_file_of_deploy_runs_exists(path: Path) -> None:
    """Lists of words, as containers have them: ["gateway", "run", ...], with or without clawgate in front."""
    for text in re.findall(
        r"(?:args:|command:|test:|CMD|ENTRYPOINT) (\[\"[^\]\n]*\"\])", path.read_text(encoding="utf-8")
    ):
        words = [str(word) for word in pyjson5.decode(text)]
        words = words[1:] if words[0] == "clawgate" else words
        if words and (words[0],) in COMMANDS:
            parse(words)
