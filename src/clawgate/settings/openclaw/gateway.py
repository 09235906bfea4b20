"""Where does the gateway listen, and who may come in? From flags, environment and the config file, in this order.

No request is served without a decision about who may send it: a gateway that anybody could use has to be asked for in
so many words (``gateway.auth.mode: "none"``), and then it listens on this machine alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from pydantic import BaseModel, SecretStr

from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.fields import variables_of
from clawgate.settings.key_path import KeyPath
from clawgate.settings.openclaw.config_file import ConfigFile
from clawgate.settings.openclaw.schema import GatewayAuth, RateLimit
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.resolve import Resolved, resolve
from clawgate.settings.secrets import secret_problem, token_problem

_HOSTS = {"loopback": "127.0.0.1", "auto": "127.0.0.1", "lan": "0.0.0.0"}  # noqa: S104  # what "lan" means
_PORT: KeyPath = ("gateway", "port")
_MAKE_ONE = "make one with: clawgate doctor --fix"


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """``tokens``: from the names of callers to what they present; empty lets everybody on this machine in."""

    host: str
    port: int
    tokens: Mapping[str, str]
    rate_limit: RateLimit | None
    trusted_proxies: tuple[str, ...]
    serves_models: bool
    """Whether the model routes are on: not after ``gateway.http.endpoints.chatCompletions.enabled: false``."""

    @property
    def listens_at(self) -> tuple[str, int]:
        return self.host, self.port


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayFlags:
    """What `gateway run` was given; None where it was not."""

    port: int | None = None
    bind: str | None = None
    token: str | None = None
    password: str | None = None


def gateway_settings(file: ConfigFile, flags: GatewayFlags) -> GatewaySettings:
    """Raises `SettingsInvalid` with every problem."""
    problems: list[Diagnostic] = []
    block = file.config.gateway
    host = _host(file, flags, problems)
    port = _port(file, flags, problems)
    tokens = _tokens(file, flags, problems)
    local = is_loopback(host)
    if block.auth.mode == "none" and not local:
        problems.append(
            Diagnostic(
                ("gateway", "auth", "mode"),
                f"'none' would let everybody in who reaches {host}",
                location=str(file.path),
            )
        )
    if not local:
        problems += [
            Diagnostic(("gateway", "auth", name), f"{reason}, and {host} can be reached from elsewhere")
            for name, token in tokens.items()
            if (reason := token_problem(token)) is not None
        ]
    if problems:
        raise SettingsInvalid(problems)
    return GatewaySettings(
        host=host,
        port=port,
        tokens=tokens,
        rate_limit=block.auth.rate_limit,
        trusted_proxies=block.trusted_proxies,
        serves_models=block.http.endpoints.chat_completions.enabled is not False,
    )


def _setting(file: ConfigFile, flags: GatewayFlags, path: KeyPath) -> Resolved:
    """The value of a key under ``gateway`` that a flag or a variable may set, and its origin."""
    block: BaseModel = file.config.gateway
    for key in path[1:-1]:
        block = getattr(block, str(key))
    name = str(path[-1])
    value = getattr(block, name)
    in_file = Resolved(value, file.place(path)) if name in block.model_fields_set else None
    flag = getattr(flags, name)
    return resolve(
        variables_of(type(block).model_fields[name]),
        file.environment,
        flag=Resolved(None if flag == "" else flag, f"--{name}"),
        in_file=in_file,
        default=value,
    )


def _host(file: ConfigFile, flags: GatewayFlags, problems: list[Diagnostic]) -> str:
    found = _setting(file, flags, ("gateway", "bind"))
    bind, custom = str(found.value), file.config.gateway.custom_bind_host
    if bind in _HOSTS:
        return _HOSTS[bind]
    if bind == "custom":
        if custom:
            return custom
        problems.append(
            Diagnostic(("gateway", "customBindHost"), "is not set, and gateway.bind 'custom' needs it")
        )
    elif bind == "tailnet":
        problems.append(
            Diagnostic(
                ("gateway", "bind"), "'tailnet' cannot be found out here; use 'custom' with customBindHost"
            )
        )
    else:
        try:
            return str(ip_address(bind))
        except ValueError:
            known = ", ".join((*_HOSTS, "custom"))
            problems.append(
                Diagnostic(
                    ("gateway", "bind"),
                    f"'{bind}' is neither an address nor one of {known}",
                    location=found.origin,
                )
            )
    return "127.0.0.1"


def _port(file: ConfigFile, flags: GatewayFlags, problems: list[Diagnostic]) -> int:
    found = _setting(file, flags, _PORT)
    if isinstance(found.value, int):
        return found.value
    text = str(found.value)
    if text.isascii() and text.isdigit() and int(text) <= 65_535:
        return int(text)
    problems.append(Diagnostic(_PORT, "must be a number from 0 to 65535", location=found.origin))
    return 0


def _tokens(file: ConfigFile, flags: GatewayFlags, problems: list[Diagnostic]) -> dict[str, str]:
    """What lets callers in, by name; every kind that is set, or the one that ``mode`` names."""
    mode = file.config.gateway.auth.mode
    if mode == "none":
        return {}
    if mode == "trusted-proxy":
        problems.append(
            Diagnostic(
                ("gateway", "auth", "mode"), "'trusted-proxy' is not served here; use 'token' or 'password'"
            )
        )
        return {}
    kinds = ("token", "password") if mode is None else (mode,)
    found: dict[str, str] = {}
    known = len(problems)
    for kind in kinds:
        path = ("gateway", "auth", kind)
        setting = _setting(file, flags, path)
        value = setting.value.get_secret_value() if isinstance(setting.value, SecretStr) else setting.value
        if value is None:
            continue
        reason = secret_problem(str(value))
        if reason is not None:
            problems.append(Diagnostic(path, reason, fix=_MAKE_ONE, location=setting.origin))
        else:
            found[kind] = str(value)
    if not found and len(problems) == known:
        names = {kind: ", ".join(variables_of(GatewayAuth.model_fields[kind])) for kind in kinds}
        what = " or ".join(f"gateway.auth.{kind} ({names[kind]})" for kind in kinds)
        problems.append(
            Diagnostic(("gateway", "auth"), f"no {what} is set, so nobody could be let in; {_MAKE_ONE}")
        )
    if len(set(found.values())) < len(found):
        del found["password"]
    return found


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can be reached from this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
