"""A request that is served within the process has one attempt, and its head says which dialect it is of."""

from __future__ import annotations

import pytest

from clawgate.agents.endpoint.local_plan import LocalAttempt, LocalPlan, MadeAttempt, begin_body
from clawgate.errors import UpstreamClosed
from clawgate.relay.interfaces import ResponseHead
from clawgate.relay.response.buffered import MadeResponse
from clawgate.relay.upstream.local import LocalResponse
from clawgate.wire.dialect import Dialect


class Part(LocalAttempt):
    async def respond(self, response: LocalResponse) -> None: ...


def test_there_is_one_attempt_and_its_failure_is_the_response() -> None:
    attempt = Part("a part")
    plan = LocalPlan(attempt, "openclaw")
    error = UpstreamClosed("it failed")
    assert plan.first_attempt() is attempt and plan.model == "openclaw"
    plan.next_attempt(error=error)
    assert plan.map_error(error) is error
    plan.discard_body()
    assert plan.first_attempt() is attempt


def test_what_is_made_is_the_response() -> None:
    made = MadeResponse(200, b"", b"{}")
    assert MadeAttempt("a part", made).response is made
    assert Part("a part").response is None


def test_a_part_that_has_no_response_is_a_defect() -> None:
    with pytest.raises(AssertionError):
        Part("a part").complete(b"")


async def test_a_stream_that_fails_ends_in_its_dialect() -> None:
    head = ResponseHead(
        200, [(b"content-type", b"text/event-stream")], None, True, b"text/event-stream", False
    )
    writer = Part("a part", dialect=Dialect.MESSAGES).writer(head, http10=False, close=False, bodiless=False)
    last, reported = writer.abort_message(UpstreamClosed("it was cut"))
    assert reported and b"event: error" in last


def test_a_body_has_its_length() -> None:
    heads: list[ResponseHead] = []

    class Handler:
        def on_response_head(self, head: ResponseHead) -> None:
            heads.append(head)

        def on_response_body(self, body: bytes) -> None:
            assert body == b"{}"

        def on_read_complete(self) -> None: ...

    begin_body(LocalResponse(Handler()), "application/json", b"{}")  # type: ignore[arg-type]  # a part of it
    assert heads[0].length == 2 and dict(heads[0].headers)[b"cache-control"] == b"no-store"
