"""Each rule about a request head by itself, and what its error says."""

from __future__ import annotations

import pytest

from clawgate.errors import (
    BodyTooLarge,
    ExpectationUnknown,
    GatewayError,
    HttpVersionUnsupported,
    LoopDetected,
    MalformedRequest,
    UnclearFraming,
    UnknownRoute,
    UnsupportedContentType,
)
from clawgate.relay.admission import request_checks
from clawgate.relay.admission.request_checks import headers_of
from clawgate.relay.interfaces import RequestHead


def head(
    *headers: tuple[bytes, bytes], method: bytes = b"POST", target: bytes = b"/v1/x", version: str = "1.1"
) -> RequestHead:
    return RequestHead(method, target, version, list(headers))


def body_length(request: RequestHead, limit: int = 100) -> int | None:
    return request_checks.body_length(request, headers_of(request), limit)


def split(request: RequestHead) -> tuple[bytes, bytes]:
    return request_checks.split_request_target(request, headers_of(request))


def continues(request: RequestHead, length: int | None) -> bool:
    return request_checks.expects_continue(request, headers_of(request), length)


@pytest.mark.parametrize("version", ["0.9", "2.0", "1.2", "1.10"])
def test_only_two_versions_of_http_are_served(version: str) -> None:
    with pytest.raises(HttpVersionUnsupported) as caught:
        request_checks.check_version(head(version=version))
    assert caught.value.message == f"HTTP/{version} is not supported; use HTTP/1.1"
    for served in ("1.0", "1.1"):
        request_checks.check_version(head(version=served))


@pytest.mark.parametrize(
    ("name", "spelled", "error"),
    [
        (b"content-type", "Content-Type", MalformedRequest),
        (b"host", "Host", MalformedRequest),
        (b"sec-fetch-site", "Sec-Fetch-Site", MalformedRequest),
        (b"content-length", "Content-Length", UnclearFraming),
        (b"transfer-encoding", "Transfer-Encoding", UnclearFraming),
    ],
)
def test_a_header_that_decides_must_not_be_duplicated(
    name: bytes, spelled: str, error: type[GatewayError]
) -> None:
    """Two readers could choose differently. Where the framing is unclear the connection ends as well."""
    with pytest.raises(GatewayError) as caught:
        headers_of(head((name, b"a"), (b"x", b"1"), (name, b"a")))
    assert type(caught.value) is error and caught.value.message == f"duplicate {spelled} header"


def test_other_headers_may_be_duplicated() -> None:
    assert headers_of(head((b"via", b"a"), (b"via", b"b")))(b"via") == b"b"


def test_http11_needs_a_host() -> None:
    request = head()
    with pytest.raises(MalformedRequest, match="needs a Host header"):
        request_checks.required_host(request, headers_of(request))
    old = head(version="1.0")
    assert request_checks.required_host(old, headers_of(old)) is None


@pytest.mark.parametrize(
    ("target", "found"),
    [
        (b"/v1/x?a=b", (b"/v1/x", b"?a=b")),
        (b"http://H/v1/x", (b"/v1/x", b"")),
        (b"HTTP://h/v1/x", (b"/v1/x", b"")),
        (b"http://h", (b"/", b"")),
    ],
)
def test_a_target_is_split(target: bytes, found: tuple[bytes, bytes]) -> None:
    assert split(head((b"host", b"h"), target=target)) == found


@pytest.mark.parametrize(
    ("method", "target", "error"),
    [
        (b"GET", b"http://other/v1/x", MalformedRequest),
        (b"GET", b"https://h/v1/x", UnknownRoute),
        (b"OPTIONS", b"*", UnknownRoute),
        (b"CONNECT", b"h:443", UnknownRoute),
        (b"CONNECT", b"/v1/x", UnknownRoute),
        (b"GET", b"/v1/../x", MalformedRequest),
    ],
)
def test_a_target_of_a_proxy_or_of_another_host_is_rejected(
    method: bytes, target: bytes, error: type[GatewayError]
) -> None:
    with pytest.raises(error):
        split(head((b"host", b"h"), method=method, target=target))


def test_a_body_has_a_length_or_is_chunked() -> None:
    assert body_length(head()) == 0
    assert body_length(head((b"content-length", b"100"))) == 100
    assert body_length(head((b"transfer-encoding", b"Chunked"))) is None
    with pytest.raises(BodyTooLarge, match="101 bytes is over the limit of 100"):
        body_length(head((b"content-length", b"101")))


@pytest.mark.parametrize(
    ("version", "coding"), [("1.0", b"chunked"), ("1.1", b"gzip"), ("1.1", b"gzip, chunked")]
)
def test_any_other_transfer_coding_is_rejected(version: str, coding: bytes) -> None:
    with pytest.raises(UnclearFraming):
        body_length(head((b"transfer-encoding", coding), version=version))


def test_continue_is_sent_where_it_helps() -> None:
    """Not without a body, and not in HTTP/1.0 (RFC 9110 section 10.1.1)."""
    expecting = head((b"expect", b"100-Continue"))
    assert continues(expecting, 2) and continues(expecting, None)
    assert not continues(expecting, 0) and not continues(head(), 2)
    assert not continues(head((b"expect", b"100-continue"), version="1.0"), 2)
    with pytest.raises(ExpectationUnknown):
        continues(head((b"expect", b"else")), 2)


def test_a_request_of_our_own_is_a_loop() -> None:
    """In whichever Via it is."""
    ours = head((b"via", b"1.1 a"), (b"via", b"1.1 us"), (b"via", b"1.1 b"))
    with pytest.raises(LoopDetected):
        request_checks.via_without_loop(ours, b"us")
    assert request_checks.via_without_loop(ours, b"them") == b"1.1 a, 1.1 us, 1.1 b"
    assert request_checks.via_without_loop(head(), b"us") == b""


@pytest.mark.parametrize("coding", [b"gzip", b"br", b"identity, gzip", b""])
def test_a_compressed_body_is_not_readable(coding: bytes) -> None:
    with pytest.raises(UnsupportedContentType):
        request_checks.check_readable_body({b"content-encoding": coding}.get)


def test_an_uncompressed_body_is_readable() -> None:
    request_checks.check_readable_body({b"content-encoding": b"identity"}.get)
    request_checks.check_readable_body(lambda name: None)
