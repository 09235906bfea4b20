"""Processes that write to a store until they are killed or done: `python writers.py URL KILLS PROCESSES COMMITS`.

Each process is a fork of this one, which has imported everything, so that a start takes milliseconds. It runs four
writers, each with a session of its own and one that they share. A line on standard output is a run that `commit` has
acknowledged; KILLS processes get SIGKILL at a random instant, the others end after COMMITS runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sys
import time
from decimal import Decimal

import alembic.operations
import alembic.script  # noqa: F401 - as above

from clawgate.errors import SessionConflict
from clawgate.state import postgres, sqlite
from clawgate.state.records import ModelUsage, NewTurn, RunRecord, ToolCallRecord
from clawgate.state.store import Store, open_store

WRITERS = 4
CALL = ToolCallRecord(id="c", name="n", arguments="{}", result="r", status="ok", started_at=1.0, seconds=0.1)
USAGE = ModelUsage(provider="p", model="m", input_tokens=1, output_tokens=1, cost=Decimal("0.1"))


async def write(store: Store, process: int, writer: int, commits: int) -> None:
    own = f"s{process}-{writer}"
    for number in range(commits):
        key = own if number % 3 else "shared"
        session = await store.session("ann", key)
        name = f"{process}-{writer}-{number}"
        turns = tuple(NewTurn(message={"role": role, "content": name * 50}) for role in ("user", "assistant"))
        record = RunRecord(
            run=name,
            caller="ann",
            agent="main",
            session=key,
            keeps_session=True,
            expected_seq=session.next_seq if session else 0,
            started_at=1.0,
            finished_at=2.0,
            turns=turns,
            tool_calls=(CALL,),
            usage=(USAGE,),
        )
        with contextlib.suppress(SessionConflict):
            await store.commit(record)
            os.write(1, f"{key} {record.expected_seq} {name}\n".encode())


async def main(url: str, process: int, commits: int, writes: int) -> None:
    store = await open_store(url, clock=time.time)
    await write(store, process, WRITERS, 1)
    os.write(writes, b"w")
    async with asyncio.TaskGroup() as tasks:
        for writer in range(WRITERS):
            tasks.create_task(write(store, process, writer, commits))
    await store.close()


def fork(url: str, process: int, commits: int) -> tuple[int, int]:
    """Return the process, and a file from which a byte can be read once it writes."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            asyncio.run(main(url, process, commits, writer))
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    return pid, reader


if __name__ == "__main__":
    sqlite.BUSY_SECONDS = sqlite.QUEUE_SECONDS = postgres.CONNECT_SECONDS = 60.0  # the machine may be busy
    url, kills, processes, commits = sys.argv[1], *map(int, sys.argv[2:])
    chance = random.Random(kills)
    for process in range(kills):
        pid, writes = fork(url, process, 1_000_000)
        if process % 4:  # the others are killed while they open it, the first one while it migrates
            os.read(writes, 1)
        time.sleep(chance.uniform(0, 0.04))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(writes)
    children = [fork(url, kills + process, commits)[0] for process in range(processes)]
    sys.exit(any(os.waitpid(pid, 0)[1] for pid in children))
