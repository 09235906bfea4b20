"""One server takes over from another on a socket that systemd holds: no stream is cut, no request refused."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.processes import Process, environment, fields_for, role_command, started
from tests.e2e.stand import BODY, PATH, PATIENCE, until
from tests.peers import faults
from tests.peers.client import RawClient
from tests.peers.connection import Request
from tests.peers.script import Script
from tests.peers.upstream import FakeUpstream

ACTIVATED = Path(__file__).parents[1] / "activated_program.py"
STREAMS, REQUESTS, CLIENTS = 20, 1000, 10


@contextlib.contextmanager
def activated(listener: socket.socket, upstream_url: str, folder: Path, *options: str) -> Iterator[Process]:
    """A server that gets ``listener`` as systemd passes it."""
    command, variables = role_command("server", upstream_url, *options, port=listener.getsockname()[1])
    env = environment(folder.parent, **variables)
    number = str(listener.fileno())
    with started(
        [sys.executable, str(ACTIVATED), number, *command], folder, env, pass_fds=[listener.fileno()]
    ) as found:
        yield found


@pytest.mark.slow
async def test_an_upgrade_under_load_cuts_no_stream_and_refuses_no_request(tmp_path: Path) -> None:
    """20 streams begin at the old server; while 1000 requests run, the new one starts and the old one is stopped."""
    gate = asyncio.Event()

    def script(request: Request) -> Script:
        return faults.sse_gated([_set(), gate]) if request.number < STREAMS else faults.json_response({})

    async with FakeUpstream(script) as upstream:
        with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            with activated(listener, upstream.url, tmp_path / "old", "--drain-timeout", "300") as old:
                streams = [await RawClient.open(url, limit=PATIENCE) for _ in range(STREAMS)]
                for client in streams:
                    await client.request(PATH, BODY, fields=fields_for("server"))
                for client in streams:
                    await client.saw(faults.CHAT_FRAMES[0])
                stopped = asyncio.Event()
                load = asyncio.create_task(_load(url, stopped))  # awaited below
                begun = STREAMS + REQUESTS // 10
                await until(lambda: len(upstream.requests) > begun or load.done(), "the load")
                with activated(listener, upstream.url, tmp_path / "new") as new:
                    old.send()
                    await until(lambda: "stopping: " in old.err, "the old server to stop accepting")
                    stopped.set()
                    statuses = await load
                    assert set(statuses) == {200} and len(statuses) >= REQUESTS
                    assert old.popen.poll() is None, "its streams are still open"
                    gate.set()
                    for client in streams:
                        response = await client.response()
                        assert response.complete and response.body == b"".join(faults.CHAT_FRAMES)
                        await client.close()
                    assert await old.ended() == 0 and "Traceback" not in old.err
                    assert "status=200" in old.out and "status=200" in new.out, "each served a part"
                    assert set(await _statuses(url, 1, stopped)) == {200}
                    new.send()
                    assert await new.ended() == 0


async def _load(url: str, stopped: asyncio.Event) -> list[int]:
    """Send at least `REQUESTS`, and some after ``stopped``."""
    found = await asyncio.gather(*(_statuses(url, REQUESTS // CLIENTS, stopped) for _ in range(CLIENTS)))
    return [status for part in found for status in part]


async def _statuses(url: str, count: int, stopped: asyncio.Event) -> list[int]:
    """Send ``count`` requests one after another, and go on until ``stopped`` and a few more.

    Each connection serves as many as its server lets it.
    """
    statuses: list[int] = []
    client: RawClient | None = None
    rest = 10
    while len(statuses) < count or rest:
        rest -= stopped.is_set() and rest > 0
        if client is None:
            client = await RawClient.open(url, limit=PATIENCE)
        await client.request(PATH, BODY, fields=fields_for("server"))
        response = await client.response()
        statuses.append(response.status)
        if len(statuses) % 2 or response.header("Connection") == "close":
            await client.close()
            client = None
    if client is not None:
        await client.close()
    return statuses


def _set() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


def test_a_socket_at_another_address_than_the_settings_name_is_refused(tmp_path: Path) -> None:
    """What a role requires of its callers follows from the address of its settings."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command, variables = role_command("server", "http://127.0.0.1:9", port=1)
        env = environment(tmp_path, **variables)
        number = listener.fileno()
        start = [sys.executable, str(ACTIVATED), str(number), *command]
        with started(start, tmp_path / "role", env, listens=False, pass_fds=[number]) as process:
            assert process.wait() == 2
            assert (
                "LISTEN_FDS: systemd listens on 127.0.0.1 port" in process.err
                and "ListenStream=" in process.err
            )
