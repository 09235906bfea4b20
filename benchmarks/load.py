"""How long does the client wait, and what did the contender's processes spend meanwhile? The load generator.

A separate process on uvloop: `python -m benchmarks.load` reads one JSON order from stdin, prints one JSON
result and ends. It reads the CPU clocks of the contender's processes itself, at the two ends of the
measured window, so that connecting and warming up are never counted. Every answer is compared with what
the upstream sends; the first one that is wrong or cut ends the run with a reason instead of a number.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from array import array
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import uvloop

from benchmarks.client_dialects import CLIENT_DIALECTS
from benchmarks.load_streams import cancel_streams, hold_streams, run_streams, time_silence
from benchmarks.payloads import ANSWER_BODY, DONE, TURN_CHUNKS
from benchmarks.process_clock import cpu_ns

Order = dict[str, Any]
Result = dict[str, Any]

SESSION_TURNS = 10
_SESSION_HEADER = "x-openclaw-session-key"


class Window:
    """The measured part of a closed loop: opens after the warm-up, closes by count or by time."""

    def __init__(self, order: Order, finished: asyncio.Future[Result]) -> None:
        self.pids: list[int] = order["pids"]
        self.warmup: int = order["warmup"]
        self.count: int = order["count"]
        self.max_ns = int(order["seconds"] * 1e9)
        self.finished = finished
        self.answered = 0
        self.latencies = array("q")
        self.opened_ns = self.cpu_opened = self.own_opened = 0

    def note(self, sent_ns: int, now_ns: int) -> None:
        self.answered += 1
        if self.answered <= self.warmup:
            if self.answered == self.warmup:
                self.cpu_opened = cpu_ns(self.pids)
                self.own_opened = time.process_time_ns()
                self.opened_ns = time.monotonic_ns()
            return
        self.latencies.append(now_ns - sent_ns)
        if len(self.latencies) >= self.count or now_ns - self.opened_ns > self.max_ns:
            self.close()

    def close(self) -> None:
        if self.finished.done():
            return
        spent = cpu_ns(self.pids) - self.cpu_opened
        elapsed = time.monotonic_ns() - self.opened_ns
        own = time.process_time_ns() - self.own_opened
        count = len(self.latencies)
        result: Result = percentiles(self.latencies)
        result |= {"count": count, "per_second": count / elapsed * 1e9, "load_cpu_us": own / count / 1e3}
        if self.pids:
            result["cpu_us"] = spent / count / 1e3
        self.finished.set_result(result)


class RequestClient(asyncio.Protocol):
    """One keep-alive connection of the closed loop: the next request leaves when the answer is whole."""

    transport: asyncio.Transport

    def __init__(self, request: bytes, window: Window) -> None:
        self.request = request
        self.window = window
        self.buffer = b""
        self.ending = b""  # what a whole answer ends with, known once the first head was seen
        self.sent_ns = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def send(self) -> None:
        self.sent_ns = time.monotonic_ns()
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        if self.buffer:
            data = self.buffer + data
        if not self.ending:
            head_end = data.find(b"\r\n\r\n")
            if head_end < 0:
                self.buffer = data
                return
            chunked = b"transfer-encoding: chunked" in data[:head_end].lower()
            self.ending = ANSWER_BODY + (b"\r\n0\r\n\r\n" if chunked else b"")
        if not data.endswith(self.ending):
            self.buffer = data
            if not data.startswith(b"HTTP/1.1 200") or len(data) > 2 * len(ANSWER_BODY) + 2000:
                self.fail(f"wrong answer: {data[:300]!r}")
            return
        if not data.startswith(b"HTTP/1.1 200"):
            self.fail(f"wrong answer: {data[:300]!r}")
            return
        self.buffer = b""
        self.window.note(self.sent_ns, time.monotonic_ns())
        if not self.window.finished.done():
            self.send()

    def connection_lost(self, exc: Exception | None) -> None:
        self.fail(f"connection closed by the contender after {self.window.answered} answers: {exc!r}")

    def fail(self, reason: str) -> None:
        if not self.window.finished.done():
            self.window.finished.set_exception(RuntimeError(reason))


class TurnClient(RequestClient):
    """One connection in a closed loop of streamed turns, each `SESSION_TURNS` of them in a session of their own."""

    def __init__(self, request: bytes, window: Window, session: str) -> None:
        super().__init__(request, window)
        self.session = session
        self.turns = 0

    def send(self) -> None:
        self.sent_ns = time.monotonic_ns()
        request = self.request
        if self.session:
            line = f"\r\n{_SESSION_HEADER}: {self.session}-{self.turns // SESSION_TURNS}\r\nContent-Length:"
            request = request.replace(b"\r\nContent-Length:", line.encode(), 1)
        self.turns += 1
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.buffer = data = self.buffer + data
        if not data.startswith(b"HTTP/1.1 200"):
            self.fail(f"wrong response: {data[:300]!r}")
        elif data.endswith(b"\r\n0\r\n\r\n"):
            if data.count(b' risk"') != TURN_CHUNKS or DONE not in data:
                self.fail(f"wrong stream: {data[:2000]!r}")
                return
            self.buffer = b""
            self.window.note(self.sent_ns, time.monotonic_ns())
            if not self.window.finished.done():
                self.send()


async def run_turns(order: Order) -> Result:
    """The order's ``sessions``, if any, is what the keys of this run's sessions begin with."""
    asks = CLIENT_DIALECTS[order["dialect"]]
    body = asks.body(order["body_size"], "turn", 0, order["model"])
    request = asks.request(order["port"], tuple(order["credential"]), body)

    def client(number: int, window: Window) -> RequestClient:
        return TurnClient(request, window, order["sessions"] and f"{order['sessions']}-{number}")

    return await _run_loop(order, client)


async def run_requests(order: Order) -> Result:
    asks = CLIENT_DIALECTS[order["dialect"]]
    body = asks.body(order["body_size"], "answer", 0, order["model"])
    request = asks.request(order["port"], tuple(order["credential"]), body)
    return await _run_loop(order, lambda number, window: RequestClient(request, window))


async def _run_loop(order: Order, make: Callable[[int, Window], RequestClient]) -> Result:
    loop = asyncio.get_running_loop()
    finished: asyncio.Future[Result] = loop.create_future()
    window = Window(order, finished)
    clients: list[RequestClient] = []
    for number in range(order["connections"]):
        _, client = await loop.create_connection(partial(make, number, window), "127.0.0.1", order["port"])
        clients.append(client)
    for client in clients:
        client.send()
    try:
        return await asyncio.wait_for(finished, order["deadline"])
    finally:
        for client in clients:
            client.transport.abort()


def percentiles(latencies_ns: array[int]) -> Result:
    ordered = sorted(latencies_ns)
    last = len(ordered) - 1
    return {"p50_us": ordered[last // 2] / 1e3, "p99_us": ordered[int(last * 0.99)] / 1e3}


KINDS: dict[str, Callable[[Order], Awaitable[Result]]] = {
    "requests": run_requests,
    "turns": run_turns,
    "streams": run_streams,
    "hold": hold_streams,
    "cancel": cancel_streams,
    "silence": time_silence,
}


def main() -> None:
    gc.disable()  # a collection pause here would be read as latency of the contender
    order: Order = json.loads(sys.stdin.readline())

    async def run() -> Result:
        return await KINDS[order["kind"]](order)

    try:
        result = uvloop.run(run())
    except TimeoutError:
        result = {"error": f"not finished within {order['deadline']} s"}
    except (RuntimeError, OSError) as error:
        result = {"error": str(error)}
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
