"""A client in memory: its head in pieces, its pace, and what it leaves."""

from __future__ import annotations

from typing import Any, cast

from clawgate.agents.run.inner_client import InnerClient
from clawgate.errors import UpstreamMalformed
from clawgate.relay.exchange.exchange import Exchange


class Flow:
    """An exchange, as far as its client calls it."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return lambda: self.calls.append(name)


class Reader(InnerClient):
    def __init__(self) -> None:
        super().__init__()
        self.flow = Flow()
        self.exchange = cast(Exchange, self.flow)
        self.ended: list[Exchange] = []
        self.on_end = self.ended.append
        self.seen: list[Any] = []

    def _read_head(self, status: int, lines: list[bytes]) -> None:
        self.seen.append((status, lines))

    def _read_body(self, data: bytes) -> None:
        if data == b"bad":
            raise UpstreamMalformed("bad")
        self.seen.append(data)


def test_a_response_is_the_same_however_its_bytes_come() -> None:
    wire = b"HTTP/1.1 200 OK\r\na: b\r\n\r\nxy"
    for size in (1, 3, len(wire)):
        reader = Reader()
        for at in range(0, len(wire), size):
            reader.write(wire[at : at + size])
        head, *body = reader.seen
        assert head == (200, [b"a: b"]) and b"".join(body) == b"xy"


def test_the_upstream_waits_while_too_much_does() -> None:
    reader = Reader()
    for waiting in (7, 8, 9, 2, 1, 0):
        reader._pace(waiting, 8)
    assert reader.flow.calls == ["on_client_write_paused", "on_client_write_resumed"]


def test_a_reader_that_leaves_frees_the_upstream_once() -> None:
    reader = Reader()
    reader.close()
    reader.close()
    assert reader.flow.calls == ["client_disconnected"] and len(reader.ended) == 1


async def test_what_cannot_be_read_is_the_error() -> None:
    reader = Reader()
    reader.write(b"HTTP/1.1 200 OK\r\n\r\nbad")
    reader.response_complete()
    assert isinstance(reader._error, UpstreamMalformed) and len(reader.ended) == 1
