"""What may an operator set for the proxy, and when is it wrong? It asks nobody and starts nothing."""

from __future__ import annotations

import ipaddress
import json
import re
import shlex
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, StrictInt, StrictStr, model_validator

from clawgate.plugins.api import PluginConfig, Port

ID = "anthropic-claude-proxy"
"""Of the plugin, of its provider and of its command."""

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
_PLAIN_WORDS = re.compile(r"[\w./@ -]{1,120}\Z", re.ASCII)
"""What may be repeated in a message: nothing here can be NAME=secret or a URL with a password."""


def why_no_host(text: str) -> str | None:
    """What is wrong with ``text`` as the name or address of a host."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return None if _HOST_NAME.match(text) else "must be a host name or an address, such as 127.0.0.1"
    return None


def why_no_model(text: str) -> str | None:
    """What is wrong with ``text`` as the id of a model."""
    if _MODEL.match(text):
        return None
    shown = text[:60] if text.isprintable() else ascii(text[:60])[1:-1]
    return f"'{shown}' is no id of a model, such as claude-opus-4.6"


def why_no_models(text: str) -> str | None:
    """What is wrong with a comma list of models."""
    return next(
        (why for part in text.split(",") if (word := part.strip()) and (why := why_no_model(word))), None
    )


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine reaches what listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def origin(host: str, port: int) -> str:
    """The URL of the proxy, without a path."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _host(value: str) -> str:
    if why := why_no_host(value):
        raise ValueError(why)
    return value


def _model(value: str) -> str:
    if why := why_no_model(value):
        raise ValueError(why)
    return value


def _no_shell(value: object) -> object:
    if isinstance(value, str):
        raise ValueError(_as_a_list(value))  # noqa: TRY004  # pydantic reports ValueError
    return value


def _as_a_list(text: str) -> str:
    """How a command that was written for a shell is written here; its words only where none can be a secret."""
    words = list(DEFAULT_COMMAND)
    if _PLAIN_WORDS.match(text.strip()):
        try:
            words = shlex.split(text)
        except ValueError:
            words = text.split()
    return f"must be a list of words, since no shell takes it apart, such as {json.dumps(words)}"


def _program_first(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value or not value[0].strip():
        raise ValueError(f"must begin with the program to start, such as {json.dumps(DEFAULT_COMMAND)}")
    if any("\0" in word for word in value):
        raise ValueError("holds a NUL, which no argument of a program can")
    if len(value) == 1 and " " in value[0] and "/" not in value[0]:
        raise ValueError(_as_a_list(value[0]))
    return value


class ProxyConfig(PluginConfig):
    """``plugins.entries."anthropic-claude-proxy".config``."""

    auto_start: StrictBool = Field(
        default=True,
        description="Whether the gateway starts the proxy; otherwise it uses the one that is there.",
    )
    auto_restart: StrictBool = Field(
        default=True, description="Whether the proxy is started again after it ended."
    )
    restart_delay_ms: Annotated[StrictInt, Field(ge=1, le=60_000)] = Field(
        default=3000,
        description="Milliseconds before the first new start; each further one waits longer, up to a minute.",
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
    models: tuple[Annotated[StrictStr, AfterValidator(_model)], ...] = Field(
        default=DEFAULT_MODELS, description="The models that the proxy is asked for."
    )

    @model_validator(mode="after")
    def _own_login_stays_here(self) -> ProxyConfig:
        """A Claude proxy asks nobody for a key by default."""
        if self.auto_start and not is_loopback(self.host):
            raise ValueError(
                "host must be a loopback address such as 127.0.0.1 where autoStart is true: anybody who reaches "
                "the proxy uses your login; for a proxy that runs elsewhere set autoStart to false"
            )
        return self

    @property
    def origin(self) -> str:
        return origin(self.host, self.port)
