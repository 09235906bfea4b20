"""What did the contender send upstream, and when did it let go? The fake OpenAI behind every contender.

A raw asyncio.Protocol on uvloop with prebuilt answers, so that little of the machine goes to it. It
listens once for each credential rule and judges *every* request: the expected credential exactly once,
the forbidden one not at all. Run as `python -m benchmarks.upstream`; the rules come as a line of JSON on
stdin, then each further line asks for a report. End of stdin ends it, so it cannot outlive the run.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
import re
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import uvloop

from benchmarks.payloads import CHUNK_PERIOD_MS, CHUNKS, TURN_CHUNKS, stream_head
from benchmarks.roles import Role
from benchmarks.upstream_dialects import UPSTREAM_DIALECTS, UpstreamDialect

_LENGTH = re.compile(rb"(?i)\r\ncontent-length:[ \t]*(\d+)\r\n")
_TOLD_BODY = 4096  # a probe's body up to this size is told whole, a larger one by its digest
_CHUNKED = re.compile(rb"(?i)\r\ntransfer-encoding:[ \t]*chunked\r\n")


@dataclass
class Site:
    """One listening port: its rule about credentials and what was seen there since the last report."""

    dialect: UpstreamDialect
    expected: bytes
    forbidden: bytes
    requests: int = 0
    violations: int = 0
    example: str = ""
    received: dict[int, int] = field(default_factory=dict)  # request number -> monotonic ns
    closed: dict[int, int] = field(default_factory=dict)

    def judge(self, head: bytes) -> None:
        self.requests += 1
        right = not self.expected or head.count(self.expected) == 1
        if not right or (self.forbidden and self.forbidden in head):
            self.violations += 1
            self.example = self.example or head.decode("latin-1")

    def report(self) -> dict[str, object]:
        seen: dict[str, object] = {
            "requests": self.requests,
            "violations": self.violations,
            "example": self.example,
            "received": self.received,
            "closed": self.closed,
        }
        self.requests = self.violations = 0
        self.example, self.received, self.closed = "", {}, {}
        return seen


class Wheel:
    """Gives every stream a chunk each period, the streams spread evenly over one-millisecond slots.

    A common schedule, rather than a timer per stream, so that each contender meets the same pattern.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.slots: list[dict[Connection, int]] = [{} for _ in range(CHUNK_PERIOD_MS)]
        self.joined = 0
        self.tick_at = 0
        self.turning = False

    def join(self, connection: Connection) -> None:
        self.slots[self.joined % CHUNK_PERIOD_MS][connection] = CHUNKS
        self.joined += 1
        if not self.turning:
            self.turning = True
            self.tick_at = time.monotonic_ns() // 1_000_000
            self.turn()

    def leave(self, connection: Connection) -> None:
        for slot in self.slots:
            slot.pop(connection, None)

    def turn(self) -> None:
        now = time.monotonic_ns() // 1_000_000
        while self.tick_at < now:
            self.tick_at += 1
            slot = self.slots[self.tick_at % CHUNK_PERIOD_MS]
            for connection, left in list(slot.items()):
                if left:
                    slot[connection] = left - 1
                    connection.transport.write(connection.dialect.chunk())
                else:
                    del slot[connection]
                    connection.transport.write(connection.dialect.ending)
        if any(self.slots):
            self.loop.call_later(0.001, self.turn)
        else:
            self.turning = False


class Connection(asyncio.Protocol):
    """One connection from a contender; requests on it come one after the other (no pipelining)."""

    transport: asyncio.Transport

    def __init__(self, site: Site, wheel: Wheel) -> None:
        self.site = site
        self.dialect = site.dialect
        self.wheel = wheel
        self.buffer = b""
        self.last_simple = b""  # the last whole request for the plain answer, byte for byte
        self.missing = 0  # body bytes still to come of a request whose plan is known
        self.plan = b""
        self.number = 0
        self.head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        if not self.buffer and not self.missing and data == self.last_simple:
            self.site.requests += 1  # the same bytes as last time deserve the same verdict and answer
            self.transport.write(self.dialect.answer(self.site.requests))
            return
        if self.missing and self.plan != b"probe":
            self.missing -= len(data)
            if self.missing <= 0:
                self.act(b"")
            return
        self.buffer += data
        self.parse()

    def parse(self) -> None:
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head, body = self.buffer[: end + 4], self.buffer[end + 4 :]
        length = _LENGTH.search(head)
        if length is None and _CHUNKED.search(head):
            if not body.endswith(b"0\r\n\r\n"):
                return
            body = _dechunked(body)
            whole = True
            missing = 0
        else:
            missing = (int(length[1]) if length else 0) - len(body)
            whole = missing <= 0
        plan = self.dialect.plan(body)
        if not whole and (plan is None or plan[1] == b"probe"):
            return
        self.head = head
        self.plan = plan[1] if plan else b"none"
        self.number = int(plan[2]) if plan else -1
        self.missing = missing
        request, self.buffer = self.buffer, b""
        if whole:
            self.act(body)
            if self.plan == b"answer" and self.site.violations == 0:
                self.last_simple = request

    def act(self, body: bytes) -> None:
        """The request is complete: judge its head and do what its plan says."""
        self.missing = 0
        self.site.judge(self.head)
        if self.plan == b"answer":
            self.transport.write(self.dialect.answer(self.site.requests))
        elif self.plan == b"probe":
            self.transport.write(self.dialect.tell(_seen(self.head, body)))
        elif self.plan == b"turn":
            stream = [self.dialect.opening, *(self.dialect.chunk() for _ in range(TURN_CHUNKS))]
            self.transport.write(stream_head(self.number) + b"".join(stream) + self.dialect.ending)
        elif self.plan in (b"stream", b"idle", b"head", b"hold"):
            self.site.received[self.number] = time.monotonic_ns()
            if self.plan != b"hold":
                self.transport.write(stream_head(self.number) + self.dialect.opening)
            if self.plan == b"idle":
                self.transport.write(self.dialect.chunk())
            elif self.plan == b"stream":
                self.wheel.join(self)
        else:
            self.transport.close()

    def eof_received(self) -> None:
        self._let_go()

    def connection_lost(self, exc: Exception | None) -> None:
        self._let_go()
        self.wheel.leave(self)

    def _let_go(self) -> None:
        if self.number in self.site.received:
            self.site.closed.setdefault(self.number, time.monotonic_ns())


def _seen(head: bytes, body: bytes) -> bytes:
    """Values of headers in hexadecimal: a gateway may mask its secrets wherever it meets them in an answer."""
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    headers = [line.split(":", 1) for line in lines]
    pairs = [[name.lower(), value.strip().encode().hex()] for name, value in headers]
    seen: dict[str, object] = {"path": first.split(" ")[1], "headers": pairs}
    seen |= {"length": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    if len(body) <= _TOLD_BODY:
        seen["body"] = body.decode()
    return json.dumps(seen).encode()


def _dechunked(data: bytes) -> bytes:
    parts: list[bytes] = []
    at = 0
    while True:
        line_end = data.index(b"\r\n", at)
        size = int(data[at:line_end].split(b";")[0], 16)
        if size == 0:
            return b"".join(parts)
        parts.append(data[line_end + 2 : line_end + 2 + size])
        at = line_end + 2 + size + 2


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    rules: dict[Role, dict[str, Any]] = json.loads(sys.stdin.readline())
    wheel = Wheel(loop)
    sites: dict[Role, Site] = {}
    ports: dict[Role, int] = {}
    for name, rule in rules.items():
        site = sites[name] = Site(
            UPSTREAM_DIALECTS[rule["dialect"]], rule["expected"].encode(), rule["forbidden"].encode()
        )

        def connection(site: Site = site) -> Connection:
            return Connection(site, wheel)

        server = await loop.create_server(connection, "127.0.0.1", 0, backlog=2048)
        ports[name] = server.sockets[0].getsockname()[1]
    print(json.dumps(ports), flush=True)
    ended = asyncio.Event()

    def asked() -> None:
        line = sys.stdin.readline()
        if line:
            print(json.dumps({name: site.report() for name, site in sites.items()}), flush=True)
        else:
            ended.set()

    loop.add_reader(sys.stdin.fileno(), asked)
    gc.freeze()
    await ended.wait()


if __name__ == "__main__":
    gc.disable()  # a collection pause here would be read as latency of the contender
    uvloop.run(_serve())
