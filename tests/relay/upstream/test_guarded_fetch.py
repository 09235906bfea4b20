from __future__ import annotations

import asyncio
import contextlib
import gzip
import tracemalloc
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from clawgate.errors import (
    EgressDenied,
    GatewayError,
    InvalidRequest,
    UpstreamClosed,
    UpstreamMalformed,
    UpstreamRedirected,
    UpstreamTimedOut,
)
from clawgate.policy.egress.policy import EgressPolicy
from clawgate.relay.interfaces import ResponseHead
from clawgate.relay.upstream import guarded_fetch
from clawgate.relay.upstream.fetch import Reply
from clawgate.relay.upstream.guarded_fetch import Fetched, FetchLimits, fetch_url
from clawgate.wire.http.url import parse_url
from tests.peers import faults
from tests.peers.script import Close, ReadBody, Send, SetEvent, Step, Wait
from tests.peers.throwaway_ca import make_throwaway
from tests.peers.upstream import FakeUpstream
from tests.relay.recording_dialer import OPEN, RecordingDialer

SMALL = FetchLimits(max_bytes=1000, seconds=5)
NAMES = {"a.example": "127.0.0.1", "b.example": "127.0.0.1", "metadata.example": "169.254.169.254"}


async def resolver(host: str, port: int) -> list[str]:
    return [NAMES.get(host, host)]


def sending(wire: bytes) -> tuple[Step, ...]:
    return (ReadBody(), Send(wire), Close())


def redirect(to: str, status: int = 302) -> tuple[Step, ...]:
    return sending(faults.response(b"", status=status, fields=(("Location", to),)))


def page(body: bytes = b"content", *fields: tuple[str, str]) -> tuple[Step, ...]:
    return sending(faults.response(body, fields=(("Content-Type", "text/html"), *fields)))


async def fetched(
    upstream: FakeUpstream,
    target: str = "/",
    *,
    host: str = "a.example",
    policy: EgressPolicy = OPEN,
    limits: FetchLimits = SMALL,
    **headers: str,
) -> Fetched:
    url = f"http://{host}:{port_of(upstream)}{target}"
    return await fetch_url(RecordingDialer(resolver), url, policy, limits, headers)


def port_of(upstream: FakeUpstream) -> int:
    return parse_url(upstream.url)[0].port


@contextlib.asynccontextmanager
async def planned() -> AsyncIterator[tuple[FakeUpstream, list[tuple[Step, ...]]]]:
    """An upstream whose scripts are known when its port is."""
    plan: list[tuple[Step, ...]] = []
    async with FakeUpstream(lambda request: plan[request.number]) as upstream:
        yield upstream, plan


async def test_a_page_is_fetched_as_its_url_says() -> None:
    async with FakeUpstream(page()) as upstream:
        found = await fetched(upstream, "/a//b%20c?q=ü&r=1#part", accept="text/html")
        assert found == Fetched(
            url=f"http://a.example:{port_of(upstream)}/a//b%20c?q=%C3%BC&r=1",
            status=200,
            content_type="text/html",
            body=b"content",
            truncated=False,
        )
        [request] = upstream.requests
        assert request.target == "/a//b%20c?q=%C3%BC&r=1"
        assert request.header_all("host") == [f"a.example:{port_of(upstream)}"]
        assert request.header_all("accept") == ["text/html"]
        assert request.header_all("accept-encoding") == ["gzip"]
        assert upstream.anomalies == []


@pytest.mark.parametrize(
    "url", ["ftp://a.example/", "a.example", "http://u:p@a.example/", "http://a.example:0/", "/x"]
)
async def test_what_is_no_url_is_rejected(url: str) -> None:
    with pytest.raises(InvalidRequest, match="the URL"):
        await fetch_url(RecordingDialer(resolver), url, OPEN)


async def test_a_redirect_to_two_places_is_rejected() -> None:
    two = faults.response(b"", status=302, fields=(("Location", "/a"), ("Location", "/b")))
    async with FakeUpstream(sending(two)) as upstream:
        with pytest.raises(UpstreamMalformed, match="two places"):
            await fetched(upstream)


@pytest.mark.parametrize("status", [200, 302, 307, 308])
async def test_a_body_is_sent_once_and_no_redirect_of_it_is_followed(status: int) -> None:
    """It may be a secret, which goes to no other place than it is for."""
    async with planned() as (upstream, plan):
        plan.extend((redirect("/elsewhere", status), page()))
        url = f"http://a.example:{port_of(upstream)}/token"
        headers = {"content-type": "application/x-www-form-urlencoded"}
        found = await fetch_url(RecordingDialer(resolver), url, OPEN, headers=headers, body=b"secret=1")
        assert (found.status, found.url) == (status, url)
        [request] = upstream.requests
        assert (request.method, request.target, request.body) == ("POST", "/token", b"secret=1")
        assert request.header_all("content-length") == ["8"]
        assert request.header_all("content-type") == ["application/x-www-form-urlencoded"]
        assert upstream.anomalies == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_followed_relative_to_their_url(status: int) -> None:
    async with planned() as (upstream, plan):
        port = port_of(upstream)
        plan.extend((redirect("../c?d", status), redirect(f"//b.example:{port}/e", status), page()))
        found = await fetched(upstream, "/a/b/x")
        assert found.url == f"http://b.example:{port}/e"
        assert [request.target for request in upstream.requests] == ["/a/b/x", "/a/c?d", "/e"]


async def test_credentials_stay_with_the_first_origin() -> None:
    async with planned() as (upstream, plan):
        port = port_of(upstream)
        back = redirect(f"http://a.example:{port}/back")
        plan.extend((redirect("/same"), redirect(f"http://b.example:{port}/"), back, page()))
        await fetched(upstream, authorization="Bearer key", cookie="a=b", accept="text/html")
        sent = [
            (r.header_all("authorization"), r.header_all("cookie"), r.header_all("accept"))
            for r in upstream.requests
        ]
        assert sent[0] == sent[1] == (["Bearer key"], ["a=b"], ["text/html"])
        assert sent[2] == sent[3] == ([], [], ["text/html"]), "also where the other origin leads back"


async def test_so_many_redirects_are_not_followed() -> None:
    async with FakeUpstream(redirect("/again")) as upstream:
        with pytest.raises(UpstreamRedirected, match="redirect number 4"):
            await fetched(upstream)
        assert len(upstream.requests) == 4


@pytest.mark.parametrize(
    "to",
    [
        "ftp://a.example/",
        "http://u@a.example/",
        "http://[::1",
        "javascript:x",
        "http://a\\@b/",
        "http://a.exa\tmple/",
        "http:///a.example/",
        "///a.example/",
        "HTTP:a.example/",
        "https:/a.example/",
        "//",
    ],
)
async def test_a_redirect_to_what_is_no_url_is_rejected(to: str) -> None:
    async with FakeUpstream(redirect(to)) as upstream:
        with pytest.raises(UpstreamRedirected, match="redirects to what cannot be fetched"):
            await fetched(upstream)


async def test_each_hop_is_decided_anew() -> None:
    """The first origin may be private, by the policy; where it leads may not."""
    async with planned() as (upstream, plan), FakeUpstream(page()) as inner:
        policy = replace(OPEN, origin=parse_url(f"http://a.example:{port_of(upstream)}")[0])
        for to in (
            inner.url,
            f"http://b.example:{port_of(inner)}/",
            f"http://2130706433:{port_of(inner)}/",
            "http://169.254.169.254/latest/meta-data/",
            "http://metadata.example/",
            "http://[::ffff:169.254.169.254]/",
        ):
            plan.append(redirect(to))
            with pytest.raises(EgressDenied):
                await fetched(upstream, policy=policy)
        assert inner.requests == []


async def test_metadata_is_not_fetched_whatever_is_allowed() -> None:
    dialer = RecordingDialer(resolver)
    with pytest.raises(EgressDenied):
        await fetch_url(dialer, "http://metadata.example/", OPEN)
    assert [(record.dialled, record.target) for record in dialer.ledger] == [(None, "/")]


async def test_a_body_is_read_up_to_its_limit() -> None:
    async with FakeUpstream(page(b"x" * 1000), page(b"x" * 1001)) as upstream:
        whole, cut = await fetched(upstream), await fetched(upstream)
        assert (len(whole.body), whole.truncated) == (1000, False)
        assert (len(cut.body), cut.truncated) == (1000, True)


async def test_an_endless_body_ends_at_the_limit() -> None:
    """Also where it brings nothing: empty gzip members."""
    never = asyncio.Event()
    endless = faults.head(fields=(("Transfer-Encoding", "chunked"),)) + faults.chunk(b"x" * 2000)
    nothing = faults.head(fields=(("Content-Encoding", "gzip"),)) + gzip.compress(b"") * 100
    async with FakeUpstream(
        (ReadBody(), Send(endless), Wait(never)), (ReadBody(), Send(nothing), Wait(never))
    ) as upstream:
        assert (await fetched(upstream)).truncated
        assert (await fetched(upstream)).body == b""


async def test_gzip_is_decoded_and_a_bomb_stops_at_the_limit() -> None:
    bomb = gzip.compress(b"\0" * 30_000_000)
    coded = ("Content-Encoding", "gzip")
    async with FakeUpstream(page(gzip.compress(b"content"), coded), page(bomb, coded)) as upstream:
        assert (await fetched(upstream)).body == b"content"
        found = await fetched(upstream, limits=replace(SMALL, max_bytes=750_000))
        assert (len(found.body), found.truncated) == (750_000, True)


async def test_of_a_bomb_no_more_is_decoded_than_the_limit() -> None:
    reply = Reply(1000)
    reply.on_response_head(
        ResponseHead(
            status=200,
            headers=[(b"content-encoding", b"gzip")],
            length=None,
            chunked=True,
            content_type=b"",
            encoded=True,
        )
    )
    bomb = gzip.compress(b"\0" * 30_000_000)
    tracemalloc.start()
    try:
        reply.on_response_body(bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (await reply.done).truncated and peak < 1_000_000


@pytest.mark.parametrize("coding", ["br", "zstd", "deflate", "gzip, gzip"])
async def test_another_encoding_was_not_requested(coding: str) -> None:
    async with FakeUpstream(page(b"content", ("Content-Encoding", coding))) as upstream:
        with pytest.raises(UpstreamMalformed, match="not requested"):
            await fetched(upstream)


@pytest.mark.parametrize("body", [b"plain", gzip.compress(b"content" * 100)[:-9]], ids=["plain", "cut"])
async def test_broken_gzip_is_an_error(body: bytes) -> None:
    async with FakeUpstream(page(body, ("Content-Encoding", "gzip"))) as upstream:
        with pytest.raises(UpstreamMalformed, match="compressed wrongly"):
            await fetched(upstream)


@pytest.mark.parametrize(
    "wire",
    [
        faults.head(fields=(("Transfer-Encoding", "chunked"),))
        + faults.chunk(b"con")
        + faults.chunk(b"tent")
        + b"0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\ncontent",
        b"HTTP/1.0 200 OK\r\n\r\ncontent",
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\ncontent",
    ],
    ids=["chunked", "closed", "HTTP/1.0", "early hints"],
)
async def test_a_body_may_be_framed_in_each_way(wire: bytes) -> None:
    async with FakeUpstream(sending(wire)) as upstream:
        assert (await fetched(upstream)).body == b"content"


async def test_a_cut_body_is_an_error() -> None:
    async with FakeUpstream(sending(faults.response(b"content")[:-2])) as upstream:
        with pytest.raises(UpstreamClosed):
            await fetched(upstream)


async def test_an_error_status_is_a_result() -> None:
    async with FakeUpstream(sending(faults.response(b"gone", status=410))) as upstream:
        assert ((await fetched(upstream)).status, (await fetched(upstream)).body) == (410, b"gone")


async def test_all_of_it_takes_no_longer_than_its_time() -> None:
    async with FakeUpstream((ReadBody(), Send(b"HTTP/1.1 200 OK\r\n"), Wait(asyncio.Event()))) as upstream:
        with pytest.raises(UpstreamTimedOut, match=r"within 0.2 s"):
            await fetched(upstream, limits=replace(SMALL, seconds=0.2))
        await upstream.saw_close(0)


async def test_cancelled_it_frees_the_connection() -> None:
    reached = asyncio.Event()
    async with FakeUpstream(
        (ReadBody(), Send(b"HTTP/1.1 200 OK\r\n"), SetEvent(reached), Wait(asyncio.Event()))
    ) as upstream:
        task = asyncio.get_running_loop().create_task(fetched(upstream))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await upstream.saw_close(0)


async def test_a_certificate_names_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    throwaway = make_throwaway(tmp_path)
    monkeypatch.setattr(guarded_fetch, "_public_tls", lambda: throwaway.client)
    async with FakeUpstream(page(), tls=throwaway.server) as upstream:
        url = f"https://localhost:{port_of(upstream)}/"
        assert (await fetch_url(RecordingDialer(), url, OPEN)).body == b"content"
        with pytest.raises(GatewayError, match="TLS failed"):
            await fetch_url(RecordingDialer(resolver), url.replace("localhost", "a.example"), OPEN)
