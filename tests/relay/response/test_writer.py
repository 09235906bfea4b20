"""Which writer a response gets: only what has to be read is read, and an error that cannot be read does not pass."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import pytest

from clawgate.errors import UpstreamMalformed
from clawgate.plugins.api import MappedError
from clawgate.relay.interfaces import ResponseHead, ResponseWriter
from clawgate.relay.response.assembled import AssembledWriter
from clawgate.relay.response.buffered import LIMIT, BufferedWriter
from clawgate.relay.response.deferred import ByBytesWriter, ErrorBodyWriter, FirstByteWriter, FirstEventWriter
from clawgate.relay.response.event_stream import EventStreamWriter
from clawgate.relay.response.passthrough import PassthroughWriter
from clawgate.relay.response.writer import make_relay_writer
from clawgate.wire.dialect import Dialect
from tests.relay.response.streams import ORIGIN, SECRET, provider_writer, response_head, response_options

JSON: dict[str, Any] = {"content_type": b"application/json"}


def map_error(status: int, body: bytes) -> MappedError | None:
    return None


@pytest.mark.parametrize(
    ("head", "client", "upstream", "mapped", "kind"),
    [
        (response_head(), Dialect.CHAT, Dialect.CHAT, False, PassthroughWriter),
        (response_head(), Dialect.RESPONSES, Dialect.RESPONSES, False, EventStreamWriter),
        (response_head(), Dialect.RESPONSES, Dialect.CHAT, False, EventStreamWriter),
        (response_head(), Dialect.RESPONSES, Dialect.MESSAGES, False, EventStreamWriter),
        (response_head(), Dialect.MESSAGES, Dialect.MESSAGES, False, EventStreamWriter),
        (response_head(), Dialect.CHAT, Dialect.MESSAGES, False, EventStreamWriter),
        (response_head(), Dialect.MESSAGES, Dialect.CHAT, False, EventStreamWriter),
        (response_head(), Dialect.CHAT, Dialect.CHAT, True, EventStreamWriter),
        (response_head(**JSON), Dialect.MESSAGES, Dialect.MESSAGES, False, ByBytesWriter),
        (response_head(**JSON), Dialect.CHAT, Dialect.CHAT, True, ByBytesWriter),
        (response_head(**JSON), Dialect.CHAT, Dialect.MESSAGES, False, ByBytesWriter),
        (response_head(500), Dialect.MESSAGES, Dialect.MESSAGES, False, PassthroughWriter),
        (response_head(500), Dialect.CHAT, Dialect.MESSAGES, False, BufferedWriter),
        (response_head(500), Dialect.CHAT, Dialect.CHAT, True, BufferedWriter),
        (response_head(encoded=True, length=9), Dialect.CHAT, Dialect.CHAT, True, BufferedWriter),
        (response_head(500, encoded=True), Dialect.CHAT, Dialect.CHAT, True, BufferedWriter),
    ],
)
def test_a_response_is_read_only_as_far_as_it_has_to_be(
    head: ResponseHead, client: Dialect, upstream: Dialect, mapped: bool, kind: type[ResponseWriter]
) -> None:
    writer = provider_writer(head, client=client, upstream=upstream, map_error=map_error if mapped else None)
    assert type(writer) is kind
    assert writer.defers_status is (mapped and head.status == 500 and not head.encoded)


@pytest.mark.parametrize(
    ("head", "stream", "more", "kind"),
    [
        (response_head(), True, {"has_fallback": True}, FirstEventWriter),
        (response_head(**JSON), True, {"has_fallback": True}, ByBytesWriter),
        (response_head(**JSON), False, {"has_fallback": True, "assembles": False}, ErrorBodyWriter),
        (response_head(500, **JSON), False, {"has_fallback": True}, PassthroughWriter),
        (response_head(**JSON), False, {"assembles": False}, FirstByteWriter),
        (response_head(length=9, chunked=False, **JSON), False, {"assembles": False}, PassthroughWriter),
        (response_head(), False, {"assembles": False}, PassthroughWriter),
        (response_head(), False, {}, AssembledWriter),
        (response_head(204), False, {"bodiless": True, "has_fallback": True}, PassthroughWriter),
    ],
)
def test_only_where_it_matters_is_a_response_held_back(
    head: ResponseHead, stream: bool, more: dict[str, Any], kind: type[ResponseWriter]
) -> None:
    writer = provider_writer(head, client=Dialect.CHAT, upstream=Dialect.CHAT, stream=stream, **more)
    assert type(writer) is kind


@pytest.mark.parametrize(
    ("head", "stream"),
    [
        (response_head(encoded=True), True),
        (response_head(500, encoded=True, **JSON), False),
    ],
    ids=["compressed", "a compressed error"],
)
def test_what_cannot_be_translated_is_rejected_at_its_head(head: ResponseHead, stream: bool) -> None:
    with pytest.raises(UpstreamMalformed):
        provider_writer(head, stream=stream)


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("dialect", [Dialect.CHAT, Dialect.MESSAGES])
@pytest.mark.parametrize(
    "more",
    [{"attribution_headers": b"x-clawgate-provider: a\r\n"}, {"attribution_headers": b"", "served_by": b"a"}],
)
def test_a_compressed_error_is_not_passed_on(dialect: Dialect, more: dict[str, Any], status: int) -> None:
    """It might repeat our credential, which cannot be looked for."""
    options = response_options(dialect=dialect, **more)
    head = response_head(status, encoded=True, headers=[(b"content-encoding", b"gzip")], **JSON)
    writer = make_relay_writer(head, options, origin=ORIGIN)
    writer.feed(b"\x1f\x8b")
    sent = writer.flush(ended=True)
    lines, _, body = sent.partition(b"\r\n\r\n")
    assert b"content-encoding" not in lines and b"x-clawgate-provider: a" in lines and SECRET not in sent
    assert "compressed" in json.loads(body)["error"]["message"]


@pytest.mark.parametrize("client", [Dialect.CHAT, Dialect.MESSAGES, Dialect.RESPONSES])
@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize(
    ("status", "more", "body", "words"),
    [
        (
            502,
            {"content_type": b"text/html"},
            b"<html>Bad Gateway",
            "a web page instead of an error message; if a",
        ),
        (413, {"content_type": b"Text/HTML; charset=x"}, b"\r\n <!doctype html>", "client_max_body_size"),
        (504, {"length": 0}, b"", "an empty body instead of an error message; the model server took longer"),
        (
            403,
            {"content_type": b"text/html"},
            b"<html>",
            "a web page instead of an error message; rotate the key",
        ),
        (
            418,
            {"content_type": b"text/html"},
            b"<html>",
            "status 418 and a web page instead of an error message",
        ),
        (404, {"content_type": b"text/html", "encoded": True}, b"\x1f\x8b", "check the path of the address"),
    ],
)
def test_an_error_without_words_is_replaced_by_one_with_its_likely_cause(
    client: Dialect, mapped: bool, status: int, more: dict[str, Any], body: bytes, words: str
) -> None:
    if mapped and "encoded" in more:  # as where no plugin maps errors
        return
    writer = provider_writer(
        response_head(status, **more), client=client, upstream=Dialect.CHAT,
        map_error=map_error if mapped else None, credential_advice="rotate the key",
    )  # fmt: skip
    writer.feed(body)
    head, _, sent = writer.flush(ended=True).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status) and b"content-type: application/json" in head
    error = json.loads(sent)["error"]
    assert words in error["message"] and ORIGIN in error["message"] and error["code"] == "upstream_failed"


def test_an_error_with_words_passes_whatever_its_type() -> None:
    for more in ({"content_type": b"text/html"}, {"content_type": b"text/plain"}, JSON):
        writer = provider_writer(response_head(503, **more), client=Dialect.CHAT, upstream=Dialect.CHAT)
        writer.feed(b'{"error":"busy"}')
        assert b'{"error":"busy"}' in writer.flush(ended=True)


def test_a_compressed_response_without_a_credential_or_a_body_passes() -> None:
    head = response_head(403, encoded=True)
    for options in (response_options(secrets=()), response_options(bodiless=True)):
        assert isinstance(make_relay_writer(head, options, origin=ORIGIN), PassthroughWriter)


@pytest.mark.parametrize("wbits", [zlib.MAX_WBITS | 16, zlib.MAX_WBITS], ids=["gzip", "deflate"])
def test_a_compressed_response_of_a_gateway_is_decompressed_and_masked(wbits: int) -> None:
    """Whatever is in it; the client did not request it so."""
    compress = zlib.compressobj(wbits=wbits)
    packed = compress.compress(b'{"text": "' + SECRET + b'"}') + compress.flush()
    options = response_options(attribution_headers=b"x-clawgate-provider: a\r\n")
    head = response_head(encoded=True, headers=[(b"content-encoding", b"gzip"), (b"date", b"today")], **JSON)
    writer = make_relay_writer(head, options, origin=ORIGIN)
    for at in range(len(packed)):
        writer.feed(packed[at : at + 1])
    lines, _, body = writer.flush(ended=True).partition(b"\r\n\r\n")
    assert body == b'{"text": "' + b"*" * len(SECRET) + b'"}'
    assert b"content-encoding" not in lines and b"date: today" in lines
    assert b"content-length: %d" % len(body) in lines


@pytest.mark.parametrize(
    ("packed", "coding"),
    [
        (b"brotli", b"gzip"), (b"", b"gzip"), (gzip.compress(b"x")[:-3], b"gzip"),
        (gzip.compress(b"x") + gzip.compress(SECRET), b"gzip"), (gzip.compress(bytes(LIMIT + 1)), b"gzip"),
        (gzip.compress(gzip.compress(SECRET)), b"gzip, gzip"),
    ],
    ids=["unknown", "empty", "cut", "two in one", "a bomb", "twice"],
)  # fmt: skip
def test_what_cannot_be_decompressed_does_not_pass(packed: bytes, coding: bytes) -> None:
    options = response_options(attribution_headers=b"x-clawgate-provider: a\r\n")
    head = response_head(encoded=True, headers=[(b"content-encoding", coding)])
    writer = make_relay_writer(head, options, origin=ORIGIN)
    writer.feed(packed)
    with pytest.raises(UpstreamMalformed, match="compressed"):
        writer.flush(ended=True)
