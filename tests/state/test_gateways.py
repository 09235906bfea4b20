"""Several gateways at one PostgreSQL: what one of them leaves when it is killed, and what all do while it is gone."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from openai import APIConnectionError, APIStatusError, AsyncOpenAI
from sqlalchemy import Connection

from clawgate.state.store import Store, open_store
from clawgate.state.tables import requests, turns, usage
from demo.models.openai_chat import reply_text
from demo.models.openai_server import build_model, running
from tests.agents.agent_stand import agent_config
from tests.e2e.agent_load import WHO, Load, Model, gateway_process, said
from tests.e2e.gateway_stand import CHAT, CHAT_KEY, GATEWAY_TOKEN, chat_provider, config_of, write_config
from tests.e2e.processes import Process, environment, started
from tests.e2e.stand import PATIENCE, until
from tests.peers.client import RawClient
from tests.peers.response import Response
from tests.peers.upstream import FakeUpstream
from tests.routing.gateway_server import CLIENT_TOKEN, agents_on
from tests.state.postgres_server import PASSWORD, PostgresServer
from tests.state.runs import Clock

SESSIONS = [f"s{number}" for number in range(4)]
BOUND = 40.0
"""Seconds, on a busy machine: one waits up to 5 for its turn at the locks, and 5 for the server, or 3 to connect."""


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.clean_database()


@contextlib.asynccontextmanager
async def opened(url: str) -> AsyncIterator[Store]:
    """The store, closed however a test ends: a loop with an open connection may never close (uvloop 0.23)."""
    store = await open_store(url, clock=Clock())
    try:
        yield store
    finally:
        await store.close()


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
        async with opened(url) as store:
            found = await store.sessions()
            assert len(found) == len(SESSIONS)
            for one in found:
                async with store.locks.hold(one.caller, one.key, 5):
                    pass
            await store._database.read(check, acknowledged)


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


@contextlib.asynccontextmanager
async def agent_gateways(folder: Path, model: str, url: str, **auth: Any) -> AsyncIterator[list[Process]]:
    config = agent_config(model)
    config["gateway"]["auth"] |= auth
    async with contextlib.AsyncExitStack() as stack:
        starting = [
            stack.enter_async_context(gateway_process(folder / str(one), config, CLAWGATE_DATABASE_URL=url))
            for one in range(3)
        ]
        yield await asyncio.gather(*starting)


def sums(connection: Connection) -> tuple[set[str], Counter[str], int]:
    """The runs that were served, those that were counted, and the turns."""
    served = {row.run for row in connection.execute(requests.select().where(requests.c.status == 200))}
    counted = Counter(row.run for row in connection.execute(usage.select()))
    return served, counted, len(connection.execute(turns.select()).all())


@pytest.mark.slow
async def test_a_session_has_one_run_at_a_time_whichever_gateway_it_came_to(tmp_path: Path, url: str) -> None:
    """And a gateway that was killed with its lock held holds nobody up.

    What it had sent to the database may be committed after its lock is free: a run that began between is told so.
    """
    model, dead = Model(random.Random(3)), set[int]()
    async with FakeUpstream(model) as upstream, agent_gateways(tmp_path, upstream.url, url) as processes:
        load = Load(lambda number, turn: alive(number + turn), sessions=2)

        def alive(number: int) -> str:
            number %= 3
            return processes[(number + 1) % 3 if number in dead else number].url

        async with asyncio.TaskGroup() as tasks:
            for number in range(6):
                tasks.create_task(load.client(number))
            await until(lambda: load.count > 20, "some turns")
            dead.add(0)
            processes[0].popen.kill()
            before = {session: len(found) for session, found in load.acknowledged.items()}
            await until(
                lambda: all(len(load.acknowledged[session]) > before[session] + 3 for session in before),
                "the sessions to go on",
            )
            load.stopped = True
    async with opened(url) as store:
        served, counted, number = await store._database.read(sums)
        assert not model.overlaps
        conflicts = {response.header("x-clawgate-session"): response for response in load.refused}
        assert len(conflicts) == len(load.refused), "one turn of the killed gateway has one run in its way"
        assert {response.json()["error"]["code"] for response in load.refused} <= {"session_conflict"}
        told = Counter(response.header("x-clawgate-run") for response in load.refused)
        for session, acknowledged in load.acknowledged.items():
            found = await store.session("token", f"agent:main:{session}")
            assert found is not None
            texts = [turn.message["content"] for turn in found.turns]
            assert texts[::2] == texts[1::2] and len(texts) == 2 * len(set(texts)), "a turn is doubled"
            assert acknowledged <= set(texts) <= load.sent[session]
        assert counted == Counter(served) + told and number == 2 * len(served)


@pytest.mark.slow
async def test_a_hundred_repeats_at_three_gateways_are_one_model_call(tmp_path: Path, url: str) -> None:
    """And one run in the counters."""
    model = Model(random.Random(3), pause=0.05)

    async def repeat(at: str, *, stream: bool) -> Response:
        key = ("idempotency-key", f"k-{stream}")
        async with await RawClient.open(at, limit=PATIENCE) as client:
            await client.request("/v1/chat/completions", said("s once", stream=stream), fields=(*WHO, key))
            return await client.response()

    async with FakeUpstream(model) as upstream, agent_gateways(tmp_path, upstream.url, url) as processes:
        for stream in (False, True):
            places = [processes[number % 3].url for number in range(100)]
            responses = await asyncio.gather(*(repeat(at, stream=stream) for at in places))
            assert {response.status for response in responses} == {200}
            (body,) = {response.body for response in responses}
            assert (await repeat(processes[1].url, stream=stream)).body == body
    assert model.calls == ["s once", "s once"]
    async with opened(url) as store:
        served, counted, _ = await store._database.read(sums)
        assert len(served) == 2 and counted == Counter(served)


@pytest.mark.slow
async def test_a_database_that_hangs_fails_requests_in_bounded_time_and_stops_no_other(
    tmp_path: Path, url: str, postgres: PostgresServer
) -> None:
    """Each session fails by itself, not behind the others."""
    with gateways(1, tmp_path, url) as processes:
        async with clients(processes) as (client,):
            await ask(client, "before", "s")
            with postgres.frozen():
                began_at = time.monotonic()

                async def fails(session: str) -> float:
                    with pytest.raises(APIStatusError) as caught:
                        await ask(client, "meanwhile", session)
                    assert (caught.value.status_code, caught.value.code) == (503, "store_unavailable")
                    return time.monotonic() - began_at

                failing = [asyncio.create_task(fails(f"s{number}")) for number in range(20)]
                await ask(client, "direct", "", model=f"{CHAT}/gpt-4o-mini")
                assert max(await asyncio.gather(*failing)) < BOUND
            await ask(client, "after", "s")


@pytest.mark.slow
async def test_wrong_tokens_count_for_all_gateways(tmp_path: Path, url: str) -> None:
    """Half of them here, half there, and a third gateway refuses the next one, with the right token too."""
    limit = {"maxAttempts": 4, "exemptLoopback": False}

    async def status(process: Process, token: str) -> int:
        async with await RawClient.open(process.url, limit=PATIENCE) as client:
            await client.request("/v1/models", fields=(("Authorization", f"Bearer {token}"),))
            return (await client.response()).status

    async with agent_gateways(tmp_path, "http://127.0.0.1:9", url, rateLimit=limit) as processes:
        assert await status(processes[2], CLIENT_TOKEN) == 200
        for process in processes[:2]:
            for _ in range(2):
                assert await status(process, "wrong") == 401
        async with asyncio.timeout(PATIENCE):
            while await status(processes[2], CLIENT_TOKEN) != 429:  # noqa: ASYNC110  # another process
                await asyncio.sleep(0.05)
