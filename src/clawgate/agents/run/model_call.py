"""Calls a model for a run, as a client in memory of the gateway's own router.

Law: a response that a client on the network would take for broken is an error here. See `inner_client`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn
from urllib.parse import unquote

import msgspec

from clawgate.agents.run.inner_client import InnerClient, InnerExchanges
from clawgate.agents.run.model_message import message_of, with_short_ids
from clawgate.agents.run.step import Completion, Message, Usage
from clawgate.errors import GatewayError, UpstreamFailed, UpstreamMalformed, UpstreamUnauthorized
from clawgate.policy.model_routing import ModelRef
from clawgate.relay.admission.plan import AdmittedHead, RoutePlan
from clawgate.relay.response.error_mapping import upstream_failure
from clawgate.routing.router import ModelRouter
from clawgate.wire.dialect import Dialect
from clawgate.wire.http.retry_after import seconds_to_wait
from clawgate.wire.json import lenient
from clawgate.wire.json.strict import encode_request
from clawgate.wire.openai.assembly import ChatAssembler
from clawgate.wire.openai.stream_end import is_last_event
from clawgate.wire.sse.reader import MAX_EVENT_BYTES, Event, EventReader
from clawgate.wire.translate.errors import UpstreamError, error_of_event, find_error, parse_error

_PATH = b"/v1/chat/completions"
_PAUSE_EVENTS = 256
"""So many chunks may wait for the run before the upstream has to."""
LINGER_SECONDS = 1.0
"""How long the upstream may take to end a response whose last event has come; some never do."""
_CACHED = {"prompt_cache_key": "clawgate-agent"}
_FAILED = 400
_FINISHED = {"stop", "length", "content_filter"}
_HEAD = AdmittedHead(
    upstream=None,
    caller="-",
    method=b"POST",
    path=_PATH,
    target=_PATH,
    dialect=Dialect.CHAT,
    head=b"",
    header_lines=b"content-type: application/json\r\naccept: text/event-stream\r\n",
    has_content_length=True,
    chunked=False,
    expect_continue=False,
)


class _Chain:
    """A `Router` for one model of a run and its fallbacks."""

    def __init__(self, router: ModelRouter, chain: Sequence[ModelRef]) -> None:
        self._router = router
        self._chain = chain

    def route(self, head: AdmittedHead, body: bytes) -> RoutePlan:
        return self._router.route_chain(self._chain, head, body)


class ModelCaller:
    """Makes the model calls of all runs."""

    def __init__(self, router: ModelRouter, exchanges: InnerExchanges) -> None:
        self._router = router
        self._exchanges = exchanges

    def call(
        self,
        chain: Sequence[ModelRef],
        fields: Message,
        *,
        caller: str,
        lines: bytes = b"",
        repeats: bool = False,
    ) -> ModelCall:
        """Send a request to the first model of ``chain`` that takes it. ``lines`` are further header lines.

        ``repeats``: more requests with the same beginning follow, so that a cache is worth its price.
        """
        cache = _CACHED if repeats and all(map(self._marks_its_cache, chain)) else {}
        body = encode_request(
            {
                "model": str(chain[0]),
                **fields,
                "messages": with_short_ids(fields["messages"]),
                "stream": True,
                "stream_options": {"include_usage": True},
                **cache,
            }
        )
        head = replace(
            _HEAD,
            router=_Chain(self._router, chain),
            caller=caller,
            header_lines=_HEAD.header_lines + lines,
        )
        call = ModelCall()
        self._exchanges.start(call, head, body)
        return call

    def _marks_its_cache(self, model: ModelRef) -> bool:
        """Whether the provider caches what is marked, and what names a cache becomes marks on the way to it."""
        provider = self._router.catalog.providers.get(model.provider)
        return provider is not None and provider.api == "anthropic-messages"


class ModelCall(InnerClient):
    """One request to a model. Iterate over its chunks, then take its `completion`."""

    def __init__(self) -> None:
        super().__init__()
        self.served_by: ModelRef | None = None
        """Which model responds, once its response has begun."""
        self._status = 200
        self._retry_after: int | None = None
        self._is_stream = False
        self._reader = EventReader()
        self._assembler = ChatAssembler()
        self._body = bytearray()  # of a response that is no stream
        self._chunks: deque[Message] = deque()
        self._lingering: asyncio.TimerHandle | None = None

    async def chunks(self) -> AsyncIterator[Message]:
        """Yield the chunks of the response as they come. Raises `GatewayError`; frees the upstream where left early."""
        try:
            while True:
                while self._chunks:
                    yield self._chunks.popleft()
                    self._pace(len(self._chunks), _PAUSE_EVENTS)
                if self._error is not None:
                    raise self._error
                if self._is_over:
                    return
                await self._wait()
        finally:
            self.close()

    def completion(self) -> Completion:
        """Return the complete response. Raises `GatewayError` for one that did not finish, or that cannot be used."""
        response = msgspec.json.decode(self._assembler.complete())
        choice = response["choices"][0]
        message = message_of(choice["message"], response.get("id"))
        reasons = _FINISHED | {"tool_calls"} if "tool_calls" in message else _FINISHED
        reason = lenient.as_word(choice.get("finish_reason"))
        return Completion(message, reason if reason in reasons else "stop", _usage(response.get("usage")))

    def abort_response(self, error: GatewayError, *, at_once: bool, reported: bool) -> None:
        if self._is_over and type(error) is not UpstreamFailed:
            self._error = error
        self._end(error)

    def _end(self, error: GatewayError | None) -> None:
        if self._lingering is not None:
            self._lingering.cancel()
        super()._end(error)

    def _read_head(self, status: int, lines: list[bytes]) -> None:
        self._status = status
        headers = dict(line.partition(b": ")[::2] for line in lines)
        self._is_stream = self._status < _FAILED and headers.get(b"content-type", b"").lower().startswith(
            b"text/event-stream"
        )
        self._retry_after = seconds_to_wait(headers)
        self.served_by = served_by(headers)

    def _read_body(self, data: bytes) -> None:
        if not self._is_stream:
            self._body += data
            if len(self._body) > MAX_EVENT_BYTES:
                raise UpstreamMalformed(f"the model's response has over {MAX_EVENT_BYTES} bytes")
            return
        for event in self._reader.feed(data):
            self._read_event(event)
        self._pace(len(self._chunks), _PAUSE_EVENTS)

    def _read_event(self, event: Event) -> None:
        if event.name == b"error":
            self._raise(error_of_event(event.data))
        chunk = self._assembler.feed(event)
        if is_last_event(event) and self._lingering is None:
            self._lingering = asyncio.get_running_loop().call_later(LINGER_SECONDS, self.close)
        if chunk is None:
            return
        may_fail = b'"error"' in (event.data or b"") or not chunk.get("choices")
        if may_fail and (found := find_error(event.data or b"")) is not None:
            self._raise(found)
        self._chunks.append(chunk)

    def _raise(self, found: UpstreamError) -> NoReturn:
        raise UpstreamFailed(self._named("reports an error"), quote=found.message, status=found.meant_status)

    def _named(self, what: str) -> str:
        """Return how the message begins: who reports it."""
        return f"{self.served_by} {what}: " if self.served_by is not None else ""

    def _failure(self) -> GatewayError | None:
        if self._is_stream:
            return None
        body = bytes(self._body)
        if self._status >= _FAILED:
            found = parse_error(body, self._status)
            is_ours = (
                found.code == UpstreamUnauthorized.code
            )  # which names the provider's address and its key
            named = "" if is_ours else self._named(f"responded with {self._status}")
            return upstream_failure(self._status, found.message, self._retry_after, named)
        self._read_event(Event(body, data=body))
        return None


def served_by(headers: Mapping[bytes, bytes]) -> ModelRef | None:
    """Return the model that a response names, by its headers."""
    provider, model = headers.get(b"x-clawgate-provider"), headers.get(b"x-clawgate-model")
    if provider is None or model is None:
        return None
    return ModelRef(*(unquote(value.decode("ascii")) for value in (provider, model)))


def _usage(usage: Any) -> Usage:
    """Of a provider that sends none, nothing is known: all zero."""
    of_input = lenient.as_member(usage, "prompt_tokens_details")
    of_output = lenient.as_member(usage, "completion_tokens_details")
    return Usage(
        input_tokens=_count(usage, "prompt_tokens"),
        output_tokens=_count(usage, "completion_tokens"),
        cached_tokens=_count(of_input, "cached_tokens"),
        reasoning_tokens=_count(of_output, "reasoning_tokens"),
        cache_write_tokens=_count(of_input, "cache_write_tokens"),
    )


def _count(value: object, name: str) -> int:
    return lenient.as_int(lenient.as_member(value, name)) or 0
