"""What a plan owes an exchange, seen from the exchange: the order in which it asks, and what it is told."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from clawgate.errors import (
    GatewayError,
    InvalidRequest,
    ModelNotFound,
    ProviderUnavailable,
    UpstreamFailed,
)
from clawgate.policy.cross_origin import CrossOriginPolicy
from clawgate.policy.headers import TO_AGENTS
from clawgate.policy.path_routing import GATEWAY_ROUTES
from clawgate.providers.credential import bearer
from clawgate.relay.admission.admission import Admission
from clawgate.relay.admission.plan import AdmittedHead, ModelAllowlist, RoutePlan, UpstreamAttempt
from clawgate.relay.downstream.connections import ConnectionManager
from clawgate.relay.downstream.request_parser import ClientLimits
from clawgate.relay.downstream.server import Server, listen
from clawgate.relay.exchange import attempts
from clawgate.relay.interfaces import Buffer, ResponseHead, ResponseWriter
from clawgate.relay.observe.record import RequestRecord
from clawgate.relay.response.buffered import MadeResponse
from clawgate.relay.response.head import ResponseOptions
from clawgate.relay.response.passthrough import PassthroughWriter
from clawgate.relay.upstream.dial import Dialer
from clawgate.relay.upstream.endpoint import UpstreamEndpoint
from clawgate.relay.upstream.upstream import Upstream, UpstreamConfig
from clawgate.wire.http.url import parse_url
from clawgate.wire.json import model_field
from tests.peers import faults
from tests.peers.client import RawClient
from tests.peers.response import Response
from tests.peers.upstream import FakeUpstream
from tests.relay.recording_dialer import OPEN

OWN = "clawgate-me"


class Asks:
    """One upstream, asked for what the client sent."""

    passthrough = True

    def __init__(
        self, upstream: Upstream, request: AdmittedHead, body: bytes, offload: Callable[[], bytes] | None
    ) -> None:
        self.upstream = upstream
        self.served_by = f"{upstream.name.decode()}/m"
        self.attribution_headers = b"x-by: %b\r\n" % upstream.name
        self.request: list[Buffer] = []
        self.offload = offload
        self.response: MadeResponse | None = None
        self._head = upstream.encode_head(b"POST", request.target, request.header_lines, request.via)
        if offload is None:
            self.complete(body)

    def on_success(self) -> None: ...

    def complete(self, body: bytes) -> None:
        self.request = [b"%bcontent-length: %d\r\n\r\n" % (self._head, len(body)), body]

    def writer(self, head: ResponseHead, *, http10: bool, close: bool, bodiless: bool) -> ResponseWriter:
        options = ResponseOptions(
            http10=http10,
            close=close,
            bodiless=bodiless,
            secrets=(),
            attribution_headers=self.attribution_headers,
        )
        return PassthroughWriter(head, options)


class Scripted:
    """A router and its one plan: upstreams in their order; it writes down what it is told."""

    model = "asked"

    def __init__(
        self,
        *upstreams: Upstream,
        refusal: Exception | None = None,
        offload: Callable[[], bytes] | None = None,
    ) -> None:
        self._left = list(upstreams)
        self._offload = offload
        self._refusal = refusal
        self.told: list[object] = []
        self.heads: list[AdmittedHead] = []

    def route(self, head: AdmittedHead, body: bytes) -> RoutePlan:
        self.told.append((head.target, head.path, body))
        self.heads.append(head)
        self.thread = threading.current_thread()
        self._head, self._body = head, body
        if self._refusal is not None:
            raise self._refusal
        return self

    def first_attempt(self) -> UpstreamAttempt:
        if not self._left:
            raise ProviderUnavailable("nobody is left")
        return Asks(self._left.pop(0), self._head, self._body, self._offload)

    def next_attempt(
        self, *, status: int | None = None, error: GatewayError | None = None
    ) -> UpstreamAttempt | None:
        self.told.append(status if error is None else type(error).__name__)
        return self.first_attempt() if self._left else None

    def discard_body(self) -> None: ...

    def map_error(self, error: GatewayError) -> GatewayError:
        self.told.append("map_error")
        return UpstreamFailed(f"in other words: {error.message}")


def upstream(url: str, name: str) -> Upstream:
    origin, _ = parse_url(url)
    route = UpstreamEndpoint(origin=origin, policy=OPEN)
    return Upstream(
        UpstreamConfig(name=name, endpoint=route, prefix="", credential=bearer("k")),
        Dialer(),
        via=OWN.encode(),
    )


@contextlib.asynccontextmanager
async def served(
    router: Scripted | None, **admission: Any
) -> AsyncIterator[tuple[RawClient, list[RequestRecord]]]:
    """A client of a listener with ``router``, and the records of its requests."""
    records: list[RequestRecord] = []
    parts = {"upstream": None, "body_limit": 1000, "via_pseudonym": OWN.encode(), **admission}
    gate = Admission(router=router, routes=GATEWAY_ROUTES, browser=CrossOriginPolicy(), **parts)
    front = ConnectionManager(
        admission=gate, upstreams=[], limits=ClientLimits(body_bytes=1000), observer=records.append
    )
    host = Server(front, None, drain_seconds=0.0)
    host.config.load()
    host.lifespan = host.config.lifespan_class(host.config)
    sockets = listen("127.0.0.1", 0)
    await host.startup(sockets)
    try:
        async with await RawClient.open(port=sockets[0].getsockname()[1]) as client:
            yield client, records
    finally:
        await host.shutdown(sockets)


async def ask(router: Scripted, body: bytes = b"{}") -> tuple[Response, list[RequestRecord]]:
    """One request through a listener with ``router``."""
    async with served(router) as (client, records):
        await client.request(body=body)
        return await client.response(), records


@pytest.mark.parametrize("trace", [None, "00-%032x-%016x-01"])
async def test_a_head_whose_trace_is_read_is_admitted_each_time(trace: str | None) -> None:
    """The one header that may differ in a head that is recognised: a run would get that of an earlier request."""
    router = Scripted(refusal=UpstreamFailed("x"))
    async with served(router, agent_headers=TO_AGENTS) as (client, _):
        for number in (1, 2):
            fields: tuple[tuple[str, str], ...] = (("x-openclaw-session-key", "s"),)
            fields += (("traceparent", trace % (number, number)),) if trace else ()
            await client.request(body=b"{}", fields=fields)
            await client.response()
    assert [dict(one.agent_headers) for one in router.heads] == [
        {"x-openclaw-session-key": "s"} | ({"traceparent": trace % (number, number)} if trace else {})
        for number in (1, 2)
    ]


async def test_who_is_first_is_asked_and_nobody_else() -> None:
    """The plan is made once, from the whole body; a good answer is nothing that it has to hear of."""
    async with FakeUpstream(faults.json_response({"a": 1})) as one, FakeUpstream() as two:
        router = Scripted(upstream(one.url, "one"), upstream(two.url, "two"))
        answer, (record,) = await ask(router, b'{"x":1}')
        assert answer.json() == {"a": 1} and answer.header("x-by") == "one"
        path = b"/v1/chat/completions"
        assert router.told == [(path, path, b'{"x":1}')] and two.connections == []
        assert (record.model, record.served, record.code) == ("asked", "one/m", None)


async def test_a_body_that_takes_long_is_made_in_a_thread_and_sent_then() -> None:
    threads: list[str] = []

    def offload() -> bytes:
        threads.append(threading.current_thread().name)
        return b'{"made":"offload"}'

    async with FakeUpstream(faults.json_response({"a": 1})) as one:
        answer, _ = await ask(Scripted(upstream(one.url, "one"), offload=offload))
        assert answer.json() == {"a": 1} and one.requests[0].body == b'{"made":"offload"}'
    assert threads and threading.main_thread().name not in threads


@pytest.mark.parametrize(
    ("error", "words"),
    [(InvalidRequest("odd"), "in other words: odd"), (ValueError("a defect"), "an internal error")],
)
async def test_a_body_that_cannot_be_made_is_an_answer_and_nothing_is_sent(
    error: Exception, words: str
) -> None:
    def offload() -> bytes:
        raise error

    async with FakeUpstream() as one:
        answer, _ = await ask(Scripted(upstream(one.url, "one"), offload=offload))
        assert words in answer.json()["error"]["message"] and one.connections == []


async def test_each_end_is_told_and_the_next_is_asked() -> None:
    """A status, a broken connection: then the next, and the last failure is the answer, as it came."""
    cut = faults.cut(faults.response(b"{}"), 5)
    async with (
        FakeUpstream(faults.error_response(500)) as one,
        FakeUpstream(cut) as two,
        FakeUpstream(faults.error_response(418)) as three,
    ):
        ups = [upstream(up.url, name) for up, name in ((one, "one"), (two, "two"), (three, "three"))]
        router = Scripted(*ups)
        answer, (record,) = await ask(router)
        assert answer.status == 418 and answer.header("x-by") == "three"
        assert router.told[1:] == [500, "UpstreamClosed", 418] and record.served == "three/m"
        assert [up.pool.open_count - up.pool.idle_count for up in ups] == [0, 0, 0]


async def test_a_failure_that_is_the_answer_is_said_in_the_plans_words() -> None:
    async with FakeUpstream(faults.garbage_head()) as one:
        router = Scripted(upstream(one.url, "one"))
        answer, _ = await ask(router)
        assert answer.status == 502 and router.told[-1] == "map_error" and answer.header("x-by") == "one"
        assert answer.json()["error"]["message"].startswith("upstream error: in other words: ")


async def test_a_body_that_cannot_be_planned_is_refused_as_it_is() -> None:
    """There is no plan yet that could find words for it."""
    answer, (record,) = await ask(Scripted(refusal=ModelNotFound("no such model")))
    assert (answer.status, answer.json()["error"]["code"]) == (404, "model_not_found")
    assert record.served is None and record.code == "model_not_found"
    answer, _ = await ask(Scripted())
    assert (answer.status, answer.json()["error"]["code"]) == (502, "upstream_failed")


@pytest.fixture
def every_body_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is read in a thread."""
    monkeypatch.setattr(attempts, "OFFLOAD_BYTES", 1)


@pytest.mark.usefixtures("every_body_is_large")
async def test_a_large_body_is_routed_in_a_thread() -> None:
    """Also where the next request on the connection takes the short way."""
    async with FakeUpstream(faults.json_response({"a": 1})) as one:
        router = Scripted(*(upstream(one.url, "one") for _ in range(2)))
        async with served(router) as (client, records):
            for _ in range(2):
                await client.request(body=b'{"x":1}')
                assert (await client.response()).json() == {"a": 1}
                assert router.thread is not threading.main_thread()
        assert [request.body for request in one.requests] == [b'{"x":1}'] * 2
        assert [record.model for record in records] == ["asked", "asked"]


@pytest.mark.usefixtures("every_body_is_large")
@pytest.mark.parametrize(
    ("error", "status"), [(ModelNotFound("no such model"), 404), (ValueError("a defect"), 500)]
)
async def test_a_large_body_that_cannot_be_routed_gets_its_error(error: Exception, status: int) -> None:
    answer, (record,) = await ask(Scripted(refusal=error))
    assert answer.status == record.status == status


@pytest.mark.usefixtures("every_body_is_large")
@pytest.mark.parametrize("chunked", [False, True])
async def test_the_model_of_a_large_body_is_checked_in_a_thread(
    chunked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is sent before the check, and all of the body after it."""
    threads: list[threading.Thread] = []

    def require_model(body: bytes) -> str:
        threads.append(threading.current_thread())
        return model_field.require_model(body)

    monkeypatch.setattr(attempts, "require_model", require_model)
    length = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: 13"
    head = (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n%b\r\n\r\n"
        % length
    )
    async with FakeUpstream(faults.json_response({"a": 1})) as one:
        rule = ModelAllowlist(frozenset({"m"}))
        async with served(None, upstream=upstream(one.url, "one"), model_allowlist=rule) as (client, _):
            for model, status in (("n", 404), ("m", 200)):
                body = b'{"model":"%b"}' % model.encode()
                await client.send(head + (faults.chunk(body) + faults.LAST_CHUNK if chunked else body))
                assert (await client.response()).status == status
        assert [request.body for request in one.requests] == [b'{"model":"m"}']
    assert len(threads) == 2 and threading.main_thread() not in threads
