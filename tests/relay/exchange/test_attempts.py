"""Which upstream a body leads to, in which order, and what the upstream is sent."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from clawgate.errors import GatewayError, InvalidRequest, ModelNotFound, UpstreamClosed
from clawgate.relay.admission.plan import AdmittedHead, ModelAllowlist
from clawgate.relay.exchange import attempts as module
from clawgate.relay.exchange.attempts import Attempts
from clawgate.relay.exchange.request_stream import RequestStream
from clawgate.relay.interfaces import UpstreamSide
from clawgate.relay.response.buffered import MadeResponse
from tests.relay.fakes import FakeAttempt, FakeDialer, FakeRouter, admitted, make_upstream, routed

BODY = b'{"model":"m"}'


class Owner:
    """Keeps what its attempts have it do; runs work at once."""

    def __init__(self, head: AdmittedHead) -> None:
        self.request = RequestStream([head.encode_head(len(BODY))] if head.router is None else [])
        self.calls: list[str] = []
        self.upstream: UpstreamSide | None = None
        self.tasks: list[asyncio.Task[None]] = []
        self.attempts = Attempts(self, head, self.request)

    def prepare(self, work: Callable[[], Awaitable[Any]], then: Callable[[Any], None]) -> None:
        async def run() -> None:
            then(await work())

        self.calls.append("prepare")
        self.tasks.append(asyncio.get_running_loop().create_task(run()))

    def abandon_attempt(self) -> None:
        self.calls.append("abandon")

    def use_upstream(self, upstream: UpstreamSide) -> None:
        self.upstream = upstream

    def flush_request(self) -> None:
        self.calls.append("send")

    def respond(self, made: MadeResponse) -> None:
        self.calls.append(f"respond {made.status}")

    @property
    def sent(self) -> bytes:
        return b"".join(bytes(piece) for piece in self.request.take())


def attempt(name: str = "up") -> FakeAttempt:
    return FakeAttempt(make_upstream(FakeDialer(), name=name))


async def test_a_response_that_was_made_here_is_sent_to_the_client() -> None:
    first = attempt()
    first.response = MadeResponse(200, b"", b"{}")
    owner = Owner(routed(FakeRouter(first)))
    owner.attempts.choose(BODY)
    assert owner.calls == ["respond 200"] and owner.sent == b""


async def test_the_first_attempt_of_a_plan_is_sent() -> None:
    first = attempt()
    owner = Owner(routed(FakeRouter(first)))
    owner.attempts.choose(BODY)
    assert owner.calls == ["send"] and owner.upstream is first.upstream and owner.attempts.current is first
    assert owner.sent == b"".join(first.request) and owner.attempts.model == "m"


async def test_each_further_attempt_sends_its_own_request_after_the_one_before_was_given_up() -> None:
    first, second = attempt("one"), attempt("two")
    second.request = [b"another ", b"request"]
    router = FakeRouter(first, second)
    owner = Owner(routed(router))
    owner.attempts.choose(BODY)
    assert owner.attempts.advance(status=503)
    assert owner.calls == ["send", "abandon", "send"] and owner.sent == b"another request"
    assert owner.upstream is second.upstream and owner.attempts.current is second
    assert not owner.attempts.advance(error=UpstreamClosed("closed"))
    assert router.failures == [503, "upstream_closed"] and owner.attempts.current is second
    assert owner.calls[3:] == []


async def test_a_request_that_takes_long_to_make_is_made_in_a_thread() -> None:
    first, threads = attempt(), list[threading.Thread]()
    first.request = []

    def translate() -> bytes:
        threads.append(threading.current_thread())
        return b"translated"

    first.offload = translate
    owner = Owner(routed(FakeRouter(first)))
    owner.attempts.choose(BODY)
    assert owner.calls == ["prepare"] and owner.upstream is first.upstream
    assert vars(first)["offload"] is None, "it may refer to its attempt: only the collector could free them"
    await owner.tasks[0]
    assert owner.calls == ["prepare", "send"] and owner.sent.endswith(b"\r\n\r\ntranslated")
    assert threads != [threading.current_thread()]


async def test_a_large_body_is_read_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OFFLOAD_BYTES", len(BODY))
    first = attempt()
    owner = Owner(routed(FakeRouter(first)))
    owner.attempts.choose(BODY)
    assert owner.calls == ["prepare"] and owner.attempts.current is None
    await owner.tasks[0]
    assert owner.calls == ["prepare", "send"] and owner.attempts.current is first


@pytest.mark.parametrize("chunked", [True, False])
async def test_a_body_of_an_allowed_model_is_sent_as_it_came(chunked: bool) -> None:
    head = admitted(
        make_upstream(FakeDialer()),
        model_allowlist=ModelAllowlist(frozenset({"m"})),
        chunked=chunked,
        has_content_length=not chunked,
        head=b"head ",
    )
    owner = Owner(head)
    owner.attempts.choose(BODY)
    framed = b"head d\r\n" + BODY + b"\r\n0\r\n\r\n" if chunked else b"head 13\r\n\r\n" + BODY
    assert (owner.calls, owner.sent, owner.attempts.model) == (["send"], framed, "m")
    assert owner.attempts.current is None and not owner.attempts.advance(status=503)
    error = UpstreamClosed("closed")
    assert owner.attempts.map_error(error) is error


@pytest.mark.parametrize(
    ("body", "error", "model"), [(b'{"model":"x"}', ModelNotFound, "x"), (b"{", InvalidRequest, None)]
)
async def test_another_model_is_refused_and_named_in_the_log(
    body: bytes, error: type[GatewayError], model: str | None
) -> None:
    head = admitted(make_upstream(FakeDialer()), model_allowlist=ModelAllowlist(frozenset({"m"})))
    owner = Owner(head)
    with pytest.raises(error):
        owner.attempts.choose(body)
    assert owner.calls == [] and owner.attempts.model == model
