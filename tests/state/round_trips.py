"""Counts how often a database is waited for: round trips to a PostgreSQL, hops to the thread of a SQLite file."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

_UNTYPED = 2
"""Messages at the begin of a connection without a type: the request for TLS, and the startup."""
_ENDS_OF_TRIPS = frozenset(b"SHQ")
"""Sync, Flush and Query: what makes the server respond (https://www.postgresql.org/docs/current/protocol-flow.html)."""


class RoundTrips:
    def __init__(self) -> None:
        self.count = 0

    def take(self) -> int:
        """Return how many there were since the last call."""
        count, self.count = self.count, 0
        return count

    async def forward(
        self, server: tuple[str, int], client: asyncio.StreamReader, back: asyncio.StreamWriter
    ) -> None:
        reader, writer = await asyncio.open_connection(*server)
        returned = asyncio.create_task(_copied(reader, back))
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            untyped = _UNTYPED
            while True:
                kind = await client.readexactly(0 if untyped else 1)
                length = await client.readexactly(4)
                body = await client.readexactly(int.from_bytes(length) - 4)
                untyped = max(untyped - 1, 0)
                self.count += bool(kind) and kind[0] in _ENDS_OF_TRIPS
                writer.write(kind + length + body)
        writer.close()
        await returned


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
    writer.close()


@contextlib.asynccontextmanager
async def counted(url: str | Path) -> AsyncIterator[tuple[str | Path, RoundTrips]]:
    """Yield the URL to open in its place, and what counts."""
    trips = RoundTrips()
    if isinstance(url, Path):
        submit = ThreadPoolExecutor.submit

        def noted(*args: Any, **kwargs: Any) -> Any:
            trips.count += 1
            return submit(*args, **kwargs)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ThreadPoolExecutor, "submit", noted)
            yield url, trips
        return
    parts = urlsplit(url)
    server = parts.hostname or "", parts.port or 5432
    tasks: set[asyncio.Task[None]] = set()

    def connected(client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(trips.forward(server, client, back))
        tasks.add(task)

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as proxy:
        port = proxy.sockets[0].getsockname()[1]
        yield url.replace(f":{parts.port}", f":{port}"), trips
        await asyncio.gather(*tasks)
