"""Reads OpenClaw's config file: what it says, or every reason why it cannot be used, each with its line.

Must not put a value that could be a secret into a message.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError

from clawgate.settings.diagnostic import Diagnostic, Severity
from clawgate.settings.environment import Environment, full_environment
from clawgate.settings.json5.file import PRIVATE_MODE, Json5File, missing_file, read_json5
from clawgate.settings.json5.source_map import SourceMap, nearest_position
from clawgate.settings.key_path import KeyPath, format_key_path
from clawgate.settings.openclaw.compatibility import incompatibilities, unknown_key
from clawgate.settings.openclaw.own_settings import DATABASE_VARIABLE, misplaced
from clawgate.settings.openclaw.own_settings import SECTION as OWN_SECTION
from clawgate.settings.openclaw.unknown_keys import unknown_keys
from clawgate.settings.openclaw.unusable_providers import problems_by_provider, with_problems
from clawgate.settings.openclaw.validate import problems
from clawgate.settings.problems import INCLUDE, SettingsInvalid, format_message, include_problem
from clawgate.settings.redaction import is_secret, redact_name
from clawgate.settings.references import resolve_references
from clawgate.settings.schema.openclaw import OpenClawConfig, PluginEntry
from clawgate.settings.schema.upstream_keys import OPENCLAW_KEYS
from clawgate.wire.http.url import userinfo_secrets

_READ = ("gateway", "models", "agents", "plugins", "tools", "mcp", "memory")
"""The sections that are read, and in which references are resolved."""

_OPTIONAL = frozenset({"baseUrl", "apiKey", "headers", "request", "api", "auth"})
"""Settings of a provider that it can lack: it is not ready then, and the others are. Better without a credential than
with the name of a variable in its place."""

_MAX_PASSES = 10
"""How often what is left of an invalid file is validated again, for further problems."""

_MAX_PROBLEMS = 100
"""More are counted and not listed."""

_MAX_UNKNOWN_KEYS = 1000
"""Unknown keys that are examined for typos."""


@dataclass(frozen=True)
class ConfigFile:
    """The file and what it says. Not shown by ``repr``: text, raw and environment, which hold secrets.

    ``raw`` is the file as parsed, with its references unresolved; ``config`` has them resolved. ``digest`` is the
    SHA-256 of the bytes ("" for a missing file): writers compare it first. ``unset`` maps the key path of each
    reference that leads nowhere to its variable (or ``exec:vault``): the part that needs it does without.
    ``diagnostics`` are notes (`Severity.INFO`) and warnings, such as what OpenClaw would reject in this file.
    """

    path: Path
    text: str = field(repr=False)
    digest: str
    raw: Mapping[str, Any] = field(repr=False)
    config: OpenClawConfig = field(repr=False)
    environment: Environment = field(repr=False)
    unset: Mapping[str, str]
    diagnostics: tuple[Diagnostic, ...]
    _source_map: SourceMap = field(repr=False)
    _secret_texts: tuple[str, ...] = field(repr=False)

    @property
    def warnings(self) -> list[Diagnostic]:
        return [one for one in self.diagnostics if one.severity is Severity.WARNING]

    @property
    def notes(self) -> list[Diagnostic]:
        return [one for one in self.diagnostics if one.severity is Severity.INFO]

    @cached_property
    def origins(self) -> Mapping[str, str]:
        """Return key path -> ``openclaw.json:LINE`` for everything in the file."""
        return {
            format_key_path(path): f"{self.path.name}:{span.line}"
            for path, span in self._source_map.spans.items()
            if path
        }

    def location(self, path: KeyPath) -> str:
        """Return ``/path/openclaw.json:LINE:COLUMN`` of a key, or of its nearest parent in the file."""
        line, column = nearest_position(self._source_map.spans, path)
        return f"{self.path}:{line}:{column}"

    def secrets(self) -> tuple[str, ...]:
        """Return every secret that the file has or refers to, as text: what must never be shown."""
        database = self.environment.get(DATABASE_VARIABLE, "")
        texts = dict.fromkeys((*self._secret_texts, *_secrets_of(self.config)))
        if is_secret((), database):
            texts[database] = None
        for text in tuple(texts):
            texts |= dict.fromkeys(_parts_of(text))
        return tuple(text for text in texts if text)

    def plugin_config(self, plugin: str) -> Mapping[str, Any]:
        """Return ``plugins.entries.<plugin>.config``.

        Raises `SettingsInvalid` for keys beside it that OpenClaw does not have: they look like settings, one level too
        high.
        """
        entry = self.config.plugins.entries.get(plugin)
        if entry is None:
            return {}
        unknown = [key for key in entry.model_extra or {} if key not in OPENCLAW_KEYS[PluginEntry]]
        if unknown:
            names = ", ".join(f"'{redact_name(key)}'" for key in unknown)
            raise SettingsInvalid(
                [Diagnostic((), f"beside it is {names}, which is not read", fix="move it into config")]
            )
        return entry.config

    def secrets_of_plugin(self, plugin: str) -> tuple[str, ...]:
        """Return the secrets in ``plugins.entries.<plugin>.config``, as text."""
        entry = self.config.plugins.entries.get(plugin)
        return tuple(_secret_texts(entry.config, ("plugins", "entries", plugin, "config"))) if entry else ()


@dataclass(frozen=True)
class PartialConfig:
    """What a file says where it can be used, and everything that is wrong elsewhere.

    ``file`` has the defaults for what cannot be used; that of an unreadable file has nothing else. ``problems`` has
    each with the path that it concerns: the key that a misspelled one was meant to be.
    """

    file: ConfigFile
    problems: tuple[tuple[KeyPath, Diagnostic], ...]

    @property
    def is_readable(self) -> bool:
        """Whether each problem has a place, so that all else is known."""
        return all(path for path, _ in self.problems)

    def problems_of(self, section: KeyPath) -> list[Diagnostic]:
        """Return the problems in ``section`` or of what it is in. A reference may be to any of the own variables."""
        return [
            problem
            for path, problem in self.problems
            if path[: len(section)] == section[: len(path)] or path[:1] == ("env",)
        ]


def read_config(path: Path, environment: Mapping[str, str], *, required: bool) -> ConfigFile:
    """Return the file at ``path``; a missing one that is not ``required`` has the defaults.

    ``environment`` is that of the process, or a `named_environment`. Raises `SettingsInvalid` with every problem.
    """
    file = read_json5(path)
    if file is None:
        if required:
            raise missing_file(path)
        file = _empty(path)
    return _Validation(file).config_file(environment)


def validate(file: Json5File, environment: Mapping[str, str]) -> ConfigFile:
    """Return what a parsed file says. Raises as `read_config`, also for what is wrong with one provider alone."""
    return _Validation(file, is_strict=True).config_file(environment)


def read_partly(path: Path, environment: Mapping[str, str]) -> PartialConfig:
    """Return what can be used of the file at ``path``, which has to exist. Never raises for its content."""
    try:
        file = read_json5(path)
        if file is None:
            raise missing_file(path)
    except SettingsInvalid as error:
        unreadable = [((), problem) for problem in error.problems]
        validation = _Validation(_empty(path))
        return PartialConfig(validation.usable_part(environment), (*unreadable, *validation.concerned))
    validation = _Validation(file)
    return PartialConfig(validation.usable_part(environment), tuple(validation.concerned))


def _empty(path: Path) -> Json5File:
    return Json5File(path, "", "", PRIVATE_MODE, {}, SourceMap({}, ()))


class _Validation:
    def __init__(self, file: Json5File, *, is_strict: bool = False) -> None:
        self._file = file
        self._is_strict = is_strict
        self._problems: list[tuple[int, int, Diagnostic]] = []
        self.concerned: list[tuple[KeyPath, Diagnostic]] = []
        """Each problem with the path that it concerns, see `PartialConfig`."""
        self._diagnostics: list[Diagnostic] = []
        self._unset: dict[KeyPath, str] = {}
        self._removed: set[KeyPath] = set()

    def config_file(self, environment: Mapping[str, str]) -> ConfigFile:
        """Raises `SettingsInvalid` with every problem."""
        file = self.usable_part(environment)
        if self._problems:
            raise self._invalid()
        return file

    def usable_part(self, environment: Mapping[str, str]) -> ConfigFile:
        """Return the file without what is wrong in it; `concerned` has the problems."""
        raw = self._file.value
        for duplicate in self._file.source_map.duplicates:
            self._add_at(duplicate.line, duplicate.column, Diagnostic(duplicate.path, duplicate.message))
        if not isinstance(raw, dict):
            self._add(Diagnostic((), "must be an object: { … }"))
            raw = {}
        self._check_includes(raw, ())
        variables = self._environment(raw, environment)
        read = self._resolve({key: raw[key] for key in _READ if key in raw}, variables)
        self._check_keys(raw)
        config = self._parse(read)
        found = list(problems(config, {*self._unset, *self._removed}))
        for problem in found:
            self._add(problem)
        if any(problem.path[: len(OWN_SECTION)] == OWN_SECTION for problem in found):
            self._remove(read, OWN_SECTION)
            config = self._parse(read)
        if not self._is_strict and (of_providers := problems_by_provider(self.concerned)):
            config = with_problems(config, of_providers)
            for _, problem in self.concerned[:_MAX_PROBLEMS]:
                self._diagnostics.append(replace(problem, severity=Severity.WARNING))
            self._problems.clear()
            self.concerned.clear()
        self._check_mode()
        for warning in islice(incompatibilities(raw), _MAX_PROBLEMS):
            self._diagnostics.append(self._located(warning))
        return ConfigFile(
            path=self._file.path,
            text=self._file.text,
            digest=self._file.digest,
            raw=raw,
            config=config,
            environment=variables,
            unset={format_key_path(path): name for path, name in self._unset.items()},
            diagnostics=tuple(self._diagnostics),
            _source_map=self._file.source_map,
            _secret_texts=tuple(_secret_texts({**raw, **read}, ())),
        )

    def _parse(self, read: dict[str, Any]) -> OpenClawConfig:
        """Validate types. What is of a wrong type is reported and removed, so that the rest is checked, too."""
        for _ in range(_MAX_PASSES):
            try:
                return OpenClawConfig.model_validate(read, by_alias=True, by_name=False)
            except ValidationError as error:
                removed = len(self._removed)
                for detail in error.errors(include_url=False):
                    path, is_missing = detail["loc"], detail["type"] == "missing"
                    if path not in self._removed:
                        self._add(Diagnostic(path, format_message(detail), fix=_fix(path, detail["msg"])))
                    self._remove(read, path[:-1] if is_missing else path)
                if len(self._removed) == removed:
                    break
        self.concerned.append(((), self._problems[-1][2]))  # the rest cannot be attributed
        return OpenClawConfig()

    def _add(self, problem: Diagnostic, concerns: KeyPath | None = None) -> None:
        self._add_at(*self._position(problem.path), problem, concerns)

    def _add_at(self, line: int, column: int, problem: Diagnostic, concerns: KeyPath | None = None) -> None:
        located = replace(problem, location=self._file.location(line, column))
        self._problems.append((line, column, located))
        self.concerned.append((problem.path if concerns is None else concerns, located))

    def _located(self, diagnostic: Diagnostic) -> Diagnostic:
        return replace(diagnostic, location=self._file.location(*self._position(diagnostic.path)))

    def _position(self, path: KeyPath) -> tuple[int, int]:
        return nearest_position(self._file.source_map.spans, path)

    def _note(self, path: KeyPath, message: str, fix: str = "") -> None:
        self._diagnostics.append(Diagnostic(path, message, Severity.INFO, fix))

    def _invalid(self) -> SettingsInvalid:
        found = [problem for _, _, problem in sorted(self._problems, key=lambda one: one[:2])]
        if len(found) > _MAX_PROBLEMS:
            message = f"and {len(found) - _MAX_PROBLEMS} more problems"
            found[_MAX_PROBLEMS:] = [Diagnostic((), message, location=str(self._file.path))]
        return SettingsInvalid(found)

    def _check_includes(self, value: object, path: KeyPath) -> None:
        """Reject what OpenClaw would read from other files: without it nothing can be concluded."""
        if isinstance(value, dict):
            if INCLUDE in value:
                self._add(include_problem(path), concerns=path)
            for key, part in value.items():
                if path or key in _READ:
                    self._check_includes(part, (*path, key))
        elif isinstance(value, list):
            for index, part in enumerate(value):
                self._check_includes(part, (*path, index))

    def _environment(self, raw: Mapping[str, Any], environment: Mapping[str, str]) -> Environment:
        variables, found = full_environment(environment, raw)
        for problem in found:
            if problem.path:
                self._add(problem)
            else:  # of another file
                self._problems.append((0, 0, problem))
                self.concerned.append(((), problem))
        return variables

    def _resolve(self, read: dict[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
        resolved, unresolved = resolve_references(read, environment)
        assert isinstance(resolved, dict)
        for reference in unresolved:
            path = reference.path
            if path[0] == "gateway" or reference.kind == "quoted":
                self._add(Diagnostic(path, reference.message, fix=reference.fix))
                self._remove(resolved, path)
            elif reference.kind == "malformed":
                self._note(path, "a text that looks like a reference is used unchanged")
            else:
                self._unset[path] = reference.name
                if path[:2] == ("models", "providers") and len(path) > 3 and path[3] in _OPTIONAL:
                    self._remove(resolved, path)
        return resolved

    def _remove(self, document: dict[str, Any], path: KeyPath) -> None:
        """Remove what is at ``path`` from the document; an element of a list with its list."""
        while path and isinstance(path[-1], int):
            path = path[:-1]
        parent: Any = document
        for key in path[:-1]:
            try:
                parent = parent[key]
            except (KeyError, IndexError, TypeError):
                return  # removed with its parent
        if path and isinstance(parent, dict) and path[-1] in parent:
            del parent[path[-1]]
            self._removed.add(path)

    def _check_keys(self, raw: Mapping[str, Any]) -> None:
        openclaw: dict[KeyPath, list[str]] = {}
        for key in islice(unknown_keys(raw), _MAX_UNKNOWN_KEYS):
            if not (key.suggestion or key.is_openclaw) and (problem := misplaced(key.path)) is not None:
                self._add(problem)
            elif key.is_openclaw:
                openclaw.setdefault(key.path[:-1], []).append(str(key.path[-1]))
            elif key.is_read and not key.is_beside:
                problem = Diagnostic(key.path, "is not read", fix=f"did you mean '{key.suggestion}'?")
                self._add(problem, concerns=(*key.path[:-1], key.suggestion or key.path[-1]))
            else:
                location = self._file.location(*self._position(key.path))
                self._diagnostics.append(replace(unknown_key(key), location=location))
        for path, keys in openclaw.items():
            names = ", ".join(format_key_path((key,)) for key in keys)
            self._note(path, f"OpenClaw's own, not read: {names}")

    def _check_mode(self) -> None:
        if self._file.mode & 0o077:
            message = f"other users may read or change it (mode {self._file.mode:04o})"
            fix = f"run: chmod 600 {self._file.path}"
            self._diagnostics.append(
                Diagnostic((), message, Severity.INFO, fix, location=str(self._file.path))
            )


def _fix(path: KeyPath, message: str) -> str:
    if path and path[-1] == "baseUrl" and "password" in message:
        return f"move it to {format_key_path((*path[:3], 'request', 'auth'))}"
    return ""


def _secret_texts(value: object, path: KeyPath) -> list[str]:
    """Every text in the place of a secret, also under keys that are unknown here, such as the settings of plugins."""
    if isinstance(value, dict):
        return [text for key, part in value.items() for text in _secret_texts(part, (*path, key))]
    if isinstance(value, list):
        return [text for index, part in enumerate(value) for text in _secret_texts(part, (*path, index))]
    return [value] if isinstance(value, str) and is_secret(path, value) else []


def _secrets_of(value: object) -> list[str]:
    if isinstance(value, SecretStr):
        return [value.get_secret_value()]
    if isinstance(value, BaseModel):
        return [text for _, part in value for text in _secrets_of(part)]
    if isinstance(value, dict):
        return [text for part in value.values() for text in _secrets_of(part)]
    if isinstance(value, tuple):
        return [text for part in value for text in _secrets_of(part)]
    return []


def _parts_of(text: str) -> list[str]:
    """The credential after a scheme (``Basic …``), and the user and password of a URL."""
    parts = [text.rpartition(" ")[2]] if " " in text and "\n" not in text else []
    if "://" in text and "@" in text:
        parts += userinfo_secrets(text.partition("://")[2].rpartition("@")[0])
    return parts
