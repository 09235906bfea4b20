"""A rejected request gets its error in its dialect, and a record without its query."""

from __future__ import annotations

import json

import pytest

from clawgate.errors import HeadTooLarge, InvalidToken
from clawgate.relay.downstream.error_replies import encode_error, rejection_record
from clawgate.relay.interfaces import RequestHead

ERROR = InvalidToken("the presented token is not valid here")


def head(
    target: bytes = b"/v1/chat/completions", method: bytes = b"POST", *more: tuple[bytes, bytes]
) -> RequestHead:
    return RequestHead(method, target, "1.1", [(b"host", b"h"), *more])


@pytest.mark.parametrize(
    ("target", "anthropic"),
    [
        (b"/v1/messages", True),
        (b"/v1/messages?beta=true", True),
        (b"http://h/v1/messages", True),
        (b"/v1/chat/completions", False),
        (b"/v1/models", False),
    ],
)
def test_an_error_is_in_the_dialect_of_its_request(target: bytes, anthropic: bool) -> None:
    _, _, body = encode_error(ERROR, head(target), close=False).partition(b"\r\n\r\n")
    assert (json.loads(body).get("type") == "error") is anthropic


def test_an_error_of_no_readable_request_is_in_the_dialect_of_openai() -> None:
    response = encode_error(HeadTooLarge("too large"), None, close=True)
    assert response.startswith(b"HTTP/1.1 431 ") and b"\r\nconnection: close\r\n" in response.lower()
    assert json.loads(response.partition(b"\r\n\r\n")[2])["error"]["code"] == "head_too_large"


def test_an_error_to_head_has_no_body() -> None:
    assert encode_error(ERROR, head(method=b"HEAD"), close=False).endswith(b"\r\n\r\n")


def test_attribution_headers_are_added() -> None:
    response = encode_error(ERROR, head(), close=False, attribution_headers=b"x-clawgate-provider: a\r\n")
    assert b"\r\nx-clawgate-provider: a\r\n" in response


def test_a_record_names_the_request_without_its_query() -> None:
    """A query may hold a credential."""
    record = rejection_record(ERROR, head(b"/v1/models?api_key=k"), sent=10, seconds=0.5)
    assert (record.method, record.path, record.caller) == (b"POST", b"/v1/models", "-")
    assert (record.status, record.code, record.sent, record.total) == (401, "invalid_token", 10, 0.5)
    assert record.first_byte is None and record.reason == ERROR.message


def test_a_record_of_no_readable_request_has_no_names() -> None:
    record = rejection_record(HeadTooLarge("too large"), None, sent=1, seconds=0)
    assert (record.method, record.path) == (b"-", b"-")


def test_a_record_names_the_caller_that_was_known_by_then() -> None:
    error = InvalidToken("no")
    error.caller = "alice"
    assert rejection_record(error, head(), sent=0, seconds=0).caller == "alice"
