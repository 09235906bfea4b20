"""Makes responses of an upstream that speaks another dialect than the client: complete ones, and errors.

What a `Translation` does not understand is the upstream's failure, and so is an error with status 200. Streams are
translated event by event in `relay.response.event_stream`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from clawgate.relay.interfaces import ResponseHead
from clawgate.relay.response.buffered import MadeResponse
from clawgate.relay.response.head import FAILED, ResponseOptions, header_lines
from clawgate.relay.response.redact import masked, masked_fully, secrets_in_content
from clawgate.wire.dialect import Dialect
from clawgate.wire.translate.exchange import Translation

RENAMED: Mapping[Dialect, Mapping[bytes, bytes]] = {
    Dialect.CHAT: {b"request-id": b"x-request-id"},
    Dialect.RESPONSES: {b"request-id": b"x-request-id"},
    Dialect.MESSAGES: {b"x-request-id": b"request-id"},
}
"""Where the clients of a dialect look for the id of a request (read in the SDKs of OpenAI and Anthropic)."""
_OWN = (b"content-type",)
EVENT_STREAM_LINES = b"content-type: text/event-stream; charset=utf-8\r\n"


def translated_lines(head: ResponseHead, options: ResponseOptions) -> bytes:
    """Return the headers of a translated response, but for its content type."""
    return header_lines(head, options, without=_OWN, renamed=RENAMED.get(options.dialect))


def translate_response(
    head: ResponseHead, options: ResponseOptions, translation: Translation
) -> Callable[[bytes], MadeResponse]:
    """Return what makes the client's response of a body that is no event stream."""
    lines = translated_lines(head, options)
    secrets = secrets_in_content(options.secrets)

    def make(body: bytes) -> MadeResponse:
        if head.status >= FAILED:
            made = masked_fully(translation.translate_error(head.status, body), options.secrets)
            return MadeResponse(head.status, lines + b"content-type: application/json\r\n", made)
        body = masked(body, secrets)  # before it is packed into ids, in which no mask would find it
        if translation.streams:
            stream = masked(translation.response_as_stream(body), secrets)
            return MadeResponse(head.status, lines + EVENT_STREAM_LINES, stream, is_event_stream=True)
        made = masked(translation.translate_response(body), secrets)
        return MadeResponse(head.status, lines + b"content-type: application/json\r\n", made)

    return make
