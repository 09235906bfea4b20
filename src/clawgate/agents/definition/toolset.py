"""Offers an agent the tools of plugins and MCP servers in one run, and runs those that its model calls.

Law: no failure of a tool ends the run. What the model writes wrong and what a tool does wrong are results that the
model reads. A set keeps its tools for as long as the run lasts, whatever becomes of their plugins.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import msgspec

from clawgate.agents.definition.tool_arguments import argument_problem
from clawgate.agents.definition.tool_policy import NOTHING_KNOWN, KnownTools, ToolPolicy
from clawgate.agents.request.refusal import listing, shown
from clawgate.agents.run.driver import ToolOutcome
from clawgate.agents.run.step import Call, Message
from clawgate.errors import InvalidRequest
from clawgate.plugins.api import ToolCall
from clawgate.plugins.host.tools import RegisteredTool, run_tool
from clawgate.wire.json.unambiguous import parse_unambiguous

MAX_RESULT_BYTES = 100_000
"""Of one result, which every later model call of the session sends again."""


class ToolSet:
    """Those of ``tools`` that the agent may use, in one run; ``session`` is an `opaque_session`.

    ``known`` is what the config may name beside ``tools``, such as those of a plugin that is disabled.
    """

    def __init__(
        self,
        tools: Iterable[RegisteredTool],
        policy: ToolPolicy,
        *,
        agent: str,
        session: str,
        known: KnownTools = NOTHING_KNOWN,
        max_result_bytes: int = MAX_RESULT_BYTES,
    ) -> None:
        registered = list(tools)
        self._tools = {
            tool.name: tool for tool in registered if policy.permits(tool.name, tool.plugin, tool.family)
        }
        known = known.beside((tool.name, tool.plugin) for tool in registered)
        all_wait = bool(known.unknown(policy.approve))
        self.needed = frozenset(
            tool.name
            for tool in self._tools.values()
            if all_wait or policy.needs_approval(tool.name, tool.plugin, tool.family)
        )
        """The names of those whose calls need the caller's approval: all, where a name that is listed means nothing."""
        self._agent = agent
        self._session = session
        self._max_result_bytes = max_result_bytes

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._tools)

    def definitions(self) -> tuple[Message, ...]:
        """Return the tools as a chat completions request has them."""
        return tuple(tool.definition() for tool in self._tools.values())

    def digests(self) -> dict[str, str]:
        """Return what changes with a tool, and with who has it, by its name."""
        return {
            tool.name: hashlib.sha256(
                msgspec.json.encode([tool.plugin, tool.family, tool.definition()])
            ).hexdigest()
            for tool in self._tools.values()
        }

    async def run(self, call: Call) -> ToolOutcome:
        """Return what the model reads. Cancelled, it cancels the tool."""
        tool = self._tools.get(call.name)
        if tool is None:
            available = f"use one of: {listing(sorted(self._tools))}" if self._tools else "there are none"
            return ToolOutcome(f"there is no tool {shown(call.name)!r}; {available}", failed=True)
        try:
            arguments = _read_arguments(call.arguments)
        except InvalidRequest as error:
            return ToolOutcome(f"the tool was not called: {error.message}", failed=True)
        parameters = tool.definition()["function"]["parameters"]
        if (problem := argument_problem(parameters, arguments)) is not None:
            return ToolOutcome(f"the tool was not called: {problem}", failed=True)
        given = ToolCall(
            id=call.id, name=call.name, arguments=arguments, agent=self._agent, session=self._session
        )
        result = await run_tool(tool, given)
        return ToolOutcome(_bounded(result.text, self._max_result_bytes), result.is_error)


def opaque_session(caller: str, key: str) -> str:
    """Return an id of a caller's session that shows neither: another caller's session of the same key has another."""
    return hashlib.sha256(msgspec.json.encode([caller, key])).hexdigest()[:32]


def _read_arguments(text: str) -> dict[str, Any]:
    """Models write nothing, or null, for no arguments."""
    if text.strip() in ("", "null"):
        return {}
    arguments = parse_unambiguous(text.encode("utf-8", "surrogatepass"), what="the JSON of its arguments")
    if not isinstance(arguments, dict):
        raise InvalidRequest("its arguments must be a JSON object")
    return arguments


def _bounded(text: str, most: int) -> str:
    """Return valid Unicode of at most ``most`` bytes, with a note if it was longer."""
    encoded = text[: most + 1].encode("utf-8", "replace")
    if len(encoded) <= most:
        return encoded.decode()
    return encoded[:most].decode("utf-8", "ignore") + f"\n[cut here: the result is longer than {most} bytes]"
