"""The words for a failed exchange: which limit of ours ran out, and where a redirect pointed, without its query."""

from __future__ import annotations

from typing import get_args

import pytest

from clawgate.policy.timeouts import LimitName
from clawgate.relay.exchange.failures import CLIENT_DISCONNECTED, redirect_error, timeout_error
from clawgate.relay.interfaces import ResponseHead
from clawgate.wire.http.url import Origin

ORIGIN = Origin("https", "api.example", 443)


def moved(location: bytes | None) -> ResponseHead:
    fields = [] if location is None else [(b"location", location)]
    return ResponseHead(status=307, headers=fields, length=0, chunked=False, content_type=b"", encoded=False)


def test_each_limit_has_its_own_words_and_says_that_it_is_ours() -> None:
    """Four limits, four sentences; the limit and its seconds can be read by programs, too."""
    limits: tuple[LimitName, ...] = get_args(LimitName)
    sentences = set()
    for limit in limits:
        error = timeout_error(ORIGIN, limit, 2.5)
        assert (error.limit, error.seconds) == (limit, 2.5)
        assert error.message.startswith("https://api.example: ")
        assert error.message.endswith(f"2.5 s (this gateway's limit '{limit}')")
        sentences.add(error.message.partition(" (")[0])
    assert len(sentences) == len(limits) == 4
    assert "within 600 s" in timeout_error(ORIGIN, "first_byte", 600.0).message


@pytest.mark.parametrize(
    ("origin", "limit", "hints"),
    [
        (Origin("https", "127.0.0.1", 8080), "connect", True),
        (Origin("https", "::1", 8080), "connect", True),
        (Origin("https", "::1", 443), "connect", False),
        (Origin("https", "127.0.0.1", 8080), "idle", False),
        (Origin("http", "127.0.0.1", 8080), "connect", False),
    ],
)
def test_a_server_that_waits_for_the_end_of_our_tls_may_speak_plain_http(
    origin: Origin, limit: LimitName, hints: bool
) -> None:
    assert timeout_error(origin, limit, 1).message.endswith("begin with http://?") is hints


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        (b"https://login.example/in?token=sk-canary", "https://login.example/in"),
        (b"/v2?key=sk-canary&x=y?z", "/v2"),
        (b"/\xff\xfe", "/��"),
        (b"/" + b"a" * 500, "/" + "a" * 199),
        (None, ""),
    ],
)
def test_a_redirect_is_shown_without_what_may_be_a_secret(location: bytes | None, shown: str) -> None:
    """Nothing behind the first question mark, and no more than 200 characters; whatever the bytes are."""
    message = redirect_error(ORIGIN, moved(location), ()).message
    assert f"(307) to '{shown}'; " in message and "canary" not in message
    assert message.startswith("https://api.example: redirect")


@pytest.mark.parametrize("spelling", [b"sk-a+canary/1=", b"sk-a%2Bcanary%2F1%3D"])
def test_a_redirect_whose_path_repeats_our_credential_is_shown_without_it(spelling: bytes) -> None:
    message = redirect_error(ORIGIN, moved(b"/in/" + spelling + b"/x"), (b"sk-a+canary/1=",)).message
    assert "to '/in/***/x'; " in message and "canary" not in message


def test_a_client_that_disconnects_is_named_as_the_cause() -> None:
    assert "the client disconnected" in CLIENT_DISCONNECTED.message
