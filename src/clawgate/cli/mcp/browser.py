"""Shows a person the page of a login, and waits for their browser to come back: to a port of loopback, or pasted.

Law: only what has the ``state`` of this login counts; a page that sends a browser here without it is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl, urlsplit

WAIT_SECONDS = 600.0
_HEAD_SECONDS = 10.0
_MAX_HEAD = 16_384
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

Query = Mapping[str, str]


class Browser:
    """Waits at ``redirect_url``; ``show`` prints to the person, ``pasted`` yields the lines that they enter."""

    def __init__(self, redirect_url: str, show: Callable[[str], None]) -> None:
        self._redirect = urlsplit(redirect_url)
        self._show = show

    async def __call__(self, url: str) -> Query:
        """Return the query of the redirect. Raises TimeoutError, OSError where the port is taken."""
        returned: asyncio.Future[Query] = asyncio.get_running_loop().create_future()
        state = _read(url)[1].get("state", "")

        def take(query: Query) -> bool:
            if not state or query.get("state") != state:
                return False
            if not returned.done():
                returned.set_result(query)
            return True

        async with self._listening(take), asyncio.timeout(WAIT_SECONDS):
            self._show(f"Open this address in a browser, and allow the access:\n\n  {url}\n")
            async with _reading(take, self._show):
                return await returned

    @asynccontextmanager
    async def _listening(self, take: Callable[[Query], bool]) -> AsyncIterator[None]:
        host, port = self._redirect.hostname, self._redirect.port or 80
        if host not in _LOOPBACK or self._redirect.scheme != "http":
            yield  # the address of the browser's error page is pasted
            return

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(
                OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError
            ):
                async with asyncio.timeout(_HEAD_SECONDS):
                    head = await reader.readuntil(b"\r\n\r\n")
                target = head.partition(b" ")[2].partition(b" ")[0].decode("latin-1")
                path, query = _read(target)
                is_ours = path == (self._redirect.path or "/") and take(query)
                writer.write(_page(is_ours))
                await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, host, port, limit=_MAX_HEAD)
        try:
            yield
        finally:
            server.close()


@asynccontextmanager
async def _reading(take: Callable[[Query], bool], show: Callable[[str], None]) -> AsyncIterator[None]:
    """Take the address that a person pastes, whose browser is on another machine."""
    if not sys.stdin.isatty():
        yield
        return
    show("Is the browser on another machine? Then paste the address at which it ends up, and press Enter.")
    loop, terminal = asyncio.get_running_loop(), sys.stdin.fileno()

    def read() -> None:
        line = sys.stdin.readline()
        if not line:
            loop.remove_reader(terminal)
        elif line.strip() and not take(_read(line.strip())[1]):
            show("That is not the address of this login; paste it whole.")

    loop.add_reader(terminal, read)
    try:
        yield
    finally:
        loop.remove_reader(terminal)


def _read(url: str) -> tuple[str, Query]:
    """Return the path and the query of an address, both empty for what is none."""
    try:
        parts = urlsplit(url)
        return parts.path, dict(parse_qsl(parts.query))
    except ValueError:
        return "", {}


def _page(is_ours: bool) -> bytes:
    status, text = (
        ("200 OK", "You can close this page.") if is_ours else ("400 Bad Request", "No login waits.")
    )
    return (
        f"HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {len(text)}\r\n"
        f"connection: close\r\n\r\n{text}"
    ).encode()
