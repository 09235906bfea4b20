"""Defines and validates the settings of the proxy.

Must not do I/O.
"""

from __future__ import annotations

import ipaddress
import json
import re
import shlex
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, StrictInt, StrictStr, model_validator

from clawgate.plugins.api import PluginConfig, Port

ID = "anthropic-claude-proxy"
"""The id of the plugin, of its provider and of its command."""

ALIAS = "claude-max-proxy"
DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 3456
DEFAULT_COMMAND = ("bunx", "opencode-claude-max-proxy")
DEFAULT_MODELS = (
    "claude-opus-4.6",
    "claude-opus-4-6-thinking",
    "claude-sonnet-4.6",
    "claude-sonnet-4-6-thinking",
    "claude-haiku-4",
)

_HOST_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?\Z")
_MODEL = re.compile(r"[A-Za-z0-9][\w.:@/\[\]-]{0,199}\Z", re.ASCII)
_PLAIN_WORDS = re.compile(
    r"(?i:(?!.*(?:token|key|secret|passw|auth|bearer|credential)))(?!.*[A-Za-z0-9_]{20})[\w./@ -]{1,120}\Z",
    re.ASCII,
)
"""Text that a message may repeat: no NAME=secret or URL with a password, no flag for a secret, no word like one."""
_PROFILE = re.compile(r"[\w.-]{1,64}\Z", re.ASCII)
_USER_NAME = re.compile(r"[A-Za-z_][\w.-]{0,63}\$?\Z", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}\Z")
_SET_BY_GATEWAY = {
    "CLAUDE_PROXY_HOST": "set `host`", "MERIDIAN_HOST": "set `host`",
    "CLAUDE_PROXY_PORT": "set `port`", "MERIDIAN_PORT": "set `port`",
    "CLAUDE_PROXY_PASSTHROUGH": "the gateway never starts a proxy in its internal mode",
    "MERIDIAN_PASSTHROUGH": "the gateway never starts a proxy in its internal mode",
    "CLAWGATE_CHILD": "the gateway finds its processes by it",
}  # fmt: skip


def host_problem(text: str) -> str | None:
    """Return what is wrong with ``text`` as the name or address of a host, or None."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return None if _HOST_NAME.match(text) else "must be a host name or an address, such as 127.0.0.1"
    return None


def model_problem(text: str) -> str | None:
    if _MODEL.match(text):
        return None
    shown = text[:60] if text.isprintable() else ascii(text[:60])[1:-1]
    return f"'{shown}' is not a model id, such as claude-opus-4.6"


def models_problem(text: str) -> str | None:
    """Return what is wrong with a comma-separated list of model ids, or None."""
    ids = [part.strip() for part in text.split(",")]
    return next((problem for one in ids if one and (problem := model_problem(one))), None)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens on ``host``."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def origin(host: str, port: int) -> str:
    """Return the URL of the proxy, without a path."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _host(value: str) -> str:
    if problem := host_problem(value):
        raise ValueError(problem)
    return value


def _model(value: str) -> str:
    if problem := model_problem(value):
        raise ValueError(problem)
    return value


def _profile(value: str) -> str:
    if not _PROFILE.match(value):
        raise ValueError("must be a name of letters, digits, dots, dashes and underscores")
    return value


def _no_shell(value: object) -> object:
    if isinstance(value, str):
        raise ValueError(_as_a_list(value))  # noqa: TRY004  # pydantic reports ValueError
    return value


def _as_a_list(text: str) -> str:
    """Return the message for a command written for a shell. It repeats the words only if none can be a secret."""
    words = list(DEFAULT_COMMAND)
    if _PLAIN_WORDS.match(text.strip()):
        try:
            words = shlex.split(text)
        except ValueError:
            words = text.split()
    return f"must be a list of words, because no shell splits it, such as {json.dumps(words)}"


def _program_first(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value or not value[0].strip():
        raise ValueError(f"must begin with the program to start, such as {json.dumps(DEFAULT_COMMAND)}")
    if any("\0" in word for word in value):
        raise ValueError("contains a NUL character")
    if len(value) == 1 and " " in value[0] and "/" not in value[0]:
        raise ValueError(_as_a_list(value[0]))
    return value


def _absolute_folder(value: str) -> str:
    if "\0" in value or not Path(value).expanduser().is_absolute():
        raise ValueError("must be the absolute path of a folder")
    return value


def _user(value: str) -> str:
    if not _USER_NAME.match(value):
        raise ValueError('must be a user name, a uid, or "any"')
    return value


def _variables(value: dict[str, str]) -> dict[str, str]:
    for name, text in value.items():
        if not _VARIABLE.match(name):
            shown = name[:60] if name.isprintable() else ascii(name[:60])[1:-1]
            raise ValueError(f"'{shown}' is not the name of an environment variable")
        if name in _SET_BY_GATEWAY:
            raise ValueError(f"{name} cannot be set here; {_SET_BY_GATEWAY[name]}")
        if "\0" in text:
            raise ValueError(f"the value of {name} contains a NUL character")
    return value


class ProxyConfig(PluginConfig):
    """``plugins.entries."anthropic-claude-proxy".config``."""

    auto_start: StrictBool = Field(
        default=True,
        description="Whether the gateway starts the proxy; otherwise it uses the one that runs.",
    )
    auto_restart: StrictBool = Field(
        default=True, description="Whether the proxy is restarted after it exited."
    )
    restart_delay_ms: Annotated[StrictInt, Field(ge=1, le=86_400_000)] = Field(
        default=3000,
        description=(
            "Milliseconds before the first restart, at most a day; doubled for each further one, up to a minute."
        ),
    )
    host: Annotated[str, AfterValidator(_host)] = Field(
        default=DEFAULT_HOST, description="The address where the proxy listens."
    )
    port: Annotated[Port, Field(ge=1)] = Field(
        default=DEFAULT_PORT, description="The port where the proxy listens."
    )
    command: Annotated[tuple[StrictStr, ...], BeforeValidator(_no_shell), AfterValidator(_program_first)] = (
        Field(default=DEFAULT_COMMAND, description="The program and its arguments, as a list.")
    )
    cwd: Annotated[StrictStr, AfterValidator(_absolute_folder)] | None = Field(
        default=None,
        description="The folder that the program runs in; by default an empty private one below the state folder.",
    )
    env: Annotated[dict[StrictStr, StrictStr], AfterValidator(_variables)] = Field(
        default_factory=dict, description="Environment variables for the program, by name."
    )
    proxy_user: Annotated[StrictInt, Field(ge=0)] | Annotated[StrictStr, AfterValidator(_user)] | None = (
        Field(
            default=None,
            description="The user that the proxy runs as, if not the gateway's: a name, a uid, or any.",
        )
    )
    profiles: tuple[Annotated[StrictStr, AfterValidator(_profile)], ...] = Field(
        default=(), description="Profiles of the proxy that a request may choose with x-meridian-profile."
    )
    models: tuple[Annotated[StrictStr, AfterValidator(_model)], ...] = Field(
        default=DEFAULT_MODELS, description="Model ids that the wizard offers."
    )

    @model_validator(mode="after")
    def _started_proxy_is_local(self) -> ProxyConfig:
        """A Claude proxy requires no key by default."""
        if self.auto_start and not is_loopback(self.host):
            raise ValueError(
                "host must be a loopback address such as 127.0.0.1 while autoStart is true, because everyone who "
                "reaches the proxy uses your login; for a proxy on another machine set autoStart to false"
            )
        return self

    @model_validator(mode="after")
    def _relative_program_has_a_folder(self) -> ProxyConfig:
        """The gateway's working directory is not the program's."""
        program = self.command[0]
        if self.cwd is None and "/" in program and not Path(program).is_absolute():
            raise ValueError(
                "command begins with a relative path; use an absolute path, or set cwd to the folder that it is in"
            )
        return self

    @property
    def folder(self) -> Path | None:
        """``cwd`` as a path; None for the private folder."""
        return None if self.cwd is None else Path(self.cwd).expanduser()

    @property
    def origin(self) -> str:
        return origin(self.host, self.port)
