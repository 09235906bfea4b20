"""What does an SSE chunk cost and wait, what does an open stream weigh, when does an abandoned one end?

The stream half of the load generator: one client protocol, and one for streams that are silent. A stream counts as
complete only if all its chunks, its dialect's last event and the end of the HTTP message arrived.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import json
import sys
import time
from array import array
from collections.abc import Callable
from typing import Any

from benchmarks.client_dialects import CLIENT_DIALECTS, ClientDialect
from benchmarks.payloads import CHUNKS, Plan
from benchmarks.process_clock import cpu_ns

Order = dict[str, Any]
Result = dict[str, Any]

_CONNECTED_AT_ONCE = 50  # stays below any sensible listen backlog
_BODY_SIZE = 1024
_SETTLED_CHUNKS = 5  # window: from the time all streams have this many ...
_LAST_CHUNKS = CHUNKS - 5  # ... until the first one has this many; so only relaying is in it


class StreamClient(asyncio.Protocol):
    """One stream on its own connection; tells `on_chunks` how many events each read brought."""

    transport: asyncio.Transport

    def __init__(
        self, dialect: ClientDialect, request: bytes, on_chunks: Callable[[StreamClient, list[int]], None]
    ) -> None:
        self.dialect = dialect
        self.request = request
        self.on_chunks = on_chunks
        self.rest = b""
        self.head = b""
        self.events = 0
        self.done = False
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.first_event: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        if self.rest:
            data = self.rest + data
        delays = [now - int(stamp) for stamp in self.dialect.sent_at.findall(data)]
        cut = data.rfind(b"\n\n") + 2 if delays else 0
        self.rest = b"" if data.endswith(b"\n\n\r\n") else data[cut:]
        if not self.head:
            self.head = data[:40]
        if delays:
            if not self.events:
                self.first_event.set_result(None)
            self.events += len(delays)
            self.on_chunks(self, delays)
        if self.dialect.done in data:
            self.done = True
        if self.done and data.endswith(b"0\r\n\r\n") and not self.ended.done():
            self.ended.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        for future in (self.first_event, self.ended):
            if not future.done():
                reason = f"stream cut after {self.events} chunks: {self.rest[:200]!r}"
                future.set_exception(RuntimeError(reason))
                future.exception()  # several streams may fail; the first one that is awaited reports it

    def complete(self) -> bool:
        return self.head.startswith(b"HTTP/1.1 200") and self.events == CHUNKS and self.done


async def _open(order: Order, plan: Plan, count: int, first: int, on_chunks: Any) -> list[StreamClient]:
    loop = asyncio.get_running_loop()
    dialect = CLIENT_DIALECTS[order["dialect"]]
    port, credential = order["port"], tuple(order["credential"])
    clients: list[StreamClient] = []
    for start in range(0, count, _CONNECTED_AT_ONCE):
        connecting = []
        for number in range(first + start, first + min(start + _CONNECTED_AT_ONCE, count)):
            body = dialect.body(_BODY_SIZE, plan, number, order["model"])
            client = functools.partial(
                StreamClient, dialect, dialect.request(port, credential, body), on_chunks
            )
            connecting.append(loop.create_connection(client, "127.0.0.1", port))
        clients += [client for _, client in await asyncio.gather(*connecting)]
    return clients


def _ignore(client: StreamClient, delays: list[int]) -> None:
    pass


class ChunkWindow:
    """Counts chunks and the contender's CPU time while every stream is flowing, and at no other time."""

    def __init__(self, pids: list[int], streams: int) -> None:
        self.pids = pids
        self.unsettled = streams
        self.open = False
        self.over = False
        self.delays = array("q")
        self.cpu = self.nanoseconds = 0

    def note(self, client: StreamClient, delays: list[int]) -> None:
        if self.open:
            self.delays.extend(delays)
            if client.events >= _LAST_CHUNKS:
                self.open, self.over = False, True
                self.cpu = cpu_ns(self.pids) - self.cpu
                self.nanoseconds = time.monotonic_ns() - self.nanoseconds
        elif not self.over and client.events >= _SETTLED_CHUNKS > client.events - len(delays):
            self.unsettled -= 1
            if self.unsettled == 0:
                self.open = True
                self.cpu, self.nanoseconds = cpu_ns(self.pids), time.monotonic_ns()


async def run_streams(order: Order) -> Result:
    streams: int = order["streams"]
    window = ChunkWindow(order["pids"], streams)
    async with asyncio.timeout(order["deadline"]):
        clients = await _open(order, "stream", streams, 0, window.note)
        await asyncio.gather(*(client.ended for client in clients))
    broken = [client for client in clients if not client.complete()]
    for client in clients:
        client.transport.abort()
    if broken:
        return {"error": f"{len(broken)} of {streams} streams incomplete, one had {broken[0].events} chunks"}
    if not window.over or len(window.delays) < streams * CHUNKS / 4:
        return {"error": "too slow: the streams were hardly ever open together"}
    ordered = sorted(window.delays)
    last = len(ordered) - 1
    result = {"p50_us": ordered[last // 2] / 1e3, "p99_us": ordered[int(last * 0.99)] / 1e3}
    result["chunks"] = len(ordered)
    if window.pids:
        result["cpu_us"] = window.cpu / len(ordered) / 1e3
        result["core_percent"] = 100 * window.cpu / window.nanoseconds
    return result


async def hold_streams(order: Order) -> Result:
    """Opens idle streams, says so on stdout, and holds them until stdin says that the weighing is over."""
    async with asyncio.timeout(order["deadline"]):
        clients = await _open(order, "idle", order["streams"], 0, _ignore)
        await asyncio.gather(*(client.first_event for client in clients))
    await asyncio.sleep(order["settle"])
    alive = sum(not client.ended.done() for client in clients)
    print(json.dumps({"holding": alive}), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    for client in clients:
        client.transport.abort()
    return {"held": alive}


async def cancel_streams(order: Order) -> Result:
    """Leaves streams one after the other in one phase; says when each was left, by number."""
    plan: Plan = order["plan"]
    left: dict[int, int] = {}
    async with asyncio.timeout(order["deadline"]):
        for number in range(order["count"]):
            (client,) = await _open(order, plan, 1, number, _ignore)
            if plan == "stream":
                await client.first_event
            await asyncio.sleep(order["wait"])
            if client.ended.done():
                return {"error": f"ended before the client left: {client.rest[:200]!r}"}
            left[number] = time.monotonic_ns()
            client.transport.close()
            await asyncio.sleep(0.01)
    return {"left": left}


class SilentClient(asyncio.Protocol):
    """One stream whose model is silent: when did anything come, and was it alive to the end?"""

    def __init__(self, request: bytes) -> None:
        self.request = request
        self.head = b""
        self.is_open = True
        self.came: list[int] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.head = self.head or data[:40]
        self.came.append(time.monotonic_ns())

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False


async def time_silence(order: Order) -> Result:
    """Opens streams of a silent model and returns the longest time in which one of them got nothing."""
    loop = asyncio.get_running_loop()
    dialect = CLIENT_DIALECTS[order["dialect"]]
    body = dialect.body(_BODY_SIZE, "head", 0, order["model"])
    request = dialect.request(order["port"], tuple(order["credential"]), body)
    clients: list[SilentClient] = []
    cpu = -cpu_ns(order["pids"])
    for start in range(0, order["streams"], _CONNECTED_AT_ONCE):
        count = min(_CONNECTED_AT_ONCE, order["streams"] - start)
        connecting = (
            loop.create_connection(lambda: SilentClient(request), "127.0.0.1", order["port"])
            for _ in range(count)
        )
        clients += [client for _, client in await asyncio.gather(*connecting)]
    await asyncio.sleep(order["seconds"])
    now = time.monotonic_ns()
    cpu += cpu_ns(order["pids"])
    broken = [
        one for one in clients if not (one.is_open and one.came and one.head.startswith(b"HTTP/1.1 200"))
    ]
    if broken:
        return {"error": f"{len(broken)} of {len(clients)} silent streams ended or never began"}
    longest = max(late - early for one in clients for early, late in itertools.pairwise([*one.came, now]))
    for client in clients:
        client.transport.abort()
    return {"silent_ms": longest / 1e6, "cpu_ms": cpu / 1e6}
