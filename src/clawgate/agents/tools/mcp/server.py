"""Keeps one MCP server connected, and offers of its tools those that were accepted.

Law: a model is offered a tool as it was accepted and as the server lists it now; what differs waits for the operator.
Whatever the server does, it is connected again after a pause that grows. Must not import the SDK: `open_session` is
passed in.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Any, Protocol

from clawgate.agents.tools.mcp.definitions import Definition, named, passes, tool_name, without_invisible
from clawgate.agents.tools.mcp.pins import Pins, PinStore
from clawgate.agents.tools.mcp.results import MAX_IMAGES, Look, decoded, images, read_result
from clawgate.plugins.api import Tool, ToolCall, ToolFailed, ToolResult
from clawgate.plugins.host.isolation import PluginFailed
from clawgate.plugins.host.tools import RegisteredTool, register_tool
from clawgate.settings.key_path import format_key_path
from clawgate.settings.openclaw.mcp_servers import FAMILY, McpServerEntry

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
_STABLE_SECONDS = 10.0
"""A connection that lasted as long makes earlier failures forgotten, and the next one begins at once."""
_RELIST_SECONDS = 1.0
"""At least between two lists, and ten times of what the last one took: a server may say at any rate that its tools
have changed."""
_LONGEST_RELIST_SECONDS = 10.0
MAX_LIST = 400_000
"""Characters of all definitions of a server as JSON: each model call sends them."""
_SLACK_SECONDS = 5.0
_LOOK_SECONDS = 60.0
_PROMPT = "Describe this image, which the tool {} returned, and read out what is written in it."
_SHOWN = 5


class Session(Protocol):
    """A `session.McpSession`."""

    changed: asyncio.Event
    lost: asyncio.Event

    @property
    def protocol(self) -> str: ...
    async def list_tools(self) -> list[dict[str, Any]]: ...
    async def call(self, name: str, arguments: Mapping[str, Any], seconds: float) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """How to reach a server. ``open`` begins a session, ``why_lost`` returns a line about its end and its error."""

    open: Callable[[], AbstractAsyncContextManager[Session]]
    why_lost: Callable[[BaseException | None], str]


@dataclass(frozen=True, slots=True)
class Listed:
    """The tools of a server as it listed them last, by their own names; ``reasons`` are of those that are none."""

    tools: Mapping[str, Definition]
    reasons: Mapping[str, str]


class McpServer:
    """One server. `run` is the task that keeps it connected; ``random`` returns numbers from 0 to 1."""

    def __init__(
        self,
        entry: McpServerEntry,
        connector: Connector,
        pins: PinStore,
        *,
        clock: Callable[[], float],
        random: Callable[[], float],
        clean: Callable[[str], str],
        log: logging.Logger,
        look: Look | None = None,
    ) -> None:
        self.entry = entry
        self._connector = connector
        self._pins = pins
        self._clock = clock
        self._random = random
        self._clean = clean
        self._log = log
        self._look = look
        self._session: Session | None = None
        self.listed: Listed | None = None
        self._is_current = asyncio.Event()
        """Set while there is a session, and no news of another list from its server."""
        self._failed = asyncio.Event()
        """Set from a failure to the next session."""
        self.reason = ""
        """Why there was no session the last time that there was none."""
        self._is_given_up = False
        self._made: Mapping[str, RegisteredTool | PluginFailed] = {}
        """By the digests of their definitions: those of the last list, and the accepted ones."""
        self._offered: tuple[Pins, Listed | None, tuple[RegisteredTool, ...]] | None = None

    async def run(self) -> None:
        """Connect, again and again, until cancelled."""
        pause = 0.0
        while True:
            started_at = self._clock()
            error = await self._connection()
            is_stable = self._clock() - started_at >= _STABLE_SECONDS
            pause = 0.0 if is_stable else min(max(pause * 2, FIRST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
            if not is_stable:
                self._failed.set()
            reason = self._clean(self._connector.why_lost(error))
            if reason != self.reason or pause <= FIRST_PAUSE_SECONDS:
                self._log.warning("%s: %s; it is tried again", self.entry.name, reason)
            self.reason = reason
            await asyncio.sleep(pause * (0.5 + self._random() / 2))

    def give_up(self, reason: str) -> None:
        """Offer no tool, for ``reason``: it cannot be connected at all."""
        self._is_given_up, self.reason = True, reason
        self._failed.set()

    async def _connection(self) -> BaseException | None:
        """Serve one session to its end, and return what ended it."""
        seconds = self.entry.block.connection_timeout_ms / 1000
        try:
            async with asyncio.timeout(seconds) as limit, self._connector.open() as session:
                await self._list(session)
                limit.reschedule(None)
                self._session = session
                self._failed.clear()
                self._is_current.set()
                self._log.info(
                    "%s: connected, protocol %s, %d tools",
                    self.entry.name,
                    session.protocol,
                    len(self.tools()),
                )
                await self._follow(session)
        except Exception as error:  # of a library and a foreign program: whatever it is, try again
            if _is_cancelled():  # the SDK may raise something else then
                raise asyncio.CancelledError from error
            if isinstance(error, TimeoutError):
                return TimeoutError(self.no_list())
            return error
        finally:
            self._session = None
            self._is_current.clear()
        return None

    def no_list(self) -> str:
        """Return what is wrong while the first try to connect is not through."""
        limit = format_key_path((*self.entry.path, "connectionTimeoutMs"))
        seconds = self.entry.block.connection_timeout_ms / 1000
        return f"no list of tools within {seconds:g} s; if the server needs longer to start, raise {limit}"

    async def _follow(self, session: Session) -> None:
        """List the tools anew whenever the server says so, until the session is lost."""
        pause = _RELIST_SECONDS
        lost = asyncio.get_running_loop().create_task(session.lost.wait())
        try:
            while not session.lost.is_set():
                changed = asyncio.get_running_loop().create_task(session.changed.wait())
                try:
                    await asyncio.wait((lost, changed), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    changed.cancel()
                if session.changed.is_set() and not session.lost.is_set():
                    self._is_current.clear()
                    session.changed.clear()
                    await asyncio.sleep(pause)
                    pause = await self._list(session)
                    self._is_current.set()
        finally:
            lost.cancel()

    async def _list(self, session: Session) -> float:
        """Return the seconds until they may be listed again."""
        started_at = self._clock()
        listed, pins = await asyncio.to_thread(self._observe, await session.list_tools())
        before, self.listed = self.listed, listed
        if before is None or (before.tools, before.reasons) != (listed.tools, listed.reasons):
            self._report(listed, pins)
        took = self._clock() - started_at
        return min(max(_RELIST_SECONDS, 10 * took), _LONGEST_RELIST_SECONDS)

    def _observe(self, found: list[dict[str, Any]]) -> tuple[Listed, Pins]:
        """Read and record a list. Runs in a thread: a list may be as long as its bounds."""
        listed = read_list(found)
        self._pins.observe(self.entry.prefix, listed.tools.values())
        pins = self._pins.read(self.entry.prefix)
        tools = (*listed.tools.values(), *pins.accepted.values())
        self._made = {tool.digest: self._register(tool) for tool in tools}
        return listed, pins

    def _report(self, listed: Listed, pins: Pins) -> None:
        name = self.entry.name
        for tool, reason in list(listed.reasons.items())[:_SHOWN]:
            self._log.warning("%s: its tool '%s' is not offered: %s", name, tool, reason)
        if len(listed.reasons) > _SHOWN:
            self._log.warning("%s: %d more of its tools are not offered", name, len(listed.reasons) - _SHOWN)
        if pins.problem:
            self._log.error("%s: none of its tools is offered: %s", name, pins.problem)
        elif pins.waiting:
            waiting = ", ".join(without_invisible(tool)[:80] for tool in list(pins.waiting)[:_SHOWN])
            self._log.warning(
                "%s: %d tools are new or were changed by the server and are not offered (%s); look at them with: "
                "clawgate mcp show %s, and run: clawgate mcp accept %s",
                name,
                len(pins.waiting),
                waiting,
                name,
                name,
            )

    def tools(self) -> tuple[RegisteredTool, ...]:
        """Return the tools that a model may be offered: accepted, and as the server has them as far as is known."""
        if self._is_given_up:
            return ()
        pins = self._pins.read(self.entry.prefix)
        if self._offered is None or self._offered[0] is not pins or self._offered[1] is not self.listed:
            self._offered = (pins, self.listed, tuple(self._tools()))
        return self._offered[2]

    def _tools(self) -> list[RegisteredTool]:
        pins, listed = self._pins.read(self.entry.prefix), self.listed
        accepted = [
            tool
            for tool in pins.accepted.values()
            if passes(self.entry.block.tool_filter, tool.name)
            and (listed is None or _is_listed(tool, listed))
        ]
        names, reasons = named(self.entry.prefix, accepted)
        for tool, reason in reasons.items():
            self._log.warning(
                "%s: its tool '%s' is not offered: %s", self.entry.name, without_invisible(tool)[:80], reason
            )
        return list(self._registered(names.values()))

    def _registered(self, definitions: Iterable[Definition]) -> Iterator[RegisteredTool]:
        for definition in definitions:
            made = self._made.get(definition.digest) or self._register(definition)
            if isinstance(made, PluginFailed):
                self._log.warning("%s: a tool is not offered: %s", self.entry.name, made)
            else:
                yield made

    def _register(self, definition: Definition) -> RegisteredTool | PluginFailed:
        seconds = (self.entry.block.connection_timeout_ms + self.entry.block.request_timeout_ms) / 1000
        tool = Tool(
            name=tool_name(self.entry.prefix, definition.name),
            description=definition.description,
            parameters=definition.parameters,
            run=self._caller(definition),
            timeout=seconds + _SLACK_SECONDS + (MAX_IMAGES * _LOOK_SECONDS if self._look is not None else 0),
        )
        try:
            return replace(register_tool(self.entry.prefix, tool), family=FAMILY, clean=self._clean)
        except PluginFailed as error:
            return error

    def _caller(self, definition: Definition) -> Callable[[ToolCall], Any]:
        async def call(given: ToolCall) -> ToolResult:
            result = await self._call(definition, given.arguments)
            return read_result(result, await self._seen(result, given))

        return call

    async def _seen(self, result: Mapping[str, Any], given: ToolCall) -> Mapping[int, str]:
        """Return what a model sees on the first images of a result, by their place in it, or why none looked."""
        seen: dict[int, str] = {}
        for place, image in images(result):
            if self._look is None:
                seen[place] = "it is not shown here"
                continue
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    seen[place] = await self._look(decoded(image), _PROMPT.format(given.name), given.agent)
            except ToolFailed as error:
                seen[place] = error.message
            except (TimeoutError, ValueError):
                seen[place] = "it is no image, or no model looked at it in time"
        return seen

    async def _call(self, definition: Definition, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Call a tool of the server, if it is still the one that was accepted. Raises `ToolFailed`."""
        session = await self.current_session()
        if self.listed is None or not _is_listed(definition, self.listed):
            raise ToolFailed(
                f"the server '{self.entry.name}' has changed this tool or has it no more, so it was not called; "
                f"its operator can look at it with: clawgate mcp show {self.entry.name}"
            )
        return await session.call(definition.name, arguments, self.entry.block.request_timeout_ms / 1000)

    async def current_session(self) -> Session:
        """Return the session, once the first try to connect or a new list is through. Raises `ToolFailed`."""
        if not self._is_current.is_set() and not self._failed.is_set():
            loop = asyncio.get_running_loop()
            waits = [loop.create_task(event.wait()) for event in (self._is_current, self._failed)]
            seconds = self.entry.block.connection_timeout_ms / 1000
            try:
                await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in waits:
                    task.cancel()
        if self._session is None or not self._is_current.is_set():
            reason = self.reason or self.no_list()
            raise ToolFailed(
                f"the server '{self.entry.name}' is not connected: {reason}; the tool was not called"
            )
        return self._session


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def read_list(listed: list[dict[str, Any]]) -> Listed:
    """Return the tools of a server's list; of two with the same name there is none."""
    tools: dict[str, Definition] = {}
    reasons: dict[str, str] = {}
    characters = 0
    for one in listed:
        name = without_invisible(str(one.get("name", "")))[:80]
        try:
            tool = Definition.of(one)
        except ValueError as error:
            reasons[name] = str(error)
            continue
        characters += tool.size
        if characters > MAX_LIST:
            reasons[name] = f"the definitions up to it exceed {MAX_LIST} characters"
            continue
        if tool.name in tools:
            reasons[name] = "it is listed twice"
        tools[tool.name] = tool
    twice = {name for name in tools if reasons.get(without_invisible(name)[:80]) == "it is listed twice"}
    return Listed({name: tool for name, tool in tools.items() if name not in twice}, reasons)


def _is_listed(tool: Definition, listed: Listed) -> bool:
    current = listed.tools.get(tool.name)
    return current is not None and current.digest == tool.digest
