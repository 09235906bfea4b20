"""Resolves where the gateway listens and who may use it: flags, then environment, then config file.

Invariant: no request is served without a decision on who may send it. A gateway that is open to every caller has to be
configured as such (``gateway.auth.mode: "none"``), and then listens on this machine alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_address
from typing import Any, Self

from pydantic import BaseModel, SecretStr

from clawgate.policy.local_hosts import is_loopback
from clawgate.policy.path_routing import AGENTS_SWITCH, agent_paths
from clawgate.policy.proxy_identity import ProxyIdentity
from clawgate.settings.diagnostic import Diagnostic, Severity
from clawgate.settings.fields import variables_of
from clawgate.settings.key_path import KeyPath, format_key_path
from clawgate.settings.openclaw.config_file import ConfigFile
from clawgate.settings.openclaw.database import database_setting
from clawgate.settings.openclaw.own_settings import SECTION, own_settings
from clawgate.settings.openclaw.proxy_auth import TRUSTED_PROXY, identity_problems, proxy_identity
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.resolve import Resolved, resolve
from clawgate.settings.schema.openclaw import GatewayAuth, GatewayBlock, RateLimit
from clawgate.settings.secrets import QUOTED, token_problem

_HOSTS = {"loopback": "127.0.0.1", "auto": "127.0.0.1", "lan": "0.0.0.0"}  # noqa: S104  # what "lan" means
_PORT: KeyPath = ("gateway", "port")
_BIND: KeyPath = ("gateway", "bind")
_AUTH: KeyPath = ("gateway", "auth")
_KINDS = ("password", "token")
"""What may admit callers. Without a mode OpenClaw takes the password, wherever it is set."""
DRAIN_SECONDS = 30.0
_MAKE_ONE = "make one with: clawgate doctor --fix"


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """``tokens`` maps the names of callers to what they present; empty admits every caller on this machine.

    ``identity`` is how a reverse proxy names the caller, in mode trusted-proxy; ``tokens`` has what local callers
    present then, if anything.
    ``agent_paths``: where agents are on (``gateway.http.endpoints``); ``serves_models``: whether requests may name
    models of providers (``directModels``). ``database`` is that of the agents, None where what is configured cannot be
    one.
    """

    host: str
    port: int
    tokens: Mapping[str, str]
    identity: ProxyIdentity | None
    rate_limit: RateLimit | None
    trusted_proxies: tuple[str, ...]
    accepts_real_ip: bool
    allow_host: tuple[str, ...]
    allow_origin: tuple[str, ...]
    agent_paths: frozenset[bytes]
    serves_models: bool
    ollama_tags: bool
    metrics_port: int | None
    drain_seconds: float
    database: str | None = field(repr=False)

    @property
    def serves_agents(self) -> bool:
        return bool(self.agent_paths)

    @property
    def listens_at(self) -> tuple[str, int]:
        return self.host, self.port


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayFlags:
    """The flags of `gateway run`; None where not given."""

    port: int | None = None
    bind: str | None = None
    token: str | None = None
    password: str | None = None
    allow_host: tuple[str, ...] = ()
    allow_origin: tuple[str, ...] = ()
    drain_timeout: float | None = None

    @classmethod
    def of(cls, flags: Mapping[str, Any]) -> Self:
        """Return those of ``flags``, by name, that are the gateway's."""
        return cls(**{one.name: flags[one.name] for one in fields(cls) if one.name in flags})


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerSecret:
    """What a client presents. ``kind`` is token or password; ``origin`` is a flag, a variable or a place in the file.

    ``is_in_file`` is whether the file counts, perhaps with a reference to a variable.
    """

    kind: str
    value: str = field(repr=False)
    origin: str
    is_in_file: bool


def gateway_settings(
    file: ConfigFile, flags: GatewayFlags, *, listening_on: str | None = None
) -> GatewaySettings:
    """Return the settings of the gateway. Raises `SettingsInvalid` with every problem.

    ``listening_on`` is the host of a gateway that runs, which a change of the file does not move.
    """
    problems: list[Diagnostic] = []
    block, own = file.config.gateway, own_settings(file.config)
    host = _host(file, flags, problems)
    port = _port(file, flags, problems)
    tokens = _tokens(file, flags, problems)
    problems += _open_admission(file, *(one for one in (listening_on, host) if one is not None))
    if problems:
        raise SettingsInvalid(problems)
    return GatewaySettings(
        host=host,
        port=port,
        tokens=tokens,
        identity=proxy_identity(file),
        rate_limit=block.auth.rate_limit,
        trusted_proxies=block.trusted_proxies,
        accepts_real_ip=block.allow_real_ip_fallback,
        allow_host=(*flags.allow_host, *own.allow_host),
        allow_origin=(*flags.allow_origin, *_origins(block)),
        agent_paths=agent_paths_of(file),
        database=_database(file),
        serves_models=_serves_models(file, listening_on or host),
        ollama_tags=own.ollama_tags,
        metrics_port=own.metrics_port,
        drain_seconds=flags.drain_timeout or own.drain_timeout or DRAIN_SECONDS,
    )


def serves(file: ConfigFile, flags: GatewayFlags) -> tuple[frozenset[bytes], bool]:
    """Return where agents are on, and whether models are; also of a file that lacks what else a gateway needs."""
    return agent_paths_of(file), _serves_models(file, listens_at(file, flags)[0])


def agent_paths_of(file: ConfigFile) -> frozenset[bytes]:
    endpoints = file.config.gateway.http.endpoints
    return agent_paths(
        chat=endpoints.chat_completions.enabled is True, responses=endpoints.responses.enabled is True
    )


def _serves_models(file: ConfigFile, host: str) -> bool:
    chosen = own_settings(file.config).direct_models
    return chosen if chosen is not None else is_loopback(host)


def _database(file: ConfigFile) -> str | None:
    """What is wrong with it is the error of the runs that need it: models are served without one."""
    try:
        return database_setting(file).url
    except SettingsInvalid:
        return None


def _origins(block: GatewayBlock) -> tuple[str, ...]:
    """A public origin may have a path, in OpenClaw."""
    public = [] if block.public_origin is None else ["/".join(block.public_origin.split("/")[:3])]
    return (*block.control_ui.allowed_origins, *public)


def serving_notes(file: ConfigFile) -> list[Diagnostic]:
    """Return the same for a config that no gateway runs with yet, without flags."""
    try:
        note = serving_note(gateway_settings(file, GatewayFlags()), file)
    except SettingsInvalid:
        return []
    return [] if note is None else [note]


def report_notes(file: ConfigFile) -> list[Diagnostic]:
    """Return the warning that the egress policy is not enforced, if so."""
    path = (*SECTION, "network", "mode")
    if own_settings(file.config).network.mode != "report":
        return []
    return [
        Diagnostic(
            path,
            'is "report": connections to private addresses that the egress policy refuses are recorded and dialled '
            "all the same",
            Severity.WARNING,
            f"see them with: clawgate egress list --refused; then: clawgate config set {format_key_path(path)} enforce",
            location=file.location(path),
        )
    ]


def admitted_tokens(file: ConfigFile, flags: GatewayFlags, *, listening_on: str) -> dict[str, str]:
    """Return what admits callers to a gateway that runs, by name. Raises `SettingsInvalid`."""
    problems: list[Diagnostic] = []
    tokens = _tokens(file, flags, problems)
    problems += _open_admission(file, listening_on)
    if problems:
        raise SettingsInvalid(problems)
    return tokens


def listens_at(file: ConfigFile, flags: GatewayFlags) -> tuple[str, int]:
    """Return host and port, the default of one that is not usable."""
    problems: list[Diagnostic] = []
    return _host(file, flags, problems), _port(file, flags, problems)


def serving_note(settings: GatewaySettings, file: ConfigFile) -> Diagnostic | None:
    """Return the warning that the gateway serves neither models nor agents; None if it serves any."""
    if settings.serves_models or settings.serves_agents:
        return None
    path = (*SECTION, "directModels")
    is_set = own_settings(file.config).direct_models is not None
    why = "is false" if is_set else f"is not set, and others reach the gateway at {settings.host}"
    return Diagnostic(
        path,
        f"{why}, so requests for provider/model are rejected, and agents are off: every /v1 route is 404",
        Severity.WARNING,
        f"set it to true to serve models to callers, or {AGENTS_SWITCH} to true to serve agents",
        location=file.location(path) if is_set else "",
    )


def lacks_token(file: ConfigFile, flags: GatewayFlags) -> bool:
    """Return whether nothing but a token is missing on an address that only this machine reaches.

    A gateway may make that token itself.
    """
    problems: list[Diagnostic] = []
    host = _host(file, flags, problems)
    tokens = _tokens(file, flags, problems)
    if "token" not in _kinds(file) or tokens or not is_loopback(host):
        return False
    return problems == [_no_token(file)]


def caller_secret(file: ConfigFile, flags: GatewayFlags) -> CallerSecret | None:
    """Return what a client presents; None if nothing is set or mode is "none".

    Raises `SettingsInvalid` for one that cannot be used.
    """
    problems: list[Diagnostic] = []
    tokens = _tokens(file, flags, problems)
    if not tokens:
        if problems and problems != [_no_token(file)]:
            raise SettingsInvalid(problems)
        return None
    kind, value = next(iter(tokens.items()))
    path = (*_AUTH, kind)
    origin = _setting(file, flags, path).origin
    return CallerSecret(kind=kind, value=value, origin=origin, is_in_file=origin == file.location(path))


def given_elsewhere(file: ConfigFile, flags: GatewayFlags) -> dict[str, str]:
    """Return the keys whose value comes from a flag or a variable, with that origin: the file does not count there."""
    found = {}
    for path in (_PORT, _BIND, (*_AUTH, "token"), (*_AUTH, "password")):
        setting = _setting(file, flags, path)
        if not setting.is_default and setting.origin != file.location(path):
            found[format_key_path(path)] = setting.origin
    return found


def _open_admission(file: ConfigFile, *hosts: str) -> list[Diagnostic]:
    """What admits every caller, on an address that others reach."""
    exposed = next((host for host in hosts if not is_loopback(host)), None)
    if exposed is None or file.config.gateway.auth.mode != "none":
        return []
    path = (*_AUTH, "mode")
    message = f"'none' would admit every caller that reaches {exposed}"
    fix = "use 'token', or set gateway.bind to loopback"
    return [Diagnostic(path, message, fix=fix, location=file.location(path))]


def _setting(file: ConfigFile, flags: GatewayFlags, path: KeyPath) -> Resolved:
    """The value of a key under ``gateway`` that a flag or a variable may set, and its origin."""
    block: BaseModel = file.config.gateway
    for key in path[1:-1]:
        block = getattr(block, str(key))
    name = str(path[-1])
    value = getattr(block, name)
    flag = getattr(flags, name)
    return resolve(
        variables_of(type(block).model_fields[name]),
        file.environment,
        flag=Resolved(None if flag == "" else flag, f"--{name}"),
        in_file=Resolved(value, file.location(path)) if name in block.model_fields_set else None,
        default=value,
    )


def _host(file: ConfigFile, flags: GatewayFlags, problems: list[Diagnostic]) -> str:
    setting = _setting(file, flags, _BIND)
    bind, custom = str(setting.value), file.config.gateway.custom_bind_host
    if bind in _HOSTS:
        return _HOSTS[bind]
    if bind == "custom":
        if custom:
            return custom
        fix = "set it to an address of this machine"
        path = ("gateway", "customBindHost")
        problems.append(Diagnostic(path, "is not set, and gateway.bind 'custom' needs it", fix=fix))
    elif bind == "tailnet":
        fix = "use 'custom' with gateway.customBindHost"
        message = "'tailnet' is not supported"
        problems.append(Diagnostic(_BIND, message, fix=fix, location=setting.origin))
    else:
        try:
            return str(ip_address(bind))
        except ValueError:
            fix = f"use an address or one of {', '.join((*_HOSTS, 'custom'))}"
            message = f"'{bind}' is neither an address nor a known name"
            problems.append(Diagnostic(_BIND, message, fix=fix, location=setting.origin))
    return "127.0.0.1"


def _port(file: ConfigFile, flags: GatewayFlags, problems: list[Diagnostic]) -> int:
    setting = _setting(file, flags, _PORT)
    if isinstance(setting.value, int):
        return setting.value
    text = str(setting.value)
    if text.isascii() and text.isdigit() and int(text) <= 65_535:
        return int(text)
    problems.append(Diagnostic(_PORT, "must be a number from 0 to 65535", location=setting.origin))
    return 0


def _tokens(file: ConfigFile, flags: GatewayFlags, problems: list[Diagnostic]) -> dict[str, str]:
    """What admits callers, by name: the one kind that ``mode`` names.

    Without a mode it is the kind of a flag, else a password, else a token. A file with both is invalid.
    """
    mode = file.config.gateway.auth.mode
    if mode == "none":
        return {}
    kinds = _kinds(file)
    if mode == TRUSTED_PROXY:
        problems += identity_problems(file)
        if (both := _setting(file, flags, (*_AUTH, "token"))).value is not None:
            message = f"is set, and mode '{TRUSTED_PROXY}' admits no token"
            fix = "remove it; callers on this machine may have gateway.auth.password"
            problems.append(Diagnostic((*_AUTH, "token"), message, fix=fix, location=both.origin))
    kind = next((one for one in kinds if getattr(flags, one)), None)
    if kind is None:
        kind = next((one for one in kinds if _setting(file, flags, (*_AUTH, one)).value is not None), None)
    if kind is None:
        if mode != TRUSTED_PROXY:
            problems.append(_no_token(file))
        return {}
    path = (*_AUTH, kind)
    setting = _setting(file, flags, path)
    value = setting.value.get_secret_value() if isinstance(setting.value, SecretStr) else str(setting.value)
    if (reason := token_problem(value)) is not None:
        fix = "remove the quotes" if reason == QUOTED else "make one with: clawgate server new-token"
        problems.append(Diagnostic(path, reason, fix=fix, location=setting.origin))
        return {}
    return {kind: value}


def _kinds(file: ConfigFile) -> tuple[str, ...]:
    mode = file.config.gateway.auth.mode
    return _KINDS if mode is None else ("password",) if mode == TRUSTED_PROXY else (mode,)


def _no_token(file: ConfigFile) -> Diagnostic:
    setters = [
        f"{format_key_path((*_AUTH, kind))} ({', '.join(variables_of(GatewayAuth.model_fields[kind]))})"
        for kind in reversed(_kinds(file))
    ]
    message = f"{' or '.join(setters)} is not set: every request would be rejected"
    return Diagnostic(_AUTH, message, fix=_MAKE_ONE)
