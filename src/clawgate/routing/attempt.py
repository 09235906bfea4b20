"""One attempt at one provider: the request in its dialect, and the writer for its response.

Where client and provider speak the same dialect only the model's name is replaced in the client's bytes; otherwise a
`Translation` is applied in both directions. A plugin's hooks come last, in the provider's own dialect.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

import msgspec

from clawgate.errors import GatewayError, UpstreamFailed, UpstreamMalformed
from clawgate.plugins.api import MappedError
from clawgate.relay.admission.plan import AdmittedHead
from clawgate.relay.interfaces import Buffer, ResponseHead, ResponseWriter
from clawgate.relay.response.buffered import BufferedWriter, MadeResponse
from clawgate.relay.response.error_mapping import UNAUTHORIZED, MapError, own_response
from clawgate.relay.response.head import FAILED, NOT_STORED, ResponseOptions
from clawgate.relay.response.served_model import ServedModelFilter
from clawgate.relay.response.writer import ProviderTraits, make_provider_writer, make_relay_writer
from clawgate.routing.plugin_hooks import HookRequest, ProviderHooks, read_for_hook, transform_request
from clawgate.routing.provider_upstream import ProviderUpstream
from clawgate.routing.request_changes import (
    COUNTS,
    TURNS,
    dialects_of,
    is_vendor,
    spoken_upstream,
    translation_to,
)
from clawgate.routing.table import RouteTarget, attribution_headers, ignored_header, model_header
from clawgate.wire.dialect import Dialect
from clawgate.wire.json.model_field import ModelField
from clawgate.wire.token_estimate import counted, estimate_tokens
from clawgate.wire.translate.errors import parse_error
from clawgate.wire.translate.exchange import Translation
from clawgate.wire.translate.rejected_field import STATUSES, with_compat_key

logger = logging.getLogger("clawgate.routing")

_COMPLETIONS = b"/v1/completions"
_JSON = b"content-type: application/json\r\n"
_ESTIMATED = b"x-clawgate-estimated: true\r\n"
OFFLOAD_BYTES = 512 * 1024
"""A body from here on is translated, and read for a plugin, in a thread: a large one of many parts takes seconds."""
COPY_BYTES = 16_384
"""Below this, joining buffers costs less than sending several."""
_OK = 200
_NOT_THERE = (404, 405, 501)
"""Statuses of a server that does not know a path."""
_IN_BETWEEN = (502, 504)
"""Statuses of a clawgate in between whose own upstream is out of reach."""


class ModelRequest(msgspec.Struct, frozen=True, eq=False):
    """A request whose model is known. ``field`` is the model's place in ``body``."""

    head: AdmittedHead
    body: bytes
    field: ModelField


class ProviderAttempt:
    """A request to one provider for one model; implements `relay.admission.plan.UpstreamAttempt`.

    ``failed`` are the attempts before this one, as text; ``now`` is in UNIX seconds; ``has_fallback`` is whether
    another attempt may follow. Raises `InvalidRequest` where the request has no counterpart in the provider's dialect,
    and `ProviderUnavailable` where a plugin fails.
    """

    __slots__ = (
        "_client",
        "_counted",
        "_counts_here",
        "_has_fallback",
        "_head",
        "_hook_request",
        "_ignored",
        "_map_error",
        "_number",
        "_provider",
        "_served",
        "_streams",
        "_target",
        "_transform",
        "_translation",
        "_upstream_api",
        "attribution_headers",
        "offload",
        "passthrough",
        "request",
        "response",
        "served_by",
        "upstream",
    )

    def __init__(
        self,
        provider: ProviderUpstream,
        target: RouteTarget,
        request: ModelRequest,
        failed: tuple[str, ...],
        now: float,
        hooks: ProviderHooks,
        *,
        has_fallback: bool = False,
    ) -> None:
        head = request.head
        apis = provider.provider.apis_of(target.model, hooks.further_apis(provider.provider.id))
        api = spoken_upstream(head.path, apis)
        same_dialect = api in dialects_of(head.path)
        self._upstream_api = api
        self._provider = provider
        self._number = provider.begin()
        self._head = head
        self._client = head.dialect
        self._transform = hooks.request_transformer(provider.provider.id)
        map_error = hooks.error_mapper(provider.provider.id)
        self._map_error = map_error and partial(_map_error, map_error, provider, self._number)
        self.upstream = provider.upstream
        self.served_by = target.name
        self.attribution_headers = attribution_headers(target.ref, failed) if failed else target.attribution
        self._hook_request: HookRequest | None = None
        self._ignored: tuple[str, ...] = ()
        self._served: ServedModelFilter | None = None
        self.request: list[Buffer] = []
        self.response: MadeResponse | None = None
        self.offload: Callable[[], bytes] | None = None
        self._target = target
        self._translation: Translation | None = None
        counts, has_count = head.path in COUNTS, same_dialect or api is Dialect.MESSAGES
        may_count = counts and not (has_count and is_vendor(target.provider))
        self._counted = request.body if may_count else None
        self._counts_here = counts and not has_count
        if not (same_dialect or self._counts_here):
            self._translation = self._new_translation(request.field.name if not failed else None, int(now))
        self._streams = request.field.streams
        self._has_fallback = has_fallback
        may_lack_path = may_count or head.path == _COMPLETIONS
        is_plain = same_dialect and map_error is None and not (has_fallback or may_lack_path)
        self.passthrough = is_plain and provider.failure is None
        changes = same_dialect and target.same_dialect.changes(head.path, request.body)
        if self._counts_here:
            self.offload = self._count
        elif self._translation is None and self._transform is None and not changes:
            self._splice(request, target.ref.model)
        elif len(request.body) < OFFLOAD_BYTES:
            self.complete(self._make_body(request, target.ref.model))
        else:
            self.offload = lambda: self._make_body(request, target.ref.model)

    def _new_translation(self, requested: str | None, created: int) -> Translation:
        """Return the translation to the upstream's dialect, for a client that named the model ``requested``."""
        target = self._target
        return translation_to(
            target.provider,
            target.ref,
            target.model,
            target.compat,
            path=self._head.path,
            upstream=self._upstream_api,
            requested_model=requested or target.name,
            created=created,
        )

    def _make_body(self, request: ModelRequest, model: str) -> bytes:
        """Return the body in the provider's dialect, before the plugin's hook. May run in a thread."""
        target = self._target
        ignored: tuple[str, ...] = ()
        if self._translation is not None:
            body = self._translation.translate_request(request.body)
            ignored = self._translation.ignored
        else:
            body = request.field.replaced(request.body, model)
            if target.same_dialect.changes(self._head.path, body):
                body, ignored = target.same_dialect.change(self._head.path, body)
        self._ignored = ignored
        if self._transform is not None:
            known, head = self._provider.provider, self._head
            self._hook_request = read_for_hook(
                known.id,
                body,
                dialect=self._upstream_api,
                client_body=request.body if self._translation is not None else None,
                caller=head.caller,
                headers=dict(head.hook_headers),
                is_turn=head.path in TURNS,
            )
        return body

    def _count(self) -> bytes:
        """Return an estimate of the tokens, as the provider would return its count. May run in a thread."""
        path = self._head.path
        body, _ = self._target.same_dialect.change(path, self._counted or b"")
        return counted(estimate_tokens(body, COUNTS[path]), COUNTS[path])

    def _lacks_count(self, status: int) -> bool:
        """Whether an upstream that was to count responds so because it cannot."""
        return self._counted is not None and not self._counts_here and status in _NOT_THERE

    def counts_instead(self, status: int | None) -> bool:
        """Whether this attempt, which ended with ``status``, becomes an estimate: it has an ``offload`` again."""
        if status is None or not self._lacks_count(status):
            return False
        self._counts_here, self.offload = True, self._count
        return True

    def _estimate(self, body: bytes) -> MadeResponse:
        return MadeResponse(_OK, self.attribution_headers + NOT_STORED + _JSON + _ESTIMATED, body)

    def _splice(self, request: ModelRequest, model: str) -> None:
        """Make the request of the client's own bytes, with another model's name in them."""
        body = request.body
        start, value, end = request.field.splice(body, model)
        head = self._provider.head(self._head.target, self._head.header_lines, self._head.via)
        length = start + len(value) + len(body) - end
        if length < COPY_BYTES:
            self.request = [b"%b%d\r\n\r\n%b%b%b" % (head, length, body[:start], value, body[end:])]
        else:
            view = memoryview(body)
            self.request = [b"%b%d\r\n\r\n" % (head, length), view[:start], value, view[end:]]

    def complete(self, body: bytes) -> None:
        """Make the request of ``body``, which is in the provider's dialect. Raises as the plugin's hook does."""
        head, provider = self._head, self._provider
        if self._counts_here:
            self.response = self._estimate(body)
            return
        target, lines = head.target, head.header_lines
        if self._translation is not None:
            target, lines = self._translation.target, _JSON
        if self._transform is None or self._hook_request is None:
            encoded = provider.head(target, lines, head.via)
        else:
            made = transform_request(self._transform, provider.provider.id, self._hook_request)
            body, self._ignored = made.body, tuple(dict.fromkeys((*self._ignored, *made.ignored)))
            encoded = provider.encode_head(target, lines + made.lines, head.via)
            self.attribution_headers += made.response_lines
            if self._map_error is not None and self._turn_api is not Dialect.CHAT:
                self._served = ServedModelFilter(
                    made.model, self._target.ref.model, model_header, self._note_other
                )
        self.attribution_headers += ignored_header(self._ignored)
        self.request = [b"%b%d\r\n\r\n" % (encoded, len(body)), body]

    def _note_other(self, model: str) -> None:
        logger.info("%s was served by another model: %s", self.served_by, model)

    def on_success(self) -> None:
        """A response was forwarded as it came."""
        self._provider.note(self._number, None)

    def on_error(self, error: GatewayError) -> None:
        """It failed without a response."""
        self._provider.note_error(self._number, error)

    def writer(self, head: ResponseHead, *, http10: bool, close: bool, bodiless: bool) -> ResponseWriter:
        """Raises `UpstreamMalformed` for a response that is a web page or empty, or cannot be translated."""
        self._provider.note_response(self._number, head.status)
        if head.status < FAILED and (
            bodiless or head.length == 0
        ):  # also a 304: no request of a model has a condition
            raise UpstreamMalformed(f"{self.upstream.origin} sent an empty response")
        options = ResponseOptions(
            http10=http10,
            close=close,
            bodiless=bodiless,
            secrets=self.upstream.secrets,
            attribution_headers=self.attribution_headers,
            credential_advice=self.upstream.credential_advice,
            dialect=self._client,
        )
        if self._lacks_count(head.status):
            return make_relay_writer(head, options, origin=str(self.upstream.origin))
        if self._head.path == _COMPLETIONS and head.status in _NOT_THERE:
            make = partial(self._no_completions, head, options)
            return BufferedWriter(head, options, make, origin=str(self.upstream.origin), maps_status=True)
        map_error = self._map_error
        if map_error is None and head.status in _IN_BETWEEN:
            map_error = partial(_map_error, None, self._provider, self._number)
        traits = ProviderTraits(
            origin=str(self.upstream.origin),
            translation=self._translation,
            map_error=map_error,
            upstream=self._turn_api,
            streams=self._streams,
            assembles=self._turn_api is not None,
            has_fallback=self._has_fallback,
            served=self._served,
            advised=self._advised(head.status),
        )
        return make_provider_writer(head, options, traits)

    def _advised(self, status: int) -> Callable[[bytes], bytes] | None:
        """Return what names the setting that keeps a field from the server, of an error that may be about one."""
        if status not in STATUSES or self._turn_api in (None, Dialect.MESSAGES):
            return None
        return partial(with_compat_key, status=status, provider=self._provider.provider.id)

    @property
    def _turn_api(self) -> Dialect | None:
        """The dialect of the response where it is a model's turn; None for other paths."""
        return self._upstream_api if self._head.path in TURNS else None

    def _no_completions(self, head: ResponseHead, options: ResponseOptions, body: bytes) -> MadeResponse:
        """Return the response for a server that has no completions of a text, or none with this model."""
        found = parse_error(body, head.status)
        message = (
            f"{self.served_by} is not served at {_COMPLETIONS.decode()}; send a request with 'messages' to "
            f"/v1/chat/completions. It responded with {head.status}: "
        )
        failure = UpstreamFailed(message, quote=found.message, status=404)
        return own_response(head, options, failure)


def _map_error(
    map_error: MapError | None, provider: ProviderUpstream, number: int, status: int, body: bytes
) -> MappedError | None:
    """Call a plugin's hook, and keep what the body shows: a rejected credential, an upstream out of reach."""
    mapped = map_error(status, body) if map_error is not None else None
    if mapped is None and status in _IN_BETWEEN:
        provider.note_error_body(number, status, body)
    elif mapped is not None and mapped.status == UNAUTHORIZED:
        provider.note_rejection(number, ": ", mapped.message)
    return mapped
