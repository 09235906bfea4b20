"""Defines the commands that a plugin adds to ``clawgate``.

Part of `clawgate.plugins.api`. A command runs in a process of its own, whether or not a gateway is running.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel

from clawgate.plugins.api.service import FetchRequest, FetchResponse


class CommandContext(Protocol):
    """What the host passes to a command."""

    @property
    def config(self) -> BaseModel | None:
        """The plugin's config, an instance of `Plugin.config_class`; None if it is invalid (see `problems`)."""
        ...

    @property
    def problems(self) -> Sequence[str]:
        """Each problem of the config, as text for people."""
        ...

    @property
    def config_file(self) -> Mapping[str, Any]:
        """The whole config file as it is now, with references such as ``${NAME}`` unresolved."""
        ...

    @property
    def environment(self) -> Mapping[str, str]: ...

    @property
    def state_dir(self) -> Path:
        """The plugin's own folder, mode 0700."""
        ...

    @property
    def gateway_url(self) -> str | None:
        """The URL of this user's gateway; None if none is running."""
        ...

    @property
    def instance(self) -> str | None:
        """The id of the running gateway instance; None if none is running."""
        ...

    @property
    def out(self) -> Callable[[str], None]:
        """Writes one line of output."""
        ...

    @property
    def err(self) -> Callable[[str], None]:
        """Writes one line to standard error."""
        ...

    async def fetch(self, request: FetchRequest) -> FetchResponse:
        """Send one GET. Raises `FetchFailed`."""
        ...


@runtime_checkable
class CommandPlugin(Protocol):
    """``clawgate <name> ...``. The names of clawgate's own commands are rejected."""

    @property
    def name(self) -> str: ...

    @property
    def help(self) -> str:
        """One line."""
        ...

    def run(self, context: CommandContext, arguments: Sequence[str]) -> int | Awaitable[int]:
        """Return the exit status, 0 for success. ``arguments`` are all words after the name, options included."""
        ...
