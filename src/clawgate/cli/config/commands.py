"""``clawgate config``: look into OpenClaw's config file and change one value of it, without a byte of the rest.

Output as OpenClaw's command of the same name has it. Secrets are never printed; what is printed in their place is
never written.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from clawgate.cli.config.path_argument import complete_path, no_such_path, path_argument
from clawgate.cli.config.warnings import judged_for_plugins, warnings_at, warnings_of
from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.paths import place_options, places

if TYPE_CHECKING:
    from collections.abc import Callable

    from clawgate.settings.json5.file import Json5File
    from clawgate.settings.key_path import KeyPath
    from clawgate.settings.openclaw.update import WriteResult
    from clawgate.settings.problems import SettingsInvalid

_path = click.argument("path", callback=path_argument, shell_complete=complete_path)


@click.group()
def config() -> None:
    """The config file: read it, change it, check it.

    A PATH is keys with dots between them, an index or an odd key in brackets:
    models.providers.owl.models[0].id, 'agents.defaults.models["openai/gpt-4o"].alias'
    """


@config.command("file")
@place_options
def show_file(config: str | None) -> None:
    """Where the config file is."""
    click.echo(places(config).config)


@config.command()
@_path
@click.option("--json", "as_json", is_flag=True, help="Text in quotes, too.")
@place_options
def get(path: KeyPath, config: str | None, as_json: bool) -> None:
    """Print the value at PATH: text as it is, the rest as JSON; a secret as __OPENCLAW_REDACTED__."""
    from clawgate.settings.json5.edit import NoSuchPath, value_at
    from clawgate.settings.key_path import format_key_path, in_document
    from clawgate.settings.redaction import redact

    where = places(config)
    file = read_file(where.config, required=where.config_named)
    for twice in file.scan.twice:
        shorter = min(len(path), len(twice.path))
        if in_document(path, file.value)[:shorter] == twice.path[:shorter]:
            place = file.place(twice.again_line, twice.again_column)
            _failed(f"{place}: {format_key_path(twice.path)} is there already, on line {twice.line}")
    try:
        value = redact(value_at(file.value, path), in_document(path, file.value))
    except NoSuchPath:
        no_such_path(path, file)
    click.echo(value if isinstance(value, str) and not as_json else as_text(value))


@config.command("set")
@_path
@click.argument("value", required=False)
@click.option("--string", "kind", flag_value="string", help="VALUE is text, whatever it looks like.")
@click.option(
    "--json-value",
    "--strict-json",
    "kind",
    flag_value="json",
    help="VALUE has to be JSON5; no text without quotes.",
)
@click.option(
    "--stdin", is_flag=True, help="Read the value from standard input: for secrets. Text, or --json-value."
)
@place_options
def set_(path: KeyPath, value: str | None, kind: str | None, stdin: bool, config: str | None) -> None:
    """Write VALUE to PATH: JSON5 if it can be read as such (true, 18789, ["a"]), else text.

    The file stays as it is but for this value, comments included; the version before is kept beside it.
    """
    from clawgate.settings.json5.edit import set_value

    if stdin == (value is not None):
        raise click.UsageError("give either VALUE or --stdin")
    wanted: object
    if stdin:
        wanted = _as_value(_standard_input(), kind or "string")
    else:
        assert value is not None
        wanted = _as_value(value, kind)
        _warn_of_secret(path, wanted)
    _judge_keys(path, wanted)
    where = places(config)
    before = warnings_at(where, path)
    written = _update(
        config, lambda text: judged_for_plugins(set_value(text, path, wanted), text, where, path)
    )
    _tell(written, path, "Updated")
    if written.changed:
        for warning in warnings_at(where, path):
            if warning not in before:
                click.echo(f"Warning: {warning}", err=True)


@config.command()
@_path
@place_options
def unset(path: KeyPath, config: str | None) -> None:
    """Take what stands at PATH out of the file. Comments beside it stay."""
    from clawgate.settings.json5.edit import unset_value

    file = read_file(places(config).config)
    written = _update(
        config, lambda text: unset_value(text, path), path=path, file=file, dropped=(path,), may_shrink=True
    )
    _tell(written, path, "Removed")


@config.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@place_options
def validate(config: str | None, as_json: bool) -> None:
    """Say everything that is wrong with the file, each with its line; status 1 if anything is.

    The settings of plugins are judged, too: of those that came with clawgate, and of others that are enabled.

    A warning tells what does not serve as it stands, or what OpenClaw would refuse; it leaves the status 0.
    """
    from clawgate.plugins.host.diagnostics import plugin_diagnostics
    from clawgate.settings.openclaw.config_file import read_config
    from clawgate.settings.openclaw.update import problems_of
    from clawgate.settings.problems import SettingsInvalid

    where = places(config).config
    problems, warnings, notes = [], [], []
    try:
        problems = problems_of(_read(where), os.environ)
        file = read_config(where, os.environ, required=True)
    except SettingsInvalid as error:
        problems = problems or error.problems
    else:
        found = plugin_diagnostics(file, places(config).state)
        known = {(one.path, one.location) for one in problems}
        wrong = [one.diagnostic for one in found if one.kind == "wrong"]
        problems += [one for one in wrong if (one.path, one.location) not in known]
        if not problems:
            warnings = [*warnings_of(file), *(str(one) for one in found if one.kind != "wrong")]
            notes = file.notes
    if as_json:
        issues = [
            {"path": one.key or "config file", "place": one.location, "message": one.text} for one in problems
        ]
        told = {"issues": issues, "warnings": warnings, "notes": notes}
        click.echo(as_text({"valid": not problems, "path": str(where), **told}))
    elif problems:
        click.echo(f"Config invalid: {where}", err=True)
        for problem in problems:
            click.echo(f"  - {problem}", err=True)
    else:
        click.echo(f"Config valid: {where}")
        for kind, texts in (("warning", warnings), ("note", notes)):
            for text in texts:
                click.echo(f"  {kind}: {text}", err=True)
    sys.exit(ExitCode.FAILED if problems else ExitCode.OK)


@config.command()
@_path
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option(
    "--env-file", metavar="FILE", help="File with environment variables; none is read that is not named"
)
@place_options
def explain(path: KeyPath, config: str | None, as_json: bool, env_file: str | None) -> None:
    """What PATH is for, its effective value and where that came from, its default and its variables."""
    from clawgate.settings.environment import named_environment
    from clawgate.settings.openclaw.explain import explain as explained
    from clawgate.settings.problems import SettingsInvalid

    where = places(config)
    file = read_file(where.config, required=where.config_named)
    try:
        found = explained(path, file, named_environment(os.environ, env_file))
    except SettingsInvalid as error:
        _unusable(error)
    if found is None:
        no_such_path(path, file)
    if as_json:
        click.echo(as_text(found.as_json()))
    else:
        for line in found.lines():
            click.echo(line)


@config.command()
def schema() -> None:
    """Print the JSON schema of what clawgate reads of the file, for editors."""
    from clawgate.settings.openclaw.schema import schema as of_file

    click.echo(as_text(of_file()))


def as_text(value: object) -> str:
    """JSON, as people read it."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def read_file(path: Path, *, required: bool = True) -> Json5File:
    """The file as it stands, or the end of the command."""
    from clawgate.settings.problems import SettingsInvalid

    try:
        return _read(path, required=required)
    except SettingsInvalid as error:
        _unusable(error)


def _read(path: Path, *, required: bool = True) -> Json5File:
    from clawgate.settings.diagnostic import Diagnostic
    from clawgate.settings.json5.file import Json5File, parsed, read_json5
    from clawgate.settings.problems import SettingsInvalid

    file = read_json5(path)
    if file is not None:
        return file
    if required:
        raise SettingsInvalid([Diagnostic((), "the file does not exist", location=str(path))])
    return Json5File(path, "{}", "", 0o600, *parsed("{}"))


def _unusable(error: SettingsInvalid) -> NoReturn:
    click.echo("clawgate: the config file cannot be used:", err=True)
    for problem in error.problems:
        click.echo(f"  - {problem}", err=True)
    sys.exit(ExitCode.USAGE)


def _failed(message: str) -> NoReturn:
    click.echo(f"clawgate: {message}", err=True)
    sys.exit(ExitCode.FAILED)


def _standard_input() -> str:
    try:
        if sys.stdin.isatty():
            return _typed()
        return sys.stdin.read().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        _failed("standard input is not UTF-8 text. Nothing was changed")


def _typed() -> str:
    from clawgate.cli.terminal.read_line import read_line

    try:
        return read_line("Value (not shown): ", hidden=True, err=True)
    except EOFError:
        _failed("no value was given. Nothing was changed")


def _as_value(text: str, kind: str | None) -> object:
    if kind == "string":
        return text
    import pyjson5

    from clawgate.settings.json5.source_map import InvalidJson5, positions

    try:
        positions(text)
        return pyjson5.decode(text)
    except (InvalidJson5, pyjson5.Json5Exception) as error:
        if kind is None:
            return text
        reason = error.message if isinstance(error, InvalidJson5) else "it cannot be read"
        _failed(f"the value is not JSON5: {reason}. Nothing was changed")


def _warn_of_secret(path: KeyPath, value: object) -> None:
    from clawgate.settings.json5.edit import same_value
    from clawgate.settings.redaction import redact

    if not same_value(redact(value, path), value):
        click.echo(
            "Warning: a secret among the arguments is seen by every user of this machine (ps) and kept by the shell; "
            "give it with --stdin, or write a reference such as ${NAME}.",
            err=True,
        )


def _judge_keys(path: KeyPath, value: object) -> None:
    """A key of OpenClaw's own is told; what looks like a slip ends the command: OpenClaw refuses it anyway."""
    from clawgate.settings.key_path import format_key_path
    from clawgate.settings.openclaw.unknown_keys import unread_keys
    from clawgate.settings.openclaw.upstream_keys import VERSION

    document: Any = value
    for key in reversed(path):
        document = [document] if isinstance(key, int) else {key: document}
    for found in unread_keys(document):
        name = format_key_path((*path[: len(found.path)], *found.path[len(path) :]))
        if found.openclaws:
            click.echo(f"Warning: clawgate does not read {name}: it is kept for OpenClaw", err=True)
        elif found.meant is not None:
            _failed(
                f"{name} is a key of neither clawgate nor OpenClaw {VERSION}, which refuses its whole config for it; "
                f"did you mean '{found.meant}'? Nothing was changed"
            )


def _update(
    config: str | None,
    change: Callable[[str], str],
    *,
    path: KeyPath | None = None,
    file: Json5File | None = None,
    dropped: tuple[KeyPath, ...] = (),
    may_shrink: bool = False,
) -> WriteResult:
    """The change, or the end of the command with the reason why there is none."""
    from clawgate.settings.atomic_write import WriteFailed
    from clawgate.settings.json5.edit import EditNotSupported, EditVerificationFailed, NoSuchPath
    from clawgate.settings.json5.source_map import InvalidJson5
    from clawgate.settings.openclaw.update import BringsProblems, update
    from clawgate.settings.problems import SettingsInvalid

    where = places(config).config
    try:
        return update(where, os.environ, change, dropped=dropped, may_shrink=may_shrink)
    except NoSuchPath as error:
        if path is None or file is None:
            _failed(f"{error}. Nothing was changed")
        no_such_path(path, file)
    except EditNotSupported as error:
        _failed(f"{error}. Nothing was changed")
    except WriteFailed as error:
        _failed(str(error))
    except EditVerificationFailed as error:
        _failed(
            f"this change cannot be made safely: {error}. Nothing was changed; this is a defect, please report it"
        )
    except InvalidJson5 as error:
        _failed(f"{where}:{error.line}:{error.column}: {error.message}. Nothing was changed")
    except BringsProblems as error:
        for problem in error.problems:
            click.echo(f"Config validation failed: {problem}", err=True)
        click.echo("Nothing was changed.", err=True)
        sys.exit(ExitCode.FAILED)
    except SettingsInvalid as error:
        _unusable(error)


def _tell(written: WriteResult, path: KeyPath, done: str) -> None:
    from clawgate.settings.key_path import format_key_path
    from clawgate.settings.openclaw.key_catalog import applied_live, known_key

    if not written.changed:
        click.echo("No change")
        return
    live = (
        "Change will apply without restarting the gateway."
        if applied_live(path)
        else "Restart the gateway to apply."
    )
    click.echo(f"{done} {format_key_path(path)}. {live}")
    if written.backup is not None:
        click.echo(f"  Backup: {written.backup}")
    known = known_key(path)
    for name in known.variables if known is not None else ():
        if os.environ.get(name):
            click.echo(
                f"Warning: {name} is set here: what runs with it takes it, not the file's value", err=True
            )
    for problem in written.remaining:
        click.echo(f"Warning: still wrong: {problem}", err=True)
