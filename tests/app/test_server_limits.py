"""What one caller may take up, and how often an address may guess, over real connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.app.callers import ALICE, BOB, ask, ask_anew, bearer, code
from tests.e2e.stand import BODY, CLIENT_TOKEN, PATH, Stand, serving, until
from tests.peers import faults
from tests.peers.upstream import FakeUpstream

HERE, THERE = ("X-Forwarded-For", "203.0.113.7"), ("X-Forwarded-For", "198.51.100.9")
WRONG = "wrong-Zs7TmJhP5xGd8RwKq"


@asynccontextmanager
async def server_for_two(upstream: FakeUpstream, **options: Any) -> AsyncIterator[Stand]:
    """A server that knows Alice and Bob, and limits nothing that is not named."""
    known = {"proxy_token": None, "proxy_tokens": {"alice": ALICE, "bob": BOB}, "max_concurrent": None}
    async with serving("server", upstream.url, **(known | options)) as stand:
        yield stand


@pytest.mark.parametrize("how", ["fin", "reset", "answered"])
async def test_the_concurrent_requests_of_a_token_are_limited(how: str) -> None:
    """Its next request gets Retry-After, other tokens are not affected, and any end makes room."""
    gate = asyncio.Event()
    scripts = (faults.sse_gated([gate]), faults.json_response({}))
    async with (
        FakeUpstream(*scripts) as upstream,
        server_for_two(upstream, max_concurrent=1) as stand,
        await stand.client() as waiting,
    ):
        rates = stand.role.connections.admission.rates
        assert rates is not None
        client = await stand.client()
        await client.request(PATH, BODY, fields=(bearer(ALICE),))
        await upstream.saw_body(0)
        for _ in range(2):
            refused = await ask(waiting, ALICE)
            assert code(refused) == (429, "concurrency_limit_exceeded")
            assert refused.header("retry-after") == "1"
        assert (await ask(waiting, BOB)).status == 200
        assert rates.in_flight("alice") == 1 and len(upstream.requests) == 2
        if how == "answered":
            gate.set()
            assert (await client.response()).complete
        else:
            client.reset() if how == "reset" else client.half_close()
        await until(lambda: rates.in_flight("alice") == 0, "the request to be counted out")
        assert (await ask(waiting, ALICE)).status == 200
        await client.close()


async def test_every_failure_ends_the_count_of_a_request() -> None:
    """Faults of the upstream, refused bodies and refused models leave nothing counted."""
    scripts = (
        faults.cut_mid_chunk(),
        faults.garbage_head(),
        faults.error_response(500),
        faults.json_response({}),
    )
    async with (
        FakeUpstream(*scripts) as upstream,
        server_for_two(upstream, max_concurrent=1, models="fake-model") as stand,
    ):
        rates = stand.role.connections.admission.rates
        assert rates is not None
        statuses = [
            (await ask_anew(stand.url, ALICE, body)).status
            for body in (BODY, BODY, BODY, b"{}", b'{"model":"other"}', BODY)
        ]
        assert statuses == [200, 502, 500, 400, 404, 200]
        await until(lambda: rates.in_flight("alice") == 0, "everything to be counted out")


async def test_requests_per_minute_are_limited_by_token() -> None:
    """On one connection or on many; what was refused is not counted, and Retry-After is the true wait."""
    async with (
        FakeUpstream(faults.json_response({})) as upstream,
        server_for_two(upstream, requests_per_minute=3) as stand,
        await stand.client() as client,
    ):
        for _ in range(2):
            assert (await ask(client, ALICE)).status == 200
        assert (await ask_anew(stand.url, ALICE)).status == 200
        for _ in range(3):
            refused = await ask(client, ALICE)
            assert code(refused) == (429, "rate_limit_exceeded")
            assert 0 < int(refused.header("retry-after") or 0) <= 60
        assert (await ask(client, BOB)).status == 200
        assert len(upstream.requests) == 4


async def test_guessing_locks_out_the_address_and_no_other() -> None:
    """With the right token as well, on connections that were let in before as well; Retry-After says for how long."""
    async with (
        FakeUpstream(faults.json_response({})) as upstream,
        server_for_two(upstream, max_auth_failures=3, auth_lockout=120, trusted_proxy=["127.0.0.1"]) as stand,
        await stand.client() as known,
        await stand.client() as guessing,
    ):
        for _ in range(3):
            assert (await ask(known, ALICE, BODY, HERE)).status == 200
        for _ in range(3):
            assert code(await ask(guessing, WRONG, BODY, HERE)) == (401, "invalid_token")
        for client in (guessing, known):
            locked = await ask(client, ALICE, BODY, HERE)
            assert code(locked) == (429, "auth_locked")
            assert 0 < int(locked.header("retry-after") or 0) <= 120
        assert (await ask(known, ALICE, BODY, THERE)).status == 200
        assert (await ask_anew(stand.url, BOB)).status == 200
        assert len(upstream.requests) == 5


async def test_a_lockout_ends() -> None:
    async with (
        FakeUpstream(faults.json_response({})) as upstream,
        server_for_two(upstream, max_auth_failures=1, auth_lockout=60) as stand,
        await stand.client() as client,
    ):
        assert (await ask(client, WRONG)).status == 401
        locked = await ask(client, ALICE)
        assert locked.status == 429 and 0 < int(locked.header("retry-after") or 0) <= 60
        manager = stand.role.connections
        now = manager.now
        manager.now = lambda: now() + 60
        assert (await ask(client, ALICE)).status == 200


async def test_a_missing_token_is_no_guess_and_a_right_one_resets_the_count() -> None:
    async with (
        FakeUpstream(faults.json_response({})) as upstream,
        server_for_two(upstream, max_auth_failures=2) as stand,
        await stand.client() as client,
    ):
        for token in (None, None, None, WRONG, ALICE, WRONG, ALICE, WRONG, None):
            response = await ask(client, token)
            assert response.status == (200 if token == ALICE else 401)
        assert code(await ask(client, None)) == (401, "missing_token")
        assert (await ask(client, WRONG)).status == 401
        assert (await ask(client, None)).status == 429


async def test_a_client_cannot_choose_the_address_that_is_locked_out() -> None:
    """Without --trusted-proxy X-Forwarded-For is only something that a client says; behind one, only its last hop."""
    async with (
        FakeUpstream(faults.json_response({})) as upstream,
        server_for_two(upstream, max_auth_failures=2) as stand,
    ):
        for field in (HERE, THERE):
            assert (await ask_anew(stand.url, WRONG, BODY, field)).status == 401
        assert code(await ask_anew(stand.url, ALICE)) == (429, "auth_locked")
    async with (
        FakeUpstream(faults.json_response({})) as upstream,
        server_for_two(upstream, max_auth_failures=2, trusted_proxy="127.0.0.1") as stand,
    ):
        for number in range(2):
            spoofed = ("X-Forwarded-For", f"10.0.0.{number}, {HERE[1]}")
            assert (await ask_anew(stand.url, WRONG, BODY, spoofed)).status == 401
        assert code(await ask_anew(stand.url, ALICE, BODY, HERE)) == (429, "auth_locked")
        assert (await ask_anew(stand.url, ALICE, BODY, ("X-Forwarded-For", "10.0.0.0"))).status == 200


async def test_a_locked_out_address_can_read_the_health() -> None:
    """A monitor behind the same address is not fooled, and the upstream's state stays for callers."""
    async with (
        FakeUpstream(faults.json_response({})) as upstream,
        server_for_two(upstream, max_auth_failures=1) as stand,
    ):
        assert (await ask_anew(stand.url, WRONG)).status == 401
        health = await ask_anew(stand.url, ALICE, None, target="/health?deep=1")
        assert health.status == 200 and "upstream" not in health.json() and upstream.requests == []
        assert CLIENT_TOKEN.encode() not in health.body
