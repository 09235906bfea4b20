"""Holds one session with an MCP server: its list of tools, bounded, and calls of them.

Law: the server gets nothing of us but calls. Sampling, elicitation and roots get the error that they are not supported,
its instructions are not read, and a call that fails in any way is a result for the model. No result is checked by a
schema of the server: a pattern or a reference in it can take for ever, in the event loop. Imports the SDK.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, Protocol

from mcp import ClientSession
from mcp.client import Client, ClientRequestContext, IncomingMessage, InputRequiredRoundsExceededError
from mcp.client.subscriptions import SubscriptionLost
from mcp.shared.exceptions import MCPError
from mcp_types import (
    CONNECTION_CLOSED,
    INTERNAL_ERROR,
    INVALID_REQUEST,
    REQUEST_TIMEOUT,
    CallToolResult,
    ElicitRequestParams,
    ElicitResult,
    Implementation,
    ToolListChangedNotification,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from clawgate import __version__
from clawgate.agents.tools.mcp.definitions import without_invisible
from clawgate.plugins.api import ToolFailed

MAX_PAGES = 64
MAX_TOOLS = 512
_MAX_REASON = 500
_MOST_ERRORS = 100
_RELISTEN_SECONDS = 30.0
_CLOSED = "Connection closed"
"""What the SDK says of that; servers use its code for errors of their own."""
_GONE = "Session terminated"
"""What the SDK makes of a 404 for a session, which is to be begun anew (MCP 2025-11-25, transports)."""

_STATUS = "Server returned an error response"
"""What it says of any other status that is an error."""

for _name in ("mcp", "client", "httpx2", "httpcore2"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)
"""They log what servers send and whole URLs; what goes wrong is reported here. The SDK's session logs as "client"."""


class ListRejected(Exception):
    """A list of tools that does not end, or is too long."""


class Transport(AbstractAsyncContextManager[tuple[Any, Any]], Protocol):
    """The streams to a server. ``lost`` is set when it is gone, ``reason`` why, as far as that is known."""

    lost: asyncio.Event

    @property
    def reason(self) -> str: ...


class McpSession:
    """One session. ``changed`` is set when the server says that its tools are others now."""

    def __init__(self, client: Client, transport: Transport, changed: asyncio.Event) -> None:
        self._client = client
        self._transport = transport
        self.changed = changed
        self.lost = transport.lost

    @property
    def protocol(self) -> str:
        return self._client.protocol_version

    async def list_tools(self) -> list[dict[str, Any]]:
        """Return the tools as the server has them. Raises `ListRejected`, `MCPError`."""
        if self._client.server_capabilities.tools is None:
            return []
        found: list[dict[str, Any]] = []
        cursors: set[str] = set()
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            page = await self._client.list_tools(cursor=cursor)
            found += (tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in page.tools)
            if len(found) > MAX_TOOLS:
                raise ListRejected(f"its list has more than {MAX_TOOLS} tools")
            cursor = page.next_cursor
            if not cursor:
                return found
            if cursor in cursors:
                raise ListRejected("its list of tools repeats itself")
            cursors.add(cursor)
        raise ListRejected(f"its list of tools has more than {MAX_PAGES} pages")

    async def call(self, name: str, arguments: Mapping[str, Any], seconds: float) -> Mapping[str, Any]:
        """Return the result as JSON has it. Raises `ToolFailed`; cancelled, it cancels the call at the server."""
        try:
            async with asyncio.timeout(seconds):
                result = await self._client.call_tool(name, dict(arguments), read_timeout_seconds=seconds)
        except (TimeoutError, MCPError) as error:
            raise ToolFailed(self._why_failed(error, seconds)) from error
        except InputRequiredRoundsExceededError as error:
            raise ToolFailed("the tool wants input, which is not supported") from error
        except ValidationError as error:
            raise ToolFailed(f"the server sent a wrong result: {_wrong(error)}") from error
        except RuntimeError as error:  # of the SDK, about results of a kind that it does not expect
            raise ToolFailed(f"the server sent a wrong result: {_line(error)}") from error
        return result.model_dump(mode="json", by_alias=True, exclude_none=True)

    def _why_failed(self, error: TimeoutError | MCPError, seconds: float) -> str:
        if isinstance(error, TimeoutError) or error.code == REQUEST_TIMEOUT:
            return f"the tool did not respond within {seconds:g} s and was cancelled"
        if error.code == CONNECTION_CLOSED and error.message == _CLOSED:
            reason = f" ({self._transport.reason})" if self._transport.reason else ""
            return (
                f"the connection to the server ended during the call, which may have had its effect{reason}"
            )
        if error.code == INVALID_REQUEST and error.message == _GONE:
            self.lost.set()
            return "the server has ended the session, and the call was not made; try it again"
        if error.code == INTERNAL_ERROR and error.message == _STATUS and self._transport.reason:
            return f"the server failed: {self._transport.reason}"
        return f"the server failed: {_line(error.message)}"

    async def listen(self) -> None:
        """Follow changes of the tools, at protocol versions that have a stream for that, until cancelled."""
        tools = self._client.server_capabilities.tools
        if self.protocol not in MODERN_PROTOCOL_VERSIONS or tools is None or not tools.list_changed:
            return
        while True:
            with contextlib.suppress(MCPError, SubscriptionLost, TimeoutError):
                async with self._client.listen(tools_list_changed=True) as events:
                    async for _ in events:
                        self.changed.set()
            await asyncio.sleep(_RELISTEN_SECONDS)
            self.changed.set()  # of changes meanwhile there is no news


class _Client(Client):
    """Waits ``probe_seconds`` for the response to what a server of an older protocol may ignore; the SDK's are 10."""

    probe_seconds: float

    async def _build_session(self, exit_stack: AsyncExitStack) -> ClientSession:
        session = await super()._build_session(exit_stack)
        send = session.send_discover

        async def send_discover(version: str) -> dict[str, Any]:
            try:
                async with asyncio.timeout(self.probe_seconds):
                    return await send(version)
            except TimeoutError:
                raise MCPError(REQUEST_TIMEOUT, "no response to server/discover") from None

        session.send_discover = send_discover  # type: ignore[method-assign]
        return session


@asynccontextmanager
async def open_session(
    transport: Transport, call_seconds: float, probe_seconds: float, *, is_old: bool = False
) -> AsyncIterator[McpSession]:
    """Connect, and speak the newest version of the protocol that both know, or one up to 2025-11-25.

    The newest ones begin with a probe. Raises what the SDK raises.
    """
    changed = asyncio.Event()

    async def on_message(message: IncomingMessage) -> None:
        if isinstance(message, ToolListChangedNotification):
            changed.set()

    client = _Client(
        transport,
        client_info=Implementation(name="clawgate", version=__version__),
        message_handler=on_message,
        elicitation_callback=_decline,
        read_timeout_seconds=call_seconds,
        cache=None,
        mode="legacy" if is_old else "auto",
    )
    client.probe_seconds = probe_seconds
    async with client:
        client.session.validate_tool_result = _unchecked  # type: ignore[method-assign]
        session = McpSession(client, transport, changed)
        listening = asyncio.get_running_loop().create_task(session.listen(), name="mcp: listen")
        try:
            yield session
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


async def _decline(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
    """Refuse what a server wants from a user: none is there, and it must not go ahead."""
    return ElicitResult(action="decline")


async def _unchecked(name: str, result: CallToolResult) -> None:
    """Stand in for what checks a result by the tool's output schema."""


def why_lost(error: BaseException) -> str:
    """Return one line about what ended a session."""
    if isinstance(error, BaseExceptionGroup):
        return why_lost(error.exceptions[0])
    if isinstance(error, MCPError):
        return _line(error.message)
    if isinstance(error, ValidationError):
        return _wrong(error)
    return _line(error) or type(error).__name__


def _wrong(error: ValidationError) -> str:
    """Return the first thing that is wrong with a message of the server.

    Pydantic makes texts of all of them for that, 20 microseconds each.
    """
    if error.error_count() > _MOST_ERRORS:
        return _line(f"{error.title}: {error.error_count()} things are wrong")
    first = error.errors(include_url=False, include_input=False)[0]
    return _line(f"{error.title}: {'.'.join(map(str, first['loc']))}: {first['msg']}")


def _line(text: object) -> str:
    lines = without_invisible(str(text)).splitlines() or [""]
    return lines[0][:_MAX_REASON]
