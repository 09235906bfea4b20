"""Stopping: nobody who was let in is dropped without an answer, and the port is free at once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clawgate.relay.downstream.client_timeouts import IDLE_GRACE_SECONDS
from tests.e2e.processes import environment, fields_for, is_listening, role_command, role_process
from tests.e2e.stand import (
    BODY,
    CLIENT_TOKEN,
    KINDS,
    OPENAI_KEY,
    PATH,
    PATIENCE,
    PROXY_TOKEN,
    Kind,
    until,
)
from tests.e2e.waiting import poll
from tests.peers import faults
from tests.peers.client import RawClient
from tests.peers.script import Hold, ReadBody, Send
from tests.peers.upstream import FakeUpstream

pytestmark = pytest.mark.slow

ROLES = pytest.mark.parametrize("kind", KINDS)
STREAMS = 20


async def open_streams(url: str, kind: Kind, upstream: FakeUpstream) -> list[RawClient]:
    clients = [await RawClient.open(url, limit=PATIENCE) for _ in range(STREAMS)]
    for client in clients:
        await client.request(PATH, BODY, fields=fields_for(kind))
    for client in clients:
        await client.saw(faults.CHAT_FRAMES[0])
    assert len(upstream.requests) == STREAMS
    return clients


@ROLES
async def test_streams_that_end_within_the_drain_limit_are_whole(kind: Kind, tmp_path: Path) -> None:
    """SIGTERM with 20 open: the listener is closed at once, every byte still comes, the status is 0."""
    gate = asyncio.Event()
    script = faults.sse_gated([_set(), gate])
    async with FakeUpstream(script) as upstream:
        with role_process(kind, upstream.url, tmp_path / "role") as process:
            clients = await open_streams(process.url, kind, upstream)
            process.send()
            await until(lambda: not is_listening(process.port), "the listener to close")
            assert process.popen.poll() is None
            gate.set()
            for client in clients:
                response = await client.response()
                assert response.complete and response.body == b"".join(faults.CHAT_FRAMES)
                await client.ended()
            assert await process.ended() == 0
            assert "Traceback" not in process.err
            for client in clients:
                await client.close()


def _set() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@ROLES
async def test_streams_beyond_the_drain_limit_end_with_an_error(kind: Kind, tmp_path: Path) -> None:
    """An error event that names the limit, a broken end, and the status is still 0."""
    stalled = (ReadBody(), Send(faults.sse_bytes()[: len(faults.sse_bytes()) // 2]), Hold())
    async with FakeUpstream(stalled) as upstream:
        with role_process(kind, upstream.url, tmp_path / "role", "--drain-timeout", "0.5") as process:
            clients = await open_streams(process.url, kind, upstream)
            async with await RawClient.open(process.url, limit=PATIENCE) as idle:
                process.send()
                for client in clients:
                    response = await client.response()
                    assert not response.complete
                    error = json.loads(response.events()[-1])["error"]
                    assert error["code"] == "gateway_stopping" and "0.5 s" in error["message"]
                    assert "[DONE]" not in response.events()
                await idle.ended()
            assert await process.ended() == 0
            await upstream.saw_close(STREAMS - 1)
            for client in clients:
                await client.close()


@ROLES
async def test_a_request_without_an_answer_is_told_that_the_gateway_stops(kind: Kind, tmp_path: Path) -> None:
    """Beyond the drain limit and before the first byte: 503 with its code."""
    async with FakeUpstream(faults.never_responds()) as upstream:
        with role_process(kind, upstream.url, tmp_path / "role", "--drain-timeout", "0.3") as process:
            async with await RawClient.open(process.url, limit=PATIENCE) as client:
                await client.request(PATH, BODY, fields=fields_for(kind))
                await upstream.saw_body(0)
                process.send(signal.SIGINT)
                response = await client.response()
                assert response.status == 503
                assert response.json()["error"]["code"] == "gateway_stopping"
                assert response.header("connection") == "close"
            assert await process.ended() == 0


@ROLES
@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_everything_at_once(
    second: signal.Signals, kind: Kind, tmp_path: Path
) -> None:
    """However long the drain limit is, and streams still learn why."""
    stalled = (ReadBody(), Send(faults.sse_bytes()[: len(faults.sse_bytes()) // 2]), Hold())
    async with FakeUpstream(stalled) as upstream:
        with role_process(kind, upstream.url, tmp_path / "role", "--drain-timeout", "600") as process:
            clients = await open_streams(process.url, kind, upstream)
            process.send()
            await until(lambda: not is_listening(process.port), "the listener to close")
            assert process.popen.poll() is None
            process.send(second)
            assert await process.ended() == 0
            for client in clients:
                response = await client.response()
                assert not response.complete and b"drain limit" not in response.body
                assert b"second signal" in response.body
                await client.close()


@ROLES
async def test_the_port_is_free_at_once(kind: Kind, tmp_path: Path) -> None:
    """Also where connections were open, and for a process of the same kind."""
    async with FakeUpstream(faults.json_response({"n": 1})) as upstream:
        port = 0
        for number in range(3):
            with role_process(kind, upstream.url, tmp_path / f"role{number}", port=port) as process:
                port = process.port
                async with await RawClient.open(process.url, limit=PATIENCE) as client:
                    await client.request(PATH, BODY, fields=fields_for(kind))
                    assert (await client.response()).json() == {"n": 1}
                    process.send()
                    await client.ended()
                    assert await process.ended() == 0
            with socket.socket() as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.bind(("127.0.0.1", port))


@ROLES
def test_a_taken_port_is_one_line_and_status_78(kind: Kind, tmp_path: Path) -> None:
    """The line names the port; nothing is tried again and nothing of a traceback is shown."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with role_process(kind, "http://127.0.0.1:9", tmp_path / "role", port=port, listens=False) as process:
            assert process.wait() == 78
            assert len(process.err.splitlines()) == 1 and str(port) in process.err
            assert process.out == ""


class Tries:
    """What became of the requests of one client that never gives up."""

    def __init__(self) -> None:
        self.answered = 0
        self.refused = 0
        self.lost: list[str] = []
        self.stop = False


async def keep_asking(port: int, kind: Kind, tries: Tries) -> None:
    """Send requests one after another; connect again when told so or refused.

    On a busy machine this client may be kept from sending for longer than idle connections get: then it lost nothing.
    """
    client: RawClient | None = None
    used = time.monotonic()
    while not tries.stop:
        if client is None:
            used = time.monotonic()
            try:
                client = await RawClient.open(port=port, limit=PATIENCE)
            except OSError:
                tries.refused += 1
                await asyncio.sleep(0.005)
                continue
        fresh, idle = not client.received, time.monotonic() - used
        used += idle
        failure = ""
        try:
            await client.request(PATH, BODY, fields=fields_for(kind))
            response = await client.response()
        except ConnectionError as error:
            failure, response = str(error), None
        if response is not None and not response.complete:
            failure = f"{response.status} {response.anomalies}"
        was_closed = (response is None or not response.status) and idle >= IDLE_GRACE_SECONDS
        if failure and not was_closed:
            tries.lost.append(f"fresh={fresh}, idle for {idle:.2f} s: {failure}")
        if response is not None and response.complete:
            assert response.status == 200, response
            tries.answered += 1
        if response is None or not response.complete or response.header("connection") == "close":
            await client.close()
            client = None
    if client is not None:
        await client.close()


@ROLES
async def test_no_request_is_lost_over_ten_restarts_under_load(kind: Kind, tmp_path: Path) -> None:
    """(Twenty over both roles.) Whoever was connected gets an answer; whoever was not is refused and comes again."""
    tries = [Tries() for _ in range(4)]
    async with FakeUpstream(faults.json_response({"n": 1})) as upstream, asyncio.TaskGroup() as group:
        port = 0
        for number in range(11):
            with role_process(kind, upstream.url, tmp_path / f"role{number}", port=port) as process:
                if not port:
                    port = process.port
                    for each in tries:
                        group.create_task(keep_asking(port, kind, each))
                before = sum(each.answered for each in tries)
                await until(lambda: sum(each.answered for each in tries) > before + 20, "load")  # noqa: B023  # awaited here
                if number < 10:
                    process.send()
                    assert await process.ended() == 0
                    assert "Traceback" not in process.err
                else:
                    for each in tries:
                        each.stop = True
                    process.send()
                    await process.ended()
    lost = [text for each in tries for text in each.lost]
    assert lost == []
    assert sum(each.answered for each in tries) > 200
    assert sum(each.refused for each in tries) > 0


@ROLES
@pytest.mark.parametrize("workers", [1, 2])
def test_nothing_is_left_when_the_starter_is_killed(kind: Kind, workers: int, tmp_path: Path) -> None:
    """kill -9 of the program that started us with --exit-on-stdin-eof: port closed, process gone."""
    if kind == "bridge" and workers > 1:
        pytest.skip("the bridge has one process")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    options = ["--exit-on-stdin-eof", *(["--workers", "2"] if workers > 1 else [])]
    command, variables = role_command(kind, "http://127.0.0.1:9", *options, port=port)
    code = (
        "import json, subprocess, sys\n"
        "child = subprocess.Popen(json.loads(sys.argv[1]), stdin=subprocess.PIPE)\n"
        "print(child.pid, flush=True)\n"
        "child.wait()\n"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", code, json.dumps(command)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment(tmp_path, **variables),
    )  # fmt: skip
    try:
        assert starter.stdout is not None
        child = int(starter.stdout.readline())
        poll(lambda: is_listening(port), "the role to listen")
        with contextlib.closing(socket.create_connection(("127.0.0.1", port))):
            starter.kill()
            starter.wait()
            poll(lambda: not _alive(child), "the role to end")
        assert not is_listening(port)
    finally:
        starter.kill()
        starter.wait()
        if starter.stdout is not None:
            starter.stdout.close()


def _alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and waits for its parent does not."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        stat = Path(f"/proc/{pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] not in ("Z", "X")
    return False


@ROLES
def test_a_signal_in_the_first_moments_ends_the_process(kind: Kind, tmp_path: Path) -> None:
    """At whatever moment of its start: no traceback, no port left, a status that is 0 or the signal's."""
    for number in range(6):
        with role_process(kind, "http://127.0.0.1:9", tmp_path / f"r{number}", listens=False) as process:
            time.sleep(0.08 * number)
            process.send()
            assert process.wait() in (0, -signal.SIGTERM)
            assert "Traceback" not in process.err


@ROLES
async def test_connections_that_the_kernel_took_for_us_are_answered_too(kind: Kind, tmp_path: Path) -> None:
    """Requests that waited in the backlog when the signal came are not reset with the listener."""
    async with FakeUpstream(faults.json_response({"n": 1})) as upstream:
        with role_process(kind, upstream.url, tmp_path / "role") as process:
            process.send(signal.SIGSTOP)
            clients = [await RawClient.open(process.url, limit=PATIENCE) for _ in range(10)]
            for client in clients:
                await client.request(PATH, BODY, fields=fields_for(kind))
            process.send()
            process.send(signal.SIGCONT)
            answers = [await client.response() for client in clients]
            for client in clients:
                await client.close()
            assert [answer.status for answer in answers] == [200] * 10
            assert all(answer.header("connection") == "close" for answer in answers)
            assert await process.ended() == 0


@ROLES
def test_secrets_that_came_by_the_environment_stand_on_no_command_line(kind: Kind, tmp_path: Path) -> None:
    """/proc/PID/cmdline is for everybody to read."""
    with role_process(kind, "http://127.0.0.1:9", tmp_path / kind) as process:
        shown = Path(f"/proc/{process.popen.pid}/cmdline").read_bytes()
        assert not any(secret.encode() in shown for secret in (PROXY_TOKEN, OPENAI_KEY, CLIENT_TOKEN))
