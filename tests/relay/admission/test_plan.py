"""What a plan owes an exchange, seen from the exchange: the order in which it asks, and what it is told."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from clawgate.errors import (
    GatewayError,
    InvalidRequest,
    ModelNotFound,
    ProviderUnavailable,
    UpstreamFailed,
)
from clawgate.policy.cross_origin import CrossOriginPolicy
from clawgate.policy.path_routing import GATEWAY_ROUTES
from clawgate.providers.credential import Bearer
from clawgate.relay.admission.admission import Admission
from clawgate.relay.admission.plan import Asked, RoutePlan, UpstreamAttempt
from clawgate.relay.downstream.connections import ConnectionManager
from clawgate.relay.downstream.request_parser import ClientLimits
from clawgate.relay.downstream.server import Server, listen
from clawgate.relay.interfaces import Buffer, ResponseHead, ResponseWriter
from clawgate.relay.observe.record import RequestRecord
from clawgate.relay.response.writer import PassthroughWriter
from clawgate.relay.upstream.dial import Dialer, UpstreamEndpoint
from clawgate.relay.upstream.upstream import Upstream, UpstreamConfig
from clawgate.testing.http import faults
from clawgate.testing.http.client import RawClient
from clawgate.testing.http.response import Response
from clawgate.testing.http.upstream import FakeUpstream
from clawgate.wire.http.url import parse_url
from tests.e2e.stand import run

OWN = "clawgate-me"


class Asks:
    """One upstream, asked for what the client sent."""

    spliced = True

    def __init__(
        self, upstream: Upstream, asked: Asked, body: bytes, aside: Callable[[], bytes] | None
    ) -> None:
        self.upstream = upstream
        self.served_by = f"{upstream.name.decode()}/m"
        self.names = b"x-by: %b\r\n" % upstream.name
        self.request: list[Buffer] = []
        self.aside = aside
        self._head = upstream.head(b"POST", asked.target, asked.lines, asked.via)
        if aside is None:
            self.complete(body)

    def complete(self, body: bytes) -> None:
        self.request = [b"%bcontent-length: %d\r\n\r\n" % (self._head, len(body)), body]

    def writer(self, head: ResponseHead, *, http10: bool, close: bool, bodiless: bool) -> ResponseWriter:
        return PassthroughWriter(
            head, http10=http10, close=close, bodiless=bodiless, secrets=(), names=self.names
        )


class Scripted:
    """A planner and its one plan: upstreams in their order; it writes down what it is told."""

    model = "asked"

    def __init__(
        self,
        *upstreams: Upstream,
        refusal: GatewayError | None = None,
        aside: Callable[[], bytes] | None = None,
    ) -> None:
        self._left = list(upstreams)
        self._aside = aside
        self._refusal = refusal
        self.told: list[object] = []

    def plan(self, asked: Asked, path: bytes, body: bytes) -> RoutePlan:
        self.told.append((asked.target, path, body))
        self._asked, self._body = asked, body
        if self._refusal is not None:
            raise self._refusal
        return self

    def first(self) -> UpstreamAttempt:
        if not self._left:
            raise ProviderUnavailable("nobody is left")
        return Asks(self._left.pop(0), self._asked, self._body, self._aside)

    def after(
        self, *, status: int | None = None, error: GatewayError | None = None
    ) -> UpstreamAttempt | None:
        self.told.append(status if error is None else type(error).__name__)
        return self.first() if self._left else None

    def final(self, error: GatewayError) -> GatewayError:
        self.told.append("final")
        return UpstreamFailed(f"in other words: {error.message}")


def upstream(url: str, name: str) -> Upstream:
    origin, _ = parse_url(url)
    route = UpstreamEndpoint(origin=origin, allow_private=True)
    return Upstream(
        UpstreamConfig(name=name, route=route, prefix="", credential=Bearer("k")), Dialer(), via=OWN.encode()
    )


async def ask(planner: Scripted, body: bytes = b"{}") -> tuple[Response, list[RequestRecord]]:
    """One request through a front whose gate has ``planner``."""
    records: list[RequestRecord] = []
    gate = Admission(
        upstream=None, planner=planner, routes=GATEWAY_ROUTES, browser=CrossOriginPolicy(), body_limit=1000,
        own_via=OWN.encode(),
    )  # fmt: skip
    front = ConnectionManager(
        gate=gate, upstreams=[], limits=ClientLimits(body_bytes=1000), observer=records.append
    )
    host = Server(front, None, drain_seconds=0.0)
    host.config.load()
    host.lifespan = host.config.lifespan_class(host.config)
    sockets = listen("127.0.0.1", 0)
    await host.startup(sockets)
    try:
        async with await RawClient.open(port=sockets[0].getsockname()[1]) as client:
            await client.request(body=body)
            return await client.response(), records
    finally:
        await host.shutdown(sockets)


def test_who_is_first_is_asked_and_nobody_else() -> None:
    """The plan is made once, from the whole body; a good answer is nothing that it has to hear of."""

    async def work() -> None:
        async with FakeUpstream(faults.json_answer({"a": 1})) as one, FakeUpstream() as two:
            planner = Scripted(upstream(one.url, "one"), upstream(two.url, "two"))
            answer, (record,) = await ask(planner, b'{"x":1}')
            assert answer.json() == {"a": 1} and answer.header("x-by") == "one"
            path = b"/v1/chat/completions"
            assert planner.told == [(path, path, b'{"x":1}')] and two.connections == []
            assert (record.model, record.served, record.code) == ("asked", "one/m", None)

    run(work())


def test_a_body_that_takes_long_is_made_in_a_thread_and_sent_then() -> None:
    threads: list[str] = []

    def aside() -> bytes:
        threads.append(threading.current_thread().name)
        return b'{"made":"aside"}'

    async def work() -> None:
        async with FakeUpstream(faults.json_answer({"a": 1})) as one:
            answer, _ = await ask(Scripted(upstream(one.url, "one"), aside=aside))
            assert answer.json() == {"a": 1} and one.requests[0].body == b'{"made":"aside"}'
        assert threads and threading.main_thread().name not in threads

    run(work())


@pytest.mark.parametrize(
    ("error", "words"),
    [(InvalidRequest("odd"), "in other words: odd"), (ValueError("a defect"), "an internal error")],
)
def test_a_body_that_cannot_be_made_is_an_answer_and_nothing_is_sent(error: Exception, words: str) -> None:
    def aside() -> bytes:
        raise error

    async def work() -> None:
        async with FakeUpstream() as one:
            answer, _ = await ask(Scripted(upstream(one.url, "one"), aside=aside))
            assert words in answer.json()["error"]["message"] and one.connections == []

    run(work())


def test_each_end_is_told_and_the_next_is_asked() -> None:
    """A status, a broken connection: then the next, and the last failure is the answer, as it came."""

    async def work() -> None:
        cut = faults.cut(faults.answer(b"{}"), 5)
        async with (
            FakeUpstream(faults.error_answer(500)) as one,
            FakeUpstream(cut) as two,
            FakeUpstream(faults.error_answer(418)) as three,
        ):
            ups = [upstream(up.url, name) for up, name in ((one, "one"), (two, "two"), (three, "three"))]
            planner = Scripted(*ups)
            answer, (record,) = await ask(planner)
            assert answer.status == 418 and answer.header("x-by") == "three"
            assert planner.told[1:] == [500, "UpstreamClosed", 418] and record.served == "three/m"
            assert [up.pool.open_count - up.pool.idle_count for up in ups] == [0, 0, 0]

    run(work())


def test_a_failure_that_is_the_answer_is_said_in_the_plans_words() -> None:
    async def work() -> None:
        async with FakeUpstream(faults.garbage_head()) as one:
            planner = Scripted(upstream(one.url, "one"))
            answer, _ = await ask(planner)
            assert answer.status == 502 and planner.told[-1] == "final" and answer.header("x-by") == "one"
            assert answer.json()["error"]["message"].startswith("in other words: ")

    run(work())


def test_a_body_that_cannot_be_planned_is_refused_as_it_is() -> None:
    """There is no plan yet that could find words for it."""

    async def work() -> None:
        answer, (record,) = await ask(Scripted(refusal=ModelNotFound("no such model")))
        assert (answer.status, answer.json()["error"]["code"]) == (404, "model_not_found")
        assert record.served is None and record.code == "model_not_found"
        answer, _ = await ask(Scripted())
        assert (answer.status, answer.json()["error"]["code"]) == (502, "upstream_failed")

    run(work())


def test_what_was_asked_cannot_be_changed_on_the_way() -> None:
    """One client's words serve for every attempt."""
    asked = Asked(b"/v1/x", b"", b"")
    assert hash(asked) == hash(Asked(b"/v1/x", b"", b""))
