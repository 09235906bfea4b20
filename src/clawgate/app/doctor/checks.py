"""Checks the facts of an installation: each check yields a diagnostic for whatever is wrong.

Pure: reads `Facts`, does no I/O. What can be fixed without a decision of the operator has a `Fix`, which
`clawgate doctor --fix` applies.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from clawgate.settings.diagnostic import Diagnostic, Severity
from clawgate.settings.key_path import KeyPath, parse_key_path
from clawgate.settings.openclaw.own_settings import SECTION

FILE_MODE = 0o600
FOLDER_MODE = 0o700
_OTHERS = 0o077
_OTHERS_MAY_WRITE = 0o022
_OLDEST_PYTHON = (3, 11)
_OLDEST_OPENSSL = (3, 0)
_FEW_FILES = 1024
_LITTLE_SPACE = 100 * 1024 * 1024
_SANE_YEAR = 2025
_CLOCK_SLACK = timedelta(minutes=5)
_SIMILARITY = 0.75
_MODE: KeyPath = ("gateway", "mode")
_TOKEN: KeyPath = ("gateway", "auth", "token")
_MACHINE = "this machine"
_FAKE_IP: KeyPath = (*SECTION, "network", "fakeIp")
_EDIT = "edit the file; clawgate config validate"
_SET = "clawgate config set, for this setting"
_STATUS = "clawgate models status"


@dataclass(frozen=True, slots=True)
class Fix:
    """A change that can be made at once. ``path`` is the file or folder that it changes."""

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
class FixableDiagnostic(Diagnostic):
    repair: Fix = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class FileFact:
    """A file or folder of ours, or the config file. ``mode`` as chmod(1) takes it.

    ``is_private``: others must not read it either, and not only not change it. ``is_mounted``: see `is_mounted_secret`.
    """

    path: str
    mode: int
    is_folder: bool
    is_ours: bool
    modified: datetime
    is_private: bool = True
    is_mounted: bool = False


@dataclass(frozen=True, slots=True)
class ProviderFact:
    """``is_used``: it is the default, a fallback, or in the config; a built-in provider that is not may lack a key.

    ``allow_private_setting`` is the key path that allows a private address. ``shortest_masked``: the least length of a
    credential that is masked in logs and errors, 0 if its credential is long enough or there is none. ``is_down``: the
    running gateway could not use it although it is configured. ``unreached``: no gateway runs, and it is a server of
    this machine that takes no connection. ``placeholder``: the address of a fake-IP DNS that its name resolves to, and
    the command that allows it.
    """

    name: str
    problem: str | None
    notes: tuple[str, ...] = ()
    is_used: bool = True
    allow_private_setting: str = ""
    shortest_masked: int = 0
    is_down: bool = False
    unreached: str | None = None
    placeholder: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that is known about an installation; what could not be gathered keeps its default."""

    config_path: str
    config_exists: bool
    now: datetime
    config_problems: tuple[Diagnostic, ...] = ()
    config_warnings: tuple[Diagnostic, ...] = ()
    """What OpenClaw would reject in the file."""
    start_problems: tuple[Diagnostic, ...] = ()
    """What `gateway run` would reject, of settings that are each valid."""
    mode: str | None = None
    """``gateway.mode``."""
    auth_is_set: bool = True
    """Whether a token, a password, or the mode "none" is configured anywhere."""
    files: tuple[FileFact, ...] = ()
    leftovers: tuple[str, ...] = ()
    running: str | None = None
    health_problem: str | None = None
    """What is wrong with the gateway that runs."""
    database_problem: str | None = None
    """Why runs of agents would fail at their database."""
    database_note: str | None = None
    port: int = 0
    port_owner: str | None = None
    """The other program that has the port of the gateway."""
    providers: tuple[ProviderFact, ...] = ()
    serving_problem: str | None = None
    """Why requests for the default model would fail."""
    based_on: str = ""
    """What showed whether the providers can serve, as a phrase."""
    primary: str | None = None
    catalog_notes: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()
    known_plugins: tuple[str, ...] = ()
    plugin_diagnostics: tuple[Diagnostic, ...] = ()
    python: tuple[int, ...] = _OLDEST_PYTHON
    openssl: tuple[int, ...] = _OLDEST_OPENSSL
    open_files: int = _FEW_FILES
    state_problem: Diagnostic | None = None
    free_bytes: int | None = None
    not_gathered: tuple[str, ...] = ()
    """What could not be gathered, and why."""


def run_checks(facts: Facts) -> list[Diagnostic]:
    """Return every diagnostic, the most severe first."""
    found = [diagnostic for check in CHECKS for diagnostic in check(facts)]
    return sorted(found, key=lambda diagnostic: -diagnostic.severity)


def check_config_file(facts: Facts) -> Iterator[Diagnostic]:
    repaired = {found.location for found in check_modes(facts)}
    for diagnostic in (*facts.config_problems, *facts.config_warnings):
        if diagnostic.path or diagnostic.location not in repaired:
            yield _with_fix(diagnostic, _EDIT)
    if not facts.config_exists and not facts.config_problems:
        fix = "clawgate config set creates it, and so does doctor --fix"
        message = "there is no config file; defaults are used"
        yield Diagnostic((), message, Severity.INFO, fix, location=facts.config_path)


def check_admission(facts: Facts) -> Iterator[Diagnostic]:
    if facts.config_problems:
        return
    if not facts.auth_is_set and all(problem.path != _TOKEN for problem in facts.start_problems):
        yield _no_token(facts)
    else:
        for problem in facts.start_problems:
            yield _with_fix(problem, _SET)
    if facts.mode is None and facts.config_exists:
        yield FixableDiagnostic(
            _MODE,
            "gateway.mode is not set: OpenClaw does not start its gateway with this file",
            Severity.WARNING,
            "clawgate config set gateway.mode local",
            location=facts.config_path,
            repair=Fix("set_mode", facts.config_path),
        )
    elif facts.mode == "remote":
        message = "gateway.mode is 'remote': OpenClaw uses a gateway on another machine"
        fix = "clawgate config set gateway.mode local, if this machine is to serve"
        yield Diagnostic(_MODE, message, Severity.WARNING, fix, location=facts.config_path)


def _no_token(facts: Facts) -> Diagnostic:
    """What lacks a token either does not start, or makes one: that is no problem of the start then."""
    message, severity = "no token is set, so the gateway does not start", Severity.ERROR
    if not facts.start_problems:
        message, severity = "no token is set; the gateway makes one at its first start", Severity.INFO
    return FixableDiagnostic(
        _TOKEN,
        message,
        severity,
        fix="clawgate doctor --fix makes one; or set OPENCLAW_GATEWAY_TOKEN",
        location=facts.config_path,
        repair=Fix("make_token", facts.config_path),
    )


def check_modes(facts: Facts) -> Iterator[Diagnostic]:
    for file in facts.files:
        is_open = file.mode & (_OTHERS if file.is_private else _OTHERS_MAY_WRITE)
        if file.is_mounted:
            if is_open:
                message = f"other users can read it (mode {file.mode:04o}); its mount is read-only"
                fix = "mount it with mode 0400, and the gateway's user as owner"
                yield Diagnostic((), message, Severity.WARNING, fix, location=file.path)
        elif not file.is_ours:
            message = "it belongs to another user, who can change it"
            fix = "chown it to the user that runs the gateway"
            yield Diagnostic((), message, fix=fix, location=file.path)
        elif is_open:
            action = "change" if file.mode & _OTHERS_MAY_WRITE else "read"
            mode = FOLDER_MODE if file.is_folder else FILE_MODE
            yield FixableDiagnostic(
                (),
                f"other users can {action} it or what is in it (mode {file.mode:04o})",
                fix=f"chmod {mode:o} {shlex.quote(file.path)}",
                location=file.path,
                repair=Fix("close_to_others", file.path, mode),
            )


def check_leftovers(facts: Facts) -> Iterator[Diagnostic]:
    for path in facts.leftovers:
        message = "left behind by a process that was killed; harmless"
        repair = Fix("remove", path)
        yield FixableDiagnostic((), message, Severity.INFO, "remove it", location=path, repair=repair)


def check_running_gateway(facts: Facts) -> Iterator[Diagnostic]:
    if facts.running is not None and facts.health_problem is not None:
        message = f"a gateway runs and its health check fails: {facts.health_problem}"
        fix = "clawgate logs; clawgate gateway restart"
        yield Diagnostic((), message, fix=fix, location=facts.running)
    if facts.running is None and facts.port_owner is not None:
        fix = "stop that program, or: clawgate config set gateway.port NUMBER"
        message = f"the port is taken by {facts.port_owner}"
        yield Diagnostic((), message, fix=fix, location=f"port {facts.port}")


def check_database(facts: Facts) -> Iterator[Diagnostic]:
    if facts.database_problem is not None:
        message, _, fix = facts.database_problem.rpartition("; ")
        yield Diagnostic((), message or fix, fix=fix if message else "", location="agents")
    if facts.database_note is not None:
        fix = "clawgate state migrate, or start the gateway anew, which does it"
        yield Diagnostic((), facts.database_note, fix=fix, location="agents", severity=Severity.WARNING)


def check_providers(facts: Facts) -> Iterator[Diagnostic]:
    for provider in facts.providers:
        if provider.is_used:
            yield from _check_provider(provider)
    if facts.config_problems:
        return
    if facts.providers and all(provider.problem is not None for provider in facts.providers):
        is_down = any(provider.is_used and provider.is_down for provider in facts.providers)
        login = "clawgate models auth login, or set a key such as OPENAI_API_KEY"
        fix = facts.serving_problem if is_down and facts.serving_problem else login
        yield Diagnostic(("models", "providers"), "no provider can serve, so every request fails", fix=fix)
    elif facts.primary is not None and facts.serving_problem is not None:
        path = ("agents", "defaults", "model", "primary")
        yield Diagnostic(path, "requests for the default model would fail", fix=facts.serving_problem)
    elif facts.primary is None:
        path = ("agents", "defaults", "model", "primary")
        message = "no default model is set: only requests that name provider/model are served"
        yield Diagnostic(path, message, Severity.WARNING, "clawgate models set PROVIDER/MODEL")
    for note in facts.catalog_notes:
        yield Diagnostic((), note, Severity.WARNING, _STATUS, location=facts.config_path)


def _check_provider(provider: ProviderFact) -> Iterator[Diagnostic]:
    path: KeyPath = ("models", "providers", provider.name)
    if provider.problem is not None:
        severity = Severity.ERROR if provider.is_down else Severity.WARNING
        yield Diagnostic(path, f"{provider.name} cannot serve", severity, provider.problem)
    if provider.unreached is not None:
        yield Diagnostic(path, f"{provider.name} is down", Severity.WARNING, provider.unreached)
    if provider.placeholder is not None:
        address, fix = provider.placeholder
        message = (
            f"{provider.name}: its name resolves to {address}, a placeholder of a fake-IP DNS, and is refused"
        )
        yield Diagnostic(_FAKE_IP, message, Severity.WARNING, fix)
    for note in provider.notes:
        message = f"{provider.name}: {note}"
        if provider.allow_private_setting and "blocked" in note:
            fix = f"clawgate config set {_quote(provider.allow_private_setting)} true"
            setting = parse_key_path(provider.allow_private_setting)
            yield Diagnostic(setting, message, Severity.WARNING, fix)
        else:
            yield Diagnostic(path, message, Severity.INFO, _STATUS)
    if provider.shortest_masked:
        message = (
            f"{provider.name}: its credential is shorter than {provider.shortest_masked} characters, is taken for a "
            "placeholder, and is not masked in logs and errors"
        )
        yield Diagnostic(path, message, Severity.INFO, "nothing, if that server needs no key")


def check_plugins(facts: Facts) -> Iterator[Diagnostic]:
    for name in facts.plugins:
        if name in facts.known_plugins:
            continue
        path, location = ("plugins", "entries", name), facts.config_path
        near = difflib.get_close_matches(name, facts.known_plugins, n=1, cutoff=_SIMILARITY)
        if near:
            message, fix = f"there is no plugin '{name}'", f"did you mean '{near[0]}'?"
            yield Diagnostic(path, message, Severity.WARNING, fix, location=location)
        else:
            message = f"plugin '{name}' is not one of clawgate's and is left to OpenClaw"
            fix = f"nothing, if that is intended; clawgate's are {', '.join(facts.known_plugins)}"
            yield Diagnostic(path, message, Severity.INFO, fix, location=location)


def check_plugin_settings(facts: Facts) -> Iterator[Diagnostic]:
    """An invalid setting is an error, as in `config validate`."""
    for diagnostic in facts.plugin_diagnostics:
        if diagnostic.unset:
            fix = "the plugin does not run until it is set, here or in the gateway's environment"
        else:
            fix = _EDIT if diagnostic.severity is Severity.ERROR else _SET
        yield _with_fix(diagnostic, fix)


def check_clock(facts: Facts) -> Iterator[Diagnostic]:
    if facts.now.year < _SANE_YEAR:
        message = f"the clock is at {facts.now:%Y-%m-%d}, where certificates cannot be verified"
        yield Diagnostic((), message, fix="set the clock", location=_MACHINE)
        return
    for file in facts.files:
        if file.modified > facts.now + _CLOCK_SLACK:
            message = f"changed in the future ({file.modified:%Y-%m-%d %H:%M} UTC): the clock was or is wrong"
            fix = "check the clock of this machine"
            yield Diagnostic((), message, Severity.WARNING, fix, location=file.path)


def check_machine(facts: Facts) -> Iterator[Diagnostic]:
    if facts.python[:2] < _OLDEST_PYTHON:
        message = f"Python {_version(facts.python)} is too old"
        yield Diagnostic((), message, fix="use 3.11 or newer", location=_MACHINE)
    if facts.openssl[:2] < _OLDEST_OPENSSL:
        message = f"OpenSSL {_version(facts.openssl)} gets no security fixes any more"
        fix = "use a Python that is built with OpenSSL 3"
        yield Diagnostic((), message, Severity.WARNING, fix, location="this Python")
    if facts.open_files < _FEW_FILES:
        message = f"only {facts.open_files} files may be open at once, two for each client"
        fix = f"ulimit -n {_FEW_FILES * 8}; a service sets LimitNOFILE itself"
        yield Diagnostic((), message, Severity.WARNING, fix, location="this shell")
    if facts.state_problem is not None:
        yield facts.state_problem
    elif facts.free_bytes is not None and facts.free_bytes < _LITTLE_SPACE:
        message = f"only {facts.free_bytes // (1024 * 1024)} MB are free for state and logs"
        yield Diagnostic((), message, Severity.WARNING, "free space", location="the state folder's disk")


def check_gathering(facts: Facts) -> Iterator[Diagnostic]:
    for what in facts.not_gathered:
        yield Diagnostic((), f"not checked: {what}", Severity.WARNING, "check it by hand", location="doctor")


def _with_fix(diagnostic: Diagnostic, fix: str) -> Diagnostic:
    return diagnostic if diagnostic.fix else replace(diagnostic, fix=fix)


def _quote(key_path: str) -> str:
    """Quote for a shell; a key path may contain quotes and brackets."""
    quoted = shlex.quote(key_path)
    return quoted if quoted != key_path else f"'{key_path}'"


def _version(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))


CHECKS: tuple[Callable[[Facts], Iterator[Diagnostic]], ...] = (
    check_config_file,
    check_admission,
    check_running_gateway,
    check_database,
    check_modes,
    check_providers,
    check_plugins,
    check_plugin_settings,
    check_clock,
    check_machine,
    check_leftovers,
    check_gathering,
)
