"""Serves requests for agents: starts or finds the run of each, and sends what the run reports.

Law: what is wrong with a request is known before anything is started. A response without a stream begins when it is
complete; a stream ends with a finish reason, or with an error and none. Knows nothing of sessions and models.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from clawgate.agents.endpoint.event_encoder import EventEncoder, rest_of
from clawgate.agents.endpoint.local_plan import LocalAttempt, begin_body, begin_stream
from clawgate.agents.endpoint.translated_encoder import ResponsesEncoder
from clawgate.agents.run.events import Finished
from clawgate.agents.session.live_run import LiveRun
from clawgate.agents.session.runs import Repeated, Runs, RunStart, not_found
from clawgate.errors import GatewayError
from clawgate.relay.response.error_response import status_of
from clawgate.relay.response.translated import RENAMED
from clawgate.relay.upstream.local import LocalResponse
from clawgate.wire.dialect import Dialect
from clawgate.wire.json.strict import encode_response

logger = logging.getLogger("clawgate.agents")

_GRACE_SECONDS = 30.0
"""How much longer than its run an exchange may take: the run's own limit names itself."""
_LONGEST_HEADER = 1000
_REQUEST_ID = {
    dialect: RENAMED.get(dialect, {}).get(b"x-request-id", b"x-request-id").decode("ascii")
    for dialect in Dialect
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRequest:
    """A request for an agent that was read and checked.

    ``encoder_of`` returns the encoder of a run's response; ``resumes`` is the run and the number of the last event that
    the client has of it. ``session`` is named in the response where the client may come back to it.
    """

    dialect: Dialect = Dialect.CHAT
    agent: str
    model: str
    start: RunStart
    seconds: float
    stream: bool
    encoder_of: Callable[[LiveRun], EventEncoder]
    session: str = ""
    ignored: tuple[str, ...] = ()
    resumes: tuple[str, int] | None = None
    background: bool = False
    """Whether a response without a stream begins, and ends, when the run has begun."""


class AgentAttempt(LocalAttempt):
    """The run is the upstream."""

    _run: str

    def __init__(self, request: AgentRequest, runs: Runs) -> None:
        self._request = request
        self._runs = runs
        super().__init__(
            f"agent {request.agent}",
            served_by=f"openclaw/{request.agent}",
            dialect=request.dialect,
            seconds=request.seconds + _GRACE_SECONDS,
        )
        self._run = request.start.run

    @property
    def attribution_headers(self) -> bytes:
        request = self._request
        lines = {
            "x-clawgate-agent": request.agent,
            "x-clawgate-run": self._run,
            _REQUEST_ID[request.dialect]: self._run,  # which the SDKs show as theirs
            "x-clawgate-session": request.session,
            "x-clawgate-repeated": "true" if self._run != request.start.run else "",
            "x-clawgate-ignored": ", ".join(request.ignored),
        }
        return b"".join(
            f"{name}: {quote(value, safe=':/, @')[:_LONGEST_HEADER]}\r\n".encode("ascii")
            for name, value in lines.items()
            if value
        )

    async def respond(self, response: LocalResponse) -> None:
        request, after = self._request, 0
        found: LiveRun | Repeated | None = None
        if request.resumes is not None:
            run, after = request.resumes
            found = self._runs.find(request.start.caller, run)
            if found is None and request.start.key is None:
                raise not_found(run)
        if found is None:
            found = await self._runs.start(request.start)
        self._run = found.run
        if request.resumes is not None and request.resumes[0] != found.run:
            after = 0  # the run of which the client has a part failed, and the key began another one
        if isinstance(found, Repeated):
            _repeat(found, response, after)
        elif request.stream:
            encoder = request.encoder_of(found)
            await send_stream(found, encoder, response, after, agent=request.agent)
        elif request.background:
            await self._send_begun(found, response)
        else:
            await self._send_body(found, response)

    async def _send_body(self, live: LiveRun, response: LocalResponse) -> None:
        async with contextlib.aclosing(live.follow()) as batches:
            async for batch in batches:
                for event in batch:
                    if isinstance(event, Finished):
                        encoder = self._request.encoder_of(live)
                        begin_body(response, encoder.content_type, encoder.body(event))

    async def _send_begun(self, live: LiveRun, response: LocalResponse) -> None:
        async with contextlib.aclosing(live.follow()) as batches:
            async for _ in batches:
                break
        encoder = self._request.encoder_of(live)
        assert isinstance(encoder, ResponsesEncoder), "no other dialect has such responses"
        body = encode_response(encoder.response(live.events, live.error))
        begin_body(response, encoder.content_type, body)


async def send_stream(
    live: LiveRun, encoder: EventEncoder, response: LocalResponse, after: int, *, agent: str
) -> None:
    """Send what the client does not have yet: the events behind number ``after``."""
    number = 0
    async with contextlib.aclosing(live.follow()) as batches:
        try:
            async for batch in batches:
                frames: list[bytes] = []
                for event in batch:
                    for frame in encoder.frames(event):
                        number += 1
                        if number > after:
                            frames.append(encoder.numbered(frame, number))
                    if comment := encoder.comment(event):
                        frames.append(comment)
                if not response.begun:
                    begin_stream(response, encoder.content_type)
                if frames:
                    response.send(b"".join(frames))
                await response.ready()
        except GatewayError as error:
            if not response.begun:
                raise
            logger.warning(
                "run %s of agent %s failed code=%s status=%d: %s",
                live.run, agent, error.code, status_of(error), error.log_text,
            )  # fmt: skip
            response.send(encoder.failure(error))


def _repeat(repeated: Repeated, response: LocalResponse, after: int) -> None:
    result = repeated.result
    if result.content_type.startswith("text/event-stream"):
        begin_stream(response, result.content_type)
        if rest := rest_of(result.body, after):
            response.send(rest)
    else:
        begin_body(response, result.content_type, result.body)
