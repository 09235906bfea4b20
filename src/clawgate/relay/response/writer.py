"""Chooses how a response reaches the client: passed through, event by event, or buffered."""

from __future__ import annotations

from collections.abc import Callable

from clawgate.errors import UpstreamMalformed
from clawgate.relay.interfaces import ResponseHead, ResponseWriter
from clawgate.relay.response.buffered import BufferedWriter, MadeResponse
from clawgate.relay.response.completeness import CompletenessFilter
from clawgate.relay.response.error_mapping import MapError, map_response
from clawgate.relay.response.event_stream import EventFilter, EventStreamWriter
from clawgate.relay.response.head import FAILED, OWN_PREFIX, ResponseOptions, header_lines, is_event_stream
from clawgate.relay.response.passthrough import PassthroughWriter
from clawgate.relay.response.stream_error_mapping import ErrorMappingFilter
from clawgate.relay.response.translated import translate_response
from clawgate.wire.anthropic import errors as anthropic_errors
from clawgate.wire.dialect import Dialect
from clawgate.wire.openai import errors as openai_errors
from clawgate.wire.translate.translator import Translation


def make_relay_writer(head: ResponseHead, options: ResponseOptions, *, origin: str) -> ResponseWriter:
    """Return the writer of a response that passes as it came, but for an error that must not."""
    if head.encoded and head.status >= FAILED and options.secrets and not options.bodiless:
        return BufferedWriter(head, options, _unreadable_error(head, options), origin=origin)
    return PassthroughWriter(head, options)


def make_provider_writer(
    head: ResponseHead,
    options: ResponseOptions,
    *,
    origin: str,
    translation: Translation | None,
    map_error: MapError | None,
    chat_upstream: bool,
) -> ResponseWriter:
    """Return the writer of a provider's response.

    ``translation`` is None between equal dialects, ``map_error`` None for a provider without a plugin that maps its
    errors. Raises `UpstreamMalformed` for a response that cannot be translated.
    """
    event_stream = is_event_stream(head) and head.status < FAILED and not options.bodiless
    if map_error is not None and head.status >= FAILED and not head.encoded:
        unmapped = _translated_error(head, translation)
        make = map_response(head, options, map_error, unmapped)
        return BufferedWriter(head, options, make, origin=origin, maps_status=True)
    if translation is not None:
        if head.encoded:
            raise UpstreamMalformed(f"{origin} compressed its response, which cannot be translated")
        if not event_stream:
            make = translate_response(head, options, translation)
            only_json = translation.streams and head.status < FAILED
            return BufferedWriter(head, options, make, origin=origin, only_json=only_json)
        if not translation.streams:
            raise UpstreamMalformed(f'{origin} sent an event stream although "stream" was not requested')
    filters: list[EventFilter] = []
    if event_stream and map_error is not None:
        filters.append(ErrorMappingFilter(map_error, chat=chat_upstream))
    if event_stream and translation is None and options.dialect is Dialect.MESSAGES:
        filters.append(CompletenessFilter(origin=origin, secrets=options.secrets))
    if filters or translation is not None:
        return EventStreamWriter(
            head, options, filters=filters, translation=translation, maps_errors=map_error is not None
        )
    return make_relay_writer(head, options, origin=origin)


def _translated_error(head: ResponseHead, translation: Translation | None) -> Callable[[bytes], bytes]:
    if translation is None:
        return lambda body: body
    return lambda body: translation.translate_error(head.status, body)


def _unreadable_error(head: ResponseHead, options: ResponseOptions) -> Callable[[bytes], MadeResponse]:
    """In place of an error that came compressed although none was requested so: it might repeat our credential."""
    without = (b"content-encoding", b"content-type")
    lines = header_lines(head, options, without=without)
    if not options.attribution_headers:
        lines += b"%bprovider: %b\r\n" % (OWN_PREFIX, options.served_by)
    render = anthropic_errors if options.dialect is Dialect.MESSAGES else openai_errors
    body = render.error_body(
        message="the upstream's error came compressed, which was not requested; it can be neither read nor passed on",
        kind="upstream_error",
        code="upstream_failed",
    )
    made = MadeResponse(head.status, lines + b"content-type: application/json\r\n", body)
    return lambda _: made
