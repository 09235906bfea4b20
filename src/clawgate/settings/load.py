"""Where does each setting come from? Flag, environment, .env file, config file, default: the first that has it.

All problems are reported at once, each with the place where the value was found; no message ever holds a value
that could be a secret.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pyjson5
from dotenv import dotenv_values
from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

_M = TypeVar("_M", bound=BaseModel)
_PLAIN_WORDS = {
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "bool_parsing": "must be true or false",
    "tuple_type": "must be a list",
    "dict_type": "must be an object, or name:value pairs",
    "string_type": "must be text",
}
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_ODD_REFERENCE = re.compile(r"\$\{[^}]*\}?")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: the setting, where its value was found, and what to do."""

    path: str
    found_in: str
    message: str

    def __str__(self) -> str:
        return (
            f"{self.path} ({self.found_in}): {self.message}"
            if self.found_in
            else f"{self.path}: {self.message}"
        )


class SettingsInvalid(Exception):
    """The settings cannot be used; ``problems`` holds every reason."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Sources:
    """All places but the flags. ``block`` is the config file's part for this role, ``block_name`` its key path."""

    environment: Mapping[str, str] = field(default_factory=dict)
    env_file: Mapping[str, str] = field(default_factory=dict)
    env_file_name: str = ".env"
    block: Mapping[str, Any] = field(default_factory=dict)
    block_name: str = ""


def config_path(environment: Mapping[str, str], flag: str | None = None) -> tuple[Path, bool]:
    """OpenClaw's config file, and whether somebody named it (a default one may be missing).

    `--config`, then OPENCLAW_CONFIG_PATH, then openclaw.json in OPENCLAW_STATE_DIR or OPENCLAW_HOME/.openclaw.
    """
    try:
        if named := flag or environment.get("OPENCLAW_CONFIG_PATH"):
            return Path(named).expanduser(), True
        if state := environment.get("OPENCLAW_STATE_DIR"):
            return Path(state).expanduser() / "openclaw.json", False
        home = Path(environment.get("OPENCLAW_HOME") or "~").expanduser()
    except RuntimeError as error:
        raise SettingsInvalid([Problem("config file", "", f"its place cannot be told: {error}")]) from error
    return home / ".openclaw" / "openclaw.json", False


def read_sources(*, entry: str, config: str | None, env_file: str | None) -> Sources:
    """Read what there is; raises `SettingsInvalid` for a file that is named and cannot be used."""
    environment = dict(os.environ)
    path, named = config_path(environment, config)
    block_name = f'{path}: plugins.entries."{entry}".config'
    return Sources(
        environment=environment,
        env_file=_read_env_file(env_file),
        env_file_name=env_file or ".env",
        block=_plugin_block(path, entry, required=named),
        block_name=block_name,
    )


def _read_env_file(named: str | None) -> Mapping[str, str]:
    path = Path(named or ".env")
    if not path.is_file():
        if named:
            raise SettingsInvalid([Problem("--env-file", "", f"there is no file {path}")])
        return {}
    try:
        values = dotenv_values(path, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SettingsInvalid([Problem("--env-file", str(path), f"it cannot be read: {reason}")]) from error
    return {key: value for key, value in values.items() if value is not None}


def _plugin_block(path: Path, entry: str, *, required: bool) -> Mapping[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if required:
            raise SettingsInvalid([Problem("config file", str(path), "the file does not exist")]) from None
        return {}
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SettingsInvalid([Problem("config file", str(path), f"it cannot be read: {reason}")]) from error
    try:
        found = pyjson5.decode(text)
    except pyjson5.Json5Exception as error:
        raise SettingsInvalid([_not_json5(path, text, str(error.args[0]))]) from error
    for key in ("plugins", "entries", entry, "config"):
        found = found.get(key) if isinstance(found, dict) else None
        if found is None:
            return {}
    if not isinstance(found, dict):
        raise SettingsInvalid([Problem(f'plugins.entries."{entry}".config', str(path), "must be an object")])
    return found


def _not_json5(path: Path, text: str, said: str) -> Problem:
    """What the parser said, with the line and column where it stopped, and the character in plain sight."""
    at = re.search(r"near (\d+)", said)
    end = max(int(at[1]) - 1, 0) if at else len(text)
    line, column = text.count("\n", 0, end) + 1, end - text.rfind("\n", 0, end)
    found = re.search(r"found U\+([0-9a-f]+)", said)
    what = f"unexpected {chr(int(found[1], 16))!r}" if found else "it cannot be read from here on"
    if not text.strip():
        what = "it is empty"
    return Problem("config file", f"{path}:{line}:{column}", f"it is not JSON5: {what}")


def _substituted(value: object, environment: Mapping[str, str], missing: list[str]) -> object:
    """``${NAME}`` and OpenClaw's ``{"source": "env", "id": NAME}`` from the environment.

    ``missing`` collects the names that are not set there, and what looks like a reference and is none.
    """

    def look_up(name: str) -> str:
        if not environment.get(name):
            missing.append(name)
        return environment.get(name, "")

    if isinstance(value, dict):
        if value.get("source") == "env" and isinstance(value.get("id"), str):
            return look_up(value["id"])
        return {name: _substituted(part, environment, missing) for name, part in value.items()}
    if isinstance(value, list):
        return [_substituted(part, environment, missing) for part in value]
    if not isinstance(value, str):
        return value
    missing += [odd for odd in _ODD_REFERENCE.findall(value) if not _VARIABLE.fullmatch(odd)]
    return _VARIABLE.sub(lambda match: look_up(match[1]), value)


def load(model: type[_M], flags: Mapping[str, Any], sources: Sources) -> _M:
    """The settings of ``model``; ``flags`` by field name, None where not given."""
    values: dict[str, Any] = {}
    origin: dict[str, str] = {}
    problems: list[Problem] = []
    keys = {to_camel(name): name for name in model.model_fields}
    for key, value in sources.block.items():
        if key in keys:
            values[keys[key]], origin[keys[key]] = value, f"{sources.block_name}.{key}"
        else:
            near = difflib.get_close_matches(key, keys, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else f"; known are {', '.join(sorted(keys))}"
            problems.append(Problem(key, sources.block_name, f"there is no such setting{hint}"))
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
            missing: list[str] = []
            values[name] = _substituted(values[name], sources.environment, missing)
            if missing:
                del values[name]
                problems += [
                    Problem(to_camel(name), found_in, f"the environment variable {variable} is not set")
                    for variable in missing
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
    model: type[BaseModel], detail: ErrorDetails, origin: Mapping[str, str], sources: Sources
) -> Problem:
    """One pydantic error in our words; its input is left out, for it may be a secret."""
    location = [str(part) for part in detail["loc"]]
    message = detail["msg"].removeprefix("Value error, ")
    if not location:
        return Problem("settings", "", message)
    by_key = {to_camel(field_name): field_name for field_name in model.model_fields}
    name = by_key.get(location[0], location[0])
    if detail["type"] == "missing":
        ways = [flag_of(name), *_variables(model, name)]
        if sources.block_name:
            ways.append(f"{to_camel(name)} in {sources.block_name}")
        return Problem(to_camel(name), "", "is not set; give it as " + " or ".join(ways))
    path = to_camel(
        name
    )  # not what is within it: the name of a token may be the token, given the wrong way round
    message = _PLAIN_WORDS.get(detail["type"], message)
    return Problem(path, origin.get(name, ""), message[0].lower() + message[1:])
