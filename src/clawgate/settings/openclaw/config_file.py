"""Can OpenClaw's config file be used, what does it say, and if not: every reason at once, each with its line.

Variables come from `settings.environment`. No message holds a value that could be a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError

from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.environment import Environment, full_environment
from clawgate.settings.json5.file import Json5File, no_such_file, read_json5
from clawgate.settings.json5.source_map import SourceMap, nearest
from clawgate.settings.key_path import KeyPath, format_key_path
from clawgate.settings.openclaw.compatibility import refusals, unknown_key
from clawgate.settings.openclaw.schema import OpenClawConfig
from clawgate.settings.openclaw.unknown_keys import unread_keys
from clawgate.settings.openclaw.validate import findings
from clawgate.settings.problems import SettingsInvalid, worded
from clawgate.settings.redaction import is_secret
from clawgate.settings.references import resolve_references

_READ = ("gateway", "models", "agents", "plugins", "tools")
"""The parts of the file that are read, and in which references are followed."""

_MAY_LACK = frozenset({"baseUrl", "apiKey", "headers", "request", "api", "auth"})
"""Settings of a provider that it can lack: it is not ready then, and the others are. Better without a credential than
with the name of a variable in its place."""

_ROUNDS = 10
"""How often what is left of a wrong file is looked at again, for further problems."""

_MOST_PROBLEMS = 100
"""More are counted and not told: somebody has to read them."""

_MOST_KEYS = 1000
"""Keys that are not read and looked at for slips."""


@dataclass(frozen=True)
class ConfigFile:
    """The file and what it says. Not shown by ``repr``: text, raw and environment, which hold secrets.

    ``raw`` is the file as parsed, with its references as they stand; ``config`` has them replaced. ``digest`` is the
    SHA-256 of the bytes (``""`` for a file that is not there): who writes compares it first. ``unset`` is the key path
    of each reference that leads nowhere, with its variable (or ``exec:vault``, for secrets kept where clawgate does
    not ask): the part that needs it does without. ``notes`` are worth one debug line each, ``warnings`` tell what
    OpenClaw would refuse in this file.
    """

    path: Path
    text: str = field(repr=False)
    digest: str
    raw: Mapping[str, Any] = field(repr=False)
    config: OpenClawConfig = field(repr=False)
    environment: Environment = field(repr=False)
    unset: Mapping[str, str]
    notes: list[str]
    warnings: list[str]
    _scan: SourceMap = field(repr=False)
    _shared: tuple[str, ...] = field(repr=False)

    @cached_property
    def origins(self) -> Mapping[str, str]:
        """Key path -> ``openclaw.json:LINE``, for everything that stands in the file."""
        return {
            format_key_path(path): f"{self.path.name}:{span.line}"
            for path, span in self._scan.spans.items()
            if path
        }

    def place(self, path: KeyPath) -> str:
        """``/path/openclaw.json:LINE:COLUMN`` of a key, or of the nearest that it would be in."""
        line, column = nearest(self._scan.spans, path)
        return f"{self.path}:{line}:{column}"

    def secrets(self) -> tuple[str, ...]:
        """Every secret that the file holds or refers to, as text: for those who have to know what never to show."""
        found = dict.fromkeys(self._shared)
        found |= dict.fromkeys(_secrets_of(self.config))
        for text in tuple(found):
            found |= dict.fromkeys(_parts_of(text))
        return tuple(text for text in found if text)


def read_config(path: Path, environment: Mapping[str, str], *, required: bool) -> ConfigFile:
    """The file at ``path``; a missing one that is not ``required`` gives the defaults.

    ``environment`` is that of the process, or a `named_environment`. Raises `SettingsInvalid` with every problem.
    """
    file = read_json5(path)
    if file is None:
        if required:
            raise no_such_file(path)
        file = Json5File(path, "", "", 0o600, {}, SourceMap({}, ()))
    return validate(file, environment)


def validate(file: Json5File, environment: Mapping[str, str]) -> ConfigFile:
    """Return what a file that was read says. Raises as `read_config`."""
    return _Reading(file).config_file(environment)


class _Reading:
    """One file, and all that is found wrong with it."""

    def __init__(self, file: Json5File) -> None:
        self._file = file
        self._found: list[tuple[int, int, Diagnostic]] = []
        self._notes: list[str] = []
        self._warnings: list[str] = []
        self._unset: dict[KeyPath, str] = {}
        self._left_out: set[KeyPath] = set()

    def config_file(self, environment: Mapping[str, str]) -> ConfigFile:
        raw = self._file.value
        for twice in self._file.scan.twice:
            self._add_at(
                twice.again_line, twice.again_column, twice.path, f"is there already, on line {twice.line}"
            )
        if not isinstance(raw, dict):
            self._add((), "must be an object: { … }")
            raise self._invalid()
        self._includes(raw, ())
        environment = self._environment(raw, environment)
        read = self._with_references({key: raw[key] for key in _READ if key in raw}, environment)
        self._slips(raw)
        config = self._validated(read)
        for finding in findings(config, {*self._unset, *self._left_out}):
            self._add(*finding)
        if self._found:
            raise self._invalid()
        self._judge_mode()
        return ConfigFile(
            path=self._file.path,
            text=self._file.text,
            digest=self._file.digest,
            raw=raw,
            config=config,
            environment=environment,
            unset={format_key_path(path): name for path, name in self._unset.items()},
            notes=self._notes,
            warnings=[*self._warnings, *islice(refusals(raw), _MOST_PROBLEMS)],
            _scan=self._file.scan,
            _shared=tuple(_secret_texts({**raw, **read}, ())),
        )

    def _validated(self, read: dict[str, Any]) -> OpenClawConfig:
        """What is of a wrong type is told and left out, so that the rest can be judged in the same go."""
        for _ in range(_ROUNDS):
            try:
                return OpenClawConfig.model_validate(read, by_alias=True, by_name=False)
            except ValidationError as error:
                left_out = len(self._left_out)
                for detail in error.errors(include_url=False):
                    path, missing = detail["loc"], detail["type"] == "missing"
                    if path not in self._left_out:
                        self._add(path, _with_way_out(path, worded(detail)), missing=missing)
                    self._leave_out(read, path[:-1] if missing else path)
                if len(self._left_out) == left_out:
                    break
        raise self._invalid()

    def _add(self, path: KeyPath, message: str, *, missing: bool = False) -> None:
        line, column = nearest(self._file.scan.spans, path[:-1] if missing else path)
        self._add_at(line, column, path, message)

    def _add_at(self, line: int, column: int, path: KeyPath, message: str) -> None:
        if "headers" in path[:-1]:  # a header may be given the wrong way round: its name may be the secret
            path = path[: path.index("headers") + 1]
        problem = Diagnostic(path, message, location=self._file.place(line, column))
        self._found.append((line, column, problem))

    def _invalid(self) -> SettingsInvalid:
        problems = [problem for _, _, problem in sorted(self._found, key=lambda one: one[:2])]
        if len(problems) > _MOST_PROBLEMS:
            more = f"and {len(problems) - _MOST_PROBLEMS} more problems"
            problems[_MOST_PROBLEMS:] = [Diagnostic((), more, location=str(self._file.path))]
        return SettingsInvalid(problems)

    def _includes(self, value: object, path: KeyPath) -> None:
        """What OpenClaw would bring in from other files is not in sight here, so nothing may be concluded from it."""
        if isinstance(value, dict):
            if "$include" in value:
                self._add((*path, "$include"), "is not supported yet: move what it names into this file")
            for key, part in value.items():
                if path or key in _READ or key == "env":
                    self._includes(part, (*path, key))
        elif isinstance(value, list):
            for at, part in enumerate(value):
                self._includes(part, (*path, at))

    def _environment(self, raw: Mapping[str, Any], environment: Mapping[str, str]) -> Environment:
        found, problems = full_environment(environment, raw)
        for problem in problems:
            if problem.path:  # of the file itself
                self._add(problem.path, problem.message)
            else:
                self._found.append((0, 0, problem))
        return found

    def _with_references(self, read: dict[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
        replaced, missing = resolve_references(read, environment)
        assert isinstance(replaced, dict)
        for reference in missing:
            path = reference.path
            if path[0] == "gateway":
                self._add(path, str(reference))
                self._leave_out(replaced, path)
            elif reference.kind == "odd":
                self._notes.append(
                    f"{format_key_path(path)}: what looks like a reference is taken as it stands"
                )
            else:
                self._unset[path] = reference.name
                if path[:2] == ("models", "providers") and len(path) > 3 and path[3] in _MAY_LACK:
                    self._leave_out(replaced, path)
        return replaced

    def _leave_out(self, document: dict[str, Any], path: KeyPath) -> None:
        """Take what stands at ``path`` out of the document; an element of a list with its list."""
        while path and isinstance(path[-1], int):
            path = path[:-1]
        holder: Any = document
        for key in path[:-1]:
            try:
                holder = holder[key]
            except (KeyError, IndexError, TypeError):
                return  # with what it is in
        if path and isinstance(holder, dict) and path[-1] in holder:
            del holder[path[-1]]
            self._left_out.add(path)

    def _slips(self, raw: Mapping[str, Any]) -> None:
        others: dict[KeyPath, list[str]] = {}
        for key in islice(unread_keys(raw), _MOST_KEYS):
            if key.openclaws:
                others.setdefault(key.path[:-1], []).append(str(key.path[-1]))
            elif key.read and not key.there:
                self._add(key.path, f"is not read; did you mean '{key.meant}'?")
            else:
                self._warnings.append(unknown_key(key))
        for path, keys in others.items():
            place = f"{format_key_path(path)}: " if path else ""
            self._notes.append(
                f"{place}OpenClaw's own, not read: {', '.join(format_key_path((key,)) for key in keys)}"
            )

    def _judge_mode(self) -> None:
        if self._file.mode & 0o077:
            self._notes.append(
                f"{self._file.path}: other users may read or change it (mode {self._file.mode:04o}); "
                f"mend that with: chmod 600 {self._file.path}"
            )


def _with_way_out(path: KeyPath, message: str) -> str:
    if path[-1] == "baseUrl" and "password" in message:
        return f"{message}, in {format_key_path((*path[:3], 'request', 'auth'))}"
    return message


def _secret_texts(value: object, path: KeyPath) -> list[str]:
    """What stands where a secret would, also in what nobody here knows, such as the settings of plugins."""
    if isinstance(value, dict):
        return [text for key, part in value.items() for text in _secret_texts(part, (*path, key))]
    if isinstance(value, list):
        return [text for at, part in enumerate(value) for text in _secret_texts(part, (*path, at))]
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
    """The credential behind a scheme (``Basic …``), and the user and password of a URL."""
    parts = [text.rpartition(" ")[2]] if " " in text and "\n" not in text else []
    if "://" in text and "@" in text:
        user = text.partition("://")[2].rpartition("@")[0]
        parts += [user, user.partition(":")[2]]
    return parts
