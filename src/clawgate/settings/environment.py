"""Gathers environment variables from their sources and keeps the source of each.

The process comes first, then a file named with --env-file, then `.env` of the state folder, then ``env.vars`` of the
config file; the first that has a value counts. Must not read a file of the working folder that was not named: its
author, who may be anyone, would set variables of the gateway and of the children that it starts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path

from clawgate.settings.diagnostic import Diagnostic, Severity
from clawgate.settings.paths import state_dir
from clawgate.settings.problems import INCLUDE, SettingsInvalid, include_problem
from clawgate.settings.regular_file import (
    closing_command,
    exposure,
    foreign_writer,
    is_mounted_secret,
    read_regular,
)

ENV_FILE = ".env"


class Environment(Mapping[str, str]):
    """Variables with the source of each. An empty variable is an unset one."""

    def __init__(self, process: Mapping[str, str]) -> None:
        self._values = {name: value for name, value in process.items() if value}
        self._sources: dict[str, str] = {}
        self.files: tuple[Path, ...] = ()
        """The files that were read, whether a variable of theirs counts or not."""

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> Environment:
        """Return ``variables`` with their sources; a plain mapping is taken for the process's."""
        return variables if isinstance(variables, Environment) else cls(variables)

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<Environment of {len(self)} variables>"

    def origin(self, name: str) -> str:
        """Return where a variable was set, as a diagnostic locates it."""
        source = self._sources.get(name, "")
        return f"{name} in {source}" if source else f"environment variable {name}"

    def below(self, variables: Mapping[str, str], source: Path | str) -> Environment:
        """Return this environment with ``variables`` for the names that it lacks; a `Path` is a file that was read."""
        found = Environment({**variables, **self._values})
        lacking = found._values.keys() - self._values.keys()
        found._sources = {**dict.fromkeys(lacking, str(source)), **self._sources}
        found.files = (*self.files, source) if isinstance(source, Path) else self.files
        return found


def named_environment(process: Mapping[str, str], env_file: str | None) -> Environment:
    """Return the variables of the process with those of the file that --env-file names.

    Raises `SettingsInvalid` for a file that is missing, that cannot be read, or that others have access to.
    """
    environment = Environment(process)
    if env_file is None:
        return environment
    path = Path(env_file)
    found = _read(path)
    if found is None:
        fix = "create it or leave the flag out"
        raise SettingsInvalid.at(f"--env-file {path}", "there is no such file", fix)
    return environment.below(_parsed(path, found[0]), path)


def full_environment(process: Mapping[str, str], document: object) -> tuple[Environment, list[Diagnostic]]:
    """Return all variables that a config may refer to, and what is wrong with their sources.

    ``process`` may be a `named_environment`; ``document`` is the config file as parsed.
    """
    environment = Environment.of(process)
    path = state_dir(environment) / ENV_FILE
    problems: list[Diagnostic] = []
    try:
        variables = _state_variables(path)
        if variables is not None:
            environment = environment.below(variables, path)
    except SettingsInvalid as error:
        problems += error.problems
    own = _own_variables(document, problems)
    return environment.below(own, "env.vars of the config file"), problems


def ignored_env_file(folder: Path, environment: Environment) -> Diagnostic | None:
    """Return a note if ``folder``, the working folder, has a `.env` that was not read because no flag names it."""
    path = folder.absolute() / ENV_FILE
    if not path.is_file() or path.resolve() in {read.resolve() for read in environment.files}:
        return None
    message = "it is not read, for it is not named"
    return Diagnostic((), message, Severity.INFO, f"to use it: --env-file {ENV_FILE}", location=str(path))


def _state_variables(path: Path) -> dict[str, str] | None:
    """The variables of the state folder's file; raises `SettingsInvalid` for one of another user.

    Its owner may be the folder's, who could replace it anyhow.
    """
    found = _read(path)
    if found is None:
        return None
    data, status = found
    reason = foreign_writer(status, trusted=(path.parent.stat().st_uid,))
    if reason is not None and not is_mounted_secret(path, status):
        fix = f"its variables reach every child that is started; run: {closing_command(path, status)}"
        raise SettingsInvalid.at(path, reason, fix)
    return _parsed(path, data)


def _read(path: Path) -> tuple[bytes, os.stat_result] | None:
    found = read_regular(path)
    if found is not None and (problem := exposure(path, found[1])) is not None:
        raise SettingsInvalid([problem])
    return found


def _parsed(path: Path, data: bytes) -> dict[str, str]:
    from dotenv import dotenv_values  # which takes time that a process without such a file has not

    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SettingsInvalid.at(path, "it cannot be read: it is not UTF-8 text") from None
    values = dotenv_values(stream=StringIO(text), interpolate=False)
    return {name: value for name, value in values.items() if value}


def _own_variables(document: object, problems: list[Diagnostic]) -> dict[str, str]:
    """``env.vars`` of the config file."""
    found: object = document
    for depth, key in enumerate(("env", "vars"), 1):
        found = found.get(key, {}) if isinstance(found, dict) else {}
        if not isinstance(found, dict):
            problems.append(Diagnostic(("env", "vars")[:depth], "must be an object"))
            return {}
        if depth == 1:
            _check_env(found, problems)
    assert isinstance(found, dict)
    for name, value in found.items():
        if name == INCLUDE:
            problems.append(include_problem(("env", "vars")))
        elif not isinstance(value, str):
            problems.append(Diagnostic(("env", "vars", name), "must be text"))
    return {name: value for name, value in found.items() if isinstance(value, str) and name != INCLUDE}


def _check_env(env: Mapping[str, object], problems: list[Diagnostic]) -> None:
    """OpenClaw 2026.9.6 rejects any other key here; a variable that was put beside ``vars`` would be passed over."""
    for key in env:
        if key == INCLUDE:
            problems.append(include_problem(("env",)))
        elif key not in ("vars", "shellEnv"):
            problems.append(Diagnostic(("env", key), "is not read", fix="move it to env.vars"))
