"""The words for a failed exchange: which limit of ours ran out, and where a redirect pointed, without its query."""

from __future__ import annotations

from typing import get_args

import pytest

from clawgate import errors
from clawgate.policy.timeouts import LimitName
from clawgate.relay.exchange.failures import CLIENT_DISCONNECTED, for_operator, redirect_error, timeout_error
from clawgate.relay.interfaces import ResponseHead
from clawgate.relay.response.error_response import message_of, status_of
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


@pytest.mark.parametrize(
    "error",
    [
        errors.UpstreamUnreachable("https://api.example: connection refused"),
        errors.UpstreamRedirected("https://api.example: redirect (307)"),
        errors.UpstreamMalformed("https://api.example: no HTTP"),
        timeout_error(ORIGIN, "connect", 10.0),
    ],
)
def test_what_only_the_operator_can_fix_has_the_status_for_that_and_no_word_of_a_passing_fault(
    error: errors.UpstreamFailed,
) -> None:
    before = status_of(error)
    found = for_operator(error, 400)
    assert (status_of(found), found.code, message_of(found)) == (400, error.code, error.message)
    assert status_of(error) == before >= 500, "one error may be shared by several requests"


@pytest.mark.parametrize(
    "error",
    [
        errors.UpstreamClosed("https://api.example: closed"),
        timeout_error(ORIGIN, "first_byte", 600.0),
        errors.ClientLeft("it left"),
    ],
)
def test_what_another_try_may_heal_stays(error: errors.GatewayError) -> None:
    assert for_operator(error, 400) is error


def test_without_a_status_for_operators_every_error_stays() -> None:
    error = errors.UpstreamUnreachable("https://api.example: connection refused")
    assert for_operator(error, None) is error
