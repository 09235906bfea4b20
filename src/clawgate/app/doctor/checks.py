"""What do the facts of an installation say is wrong? Each check reads `Facts` and returns its findings; no I/O here.

A finding says what is wrong, where, and what to do. What can be done without a decision of the operator's is a
`Fix`, which `clawgate doctor --fix` offers to do.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from clawgate.plugins.host.diagnostics import PluginDiagnostic
    from clawgate.settings.diagnostic import Diagnostic

FILE_MODE = 0o600
FOLDER_MODE = 0o700
_OTHERS = 0o077
_OLDEST_PYTHON = (3, 11)
_OLDEST_OPENSSL = (3, 0)
_FEW_FILES = 1024
_LITTLE_SPACE = 100 * 1024 * 1024
_SANE_YEAR = 2025
_CLOCK_SLACK = timedelta(minutes=5)
_LIKE = 0.75


class Severity(IntEnum):
    """An error keeps the gateway from serving, or lets others read what they must not."""

    INFO = 0
    WARNING = 1
    ERROR = 2


@dataclass(frozen=True, slots=True)
class Fix:
    """Something that can be done at once. ``path`` is the file or folder that it changes."""

    kind: Literal["close_to_others", "remove", "make_token", "set_mode"]
    path: str
    mode: int = 0

    def __str__(self) -> str:
        match self.kind:
            case "close_to_others":
                return f"set the mode of {self.path} to {self.mode:04o}"
            case "remove":
                return f"remove {self.path}"
            case "make_token":
                return f"make a token and write it to gateway.auth.token in {self.path}"
            case "set_mode":
                return f'write gateway.mode "local" to {self.path}'


@dataclass(frozen=True, slots=True)
class Finding:
    """``fix`` is a sentence or a command; ``repair`` is what `doctor --fix` does, None if it can do nothing."""

    severity: Severity
    what: str
    where: str
    fix: str
    repair: Fix | None = None


@dataclass(frozen=True, slots=True)
class FileFact:
    """A file or folder of ours, or the config file. ``mode`` as chmod(1) takes it."""

    path: str
    mode: int
    is_folder: bool
    is_ours: bool
    modified: datetime


@dataclass(frozen=True, slots=True)
class ProviderFact:
    """``is_used``: it is the default, a fallback, or written in the config; a built-in may well lack a key.

    ``allow_private_setting`` is the key path that allows a private address. ``shortest_masked``: characters that its
    credential has to have to be masked in logs and errors, 0 where it has them or where there is none.
    """

    name: str
    problem: str | None
    notes: tuple[str, ...] = ()
    is_used: bool = True
    allow_private_setting: str = ""
    shortest_masked: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that is known about an installation; what could not be found out keeps its default."""

    config_path: str
    config_exists: bool
    now: datetime
    config_problems: tuple[str, ...] = ()
    config_warnings: tuple[str, ...] = ()
    """What OpenClaw would refuse in the file."""
    start_problems: tuple[str, ...] = ()
    """What `gateway run` would refuse, of settings that are each right by themselves."""
    mode: str | None = None
    """``gateway.mode``."""
    auth_is_set: bool = True
    """Whether a token, a password, or the mode "none" is configured anywhere."""
    files: tuple[FileFact, ...] = ()
    leftovers: tuple[str, ...] = ()
    running: str | None = None
    why_not_well: str | None = None
    """What the gateway that runs answers, if it is not well."""
    port: int = 0
    port_owner: str | None = None
    """Who else has the port that the gateway would want."""
    providers: tuple[ProviderFact, ...] = ()
    primary: str | None = None
    catalog_notes: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()
    known_plugins: tuple[str, ...] = ()
    plugin_facts: tuple[PluginDiagnostic, ...] = ()
    python: tuple[int, ...] = _OLDEST_PYTHON
    openssl: tuple[int, ...] = _OLDEST_OPENSSL
    open_files: int = _FEW_FILES
    free_bytes: int | None = None
    not_looked_at: tuple[str, ...] = field(default=())
    """What could not be gathered, and why."""


def run_checks(facts: Facts) -> list[Finding]:
    """Every finding, the worst first."""
    found = [finding for check in CHECKS for finding in check(facts)]
    return sorted(found, key=lambda finding: -finding.severity)


def config_file(facts: Facts) -> Iterator[Finding]:
    for problem in facts.config_problems:
        yield Finding(Severity.ERROR, problem, facts.config_path, "edit the file; clawgate config validate")
    for warning in facts.config_warnings:
        yield Finding(Severity.WARNING, warning, facts.config_path, "edit the file; clawgate config validate")
    if not facts.config_exists and not facts.config_problems:
        yield Finding(
            Severity.INFO,
            "there is no config file; defaults are used",
            facts.config_path,
            "it is made by clawgate config set, or by doctor --fix",
        )


def admission(facts: Facts) -> Iterator[Finding]:
    if facts.config_problems:
        return
    if not facts.auth_is_set:
        yield Finding(
            Severity.ERROR,
            "no token is set, so the gateway does not start",
            f"{facts.config_path}: gateway.auth.token",
            "clawgate doctor --fix makes one; or set OPENCLAW_GATEWAY_TOKEN",
            Fix("make_token", facts.config_path),
        )
    else:
        for problem in facts.start_problems:
            yield Finding(
                Severity.ERROR, problem, facts.config_path, "clawgate config set, for the setting named"
            )
    if facts.mode is None and facts.config_exists:
        yield Finding(
            Severity.WARNING,
            "gateway.mode is not set: the real OpenClaw does not start its gateway with this file",
            f"{facts.config_path}: gateway.mode",
            "clawgate config set gateway.mode local",
            Fix("set_mode", facts.config_path),
        )
    elif facts.mode == "remote":
        yield Finding(
            Severity.WARNING,
            "gateway.mode is 'remote': OpenClaw then uses a gateway elsewhere",
            f"{facts.config_path}: gateway.mode",
            "clawgate config set gateway.mode local, if this machine is to serve",
        )


def modes(facts: Facts) -> Iterator[Finding]:
    for file in facts.files:
        if not file.is_ours:
            yield Finding(
                Severity.ERROR,
                "it belongs to another user, who can change it",
                file.path,
                "chown it to the user that runs the gateway",
            )
        elif file.mode & _OTHERS:
            mode = FOLDER_MODE if file.is_folder else FILE_MODE
            yield Finding(
                Severity.ERROR,
                f"others may read it or what is in it (mode {file.mode:04o})",
                file.path,
                f"chmod {mode:o} it",
                Fix("close_to_others", file.path, mode),
            )


def leftovers(facts: Facts) -> Iterator[Finding]:
    for path in facts.leftovers:
        yield Finding(
            Severity.INFO,
            "a process that was killed left it behind; it does no harm",
            path,
            "remove it",
            Fix("remove", path),
        )


def running(facts: Facts) -> Iterator[Finding]:
    if facts.running is not None and facts.why_not_well is not None:
        yield Finding(
            Severity.ERROR,
            f"a gateway runs and does not answer well: {facts.why_not_well}",
            facts.running,
            "clawgate logs; clawgate gateway restart",
        )
    if facts.running is None and facts.port_owner is not None:
        yield Finding(
            Severity.ERROR,
            f"the port is taken by {facts.port_owner}",
            f"port {facts.port}",
            "stop that, or: clawgate config set gateway.port NUMBER",
        )


def providers(facts: Facts) -> Iterator[Finding]:
    used = [provider for provider in facts.providers if provider.is_used]
    ready = [provider for provider in facts.providers if provider.problem is None]
    for provider in used:
        where = f"models.providers.{provider.name}"
        if provider.problem is not None:
            yield Finding(Severity.WARNING, f"{provider.name} cannot serve", where, provider.problem)
        for note in provider.notes:
            what = f"{provider.name}: {note}"
            if provider.allow_private_setting and "blocked" in note:
                fix = f"clawgate config set {_quoted(provider.allow_private_setting)} true"
                yield Finding(Severity.WARNING, what, provider.allow_private_setting, fix)
            else:
                yield Finding(Severity.INFO, what, where, "clawgate models status")
        if provider.shortest_masked:
            yield Finding(
                Severity.INFO,
                f"{provider.name}: its credential is shorter than {provider.shortest_masked} characters, is taken for "
                "a placeholder, and is not masked in logs and errors",
                where,
                "nothing, if that server wants no key",
            )
    if facts.config_problems:
        return
    if facts.providers and not ready:
        yield Finding(
            Severity.ERROR,
            "no provider can serve, so every request fails",
            "models.providers",
            "set a key, as OPENAI_API_KEY, or configure a provider; clawgate models status",
        )
    elif facts.primary is None:
        yield Finding(
            Severity.WARNING,
            "no default model is set: only requests that name provider/model are served",
            "agents.defaults.model.primary",
            "clawgate models set PROVIDER/MODEL",
        )
    for note in facts.catalog_notes:
        yield Finding(Severity.WARNING, note, facts.config_path, "clawgate models status")


def plugins(facts: Facts) -> Iterator[Finding]:
    for name in facts.plugins:
        if name in facts.known_plugins:
            continue
        near = difflib.get_close_matches(name, facts.known_plugins, n=1, cutoff=_LIKE)
        where = f"{facts.config_path}: plugins.entries.{name}"
        if near:
            yield Finding(
                Severity.WARNING, f"there is no plugin '{name}'", where, f"did you mean '{near[0]}'?"
            )
        else:
            yield Finding(
                Severity.INFO,
                f"plugin '{name}' is not one of clawgate's and is left to OpenClaw",
                where,
                f"nothing, if that is meant; clawgate's are {', '.join(facts.known_plugins)}",
            )


def plugin_settings(facts: Facts) -> Iterator[Finding]:
    """An invalid setting is an error, as in `config validate`."""
    for fact in facts.plugin_facts:
        found = fact.diagnostic
        severity = Severity.ERROR if fact.kind == "wrong" else Severity.WARNING
        steps = {
            "broken": f"fix the plugin, or: clawgate plugins disable {fact.plugin}",
            "wrong": "edit the file; clawgate config validate",
            "unset": "the plugin does not run until it is set, here or in the gateway's environment",
            "unfit": "clawgate config set, for the setting named",
        }
        what = (
            found.message if fact.kind == "broken" else f"{fact.plugin}: {_last_key(found)}: {found.message}"
        )
        yield Finding(severity, what, f"{found.location}: {found.key}", found.fix or steps[fact.kind])


def _last_key(found: Diagnostic) -> str:
    return str(found.path[-1]) if found.path else ""


def machine(facts: Facts) -> Iterator[Finding]:
    if facts.now.year < _SANE_YEAR:
        yield Finding(
            Severity.ERROR,
            f"the clock says {facts.now:%Y-%m-%d}; certificates cannot be judged by it",
            "this machine",
            "set the clock",
        )
    else:
        for file in facts.files:
            if file.modified > facts.now + _CLOCK_SLACK:
                yield Finding(
                    Severity.WARNING,
                    f"it was changed in the future ({file.modified:%Y-%m-%d %H:%M} UTC): the clock was or is wrong",
                    file.path,
                    "look at the clock of this machine",
                )
    if facts.python[:2] < _OLDEST_PYTHON:
        yield Finding(
            Severity.ERROR, f"Python {_version(facts.python)} is too old", "this machine", "use 3.11 or newer"
        )
    if facts.openssl[:2] < _OLDEST_OPENSSL:
        yield Finding(
            Severity.WARNING,
            f"OpenSSL {_version(facts.openssl)} gets no security fixes any more",
            "this Python",
            "use a Python that is built with OpenSSL 3",
        )
    if facts.open_files < _FEW_FILES:
        yield Finding(
            Severity.WARNING,
            f"only {facts.open_files} files may be open at once, two for each client",
            "this shell",
            f"ulimit -n {_FEW_FILES * 8}; a service sets LimitNOFILE itself",
        )
    if facts.free_bytes is not None and facts.free_bytes < _LITTLE_SPACE:
        yield Finding(
            Severity.WARNING,
            f"only {facts.free_bytes // (1024 * 1024)} MB are free for state and logs",
            "the state folder's disk",
            "make room",
        )


def unknown_facts(facts: Facts) -> Iterator[Finding]:
    for what in facts.not_looked_at:
        yield Finding(
            Severity.WARNING, f"this could not be looked at: {what}", "doctor", "look at it by hand"
        )


def _quoted(key_path: str) -> str:
    """For a shell; a key path may hold quotes and brackets."""
    quoted = shlex.quote(key_path)
    return quoted if quoted != key_path else f"'{key_path}'"


def _version(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))


CHECKS: tuple[Callable[[Facts], Iterator[Finding]], ...] = (
    config_file,
    admission,
    running,
    modes,
    providers,
    plugins,
    plugin_settings,
    machine,
    leftovers,
    unknown_facts,
)
