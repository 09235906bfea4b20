"""A login ends with the redirect that belongs to it, whatever else is sent to its port."""

from __future__ import annotations

import asyncio
import socket

import pytest

from clawgate.cli.mcp.browser import Browser

PAGE = "https://login.example/authorize?state=s1&code_challenge=x"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


async def get(port: int, target: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {target} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
    text = (await reader.read()).decode()
    writer.close()
    return text


@pytest.mark.parametrize(
    "target",
    [
        "/callback?code=c",
        "/callback?code=c&state=s2",
        "/other?code=c&state=s1",
        "/callback?state=",
        "http://[/callback?state=s1",
    ],
)
async def test_only_the_redirect_of_this_login_ends_it(target: str) -> None:
    port, shown = free_port(), asyncio.Event()
    texts: list[str] = []

    def show(text: str) -> None:
        texts.append(text)
        shown.set()

    waiting = asyncio.create_task(Browser(f"http://127.0.0.1:{port}/callback", show)(PAGE))
    await shown.wait()
    assert PAGE in texts[0]
    assert (await get(port, target)).startswith("HTTP/1.1 400") and not waiting.done()
    assert (await get(port, "/callback?code=c&state=s1&iss=i")).startswith("HTTP/1.1 200")
    assert await waiting == {"code": "c", "state": "s1", "iss": "i"}
    with pytest.raises(OSError, match="refused"):  # nothing listens any more
        await get(port, "/callback")


async def test_a_port_that_is_taken_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        await Browser(f"http://127.0.0.1:{taken.getsockname()[1]}/callback", print)(PAGE)
