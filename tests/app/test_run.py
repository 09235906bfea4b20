"""A role as processes: what is under way survives a stop and the end of another worker, and each is counted."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from clawgate.app import run
from clawgate.app.role import Role
from clawgate.app.run import serve_in_thread
from clawgate.relay.downstream.server import listen
from tests.app.callers import ALICE, BOB, ask, ask_anew, bearer, write_tokens
from tests.app.roles import bridge, server
from tests.e2e.processes import Process, is_listening, role_process
from tests.e2e.stand import BODY, CLIENT_TOKEN, PATH, PATIENCE, until
from tests.peers import faults
from tests.peers.client import RawClient
from tests.peers.script import Hold, ReadBody, Send
from tests.peers.upstream import FakeUpstream
from tests.ports import free_ports

WHOLE = faults.sse_bytes()
HALF = WHOLE[: len(WHOLE) // 2]
STREAM = (ReadBody(), Send(HALF), Hold(), Send(WHOLE[len(HALF) :]))
"""A stream of which one half comes at once, and the other when it is released."""


def address(role: Role) -> tuple[str, int]:
    return role.host, role.port


def test_the_listener_is_the_one_that_was_configured() -> None:
    """Port 0 takes a free one; a taken one is an OSError, not another port."""
    (one,) = listen(*address(server(port=0)))
    with one:
        host, port = one.getsockname()
        assert host == "127.0.0.1" and port > 0
        with pytest.raises(OSError, match="in use"):
            listen(*address(server(port=port)))
        with socket.create_connection((host, port), timeout=60):
            pass


def test_a_thread_keeps_the_loop_waiting_for_less_than_a_refusal_may_take() -> None:
    before = sys.getswitchinterval(), gc.get_threshold()
    try:
        run._tune_process()
        assert sys.getswitchinterval() <= 0.001
    finally:
        sys.setswitchinterval(before[0])
        gc.set_threshold(*before[1])
        gc.unfreeze()


def test_a_name_with_two_addresses_has_one_port() -> None:
    sockets = listen(*address(bridge(host="localhost", bridgePort=0)))
    try:
        assert len({sock.getsockname()[1] for sock in sockets}) == 1
        assert {sock.getsockname()[0] for sock in sockets} <= {"127.0.0.1", "::1"}
    finally:
        for sock in sockets:
            sock.close()


def workers_of(process: Process) -> list[int]:
    """The pids of its children."""
    pid = process.popen.pid
    return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def runs(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


async def open_stream_on(process: Process, worker: int, upstream: FakeUpstream) -> RawClient:
    """A stream, half of which has come, through this worker: the others are not running meanwhile."""
    others = [pid for pid in workers_of(process) if pid != worker]
    for pid in others:
        os.kill(pid, signal.SIGSTOP)
    try:
        await until(lambda: all(map(is_stopped, others)), "the others to stand still")
        client = await RawClient.open(process.url, limit=PATIENCE)
        await client.request(PATH, BODY, fields=(bearer(CLIENT_TOKEN),))
        await client.saw(faults.CHAT_FRAMES[0])
    finally:
        for pid in others:
            os.kill(pid, signal.SIGCONT)
    return client


@contextlib.asynccontextmanager
async def two_workers(folder: Path, *options: str) -> AsyncIterator[tuple[Process, list[int], FakeUpstream]]:
    """A server of two workers, both of which are up."""
    async with FakeUpstream(STREAM) as upstream:
        with role_process("server", upstream.url, folder / "role", "--workers", "2", *options) as process:
            await until(lambda: len(workers_of(process)) == 2, "two workers")
            first, second = workers_of(process)
            yield process, [first, second], upstream


async def test_a_stop_drains_every_worker(tmp_path: Path) -> None:
    """A stream of each worker is finished, and then all of them end with status 0."""
    async with two_workers(tmp_path) as (process, workers, upstream):
        clients = [await open_stream_on(process, worker, upstream) for worker in workers]
        process.send()
        await until(lambda: process.err.count("stopping: 1 requests under way") == 2, "both to begin to stop")
        assert process.popen.poll() is None and workers_of(process) == workers
        upstream.release()
        for client in clients:
            response = await client.response()
            assert response.complete and response.body == b"".join(faults.CHAT_FRAMES)
            await client.ended()
            await client.close()
        assert await process.ended() == 0
        assert not any(map(runs, workers))
        assert "Traceback" not in process.err


async def test_the_port_is_closed_while_workers_drain(tmp_path: Path) -> None:
    """No client connects to a port that no process will serve."""
    async with two_workers(tmp_path) as (process, workers, upstream):
        client = await open_stream_on(process, workers[0], upstream)
        process.send()
        await until(lambda: "stopping: 1 requests under way" in process.err, "it to begin to stop")
        try:
            await until(lambda: not is_listening(process.port), "the listener to close")
            assert process.popen.poll() is None and workers_of(process), "the stream is still draining"
        finally:
            await client.close()
        assert await process.ended() == 0 and not is_listening(process.port)


async def test_a_worker_that_is_killed_cuts_no_stream_of_another(tmp_path: Path) -> None:
    """Its own are seen to be broken, another worker takes its place, and the rest goes on."""
    async with two_workers(tmp_path) as (process, (doomed, other), upstream):
        lost = await open_stream_on(process, doomed, upstream)
        kept = await open_stream_on(process, other, upstream)
        os.kill(doomed, signal.SIGKILL)
        assert not (await lost.response()).complete
        await upstream.saw_close(upstream.requests[0].connection.number)
        await until(lambda: len({*workers_of(process)} - {doomed}) == 2, "another worker")
        assert other in workers_of(process) and doomed not in workers_of(process)
        assert f"worker {doomed} ended with status -9" in process.err
        (fresh,) = set(workers_of(process)) - {other}
        replaced = await open_stream_on(process, fresh, upstream)
        upstream.release()
        for client in (kept, replaced):
            response = await client.response()
            assert response.complete and response.body == b"".join(faults.CHAT_FRAMES)
        for client in (lost, kept, replaced):
            await client.close()
        process.send()
        assert await process.ended() == 0


async def requests_counted(port: int) -> int:
    response = await ask_anew(f"http://127.0.0.1:{port}", None, None, target="/metrics")
    lines = response.body.decode().splitlines()
    return sum(int(float(line.split()[-1])) for line in lines if line.startswith("clawgate_requests_total{"))


async def test_workers_have_consecutive_metrics_ports(tmp_path: Path) -> None:
    """Each counts its own, and one that replaces another has its port."""
    port = free_ports(2)
    async with two_workers(tmp_path, "--metrics-port", str(port)) as (process, workers, upstream):
        await until(
            lambda: all(f"127.0.0.1:{own}/metrics" in process.err for own in (port, port + 1)),
            "both to be served",
        )
        upstream.release()
        client = await open_stream_on(process, workers[1], upstream)
        assert (await client.response()).complete
        await client.close()
        assert [await requests_counted(port), await requests_counted(port + 1)] == [0, 1]
        os.kill(workers[1], signal.SIGKILL)
        await until(
            lambda: process.err.count(f"metrics on http://127.0.0.1:{port + 1}/metrics") == 2,
            "the port to be served by another",
        )
        assert await requests_counted(port + 1) == 0


async def test_a_taken_metrics_port_is_logged_and_serving_continues(tmp_path: Path) -> None:
    async with FakeUpstream(faults.json_response({})) as upstream:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            options = ("--metrics-port", str(port))
            with role_process("server", upstream.url, tmp_path / "role", *options) as process:
                await until(lambda: "choose another --metrics-port" in process.err, "the warning")
                assert f"cannot listen on port {port}" in process.err
                assert (await ask_anew(process.url, CLIENT_TOKEN)).status == 200
                process.send()
                assert await process.ended() == 0


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_changed_tokens_file_counts_without_a_restart(workers: int, tmp_path: Path) -> None:
    """In every worker, on an open connection, and for no other token."""
    path = write_tokens(tmp_path / "tokens", alice=ALICE, bob=BOB)
    options = ("--proxy-tokens-file", str(path), "--workers", str(workers))
    async with FakeUpstream(faults.json_response({})) as upstream:
        with role_process("server", upstream.url, tmp_path / "role", *options) as process:
            bobs = [await RawClient.open(process.url) for _ in range(4)]
            async with await RawClient.open(process.url) as alice:
                for client in (*bobs, *bobs):
                    assert (await ask(client, BOB)).status == 200
                assert (await ask(alice, ALICE)).status == 200
                write_tokens(path, alice=ALICE)
                async with asyncio.timeout(PATIENCE):
                    for client in bobs:
                        while (await ask(client, BOB)).status == 200:
                            assert (await ask(alice, ALICE)).status == 200
                for client in bobs:
                    await client.close()
                assert (await ask(alice, ALICE)).status == 200
            told = "tokens reloaded: alice, default"  # by each worker, also one that none of them is connected to
            await until(lambda: process.err.count(told) == workers, lambda: process.err)
            process.send()
            assert await process.ended() == 0
            assert BOB not in process.err and ALICE not in process.err
            assert process.err.count(told) == workers


def test_in_a_thread_a_role_ends_with_its_descriptor_and_leaves_signals_alone() -> None:
    role = bridge(bridgePort=0)
    sockets = listen(*address(role))
    port = sockets[0].getsockname()[1]
    role.parent_fd, until = os.pipe()
    before = signal.getsignal(signal.SIGINT)
    ready = threading.Event()
    thread = threading.Thread(target=serve_in_thread, args=(role, sockets, ready.set))
    thread.start()
    try:
        assert ready.wait(120) and signal.getsignal(signal.SIGINT) is before
        socket.create_connection(("127.0.0.1", port), 10).close()
    finally:
        os.close(until)
        thread.join(120)
    assert not thread.is_alive()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 10)
