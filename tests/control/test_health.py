"""Is it well? The plain answer asks nobody and tells no secret; the deep one asks once for all who ask."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from clawgate import __version__
from clawgate.control import health
from clawgate.control.health import (
    FRESH_SECONDS,
    REFUSED_FRESH_SECONDS,
    HealthProbe,
    UpstreamHealth,
    build_health_app,
    classify_response,
)
from clawgate.errors import EgressDenied, GatewayError, UpstreamTimedOut, UpstreamUnreachable
from clawgate.policy.timeouts import TimeLimits
from clawgate.providers.credential import bearer
from clawgate.relay.upstream.dial import Dialer
from clawgate.relay.upstream.endpoint import UpstreamEndpoint
from clawgate.relay.upstream.fetch import FetchResponse
from clawgate.relay.upstream.upstream import Upstream, UpstreamConfig
from clawgate.wire.http.url import parse_url
from tests.relay.recording_dialer import OPEN

KEY = "canary-key-123"
_T = TypeVar("_T")


class Clock(asyncio.SelectorEventLoop):
    """A loop whose time only the test moves."""

    now = 1000.0

    def time(self) -> float:
        return self.now


def on(loop: Clock, work: Coroutine[Any, Any, _T]) -> _T:
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()


def upstream(limits: TimeLimits = TimeLimits()) -> Upstream:  # noqa: B008  # frozen
    route = UpstreamEndpoint(origin=parse_url("https://api.example:8443/v1")[0], policy=OPEN)
    return Upstream(
        UpstreamConfig(name="u", endpoint=route, prefix="/v1", credential=bearer(KEY), limits=limits),
        Dialer(),
        via=b"v",
    )


class Answers:
    """In the place of `fetch`: gives what it was told to, and counts."""

    def __init__(self, *given: int | GatewayError) -> None:
        self.given = list(given)
        self.asked = 0
        self.limits: dict[str, float] = {}

    async def __call__(self, upstream: Upstream, target: bytes, **limits: float) -> FetchResponse:
        assert target == b"/v1/models"
        assert set(limits) == {"connect_seconds", "response_seconds"}
        self.limits = limits
        self.asked += 1
        await asyncio.sleep(0)
        found = self.given.pop(0)
        if isinstance(found, GatewayError):
            raise found
        return FetchResponse(found, b"")


def health_of(
    monkeypatch: pytest.MonkeyPatch, answers: Answers, *, caller: str | None, deep_for_callers: bool
) -> TestClient:
    monkeypatch.setattr(health, "fetch", answers)
    app = build_health_app(
        role="server", instance="abc123", probe=HealthProbe(upstream()), deep_for_callers=deep_for_callers
    )

    async def with_caller(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"] = {"caller": caller}
        await app(scope, receive, send)

    return TestClient(with_caller)


def refusal(code: object) -> bytes:
    return json.dumps({"error": {"message": "m", "code": code}}).encode()


@pytest.mark.parametrize(
    ("status", "body", "state"),
    [
        (200, b"", "reachable"), (204, b"", "reachable"), (200, b'{"data":[]}', "reachable"), (404, b"", "not_found"),
        (401, b"", "unauthorized"), (403, b"", "unauthorized"), (301, b"", "failing"), (307, b"", "failing"),
        (400, b"", "failing"), (405, b"", "failing"), (500, b"", "failing"), (503, b"<html>", "failing"),
        (429, b"", "failing"), (429, refusal("auth_locked"), "unauthorized"),
        (429, refusal("insufficient_quota"), "failing"),
        (401, refusal("upstream_unauthorized"), "failing"),
        (401, refusal("invalid_token"), "unauthorized"), (401, refusal("missing_token"), "unauthorized"),
        (502, refusal(["invalid_token"]), "failing"), (502, refusal(None), "failing"), (502, b'{"error":"x"}',
        "failing"),
        (502, b'["error"]', "failing"), (502, b'{"error":[]}', "failing"),
    ],
)  # fmt: skip
def test_what_an_answer_says_of_the_upstream(status: int, body: bytes, state: str) -> None:
    found = classify_response(FetchResponse(status, body), 1.5)
    assert (found.state, found.status, found.latency_ms) == (state, status, 1.5)
    assert found.ok is (state == "reachable") and found.message


@pytest.mark.parametrize("body", [b"[" * 60_000, b'{"error":"\xff"}'], ids=["deep", "not UTF-8"])
def test_no_body_ends_the_probe(body: bytes) -> None:
    assert classify_response(FetchResponse(502, body), 1.5).state == "failing"


def test_who_is_refused_asks_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong token that is presented again and again would get this address locked out."""
    answers = Answers(401, 200)
    monkeypatch.setattr(health, "fetch", answers)
    loop, probe = Clock(), HealthProbe(upstream())

    async def ask() -> None:
        assert (await probe.check()).state == "unauthorized"
        loop.now += REFUSED_FRESH_SECONDS - 0.001
        assert (await probe.check()).state == "unauthorized" and answers.asked == 1
        loop.now += 0.001
        assert (await probe.check()).state == "reachable" and answers.asked == 2

    assert REFUSED_FRESH_SECONDS > FRESH_SECONDS
    on(loop, ask())


@pytest.mark.parametrize(
    ("error", "state", "limit"),
    [
        (UpstreamTimedOut("slow", limit="connect", seconds=5), "timed_out", "connect"),
        (UpstreamTimedOut("slow", limit="first_byte", seconds=10), "timed_out", "first_byte"),
        (UpstreamUnreachable("refused"), "unreachable", None),
        (EgressDenied("no"), "unreachable", None),
    ],
    ids=["connect", "first byte", "refused", "denied"],
)
def test_a_failure_is_a_finding(
    monkeypatch: pytest.MonkeyPatch, error: GatewayError, state: str, limit: str | None
) -> None:
    """It says which limit expired where one did, and is never an exception."""
    monkeypatch.setattr(health, "fetch", Answers(error))
    found = on(Clock(), HealthProbe(upstream()).check())
    assert found == UpstreamHealth(state, error.message, limit=limit)  # type: ignore[arg-type]


def test_many_questions_are_one_request_and_its_answer_ages(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Answers(200, 500, 200)
    monkeypatch.setattr(health, "fetch", answers)
    loop, probe = Clock(), HealthProbe(upstream())

    async def ask() -> None:
        together = await asyncio.gather(*(probe.check() for _ in range(50)))
        assert answers.asked == 1 and {found.state for found in together} == {"reachable"}
        loop.now += FRESH_SECONDS - 0.001
        assert (await probe.check()).state == "reachable" and answers.asked == 1
        loop.now += 0.001
        assert (await probe.check()).state == "failing" and answers.asked == 2
        loop.now += FRESH_SECONDS
        assert (await probe.check()).state == "reachable"

    on(loop, ask())


@pytest.mark.parametrize("path", ["/health", "/healthz"])
@pytest.mark.parametrize("caller", [None, "alice"])
def test_the_plain_answer_of_an_open_listener_asks_nobody(
    monkeypatch: pytest.MonkeyPatch, path: str, caller: str | None
) -> None:
    answers = Answers()
    answer = health_of(monkeypatch, answers, caller=caller, deep_for_callers=False).get(path)
    said = answer.json()
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
    assert said.pop("uptimeSeconds") >= 0
    assert said == {
        "ok": True,
        "status": "live",
        "version": __version__,
        "role": "server",
        "instance": "abc123",
    }
    assert answers.asked == 0


@pytest.mark.parametrize("query", ["", "?deep=1", "?deep=true"])
def test_a_stranger_learns_only_that_it_lives(monkeypatch: pytest.MonkeyPatch, query: str) -> None:
    """Where callers have tokens, nobody else makes us ask the upstream or sees where it is."""
    answers = Answers()
    answer = health_of(monkeypatch, answers, caller=None, deep_for_callers=True).get(f"/health{query}")
    assert answer.json() == {"ok": True, "status": "live", "version": __version__}
    assert answer.status_code == 200 and answers.asked == 0


@pytest.mark.parametrize(("caller", "deep_for_callers"), [(None, False), ("alice", False), ("alice", True)])
@pytest.mark.parametrize("query", ["deep=1", "deep=true"])
def test_the_deep_answer_shows_the_upstream_and_no_secret(
    monkeypatch: pytest.MonkeyPatch, caller: str | None, deep_for_callers: bool, query: str
) -> None:
    client = health_of(monkeypatch, Answers(200), caller=caller, deep_for_callers=deep_for_callers)
    answer = client.get(f"/health?{query}")
    said = answer.json()
    assert answer.status_code == 200 and said["ok"] is True
    assert said["upstream"].pop("latencyMs") >= 0
    assert said["upstream"] == {
        "url": "https://api.example:8443", "state": "reachable", "status": 200,
        "message": "it responds and accepts our credential",
    }  # fmt: skip
    assert "canary" not in answer.text


@pytest.mark.parametrize("query", ["", "?deep=1"])
def test_a_role_that_refuses_every_request_is_503_with_the_reason(query: str) -> None:
    app = build_health_app(role="bridge", instance="abc123", probe=None, problem="remoteUrl: is not set")

    async def without_caller(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"] = {}
        await app(scope, receive, send)

    found = TestClient(without_caller).get(f"/health{query}")
    said = found.json()
    assert found.status_code == 503 and said.pop("uptimeSeconds") >= 0
    assert said == {
        "ok": False, "status": "live", "version": __version__, "role": "bridge", "instance": "abc123",
        "message": "remoteUrl: is not set",
    }  # fmt: skip


def test_an_upstream_that_is_down_is_503_and_the_process_is_live(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Answers(UpstreamTimedOut("late", limit="connect", seconds=5))
    answer = health_of(monkeypatch, answers, caller=None, deep_for_callers=False).get("/health?deep=1")
    assert answer.status_code == 503
    assert answer.json()["ok"] is False and answer.json()["status"] == "live"
    assert answer.json()["upstream"] == {
        "url": "https://api.example:8443", "state": "timed_out", "message": "late", "limit": "connect",
    }  # fmt: skip


def test_a_caller_with_a_token_always_sees_how_the_upstream_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a server the plain answer is for strangers; who holds a token wants to know whether requests will work."""
    answers = Answers(500)
    answer = health_of(monkeypatch, answers, caller="alice", deep_for_callers=True).get("/health")
    assert answer.status_code == 503 and answers.asked == 1
    stranger = health_of(monkeypatch, answers, caller=None, deep_for_callers=True).get("/health")
    assert stranger.status_code == 200 and answers.asked == 1


@pytest.mark.parametrize("deep", ["0", "", "no", "2"])
def test_only_a_clear_yes_asks_the_upstream(monkeypatch: pytest.MonkeyPatch, deep: str) -> None:
    answers = Answers()
    assert (
        health_of(monkeypatch, answers, caller=None, deep_for_callers=False)
        .get(f"/health?deep={deep}")
        .json()["ok"]
    )
    assert answers.asked == 0


@pytest.mark.parametrize(
    ("limits", "connect", "answer"),
    [
        (TimeLimits(), 10.0, 10.0),
        (TimeLimits(connect=2.0, first_byte=3.0), 2.0, 3.0),
        (TimeLimits(connect=30.0, first_byte=600.0), 30.0, 10.0),
        (TimeLimits(total=1.0), 10.0, 1.0),
    ],
)
def test_a_probe_keeps_to_the_configured_limits(
    monkeypatch: pytest.MonkeyPatch, limits: TimeLimits, connect: float, answer: float
) -> None:
    """Health says what requests would meet; only for its answer it does not wait as long as a model may think."""
    answers = Answers(200)
    monkeypatch.setattr(health, "fetch", answers)
    assert on(Clock(), HealthProbe(upstream(limits)).check()).ok
    assert answers.limits == {"connect_seconds": connect, "response_seconds": answer}
