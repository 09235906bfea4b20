"""Where does the gateway listen, and who may come in? From flags, environment and the config file, in this order.

No request is served without a decision about who may send it: a gateway that anybody could use has to be asked for in
so many words (``gateway.auth.mode: "none"``), and then it listens on this machine alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from pydantic import SecretStr

from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.openclaw.config_file import ConfigFile
from clawgate.settings.openclaw.schema import GatewayBlock, RateLimit
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.secrets import secret_problem, token_problem

_HOSTS = {"loopback": "127.0.0.1", "auto": "127.0.0.1", "lan": "0.0.0.0"}  # noqa: S104  # what "lan" means
_VARIABLES = {"token": "OPENCLAW_GATEWAY_TOKEN", "password": "OPENCLAW_GATEWAY_PASSWORD"}
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


def gateway_settings(
    file: ConfigFile, flags: GatewayFlags, environment: Mapping[str, str]
) -> GatewaySettings:
    """Raises `SettingsInvalid` with every problem."""
    problems: list[Diagnostic] = []
    block = file.config.gateway
    host = _host(block, flags.bind, problems)
    port = _port(block, flags.port, environment, problems)
    tokens = _tokens(block, flags, environment, problems)
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


def _host(block: GatewayBlock, flag: str | None, problems: list[Diagnostic]) -> str:
    bind = flag or block.bind
    if bind in _HOSTS:
        return _HOSTS[bind]
    if bind == "custom":
        if block.custom_bind_host:
            return block.custom_bind_host
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
                    location="--bind",
                )
            )
    return "127.0.0.1"


def _port(
    block: GatewayBlock, flag: int | None, environment: Mapping[str, str], problems: list[Diagnostic]
) -> int:
    if flag is not None:
        return flag
    text = environment.get("OPENCLAW_GATEWAY_PORT")
    if not text:
        return block.port
    if text.isascii() and text.isdigit() and int(text) <= 65_535:
        return int(text)
    problems.append(
        Diagnostic(("gateway", "port"), "must be a number from 0 to 65535", location="OPENCLAW_GATEWAY_PORT")
    )
    return 0


def _tokens(
    block: GatewayBlock, flags: GatewayFlags, environment: Mapping[str, str], problems: list[Diagnostic]
) -> dict[str, str]:
    """What lets callers in, by name; every kind that is set, or the one that ``mode`` names."""
    mode = block.auth.mode
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
        value = _value(kind, block, flags, environment)
        if value is None:
            continue
        reason = secret_problem(value)
        if reason is not None:
            problems.append(Diagnostic(("gateway", "auth", kind), f"{reason}; {_MAKE_ONE}"))
        else:
            found[kind] = value
    if not found and len(problems) == known:
        what = " or ".join(f"gateway.auth.{kind} ({_VARIABLES[kind]})" for kind in kinds)
        problems.append(
            Diagnostic(("gateway", "auth"), f"no {what} is set, so nobody could be let in; {_MAKE_ONE}")
        )
    if len(set(found.values())) < len(found):
        del found["password"]
    return found


def _value(kind: str, block: GatewayBlock, flags: GatewayFlags, environment: Mapping[str, str]) -> str | None:
    given: str | None = getattr(flags, kind)
    secret: SecretStr | None = getattr(block.auth, kind)
    return (
        given
        or environment.get(_VARIABLES[kind])
        or (secret.get_secret_value() if secret is not None else None)
    )


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can be reached from this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
