"""Everything that a plugin may import from clawgate. What is not here may change with any release.

A plugin is an object with an id, a version, a typed config and a ``register``; there it hands over services, providers
and commands. Importing a plugin and registering must do nothing else: no thread, no socket, no file.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from clawgate.plugins.api.provider import (
    CheckResult,
    ChecksConfig,
    ConfigChange,
    Diagnostic,
    Dialect,
    MappedError,
    MapsErrors,
    ProviderPlugin,
    TransformsRequests,
    UpstreamRequest,
)
from clawgate.plugins.api.questions import Answers, Choice, Choices, Kind, Question
from clawgate.plugins.api.service import (
    ChildHandle,
    ChildSpec,
    Fetch,
    FetchFailed,
    FetchRequest,
    FetchResponse,
    Health,
    Probe,
    ProbeResult,
    RelaySpec,
    RunningRelay,
    Service,
    ServiceContext,
    ServiceStatus,
    SetupContext,
    Unavailable,
)
from clawgate.settings.fields import Port, Seconds, Secret, Url
from clawgate.settings.key_path import KeyPath
from clawgate.settings.roles.bridge import RelaySettings

__all__ = [
    "API_VERSION",
    "Answers",
    "CheckResult",
    "ChecksConfig",
    "ChildHandle",
    "ChildSpec",
    "Choice",
    "Choices",
    "CommandContext",
    "CommandPlugin",
    "ConfigChange",
    "Diagnostic",
    "Dialect",
    "Fetch",
    "FetchFailed",
    "FetchRequest",
    "FetchResponse",
    "Health",
    "KeyPath",
    "Kind",
    "MappedError",
    "MapsErrors",
    "Plugin",
    "PluginConfig",
    "PluginError",
    "Port",
    "Probe",
    "ProbeResult",
    "ProviderPlugin",
    "Question",
    "Registrar",
    "RelaySettings",
    "RelaySpec",
    "RunningRelay",
    "Seconds",
    "Secret",
    "Service",
    "ServiceContext",
    "ServiceStatus",
    "SetupContext",
    "TransformsRequests",
    "Unavailable",
    "UpstreamRequest",
    "Url",
    "env_var",
]

API_VERSION = 1
"""Grows when a plugin that was right before would be wrong; ``requires_api`` of a manifest names it."""


class PluginError(Exception):
    """A failure that a person can mend: what is wrong, and what to do. Shown as it is, without a traceback."""

    def __init__(self, message: str, *, next_step: str = "") -> None:
        super().__init__(f"{message}: {next_step}" if next_step else message)
        self.message = message
        self.next_step = next_step


def env_var(*names: str) -> dict[str, Any]:
    """For ``json_schema_extra`` of a config field: the environment variables that set it, the strongest one first."""
    return {"env": list(names)}


class PluginConfig(BaseModel):
    """To derive the config of a plugin from: ``remoteUrl`` in the file is ``remote_url`` here; no unknown keys."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )


class CommandContext(Protocol):
    """What the host gives a command; the gateway may be running or not."""

    @property
    def config(self) -> BaseModel | None:
        """The plugin's config, an instance of `Plugin.config`; None where it cannot be used (see `problems`)."""
        ...

    @property
    def problems(self) -> Sequence[str]:
        """Everything that is wrong with the config, for people."""
        ...

    @property
    def config_file(self) -> Mapping[str, Any]:
        """The whole config file as it is now, with references such as ``${NAME}`` unresolved."""
        ...

    @property
    def environment(self) -> Mapping[str, str]: ...

    @property
    def state_dir(self) -> Path: ...

    @property
    def gateway_url(self) -> str | None:
        """Where the gateway of this user listens; None while none is running."""
        ...

    @property
    def instance(self) -> str | None:
        """The instance of the gateway that is running."""
        ...

    @property
    def out(self) -> Callable[[str], None]:
        """Prints one line of what was asked for."""
        ...

    @property
    def err(self) -> Callable[[str], None]:
        """Prints one line about what went wrong."""
        ...

    async def fetch(self, plan: FetchRequest) -> FetchResponse:
        """Raises `FetchFailed`."""
        ...


@runtime_checkable
class CommandPlugin(Protocol):
    """``clawgate <name> ...``. A name that clawgate has itself is refused."""

    @property
    def name(self) -> str: ...

    @property
    def help(self) -> str:
        """One line."""
        ...

    def run(self, context: CommandContext, arguments: Sequence[str]) -> int | Awaitable[int]:
        """The exit status: 0 only if all is well. ``arguments`` is what stands behind the name, ``--json`` included."""
        ...


class Registrar(Protocol):
    """Takes what a plugin has. What is handed over must stand in the manifest's ``registers``."""

    def service(self, service: Service) -> None: ...

    def provider(self, provider: ProviderPlugin) -> None: ...

    def command(self, command: CommandPlugin) -> None: ...


@runtime_checkable
class Plugin(Protocol):
    """What ``module`` of a manifest names: ``package.module:plugin``."""

    @property
    def id(self) -> str:
        """As in ``plugins.entries.<id>``: small letters, digits, dashes."""
        ...

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def description(self) -> str: ...

    @property
    def config(self) -> type[BaseModel]:
        """What ``plugins.entries.<id>.config`` is read into; secrets as `Secret`, each field with a description."""
        ...

    def register(self, registrar: Registrar) -> None:
        """Hand over what there is; nothing else happens here."""
        ...
