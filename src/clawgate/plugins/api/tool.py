"""Defines the tools that a plugin gives to agents.

Part of `clawgate.plugins.api`. Frozen values. A tool gets its call and nothing else: no credential, no config file, and
so no way to write one. What it needs of the host it takes from the plugin's service.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One call of a tool by a model.

    ``arguments`` are as the model wrote them: an object that was not compared with the tool's ``parameters``.
    ``session`` is the same for the calls of one session of one caller, and shows neither of them.
    """

    id: str
    name: str
    arguments: Mapping[str, Any]
    agent: str
    session: str


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What the model reads. ``is_error``: the text says why there is no result."""

    text: str
    is_error: bool = False


class ToolFailed(Exception):
    """No result. The model reads ``message``, so it says what to do instead and holds no secret."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool. The host copies it when it is registered; later changes of it have no effect.

    ``name`` are 1 to 64 ASCII letters, digits, dashes and underscores. The model decides by ``description`` and
    ``parameters``, the JSON schema of an object, when and how to call it. ``run`` is an ``async def``; it raises
    `ToolFailed` for what the model can do better, and is cancelled after ``timeout`` seconds. ``strict`` requests
    OpenAI's strict schemas, for which every property is required and no other one allowed.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    run: Callable[[ToolCall], Awaitable[str | ToolResult]]
    timeout: float = 60.0
    strict: bool | None = None
