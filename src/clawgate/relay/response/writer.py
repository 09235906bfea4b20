"""Chooses how a response reaches the client: passed through, event by event, or buffered."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from clawgate.errors import UpstreamFailed, UpstreamMalformed
from clawgate.relay.interfaces import ResponseHead, ResponseWriter
from clawgate.relay.response.assembled import AssembledWriter
from clawgate.relay.response.buffered import LIMIT, BufferedWriter, MadeResponse
from clawgate.relay.response.completeness import CompletenessFilter, ResponseCompletenessFilter
from clawgate.relay.response.deferred import (
    ByBytesWriter,
    ErrorBodyWriter,
    FirstByteWriter,
    FirstEventWriter,
    as_event_stream,
)
from clawgate.relay.response.error_mapping import (
    NOT_RETRIED,
    UNAUTHORIZED,
    MapError,
    map_response,
    may_lack_words,
    operator_response,
    own_response,
    unauthorized_response,
    wordless_response,
)
from clawgate.relay.response.event_stream import EventFilter, EventStreamWriter
from clawgate.relay.response.head import FAILED, ResponseOptions, header_lines, is_event_stream
from clawgate.relay.response.passthrough import PassthroughWriter
from clawgate.relay.response.redact import masked, masked_fully, secrets_in_content
from clawgate.relay.response.served_model import ServedModelFilter
from clawgate.relay.response.stream_error_mapping import ErrorMappingFilter
from clawgate.relay.response.translated import translate_response
from clawgate.wire.dialect import Dialect
from clawgate.wire.translate.exchange import Translation

_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
_READABLE = (b"gzip", b"x-gzip", b"deflate")
"""What is compressed twice is not: it would pass still compressed."""


_COMPLETENESS: Mapping[Dialect, Callable[..., EventFilter]] = {
    Dialect.MESSAGES: CompletenessFilter,
    Dialect.RESPONSES: ResponseCompletenessFilter,
}


def make_relay_writer(head: ResponseHead, options: ResponseOptions, *, origin: str) -> ResponseWriter:
    """Return the writer of a response that passes as it came, but for an error that must not."""
    if head.status == UNAUTHORIZED and not options.bodiless:
        made = unauthorized_response(head, options, origin=origin)
        return BufferedWriter(head, options, made, origin=origin)
    if options.operator_status is not None and head.status in NOT_RETRIED and not options.bodiless:
        return BufferedWriter(head, options, operator_response(head, options, origin=origin), origin=origin)
    if head.encoded and options.secrets and not options.bodiless:
        if head.status >= FAILED:
            return BufferedWriter(head, options, _unreadable_error(head, options), origin=origin)
        if options.attribution_headers and secrets_in_content(options.secrets):
            return BufferedWriter(head, options, _decompressed(head, options, origin), origin=origin)
    return PassthroughWriter(head, options)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderTraits:
    """What the writer of a provider's response depends on besides the response.

    ``translation`` is None between equal dialects, ``map_error`` None for a provider without a plugin that maps its
    errors. ``upstream`` is the dialect of its response, None for other paths; ``streams`` is whether the client
    requested a stream.
    ``assembles`` is whether a stream that was not requested can be made a complete response. With ``has_fallback`` a
    failure leads to another provider as long as nothing was sent.
    """

    origin: str
    translation: Translation | None = None
    map_error: MapError | None = None
    upstream: Dialect | None = None
    streams: bool = False
    assembles: bool = False
    has_fallback: bool = False
    served: ServedModelFilter | None = None
    """Reads which model a Messages response names; None where that is not needed."""
    advised: Callable[[bytes], bytes] | None = None
    """Adds to the body of an error what to set; None where nothing is known of it."""


def make_provider_writer(
    head: ResponseHead, options: ResponseOptions, traits: ProviderTraits
) -> ResponseWriter:
    """Return the writer of a provider's response.

    Raises `UpstreamMalformed` for a web page and for a response that cannot be translated.
    """
    origin, translation, map_error = traits.origin, traits.translation, traits.map_error
    if map_error is not None and head.status >= FAILED and not head.encoded:
        make = map_response(head, options, map_error, _unmapped_error(head, options, translation, origin))
        return BufferedWriter(head, options, make, origin=origin, maps_status=True)
    if head.status == UNAUTHORIZED:
        return make_relay_writer(head, options, origin=origin)
    advised = None if head.encoded else traits.advised
    if head.status >= FAILED and not options.bodiless and (may_lack_words(head) or advised is not None):
        make = _unmapped_error(head, options, translation, origin, advised)
        return BufferedWriter(head, options, make, origin=origin)
    if translation is not None and head.encoded:
        raise UpstreamMalformed(f"{origin} compressed its response, which cannot be translated")
    may_stream = head.status < FAILED and not (options.bodiless or head.encoded)
    if may_stream and is_event_stream(head):
        return _stream_writer(head, options, traits)
    web_page = None
    if head.status < FAILED and head.content_type[:9].lower() == b"text/html":
        web_page = UpstreamMalformed(
            f"{origin} sent a web page instead of a model's response; check what is at this address"
        )
    if not (may_stream and (traits.streams or traits.assembles)):
        if web_page is not None:
            raise web_page
        return _body_writer(head, options, traits)
    return ByBytesWriter(
        head,
        options.secrets,
        events=lambda: _stream_writer(as_event_stream(head), options, traits),
        other=_body_writer(head, options, traits),
        streams=traits.streams,
        otherwise=web_page,
    )


def _body_writer(head: ResponseHead, options: ResponseOptions, traits: ProviderTraits) -> ResponseWriter:
    """Return the writer of a body that is no event stream."""
    succeeds = head.status < FAILED and not (options.bodiless or head.encoded)
    if traits.translation is not None:
        make = _with_model(translate_response(head, options, traits.translation), traits.served)
        only_json = traits.translation.streams and head.status < FAILED
        return BufferedWriter(head, options, make, origin=traits.origin, only_json=only_json)
    if traits.served is not None and succeeds and not traits.has_fallback:
        make = _with_model(_unchanged(head, options), traits.served)
        writer: ResponseWriter = BufferedWriter(head, options, make, origin=traits.origin)
    else:
        writer = make_relay_writer(head, options, origin=traits.origin)
    if traits.has_fallback and succeeds:
        return ErrorBodyWriter(head, options.secrets, writer, origin=traits.origin)
    if head.length is None and head.status < FAILED and not options.bodiless:
        return FirstByteWriter(head, options.secrets, writer, origin=traits.origin)
    return writer


def _unchanged(head: ResponseHead, options: ResponseOptions) -> Callable[[bytes], MadeResponse]:
    lines, secrets = header_lines(head, options), secrets_in_content(options.secrets)
    return lambda body: MadeResponse(head.status, lines, masked(body, secrets))


def _with_model(
    make: Callable[[bytes], MadeResponse], served: ServedModelFilter | None
) -> Callable[[bytes], MadeResponse]:
    """Return ``make`` with the model that the body names in the headers."""
    if served is None:
        return make

    def made(body: bytes) -> MadeResponse:
        served.read(body)
        response = make(body)
        return replace(response, lines=served.corrected(response.lines))

    return made


def _stream_writer(head: ResponseHead, options: ResponseOptions, traits: ProviderTraits) -> ResponseWriter:
    """Return the writer of an event stream of a successful response."""
    origin, translation, map_error = traits.origin, traits.translation, traits.map_error
    filters: list[EventFilter] = []
    if map_error is not None:
        filters.append(ErrorMappingFilter(map_error, upstream=traits.upstream))
    if translation is None and options.dialect in _COMPLETENESS:
        filters.append(_COMPLETENESS[options.dialect](origin=origin, secrets=options.secrets))
    if traits.served is not None:
        filters.append(traits.served)
    maps_errors = map_error is not None
    if traits.assembles and not traits.streams:
        return AssembledWriter(
            head,
            options,
            origin=origin,
            filters=filters,
            translation=translation,
            maps_errors=maps_errors,
            served=traits.served,
        )
    writer: ResponseWriter
    if filters or translation is not None:
        writer = EventStreamWriter(
            head,
            options,
            filters=filters,
            translation=translation,
            maps_errors=maps_errors,
            has_fallback=traits.has_fallback,
            served=traits.served,
        )
    else:
        writer = make_relay_writer(head, options, origin=origin)
    if traits.has_fallback and not maps_errors:  # which holds the head back itself
        return FirstEventWriter(head, options.secrets, writer, origin=origin)
    return writer


def _unmapped_error(
    head: ResponseHead,
    options: ResponseOptions,
    translation: Translation | None,
    origin: str,
    advised: Callable[[bytes], bytes] | None = None,
) -> Callable[[bytes], MadeResponse]:
    if head.status == UNAUTHORIZED:
        return unauthorized_response(head, options, origin=origin)

    def make(body: bytes) -> MadeResponse:
        if (instead := wordless_response(head, options, body, origin=origin)) is not None:
            return instead
        body = body if advised is None else advised(body)
        if translation is not None:
            return translate_response(head, options, translation)(body)
        return MadeResponse(head.status, header_lines(head, options), masked_fully(body, options.secrets))

    return make


def _decompressed(
    head: ResponseHead, options: ResponseOptions, origin: str
) -> Callable[[bytes], MadeResponse]:
    """A response that came compressed although none was requested so: without that, so that it can be masked."""

    coding = b",".join(value for name, value in head.headers if name == b"content-encoding")

    def make(body: bytes) -> MadeResponse:
        inflate = zlib.decompressobj(_GZIP_OR_ZLIB)
        try:
            plain = inflate.decompress(body, LIMIT)
        except zlib.error:
            plain = b""
        if coding.lower() not in _READABLE or not inflate.eof or inflate.unused_data:
            raise UpstreamMalformed(
                f"{origin} compressed its response, which was not requested and cannot be read"
            )
        lines = header_lines(head, options, without=(b"content-encoding",))
        return MadeResponse(head.status, lines, masked(plain, secrets_in_content(options.secrets)))

    return make


def _unreadable_error(head: ResponseHead, options: ResponseOptions) -> Callable[[bytes], MadeResponse]:
    """In place of an error that came compressed although none was requested so: it might repeat our credential."""
    message = (
        "the upstream's error came compressed, which was not requested; it can be neither read nor passed on"
    )
    made = own_response(head, options, UpstreamFailed(message, status=head.status))
    return lambda _: made
