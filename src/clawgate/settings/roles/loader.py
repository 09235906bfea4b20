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

from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.environment import Environment, full_environment, named_environment
from clawgate.settings.fields import variables_of
from clawgate.settings.json5.file import Json5File, no_such_file, read_json5
from clawgate.settings.key_path import KeyPath
from clawgate.settings.paths import config_path, state_dir
from clawgate.settings.problems import DOCUMENT, SettingsInvalid, worded
from clawgate.settings.references import resolve_references
from clawgate.settings.resolve import Resolved, resolve

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

    environment: Environment = field(default_factory=lambda: Environment({}))
    block: Mapping[str, Any] = field(default_factory=dict)
    block_name: str = ""
    has_flags: bool = True
    files: tuple[Path, ...] = ()
    """The files and folders that decide what the settings are."""


def read_sources(*, entry: str, config: str | None, env_file: str | None) -> SettingsSources:
    """Read what there is; raises `SettingsInvalid` for a file that is named and cannot be used."""
    process = named_environment(os.environ, env_file)
    path, named = config_path(os.environ, config)
    file = read_json5(path)
    if file is None and named:
        raise no_such_file(path)
    environment, problems = full_environment(process, file.value if file is not None else {})
    if problems := [problem for problem in problems if not problem.path]:  # env.vars is the gateway's part
        raise SettingsInvalid(problems)
    return SettingsSources(
        environment=environment,
        block=_plugin_block(file, entry) if file is not None else {},
        block_name=f'{path}: plugins.entries."{entry}".config',
        files=(path, path.parent, state_dir(environment), *environment.files),
    )


def _plugin_block(file: Json5File, entry: str) -> Mapping[str, Any]:
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
        raise SettingsInvalid([Diagnostic(section, "must be an object", location=str(file.path))])
    return found


def load(model: type[_M], flags: Mapping[str, Any], sources: SettingsSources) -> _M:
    """The settings of ``model``; ``flags`` by field name, None where not given."""
    environment = sources.environment
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    problems: list[Diagnostic] = []
    keys = [to_camel(name) for name in model.model_fields]
    for key in sources.block:
        if key not in keys:
            near = difflib.get_close_matches(key, keys, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(sorted(keys))}"
            problems.append(
                Diagnostic((key,), "there is no such setting", fix=hint, location=sources.block_name)
            )
    for name, info in model.model_fields.items():
        key = to_camel(name)
        in_file = (
            Resolved(sources.block[key], f"{sources.block_name}.{key}") if key in sources.block else None
        )
        found = resolve(
            variables_of(info),
            environment,
            flag=Resolved(flags.get(name), flag_of(name)),
            in_file=in_file,
        )
        if found.is_default:
            continue
        values[name], origins[name] = found.value, found.origin
        if found is in_file:
            values[name], missing = resolve_references(found.value, environment)
            if missing:
                del values[name]
                problems += [
                    Diagnostic((key,), str(reference), location=found.origin, unset=True)
                    for reference in missing
                ]
    unset = {problem.path for problem in problems}
    try:
        settings = model.model_validate(values)
    except ValidationError as error:
        invalid = [_problem(model, detail, origins, sources) for detail in error.errors(include_url=False)]
        problems += [problem for problem in invalid if problem.path not in unset]
        raise SettingsInvalid(problems) from None
    if problems:
        raise SettingsInvalid(problems)
    return settings


def flag_of(name: str) -> str:
    """The flag of a field."""
    return "--" + {"bridge_port": "port"}.get(name, name).replace("_", "-")


def _problem(
    model: type[BaseModel], detail: ErrorDetails, origins: Mapping[str, str], sources: SettingsSources
) -> Diagnostic:
    """One pydantic error in our words; its input is left out, for it may be a secret."""
    location = [str(part) for part in detail["loc"]]
    message = worded(detail)
    if not location or detail["type"] == DOCUMENT:
        return Diagnostic((), message)
    by_key = {to_camel(field_name): field_name for field_name in model.model_fields}
    name = by_key.get(location[0], location[0])
    if detail["type"] == "missing":
        ways = [*([flag_of(name)] if sources.has_flags else []), *variables_of(model.model_fields[name])]
        if sources.block_name:
            ways.append(f"{to_camel(name)} in {sources.block_name}")
        return Diagnostic((to_camel(name),), "is not set; give it as " + " or ".join(ways), unset=True)
    path = to_camel(
        name
    )  # not what is within it: the name of a token may be the token, given the wrong way round
    return Diagnostic((path,), message, location=origins.get(name, ""))
