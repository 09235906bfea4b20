"""Whatever an upstream does, its client gets an answer that is whole or visibly broken, and the next one is fine."""

from __future__ import annotations

import pytest

from tests.e2e.fault_cases import CASES, Fault
from tests.e2e.stand import KINDS, Kind, Stand, credential_of, serving, until
from tests.peers import faults
from tests.peers.client import RawClient
from tests.peers.response import Response
from tests.peers.script import Close, Reset
from tests.peers.upstream import FakeUpstream

GOOD = faults.json_response({"next": "fine"})
ALLOWED = {
    "cache-control", "connection", "content-encoding", "content-length", "content-type", "date", "retry-after",
    "transfer-encoding", "x-clawgate-provider", "x-request-id",
}  # fmt: skip


async def next_is_fine(stand: Stand, client: RawClient, first: Response) -> int:
    """Ask again, on the same connection where it goes on, and on a new one; how many requests that were."""
    asked = 1
    if first.complete and first.header("connection") != "close":
        again = await stand.ask(client)
        assert again.complete and again.json() == {"next": "fine"}
        asked += 1
    else:
        await client.ended()
    other = await stand.fresh()
    assert other.status == 200 and other.json() == {"next": "fine"}
    return asked


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", CASES, ids=lambda fault: fault.name)
async def test_a_faulty_answer_is_shown_as_it_is_and_spoils_nothing(fault: Fault, kind: Kind) -> None:
    """Right status and code, no invented end, one request upstream, and the next request works."""
    async with (
        FakeUpstream(fault.script, GOOD) as upstream,
        serving(kind, upstream.url) as stand,
        await stand.client() as client,
    ):
        response = await stand.ask(client)
        fault.check(response)
        assert response.status != 500 or fault.name.startswith(("status 500", "500 "))
        assert {name for name, _ in response.headers if not name.startswith("x-ratelimit-")} <= ALLOWED
        asked = await next_is_fine(stand, client, response)
        assert credential_of(kind).encode() not in client.received
        assert len(upstream.requests) == 1 + asked
        assert upstream.anomalies == []
        if fault.kept is not None:
            assert (upstream.requests[1].connection is upstream.connections[0]) is fault.kept
        await client.close()
        await stand.all_quiet(kept=1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", [Close(), Reset()], ids=["FIN", "RST"])
async def test_a_connection_that_ends_before_the_request_is_a_502(kind: Kind, how: Close | Reset) -> None:
    """An upstream that accepts and ends is named, and the next request works once it does."""
    async with FakeUpstream(GOOD, on_connect=(how,)) as upstream, serving(kind, upstream.url) as stand:
        response = await stand.fresh()
        assert response.status == 502
        assert response.json()["error"]["code"] in ("upstream_closed", "upstream_unreachable")
        assert len(upstream.connections) == 1
        upstream.on_connect = ()
        assert (await stand.fresh()).json() == {"next": "fine"}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_refused_port_is_a_502_that_says_so(kind: Kind) -> None:
    """Nobody listens: `upstream_unreachable` with Retry-After, and fine once somebody does."""
    async with FakeUpstream(GOOD) as upstream:
        port = upstream.port
    async with serving(kind, f"http://127.0.0.1:{port}") as stand, await stand.client() as client:
        for _ in range(3):
            response = await stand.ask(client)
            assert (response.status, response.json()["error"]["code"]) == (502, "upstream_unreachable")
            assert "connection refused; is it running" in response.json()["error"]["message"]
            assert response.header("retry-after") == "1"
        async with FakeUpstream(GOOD, port=port):
            assert (await stand.ask(client)).json() == {"next": "fine"}
        await until(lambda: stand.role.upstream.pool.open_count == 0, "the pool to notice")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [413, 401, 429, 200])
@pytest.mark.parametrize("close", [True, False], ids=["closes", "reads the rest"])
async def test_an_answer_while_the_body_is_still_coming_reaches_its_client(
    status: int, close: bool, kind: Kind
) -> None:
    """A client in the middle of a large upload gets the early answer whole, and its connection ends after it."""
    scripts = (faults.early_response(status, close=close), GOOD)
    async with (
        FakeUpstream(*scripts) as upstream,
        serving(kind, upstream.url) as stand,
        await stand.client() as client,
    ):
        fields = (*stand.fields, ("Content-Type", "application/json"), ("Content-Length", "3000000"))
        await client.request(fields=fields, method="POST")
        await client.send(b"x" * 100_000)
        response = await client.response()
        assert response.complete and response.status == status
        assert response.json() == {"error": {"message": "too large"}}
        assert response.header("connection") == "close"
        assert (await stand.fresh()).json() == {"next": "fine"}
        assert upstream.requests[1].connection is not upstream.connections[0]
        await client.close()
        await stand.all_quiet()


@pytest.mark.parametrize("kind", KINDS)
async def test_an_answer_before_any_of_the_body_reaches_its_client(kind: Kind) -> None:
    """The head alone is enough for an upstream to say no."""
    async with (
        FakeUpstream(faults.early_response(401), GOOD) as upstream,
        serving(kind, upstream.url) as stand,
        await stand.client() as client,
    ):
        fields = (*stand.fields, ("Content-Type", "application/json"), ("Content-Length", "10"))
        await client.request(fields=fields, method="POST")
        response = await client.response()
        assert response.complete and response.status == 401
        assert response.header("www-authenticate") is None
        assert (await stand.fresh()).json() == {"next": "fine"}
        assert upstream.anomalies == [
            "request 0: end of the connection in the body (length, 0 bytes read)"
        ] or (upstream.anomalies == [])
