"""Defines a plugin: its identity, its config class and what it registers.

Part of `clawgate.plugins.api`. Importing a plugin and calling `register` must do nothing else: no thread, no socket,
no file.
"""

from __future__ import annotations

from typing import ClassVar, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from clawgate.plugins.api.command import CommandPlugin
from clawgate.plugins.api.provider import DeclaredProvider
from clawgate.plugins.api.service import Service
from clawgate.plugins.api.tool import Tool

API_VERSION = 2
"""Incremented when a plugin that was valid before would be invalid; ``requires_api`` in a manifest names it."""


class PluginError(Exception):
    """A failure that the operator can fix: what is wrong and what to do. Shown without a traceback."""

    def __init__(self, message: str, *, next_step: str = "") -> None:
        super().__init__(f"{message}: {next_step}" if next_step else message)
        self.message = message
        self.next_step = next_step


class PluginConfig(BaseModel):
    """Base class for a plugin's config. ``remoteUrl`` in the file is ``remote_url`` here; unknown keys are errors."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )


class Registrar(Protocol):
    """Takes what a plugin provides. Each object must be declared by ``registers`` in the manifest."""

    def add_service(self, service: Service) -> None: ...

    def add_provider(self, provider: DeclaredProvider) -> None: ...

    def add_command(self, command: CommandPlugin) -> None: ...

    def add_tool(self, tool: Tool) -> None: ...


@runtime_checkable
class Plugin(Protocol):
    """The object that ``module`` in a manifest names: ``package.module:plugin``."""

    @property
    def id(self) -> str:
        """The key under ``plugins.entries``: lower-case letters, digits, dashes."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def description(self) -> str: ...

    @property
    def config_class(self) -> type[BaseModel]:
        """The model of ``plugins.entries.<id>.config``. Secrets are of type `Secret`; each field has a description."""

    def register(self, registrar: Registrar) -> None:
        """Hand over the services, providers, commands and tools. Must have no other effect."""
