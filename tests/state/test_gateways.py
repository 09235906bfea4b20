"""Several gateways at one PostgreSQL: what one of them leaves when it is killed, and what all do while it is gone."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from openai import APIConnectionError, APIStatusError, AsyncOpenAI
from sqlalchemy import Connection

from clawgate.state.store import open_store
from clawgate.state.tables import requests, turns, usage
from demo.models.openai_chat import reply_text
from demo.models.openai_server import build_model, running
from tests.e2e.gateway_stand import CHAT, CHAT_KEY, GATEWAY_TOKEN, chat_provider, config_of, write_config
from tests.e2e.processes import Process, environment, started
from tests.e2e.stand import PATIENCE
from tests.routing.gateway_server import agents_on
from tests.state.postgres_server import PASSWORD, PostgresServer
from tests.state.runs import Clock

SESSIONS = [f"s{number}" for number in range(4)]


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.clean_database()


@contextlib.contextmanager
def gateways(number: int, folder: Path, url: str) -> Iterator[list[Process]]:
    with contextlib.ExitStack() as stack:
        model = stack.enter_context(running(build_model(api_key=CHAT_KEY)))
        config = agents_on(config_of({CHAT: chat_provider(model)}))
        config["agents"] = {"defaults": {"model": {"primary": f"{CHAT}/gpt-4o-mini"}}}
        processes = []
        for one in range(number):
            place = folder / str(one)
            place.mkdir()
            write_config(place / "my.json", config)
            words = [
                sys.executable,
                "-m",
                "clawgate",
                "gateway",
                "run",
                "--config",
                str(place / "my.json"),
                "--port",
                "0",
            ]
            own = environment(place, CLAWGATE_DATABASE_URL=url)
            processes.append(stack.enter_context(started(words, place / "out", own)))
        yield processes
        for process in processes:
            assert PASSWORD not in process.out + process.err and "Traceback" not in process.err


@contextlib.asynccontextmanager
async def clients(processes: list[Process]) -> AsyncIterator[list[AsyncOpenAI]]:
    async with contextlib.AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                AsyncOpenAI(base_url=f"{one.url}/v1", api_key=GATEWAY_TOKEN, max_retries=0, timeout=PATIENCE)
            )
            for one in processes
        ]


async def ask(client: AsyncOpenAI, text: str, session: str, model: str = "openclaw") -> None:
    """Raises what the SDK raises."""
    message: Any = {"role": "user", "content": text}
    headers = {"x-openclaw-session-key": session} if model == "openclaw" else {}
    completion = await client.chat.completions.create(model=model, messages=[message], extra_headers=headers)
    assert completion.choices[0].message.content == reply_text(text)


def check(connection: Connection, acknowledged: set[tuple[str, str]]) -> None:
    """Nothing that was acknowledged is lost, nothing is half there, and the counters are those of the ledger."""
    rows = connection.execute(turns.select().order_by(turns.c.session, turns.c.seq)).all()
    stored = {
        (row.session.rpartition(":")[2], text)
        for row in rows
        for _, text in acknowledged
        if f'"{text}"' in row.message
    }
    assert stored == acknowledged
    for first, second in zip(rows[::2], rows[1::2], strict=True):
        assert (first.run, first.seq + 1) == (second.run, second.seq)
    done = {row.run for row in connection.execute(requests.select().where(requests.c.status == 200))}
    assert {row.run for row in rows} == done and len(rows) == 2 * len(done)
    assert done <= {row.run for row in connection.execute(usage.select())}


@pytest.mark.slow
async def test_a_gateway_that_is_killed_under_load_loses_nothing_and_blocks_nothing(
    tmp_path: Path, url: str
) -> None:
    acknowledged: set[tuple[str, str]] = set()
    with gateways(3, tmp_path, url) as processes:
        async with clients(processes) as all_clients:
            numbers, alive, under_load = count(), list(all_clients), asyncio.Event()

            async def load(own: int) -> None:
                while len(acknowledged) < 60:
                    number = next(numbers)
                    session, text = SESSIONS[number % len(SESSIONS)], f"text {own} {number}"
                    try:
                        await ask(alive[number % len(alive)], text, session)
                    except APIConnectionError:
                        continue  # it was killed
                    except APIStatusError as error:
                        if error.code not in ("session_busy", "session_conflict", "store_unavailable"):
                            raise
                    else:
                        acknowledged.add((session, text))
                        if len(acknowledged) == 20:
                            under_load.set()

            async with asyncio.TaskGroup() as tasks:
                for own in range(6):
                    tasks.create_task(load(own))
                await under_load.wait()
                processes[0].popen.kill()
                alive.remove(all_clients[0])
        store = await open_store(url, clock=Clock())
        found = await store.sessions()
        assert len(found) == len(SESSIONS)
        for one in found:
            async with store.locks.hold(one.caller, one.key, 5):
                pass
        await store._database.read(check, acknowledged)
        await store.close()


@pytest.mark.slow
async def test_while_the_database_is_gone_models_are_served_and_agents_come_back_without_a_restart(
    tmp_path: Path, url: str, postgres: PostgresServer
) -> None:
    with gateways(1, tmp_path, url) as processes:
        async with clients(processes) as (client,):
            await ask(client, "before", "s")
            await asyncio.to_thread(postgres.stop)
            try:
                with pytest.raises(APIStatusError) as caught:
                    await ask(client, "meanwhile", "s")
                assert (caught.value.status_code, caught.value.code) == (503, "store_unavailable")
                assert "check that PostgreSQL runs" in caught.value.message
                await ask(client, "direct", "", model=f"{CHAT}/gpt-4o-mini")
            finally:
                await asyncio.to_thread(postgres.start)
            await ask(client, "after", "s")  # the first request after it is back
