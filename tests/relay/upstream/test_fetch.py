"""A small request of our own: bounded in time and size, on a connection that it does not keep."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from clawgate.errors import (
    EgressDenied,
    UpstreamClosed,
    UpstreamMalformed,
    UpstreamTimedOut,
    UpstreamUnreachable,
)
from clawgate.relay.upstream.dial import Dialer
from clawgate.relay.upstream.fetch import BODY_LIMIT, FetchResponse, fetch
from tests.e2e.stand import KINDS, Kind, credential_of, serving, until
from tests.peers import faults
from tests.peers.script import Close, ReadBody, Send
from tests.peers.upstream import FakeUpstream, SilentListener


async def fetched(kind: Kind, url: str, *, seconds: float = 5, dialer: Dialer | None = None) -> FetchResponse:
    async with serving(kind, url, dialer=dialer) as stand:
        upstream = stand.role.upstream
        try:
            return await fetch(upstream, b"/v1/models", connect_seconds=seconds, response_seconds=seconds)
        finally:
            await until(lambda: upstream.pool.open_count == 0, lambda: repr(upstream.pool))


@pytest.mark.parametrize("kind", KINDS)
async def test_it_asks_with_our_credential_and_takes_what_comes(kind: Kind) -> None:
    """Status and body, of an error too."""
    async with FakeUpstream(faults.json_response([1]), faults.error_response(401)) as upstream:
        assert await fetched(kind, upstream.url) == FetchResponse(200, b"[1]")
        assert (await fetched(kind, upstream.url)).status == 401
        assert upstream.anomalies == []
        assert credential_of(kind).encode() in upstream.requests[0].raw_head
        assert (upstream.requests[0].method, upstream.requests[0].target) == ("GET", "/v1/models")


async def test_a_body_is_read_up_to_its_limit() -> None:
    """However long it is."""
    async with FakeUpstream((ReadBody(), Send(faults.response(b"x" * 1_000_000)))) as upstream:
        assert len((await fetched("bridge", upstream.url)).body) == BODY_LIMIT


async def test_each_failure_has_its_own_error() -> None:
    """Refused, ended, malformed, silent, not connected, not allowed."""
    async with FakeUpstream(
        (ReadBody(), Close()), faults.garbage_head(), faults.never_responds()
    ) as upstream:
        with pytest.raises(UpstreamClosed):
            await fetched("bridge", upstream.url)
        with pytest.raises(UpstreamMalformed):
            await fetched("bridge", upstream.url)
        with pytest.raises(UpstreamTimedOut) as caught:
            await fetched("bridge", upstream.url, seconds=0.2)
        assert (caught.value.limit, caught.value.seconds) == ("first_byte", 0.2)
        gone = upstream.url
        await upstream.saw_close(2)
    with pytest.raises(UpstreamUnreachable):
        await fetched("bridge", gone)
    with SilentListener(backlog_full=True) as listener, pytest.raises(UpstreamTimedOut) as caught:
        await fetched("bridge", listener.url, seconds=0.2)
    assert caught.value.limit == "connect"

    async def resolver(host: str, port: int) -> Sequence[str]:
        return ["169.254.169.254"]

    with pytest.raises(EgressDenied):
        await fetched("bridge", "http://meta.example", dialer=Dialer(resolver))
