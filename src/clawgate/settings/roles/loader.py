"""Where does each setting come from? Flag, environment, .env file, config file, default: the first that has it.

All problems are reported at once, each with the place where the value was found; no message ever holds a value
that could be a secret.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from dotenv import dotenv_values
from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.json5.file import no_such_file, read_json5
from clawgate.settings.key_path import KeyPath
from clawgate.settings.paths import config_path
from clawgate.settings.problems import DOCUMENT, SettingsInvalid, worded
from clawgate.settings.references import resolve_references

__all__ = [
    "Diagnostic",
    "SettingsInvalid",
    "SettingsSources",
    "config_path",
    "flag_of",
    "load",
    "read_sources",
]

_M = TypeVar("_M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class SettingsSources:
    """All places but the flags. ``block`` is the config file's part for this role, ``block_name`` its key path.

    ``has_flags``: whether there are any, to be named to somebody who has to set something.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    env_file: Mapping[str, str] = field(default_factory=dict)
    env_file_name: str = ".env"
    block: Mapping[str, Any] = field(default_factory=dict)
    block_name: str = ""
    has_flags: bool = True


def read_sources(*, entry: str, config: str | None, env_file: str | None) -> SettingsSources:
    """Read what there is; raises `SettingsInvalid` for a file that is named and cannot be used."""
    environment = dict(os.environ)
    path, named = config_path(environment, config)
    block_name = f'{path}: plugins.entries."{entry}".config'
    return SettingsSources(
        environment=environment,
        env_file=read_env_file(env_file),
        env_file_name=env_file or ".env",
        block=_plugin_block(path, entry, required=named),
        block_name=block_name,
    )


def read_env_file(named: str | None) -> Mapping[str, str]:
    path = Path(named or ".env")
    if not path.is_file():
        if named:
            raise SettingsInvalid(
                [
                    Diagnostic(
                        (),
                        "there is no such file",
                        fix="create it or leave the flag out",
                        location=f"--env-file {path}",
                    )
                ]
            )
        return {}
    try:
        values = dotenv_values(path, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SettingsInvalid(
            [Diagnostic((), f"it cannot be read: {reason}", location=f"--env-file {path}")]
        ) from error
    return {key: value for key, value in values.items() if value is not None}


def _plugin_block(path: Path, entry: str, *, required: bool) -> Mapping[str, Any]:
    file = read_json5(path)
    if file is None:
        if required:
            raise no_such_file(path)
        return {}
    section: KeyPath = ("plugins", "entries", entry, "config")
    twice = [
        Diagnostic(
            it.path,
            f"is there already on line {it.line}",
            location=file.place(it.again_line, it.again_column),
        )
        for it in file.scan.twice
        if it.path[: len(section)] == section[: len(it.path)]
    ]
    if twice:
        raise SettingsInvalid(twice)
    found = file.value
    for key in section:
        found = found.get(key) if isinstance(found, dict) else None
        if found is None:
            return {}
    if not isinstance(found, dict):
        raise SettingsInvalid([Diagnostic(section, "must be an object", location=str(path))])
    return found


def load(model: type[_M], flags: Mapping[str, Any], sources: SettingsSources) -> _M:
    """The settings of ``model``; ``flags`` by field name, None where not given."""
    values: dict[str, Any] = {}
    origin: dict[str, str] = {}
    problems: list[Diagnostic] = []
    keys = {to_camel(name): name for name in model.model_fields}
    for key, value in sources.block.items():
        if key in keys:
            values[keys[key]], origin[keys[key]] = value, f"{sources.block_name}.{key}"
        else:
            near = difflib.get_close_matches(key, keys, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else f"; known are {', '.join(sorted(keys))}"
            problems.append(
                Diagnostic((key,), f"there is no such setting{hint}", location=sources.block_name)
            )
    for name in model.model_fields:
        variables = _variables(model, name)
        for place, found_in in (
            (sources.env_file, f" in {sources.env_file_name}"),
            (sources.environment, ""),
        ):
            for variable in reversed(variables):
                if place.get(variable):  # an empty variable is an unset one
                    values[name], origin[name] = place[variable], f"{variable}{found_in}"
        if flags.get(name) not in (None, ()):
            values[name], origin[name] = flags[name], flag_of(name)
    for name, found_in in origin.items():
        if found_in.startswith(f"{sources.block_name}."):
            values[name], missing = resolve_references(values[name], sources.environment)
            if missing:
                del values[name]
                problems += [
                    Diagnostic((to_camel(name),), str(reference), location=found_in, unset=True)
                    for reference in missing
                ]
    unset = {problem.path for problem in problems}
    try:
        settings = model.model_validate(values)
    except ValidationError as error:
        found = [_problem(model, detail, origin, sources) for detail in error.errors(include_url=False)]
        problems += [problem for problem in found if problem.path not in unset]
        raise SettingsInvalid(problems) from None
    if problems:
        raise SettingsInvalid(problems)
    return settings


def flag_of(name: str) -> str:
    """The flag of a field."""
    return "--" + {"bridge_port": "port"}.get(name, name).replace("_", "-")


def _variables(model: type[BaseModel], name: str) -> list[str]:
    extra = model.model_fields[name].json_schema_extra
    names = extra.get("env", []) if isinstance(extra, dict) else []
    return [str(variable) for variable in names] if isinstance(names, list) else []


def _problem(
    model: type[BaseModel], detail: ErrorDetails, origin: Mapping[str, str], sources: SettingsSources
) -> Diagnostic:
    """One pydantic error in our words; its input is left out, for it may be a secret."""
    location = [str(part) for part in detail["loc"]]
    message = worded(detail)
    if not location or detail["type"] == DOCUMENT:
        return Diagnostic((), message)
    by_key = {to_camel(field_name): field_name for field_name in model.model_fields}
    name = by_key.get(location[0], location[0])
    if detail["type"] == "missing":
        ways = [*([flag_of(name)] if sources.has_flags else []), *_variables(model, name)]
        if sources.block_name:
            ways.append(f"{to_camel(name)} in {sources.block_name}")
        return Diagnostic((to_camel(name),), "is not set; give it as " + " or ".join(ways), unset=True)
    path = to_camel(
        name
    )  # not what is within it: the name of a token may be the token, given the wrong way round
    return Diagnostic((path,), message, location=origin.get(name, ""))
