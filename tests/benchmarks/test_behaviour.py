"""The checks of the comparison find what they look for, also where it is bad."""

from __future__ import annotations

import pytest

from benchmarks.behaviour import TOKEN, arrived, ended
from benchmarks.roles import CLIENT_KEY, REAL_KEY


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (f"POST / HTTP/1.1\r\nAuthorization: Bearer {REAL_KEY}", "1 credential"),
        (f"POST / HTTP/1.1\r\nX-Proxy-Token: {TOKEN}", "1 credential"),
        (
            f"POST / HTTP/1.1\r\nx-api-key: {REAL_KEY}\r\nAuthorization: Bearer {CLIENT_KEY}",
            "2 credentials, the client's own",
        ),
        (f"POST / HTTP/1.1\r\nAuthorization: Bearer {TOKEN}", "1 credential, the client's own"),
        (
            "POST / HTTP/1.1\r\nCookie: a=b\r\nX-Client-Secret: s",
            "0 credentials, `cookie`, `x-client-secret`",
        ),
    ],
)
def test_what_arrived_is_named(head: str, found: str) -> None:
    assert arrived([head]) == found


@pytest.mark.parametrize(
    ("response", "is_whole"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", False),
        (b"HTTP/1.1 200 OK\r\n", False),
    ],
)
def test_a_broken_transfer_is_no_orderly_end(response: bytes, is_whole: bool) -> None:
    assert ended(response) is is_whole
