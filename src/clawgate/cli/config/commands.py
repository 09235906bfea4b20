"""``clawgate config``: reads OpenClaw's config file, and changes one value of it without touching the rest.

Output as OpenClaw's command of the same name has it. Must not print a secret, nor write a placeholder that was printed
in its place.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import click

from clawgate.cli.config.import_litellm import import_
from clawgate.cli.config.path_argument import complete_path, fail_no_such_path, path_argument
from clawgate.cli.config.value_argument import check_keys, parse_value, read_stdin, warn_of_secret
from clawgate.cli.config.warnings import validate_for_openclaw, validate_for_plugins, warnings_at, warnings_of
from clawgate.cli.config.write import print_change, write_value
from clawgate.cli.errors import fail, fail_invalid_config
from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.paths import Paths, env_file_option, find_paths, json_option, path_options
from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.environment import named_environment
from clawgate.settings.json5.document import NoSuchPath, value_at
from clawgate.settings.json5.edit import set_value, unset_value
from clawgate.settings.json5.file import Json5File, json5_file, missing_file, read_json5
from clawgate.settings.key_path import KeyPath, format_key_path, in_document
from clawgate.settings.openclaw.update import problems_of
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.redaction import redact

_path = click.argument("path", callback=path_argument, shell_complete=complete_path)


@click.group()
def config() -> None:
    """The config file: read it, change it, validate it.

    A PATH is keys with dots between them; an index, or a key with other characters, stands in brackets:
    models.providers.hut.models[0].id, 'agents.defaults.models["openai/gpt-4o"].alias'
    """


config.add_command(import_)


@config.command("file")
@path_options
def print_file(config: str | None) -> None:
    """Print the path of the config file."""
    click.echo(find_paths(config).config)


@config.command(short_help="Print the value at PATH.")
@_path
@click.option("--json", "as_json", is_flag=True, help="Print JSON: text in quotes too.")
@path_options
def get(path: KeyPath, config: str | None, as_json: bool) -> None:
    """Print the value at PATH: text as it is, the rest as JSON; a secret as __OPENCLAW_REDACTED__."""
    paths = find_paths(config)
    file = _load(paths.config, required=paths.config_named)
    for duplicate in file.source_map.duplicates:
        shorter = min(len(path), len(duplicate.path))
        if in_document(path, file.value)[:shorter] == duplicate.path[:shorter]:
            location = file.location(duplicate.line, duplicate.column)
            fail(f"{location}: {format_key_path(duplicate.path)}: {duplicate.message}; remove one of them")
    try:
        value = redact(value_at(file.value, path), in_document(path, file.value))
    except NoSuchPath:
        fail_no_such_path(path, file)
    click.echo(value if isinstance(value, str) and not as_json else _to_json(value))


@config.command("set", short_help="Write VALUE to PATH.")
@_path
@click.argument("value", required=False)
@click.option("--string", "kind", flag_value="string", help="VALUE is text, even if it could be JSON5.")
@click.option(
    "--json-value",
    "--strict-json",
    "kind",
    flag_value="json",
    help="VALUE is JSON5; text without quotes is an error.",
)
@click.option(
    "--stdin",
    is_flag=True,
    help="Read the value from standard input, for secrets. It is text unless --json-value is given.",
)
@path_options
def set_(path: KeyPath, value: str | None, kind: str | None, stdin: bool, config: str | None) -> None:
    """Write VALUE to PATH: as JSON5 if it is that (true, 18789, ["a"]), else as text.

    The rest of the file stays as it is, comments included; the previous version is kept beside it.
    """
    if stdin == (value is not None):
        hint = "" if stdin else "; PATH and VALUE are two arguments: gateway.port 18789"
        raise click.UsageError(f"give either VALUE or --stdin{hint}")
    new: object
    if stdin:
        new = parse_value(read_stdin(), kind or "string")
    else:
        assert value is not None
        new = parse_value(value, kind)
        warn_of_secret(path, new)
    check_keys(path, new)
    paths = find_paths(config)
    before = warnings_at(paths, path)

    def edit(text: str) -> str:
        after = validate_for_plugins(set_value(text, path, new), text, paths, path)
        return validate_for_openclaw(after, paths, path)

    written = write_value(config, edit)
    print_change(written, paths, path, "Updated")
    if written.changed:
        for warning in warnings_at(paths, path):
            if warning not in before:
                click.echo(f"Warning: {warning}", err=True)


@config.command(short_help="Remove PATH from the file.")
@_path
@path_options
def unset(path: KeyPath, config: str | None) -> None:
    """Remove PATH and its value from the file. Comments beside it stay."""
    paths = find_paths(config)
    file = _load(paths.config)
    written = write_value(
        config, lambda text: unset_value(text, path), path=path, file=file, dropped=(path,), may_shrink=True
    )
    print_change(written, paths, path, "Removed")


@config.command(short_help="List every problem of the file, each with its line.")
@json_option
@path_options
def validate(config: str | None, as_json: bool) -> None:
    """List every problem of the file, each with its line; the exit status is 1 if there are any.

    The settings of bundled plugins and of enabled plugins are validated too.

    A warning is about what does not work as it is, or what OpenClaw would reject; it leaves the exit status 0.
    """
    paths = find_paths(config)
    problems, warnings, notes = _validate(paths)
    if as_json:
        issues = [
            {"path": one.key or "config file", "place": one.location, "message": one.text} for one in problems
        ]
        result = {"valid": not problems, "path": str(paths.config)}
        click.echo(_to_json(result | {"issues": issues, "warnings": warnings, "notes": notes}))
    elif problems:
        click.echo(f"Config invalid: {paths.config}", err=True)
        for problem in problems:
            click.echo(f"  - {problem}", err=True)
    else:
        click.echo(f"Config valid: {paths.config}")
        for kind, texts in (("warning", warnings), ("note", notes)):
            for text in texts:
                click.echo(f"  {kind}: {text}", err=True)
    sys.exit(ExitCode.FAILED if problems else ExitCode.OK)


def _validate(paths: Paths) -> tuple[list[Diagnostic], list[str], list[str]]:
    """Return the problems, the warnings and the notes of the file; the last two only if there is no problem."""
    from clawgate.agents.definition.tool_diagnostics import tool_diagnostics
    from clawgate.app.gateway_token import start_problems
    from clawgate.cli.effect import is_used
    from clawgate.plugins.host.diagnostics import plugin_diagnostics
    from clawgate.settings.openclaw.config_file import read_config
    from clawgate.settings.openclaw.gateway import GatewayFlags

    path, state = paths.config, paths.state
    problems: list[Diagnostic] = []
    try:
        problems = problems_of(_read(path), os.environ)
        file = read_config(path, os.environ, required=True)
        of_start = start_problems(file, GatewayFlags())
    except SettingsInvalid as error:
        return problems or error.problems, [], []
    if of_start and not is_used(paths, file.digest):  # the flags of a gateway may give what the file lacks
        problems += of_start
    diagnostics = [*plugin_diagnostics(file, state), *tool_diagnostics(file, state)]
    known = {(one.path, one.location) for one in problems}
    wrong = [one for one in diagnostics if one.is_error]
    problems += [one for one in wrong if (one.path, one.location) not in known]
    if problems:
        return problems, [], []
    return (
        [],
        [
            *(f"without the flags of the running gateway: {one}" for one in of_start),
            *warnings_of(file),
            *(str(one) for one in diagnostics if not one.is_error),
        ],
        list(map(str, file.notes)),
    )


@config.command(short_help="Explain PATH: its purpose, value, origin, default.")
@_path
@json_option
@env_file_option
@path_options
def explain(path: KeyPath, config: str | None, as_json: bool, env_file: str | None) -> None:
    """Explain PATH: its purpose, its effective value and where that is from, its default, its variables."""
    from clawgate.settings.openclaw.explain import explain as explain_value

    paths = find_paths(config)
    file = _load(paths.config, required=paths.config_named)
    try:
        explanation = explain_value(path, file, named_environment(os.environ, env_file))
    except SettingsInvalid as error:
        fail_invalid_config(error.problems)
    if explanation is None:
        fail_no_such_path(path, file)
    if as_json:
        click.echo(_to_json(explanation.as_json()))
    else:
        for line in explanation.lines():
            click.echo(line)


@config.command(short_help="Print the JSON schema of the file, for editors.")
def schema() -> None:
    """Print the JSON schema of the part of the file that clawgate reads, for editors."""
    from clawgate.settings.schema.openclaw import schema as config_schema

    click.echo(_to_json(config_schema()))


def _to_json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _load(path: Path, *, required: bool = True) -> Json5File:
    """Return the parsed file; one that cannot be read ends the command."""
    try:
        return _read(path, required=required)
    except SettingsInvalid as error:
        fail_invalid_config(error.problems)


def _read(path: Path, *, required: bool = True) -> Json5File:
    """Return the parsed file, an empty one if it may be missing. Raises `SettingsInvalid`."""
    file = read_json5(path)
    if file is not None:
        return file
    if required:
        raise missing_file(path)
    return json5_file(path, "{}")
