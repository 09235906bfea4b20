"""Speaks with an MCP server over the standard input and output of a child.

Law: no shell, no orphan (`processes.supervision`), one message per line, each bounded. What a server prints that is no
message is logged and skipped; a message that is too large ends the connection. Imports the SDK.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from types import TracebackType
from typing import Any

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCRequest, jsonrpc_message_adapter
from pydantic import ValidationError

from clawgate.agents.tools.mcp.frames import FrameRejected, Lines, Pace, decode
from clawgate.plugins.api import ChildSpec
from clawgate.processes.supervision import subreaper
from clawgate.processes.supervision.child import Child
from clawgate.processes.supervision.child_state import Event, Exited, SpawnFailed
from clawgate.processes.supervision.output_tail import OutputTail

_READ_BYTES = 16_384
_LEAVE_SECONDS = 1.0
"""From the end of its input until SIGTERM: a server should end by itself (MCP 2025-11-25, lifecycle, shutdown)."""
_KILL_SECONDS = 5.0
_LAST_LINES = 3


class StdioTransport:
    """One child and the streams to it, for one connection. ``lost`` is set when it has ended."""

    def __init__(self, spec: ChildSpec, output: OutputTail) -> None:
        self.lost = asyncio.Event()
        self._spec = spec
        self._output = output
        self._ended = asyncio.Event()
        self._reason = ""
        self._is_left = False
        """It ends because this side has ended the connection: its end is no reason."""
        self._child = Child(spec, output, self._on_event, piped=True)
        self._tasks: list[asyncio.Task[None]] = []
        self._pipe = _Writer()
        self._reading: asyncio.BaseTransport | None = None
        self._writing: asyncio.WriteTransport | None = None

    @property
    def reason(self) -> str:
        """Why it ended, as far as that is known, with the last lines that it wrote."""
        lines = self._output.lines()[-_LAST_LINES:]
        return (
            f"{self._reason}; its last lines: {' | '.join(lines)}" if self._reason and lines else self._reason
        )

    async def __aenter__(self) -> tuple[Any, Any]:
        self._child.start()
        pipes = self._child.take_pipes()
        if pipes is None:
            raise ConnectionError(self._reason)
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_READ_BYTES)
        self._reading, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(pipes[1], "rb", buffering=0)
        )
        self._writing, _ = await loop.connect_write_pipe(
            lambda: self._pipe, os.fdopen(pipes[0], "wb", buffering=0)
        )
        received, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        outgoing, to_send = anyio.create_memory_object_stream[SessionMessage](0)
        self._tasks = [
            loop.create_task(self._read(reader, received), name=f"{self._spec.name}: read"),
            loop.create_task(self._write(to_send), name=f"{self._spec.name}: write"),
        ]
        return incoming, outgoing

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_left = bool(self._tasks) and not self._tasks[0].done()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._writing is not None:
            self._writing.close()
        try:
            await self._stop()
        finally:
            if not self._ended.is_set():
                self._child.abandon()
            if self._reading is not None:
                self._reading.close()

    async def _stop(self) -> None:
        for order, seconds in (
            (None, _LEAVE_SECONDS),
            (subreaper.TERM, self._spec.grace),
            (subreaper.KILL, _KILL_SECONDS),
        ):
            if order is not None:
                self._child.send(order)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._ended.wait()
                    return

    def _on_event(self, event: Event) -> None:
        match event:
            case SpawnFailed(error):
                self._end(error)
            case Exited(status, signal_name):
                how = f"was ended by {signal_name}" if signal_name else f"exited with status {status}"
                self._end("" if self._is_left else f"it {how}")

    def _end(self, reason: str) -> None:
        self._reason = self._reason or reason
        self._ended.set()
        self.lost.set()

    async def _read(
        self, reader: asyncio.StreamReader, received: MemoryObjectSendStream[SessionMessage | Exception]
    ) -> None:
        lines, pace = Lines(), Pace()
        with received, contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            try:
                while data := await reader.read(_READ_BYTES):
                    for line in lines.feed(data):
                        if (message := self._message(line)) is not None:
                            await received.send(message)
                        if wait := pace.after(len(line)):
                            await asyncio.sleep(wait)
                    await asyncio.sleep(0)  # what is buffered is read without a pause else
            except FrameRejected as error:
                self._reason = f"it sent {error}"
                self.lost.set()

    def _message(self, line: bytes) -> SessionMessage | None:
        """Return a message; None for a line that is none, which is logged like an error message of the server."""
        try:
            message = jsonrpc_message_adapter.validate_python(decode(line), by_name=False)
            if isinstance(message, JSONRPCRequest) and not self._pipe.may_write.is_set():
                raise FrameRejected("requests, and reads no response")  # each would wait here
            return SessionMessage(message)
        except ValidationError:
            pass
        except FrameRejected as error:
            if not error.is_noise:
                raise
        self._output.feed(line + b"\n")
        return None

    async def _write(self, to_send: MemoryObjectReceiveStream[SessionMessage]) -> None:
        assert self._writing is not None
        with to_send:
            async for item in to_send:
                text = item.message.model_dump_json(by_alias=True, exclude_unset=True)
                self._writing.write(text.encode() + b"\n")
                await self._pipe.may_write.wait()


class _Writer(asyncio.BaseProtocol):
    """The pipe to the server's standard input; ``may_write`` is cleared while it is full."""

    def __init__(self) -> None:
        self.may_write = asyncio.Event()
        self.may_write.set()

    def pause_writing(self) -> None:
        self.may_write.clear()

    def resume_writing(self) -> None:
        self.may_write.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.may_write.set()
