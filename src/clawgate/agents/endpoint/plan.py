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

from clawgate.agents.endpoint.chat_response import DONE
from clawgate.agents.endpoint.event_encoder import EventEncoder, rest_of
from clawgate.agents.run.events import Finished
from clawgate.agents.session.live_run import LiveRun
from clawgate.agents.session.runs import Repeated, Runs, RunStart, not_found
from clawgate.errors import GatewayError
from clawgate.policy.timeouts import TimeLimits
from clawgate.relay.interfaces import Buffer, ResponseHead, ResponseWriter
from clawgate.relay.response.buffered import MadeResponse
from clawgate.relay.response.error_response import encode_error_event
from clawgate.relay.response.event_stream import EventStreamWriter
from clawgate.relay.response.head import ResponseOptions
from clawgate.relay.response.passthrough import PassthroughWriter
from clawgate.relay.upstream.local import LocalResponse, LocalUpstream

logger = logging.getLogger("clawgate.agents")

_GRACE_SECONDS = 30.0
"""How much longer than its run an exchange may take: the run's own limit names itself."""
_LONGEST_HEADER = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRequest:
    """A request for an agent that was read and checked.

    ``encoder_of`` returns the encoder of a run's response; ``resumes`` is the run and the number of the last event that
    the client has of it. ``session`` is named in the response where the client may come back to it.
    """

    agent: str
    model: str
    start: RunStart
    seconds: float
    stream: bool
    encoder_of: Callable[[LiveRun], EventEncoder]
    session: str = ""
    ignored: tuple[str, ...] = ()
    resumes: tuple[str, int] | None = None


class AgentPlan:
    """The one attempt of a request for an agent. Implements `RoutePlan`."""

    def __init__(self, request: AgentRequest, runs: Runs) -> None:
        self.model = request.model
        self._attempt = AgentAttempt(request, runs)

    def first_attempt(self) -> AgentAttempt:
        return self._attempt

    def next_attempt(self, *, status: int | None = None, error: GatewayError | None = None) -> None:
        return None

    def discard_body(self) -> None: ...

    def map_error(self, error: GatewayError) -> GatewayError:
        return error


class AgentAttempt:
    """Implements `UpstreamAttempt`: the run is the upstream."""

    passthrough = False
    response: MadeResponse | None = None
    offload: Callable[[], bytes] | None = None

    def __init__(self, request: AgentRequest, runs: Runs) -> None:
        self._request = request
        self._runs = runs
        self._run = request.start.run
        self.served_by = f"openclaw/{request.agent}"
        self.request: list[Buffer] = [b"run"]  # which is known to it already
        seconds = request.seconds + _GRACE_SECONDS
        limits = TimeLimits(first_byte=seconds, idle=seconds, total=2 * seconds)
        self.upstream = LocalUpstream(f"agent {request.agent}", self._respond, limits)

    @property
    def attribution_headers(self) -> bytes:
        request = self._request
        lines = {
            "x-clawgate-agent": request.agent,
            "x-clawgate-run": self._run,
            "x-request-id": self._run,  # which the SDKs show as theirs
            "x-clawgate-session": request.session,
            "x-clawgate-repeated": "true" if self._run != request.start.run else "",
            "x-clawgate-ignored": ", ".join(request.ignored),
        }
        return b"".join(
            f"{name}: {quote(value, safe=':/, @')[:_LONGEST_HEADER]}\r\n".encode("ascii")
            for name, value in lines.items()
            if value
        )

    def complete(self, body: bytes) -> None:
        raise AssertionError("nothing of a run is made in a thread")

    def on_success(self) -> None: ...

    def writer(self, head: ResponseHead, *, http10: bool, close: bool, bodiless: bool) -> ResponseWriter:
        options = ResponseOptions(
            http10=http10,
            close=close,
            bodiless=bodiless,
            secrets=(),
            attribution_headers=self.attribution_headers,
        )
        return (EventStreamWriter if head.length is None else PassthroughWriter)(head, options)

    async def _respond(self, response: LocalResponse) -> None:
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
            await self._stream(found, response, after)
        else:
            await self._send_body(found, response)

    async def _send_body(self, live: LiveRun, response: LocalResponse) -> None:
        async with contextlib.aclosing(live.follow()) as batches:
            async for batch in batches:
                for event in batch:
                    if isinstance(event, Finished):
                        encoder = self._request.encoder_of(live)
                        _begin(response, encoder.content_type, encoder.body(event))

    async def _stream(self, live: LiveRun, response: LocalResponse, after: int) -> None:
        """Send what the client does not have yet: the events behind number ``after``."""
        encoder, number = self._request.encoder_of(live), 0
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
                        _begin_stream(response, encoder.content_type)
                    if frames:
                        response.send(b"".join(frames))
                    await response.ready()
            except GatewayError as error:
                if not response.begun:
                    raise
                logger.warning("run %s of agent %s failed: %s", live.run, self._request.agent, error.message)
                response.send(encode_error_event(error) + DONE)


def _begin(response: LocalResponse, content_type: str, body: bytes) -> None:
    response.begin(200, _headers(content_type), length=len(body))
    response.send(body)


def _begin_stream(response: LocalResponse, content_type: str) -> None:
    response.begin(200, _headers(content_type), length=None)


def _headers(content_type: str) -> list[tuple[bytes, bytes]]:
    return [(b"content-type", content_type.encode("ascii")), (b"cache-control", b"no-store")]


def _repeat(repeated: Repeated, response: LocalResponse, after: int) -> None:
    result = repeated.result
    if result.content_type.startswith("text/event-stream"):
        _begin_stream(response, result.content_type)
        if rest := rest_of(result.body, after):
            response.send(rest)
    else:
        _begin(response, result.content_type, result.body)
