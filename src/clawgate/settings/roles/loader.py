"""Loads the settings of a role or a plugin from flags, environment and config file.

All problems are reported at once, each with the place where its value was found. Must not put a value into a message.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from clawgate.policy.printable import is_quoted
from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.environment import Environment, full_environment, named_environment
from clawgate.settings.fields import plain_type, suggestion, variables_of
from clawgate.settings.json5.file import missing_file, read_json5
from clawgate.settings.paths import config_path, state_dir
from clawgate.settings.problems import DOCUMENT, SettingsInvalid, format_message
from clawgate.settings.references import resolve_references
from clawgate.settings.resolve import Resolved, resolve
from clawgate.settings.roles.config_block import config_block
from clawgate.settings.roles.relay import flag_of
from clawgate.settings.secrets import QUOTED

_M = TypeVar("_M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class SettingsSources:
    """All sources but the flags. ``block`` is the config file's part for this role, ``block_name`` its place.

    ``has_flags``: whether messages may name flags.
    """

    environment: Environment = field(default_factory=lambda: Environment({}))
    block: Mapping[str, Any] = field(default_factory=dict)
    block_name: str = ""
    has_flags: bool = True
    files: tuple[Path, ...] = ()
    """The files and folders that the settings come from."""


def read_sources(
    *, entry: str, config: str | None, env_file: str | None, process: Mapping[str, str] = os.environ
) -> SettingsSources:
    """Read the sources of ``plugins.entries.<entry>``. Raises `SettingsInvalid` for a file that cannot be used."""
    path, is_named = config_path(process, config)
    process = named_environment(process, env_file)
    file = read_json5(path)
    if file is None and is_named:
        raise missing_file(path)
    environment, problems = full_environment(process, file.value if file is not None else {})
    if problems:
        raise SettingsInvalid([one if one.location else replace(one, location=str(path)) for one in problems])
    return SettingsSources(
        environment=environment,
        block=config_block(file, entry) if file is not None else {},
        block_name=f'{path}: plugins.entries."{entry}".config',
        files=(path, path.parent, state_dir(environment), *environment.files),
    )


def load(model: type[_M], flags: Mapping[str, Any], sources: SettingsSources) -> _M:
    """Return the settings of ``model``; ``flags`` by field name, None where not given.

    Raises `SettingsInvalid` with every problem.
    """
    problems = list(_unknown_keys(model, sources))
    values: dict[str, object] = {}
    origins: dict[str, str] = {}
    for name, info in model.model_fields.items():
        key = to_camel(name)
        found, in_file = _find(name, info, flags.get(name), sources)
        if found.is_default:
            continue
        value, origins[name] = found.value, found.origin
        if isinstance(value, str) and is_quoted(value.strip()):
            problems.append(Diagnostic((key,), QUOTED, fix="remove them", location=found.origin))
            continue
        if found is in_file:
            if reason := _text_instead(info, value):
                problems.append(Diagnostic((key,), reason, location=found.origin))
                continue
            value, unresolved = resolve_references(value, sources.environment)
            if unresolved:
                problems += [
                    Diagnostic((key,), one.message, fix=one.fix, location=found.origin, unset=True)
                    for one in unresolved
                ]
                continue
        values[name] = value
    reported = {problem.path for problem in problems}
    try:
        settings = model.model_validate(values)
    except ValidationError as error:
        invalid = [_problem(model, detail, origins, sources) for detail in error.errors(include_url=False)]
        problems += [problem for problem in invalid if problem.path not in reported]
        raise SettingsInvalid(problems) from None
    if problems:
        raise SettingsInvalid(problems)
    return settings


def text_setting(
    model: type[BaseModel], name: str, flag: str | None, sources: SettingsSources
) -> Resolved | None:
    """Return one setting that is a text, without regard to the others; None where it is not set.

    Raises `SettingsInvalid` for a reference that cannot be resolved.
    """
    found, _ = _find(name, model.model_fields[name], flag, sources)
    if found.is_default:
        return None
    value, unresolved = resolve_references(found.value, sources.environment)
    if unresolved or not isinstance(value, str) or not value:
        reason = unresolved[0].message if unresolved else "must be text"
        raise SettingsInvalid([Diagnostic((to_camel(name),), reason, location=found.origin)])
    return replace(found, value=value)


def valid_setting(model: type[BaseModel], name: str, flag: object, sources: SettingsSources) -> Any:
    """Return one setting, its default where it is not set; None where it is not valid."""
    from pydantic import TypeAdapter  # which no role needs that starts

    info = model.model_fields[name]
    found, _ = _find(name, info, flag, sources)
    if found.is_default:
        return info.default
    value, unresolved = resolve_references(found.value, sources.environment)
    kind: Any = Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation
    try:
        return None if unresolved else TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return None


def origin_of(model: type[BaseModel], name: str, sources: SettingsSources) -> str | None:
    """Return where a setting is set, flags aside; None where it is not."""
    found, _ = _find(name, model.model_fields[name], None, sources)
    return None if found.is_default else found.origin


def _find(
    name: str, info: FieldInfo, flag: object, sources: SettingsSources
) -> tuple[Resolved, Resolved | None]:
    """Return what counts for a field, and what the config file has."""
    key = to_camel(name)
    in_file = Resolved(sources.block[key], f"{sources.block_name}.{key}") if key in sources.block else None
    found = resolve(
        variables_of(info), sources.environment, flag=Resolved(flag, flag_of(name)), in_file=in_file
    )
    return found, in_file


def _text_instead(field: FieldInfo, value: object) -> str | None:
    """Return what is wrong with a text of the file in the place of a number or a boolean.

    Flags and variables are always text, and so is what a reference resolves to; a text in quotes is a mistake.
    """
    if not isinstance(value, str) or "${" in value:
        return None
    wanted = plain_type(field.annotation)
    if wanted is bool:
        return "must be true or false, not text"
    kinds = {int: "a whole number", float: "a number"}
    return f"must be {kinds[wanted]}, not text" if wanted in kinds else None


def _unknown_keys(model: type[BaseModel], sources: SettingsSources) -> Iterator[Diagnostic]:
    keys = [to_camel(name) for name in model.model_fields]
    for key in sources.block:
        if key not in keys:
            fix = suggestion(key, model)
            yield Diagnostic((key,), "is not a setting", fix=fix, location=sources.block_name)


def _problem(
    model: type[BaseModel], detail: ErrorDetails, origins: Mapping[str, str], sources: SettingsSources
) -> Diagnostic:
    location = [str(part) for part in detail["loc"]]
    message = format_message(detail)
    if not location or detail["type"] == DOCUMENT:
        return Diagnostic((), message)
    by_key = {to_camel(field_name): field_name for field_name in model.model_fields}
    name = by_key.get(location[0], location[0])
    key = to_camel(name)
    if detail["type"] == "missing":
        info = model.model_fields[name]
        setters = list(variables_of(info))
        if (
            sources.has_flags and plain_type(info.annotation) is not SecretStr
        ):  # others can read the command line
            setters.append(flag_of(name))
        if sources.block_name:
            file, _, block = sources.block_name.rpartition(": ")
            setters.append(f"{block}.{key} in {file}" if file else f"{block}.{key}")
        return Diagnostic((key,), "is not set", fix="set " + ", or ".join(setters), unset=True)
    # Not the path within it: the name of a token may be the token, given the wrong way round.
    return Diagnostic((key,), message, location=origins.get(name, ""))
