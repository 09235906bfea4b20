"""Errors for OpenClaw as a bridge's host: no pattern by which it shuts or retries a provider finds a word in them."""

from __future__ import annotations

import json
import re

import pytest

from clawgate import errors
from clawgate.policy.egress.policy import EgressPolicy, check_address
from clawgate.policy.egress.refusal import denied
from clawgate.relay.exchange.failures import redirect_error, timeout_error
from clawgate.relay.interfaces import ResponseHead
from clawgate.relay.response.error_mapping import NOT_RETRIED, operator_response, unauthorized_response
from clawgate.relay.response.error_response import encode_error_response, message_of, status_of
from clawgate.relay.response.operator_error import for_operator, shuts, starred
from clawgate.wire.dialect import Dialect
from clawgate.wire.http.url import Origin
from tests.relay.response.streams import response_options

AUTH = (
    r"api[_ ]?key[_ ]?(revoked|deactivated|deleted)",
    r"deactivated[_ ]workspace",
    r"key has been disabled",
    r"key has been revoked",
    r"account has been deactivated",
    r"not allowed for this organization",
    r"invalid[_ ]?api[_ ]?key(?![a-z0-9])",
    r"api[_ ]?key([_ ]?(is[_ ]?)?(invalid(?![a-z0-9])|not[_ ]?valid(?![a-z0-9])))",
    r"could not (authenticate|validate).*(api[_ ]?key|credentials)",
    r"permission_error",
    r"incorrect api key",
    r"invalid token",
    r"authentication",
    r"re-authenticate",
    r"oauth token refresh failed",
    r"unauthorized",
    r"forbidden",
    r"access denied",
    r"insufficient permissions?",
    r"missing scopes?:",
    r"expired",
    r"\b401\b",
    r"\b403\b",
    r"no credentials found",
    r"no api key found",
    r"\bfailed to (extract|parse|validate|decode)\b.*\btoken\b",
    r"\bce-011\b",
    r"无权访问|认证失败|鉴权失败|密钥无效|apikey 无效",
)
BILLING = (
    r"[\"']?(status|code)[\"']?\s*[:=]\s*402\b|\bhttp\s*402\b|\berror(\s+code)?\s*[:=]?\s*402\b|^\s*402\s+payment",
    r"\b(got|returned|received)\s+(a\s+)?402\b",
    r"payment required",
    r"insufficient credits",
    r"used\s+all\s+available\s+credits",
    r"(monthly\s+)?spend(ing)?\s+limit",
    r"insufficient[_ ]quota",
    r"\b(go|free)usagelimiterror\b",
    r"available balance",
    r"out of budget",
    r"credit balance",
    r"plans & billing",
    r"insufficient[_ ]balance",
    r"\binsufficient\s+\w+\s+balance\b",
    r"requires?\s+more\s+credits",
    r"out of extra usage|draw from your extra usage|extra usage is required",
    r"余额不足|欠费",
    r"\bdoes not have a valid coding\s*plan subscription\b",
    r"\bmodel\b.*\bnot\s+available\b.*\bcurrent\s+plan\b",
)
RETRIED = (
    r"rate[_ ]limit|too many requests",
    r"^\s*429\b|\b(https?|status|http)\b[\s:=#\"'(]{0,6}429\b",
    r"too many (concurrent )?requests",
    r"\bthrottl(ing[_]?exception|ing|ed)\b",
    r"\bconcurrency limit\b.*\b(breached|reached)\b",
    r"model_cooldown",
    r"exceeded your current quota",
    r"\bresource[_ -]?exhausted\b",
    r"\bquota[_ -]?exceeded\b",
    r"usage limit",
    r"\btpm\b|tokens per minute|tokens per day",
    r"请求过于频繁|调用频率|频率限制|配额不足|额度不足",
    r"\b(daily|weekly|monthly)(/(daily|weekly|monthly))* (usage )?limits?\b",
    r"overloaded",
    r"\b(selected\s+)?model\s+(is\s+)?at capacity\b",
    r"\bservice([_ ]temporarily)?[_ ]unavailable\b",
    r"high demand|high load",
    r"服务过载|当前负载过高|访问量过大",
    r"an error occurred while processing",
    r"internal server error|internal_error|server_error|bad gateway|gateway timeout",
    r"upstream error|upstream connect error|connection reset|upstream_error",
    r"内部错误|服务器错误|系统错误|系统繁忙|系统异常",
    r"\bhttp\s+5\d\d\b",
    r"timeout|timed out|deadline exceeded",
    r"connection error|network error|network request failed|fetch failed|socket hang up",
    r"^stream disconnected before completion|^premature close of server response",
    r"stream ended (before|without)",
    r"网络错误|网络异常|服务暂时不可用|服务繁忙|请求超时|连接超时|连接错误",
    r"\b(econn(refused|reset|aborted)|enet(unreach|reset)|ehost(unreach|down)|e(socket)?timedout|epipe|enotfound|eai_again)\b",
    r"without sending (any )?chunks?",
    r"reason:\s*(abort|malformed_response|network_error|error)\b",
    r"\boperation was aborted\b|\bstream (was )?(closed|aborted)\b",
    r"^terminated$|^stream_read_error$|^request failed$|\bund_err_(socket|connect|headers?|body|aborted|closed)\b",
)
OTHER = (
    r"no endpoints found for|unknown model|not_found_error|\bnot supported model\b",
    r"model([_\-\s])?not([_\-\s])?found|\bmodel\b.{0,60}?\bnot found\b",
    r"\b404\b.*not[_\-\s]?found",
    r"is not a valid model id|invalid model",
    r"model.*does not exist",
    r"\b((session|conversation) (not found|does not exist|expired|invalid)|no such session)\b",
)
"""Patterns of openclaw 2026.9.6, `message-patterns` (ERROR_PATTERNS, PERIODIC_USAGE_LIMIT_RE) and `classify-core`
(isModelNotFoundErrorMessage, isCliSessionExpiredErrorMessage), in Python's notation."""
PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE | re.ASCII) for pattern in AUTH + BILLING + RETRIED + OTHER
)
SHUTTING = PATTERNS[: len(AUTH + BILLING)]

QUOTES = """\
api_key_revoked
deactivated_workspace
This key has been disabled.
Your API key has been revoked
the account has been deactivated
Model not allowed for this organization
Invalid API key
api key is not valid
Could not validate your API key
permission_error
Incorrect API key provided: sk-abc
invalid token
authentication_error: no
please re-authenticate
OAuth token refresh failed
Upstream_Unauthorized
403 Forbidden
Access denied
insufficient permissions
missing scope: models
the key expired yesterday
status 401
no credentials found
No API key found
failed to validate the bearer token
error CE-011
鉴权失败
{"code": 402}
returned a 402
Payment Required
insufficient credits
You have used all available credits
spending limit reached
insufficient_quota
FreeUsageLimitError
available balance is 0
out of budget
Your credit balance is too low; go to Plans & Billing
insufficient_balance
insufficient USD balance
requires more credits
you are out of extra usage
余额不足
it does not have a valid coding plan subscription
the model is not available in your current plan
Rate limit
429 too many requests
ThrottlingException
concurrency limit was reached
model_cooldown
you exceeded your current quota
RESOURCE_EXHAUSTED
quota exceeded
weekly usage limit
10 tokens per minute
频率限制
daily/weekly limit
overloaded_error
the model is at capacity
service temporarily unavailable
service_unavailable
under high load
服务过载
An error occurred while processing your request
internal server error
upstream connect error, connection reset
系统繁忙
HTTP 503
Request timed out
socket hang up
stream disconnected before completion: eof
the stream ended before a terminal event
请求超时
connect ECONNREFUSED 127.0.0.1:9
it ended without sending any chunks
finish_reason: error
the operation was aborted
terminated
unknown model 'x'
The model `x` was not found
404 page not found
x is not a valid model ID
The model `x` does not exist
session expired""".splitlines()
ORIGIN = Origin("https", "remote.test", 443)
ADVICE = "check --proxy-token (PROXY_BRIDGE_TOKEN), then /health?deep=1"


def found_in(text: str) -> list[str]:
    return [pattern.pattern for pattern in PATTERNS if pattern.search(text)]


def own_errors() -> list[errors.GatewayError]:
    """Return what a bridge fails with on its own where another try would fail as well."""
    metadata = check_address("169.254.169.254", ORIGIN, EgressPolicy(requester="bridge"))
    moved = [(b"location", b"https://remote.test/forbidden?x=1")]
    redirect = ResponseHead(
        status=307, headers=moved, length=0, chunked=False, content_type=b"", encoded=False
    )
    return [
        errors.UpstreamUnreachable(f"{ORIGIN}: connection refused; is it running, and is this its address?"),
        errors.UpstreamUnreachable(
            f"{ORIGIN}: TLS failed: certificate has expired; the server needs another"
        ),
        errors.UpstreamUnreachable(f"{ORIGIN}: Connection timed out; check its address", retry_after=1),
        errors.UpstreamUnreachable(f"{ORIGIN}: the proxy did not open a tunnel: it responded with 403"),
        errors.UpstreamMalformed("https://unauthorized.test sent no HTTP response"),
        redirect_error(ORIGIN, redirect, ()),
        timeout_error(ORIGIN, "connect", 10.0),
        denied(ORIGIN, "169.254.169.254", metadata, EgressPolicy(requester="bridge")),
        errors.InvalidToken("the token is not valid here"),
        errors.MissingToken("no token: send Authorization: Bearer <token>"),
        errors.AuthLocked("too many wrong tokens from this address; try again in 60 s", retry_after=60),
        errors.ProviderNotConfigured("invalid configuration: caFile: the file does not exist; 401 forbidden"),
    ]


def test_every_pattern_of_the_host_has_a_quote_here_that_it_finds() -> None:
    found = {pattern for quote in QUOTES for pattern in found_in(quote)}
    assert [pattern.pattern for pattern in PATTERNS if pattern.pattern not in found] == []


@pytest.mark.parametrize("form", ["{}", "{}!", "400 https://remote.test responded: {}", "x-{}-y: {}", '"{}"'])
def test_no_pattern_finds_a_starred_text(form: str) -> None:
    for quote in QUOTES:
        text = form.format(quote, quote)
        assert found_in(text) or form != "{}"
        for spelling in (text, text.upper()):
            assert found_in(starred(spelling)) == [] and len(starred(spelling)) == len(text)


def test_what_shuts_a_provider_is_found() -> None:
    shutting = [quote for quote in QUOTES if any(pattern.search(quote) for pattern in SHUTTING)]
    assert len(shutting) > 40 and all(shuts(quote) and shuts(quote.upper()) for quote in shutting)


@pytest.mark.parametrize("error", own_errors(), ids=lambda error: error.message[:60])
@pytest.mark.parametrize("dialect", list(Dialect))
def test_no_pattern_finds_anything_in_an_own_error_for_operators(
    error: errors.GatewayError, dialect: Dialect
) -> None:
    before = status_of(error)
    shown = for_operator(error, 400)
    assert (status_of(shown), status_of(error), shown.code) == (
        400,
        before,
        errors.UpstreamUnreachable.code if isinstance(error, errors.UpstreamTimedOut) else error.code,
    )
    assert before >= 401, "one error may be shared by several requests"
    head, _, body = encode_error_response(shown, close=False, dialect=dialect).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ") and b"www-authenticate" not in head
    members = json.loads(body)["error"].values()
    assert [found for member in members for found in found_in(f"400 {member}")] == []
    assert message_of(shown) == starred(error.message)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 409, 410, 422, 451])
def test_a_rejection_of_the_remote_does_not_shut_the_provider(status: int) -> None:
    """By no member of the error; what shuts nothing passes as it came, so that a long context is still recognised."""
    is_final = status in (401, 402, 403, 404, 410)
    kind = "authentication_error" if status in (401, 403) else "invalid_request_error"
    options = response_options(
        attribution_headers=b"", served_by=b"far", operator_status=400, credential_advice=ADVICE
    )
    json_head = [(b"content-type", b"application/json")]
    head = ResponseHead(
        status=status,
        headers=json_head,
        length=None,
        chunked=True,
        content_type=b"application/json",
        encoded=False,
    )
    make = (unauthorized_response if status == 401 else operator_response)(head, options, origin=str(ORIGIN))
    for quote in QUOTES:
        body = json.dumps({"error": {"message": quote, "type": kind, "code": "invalid_api_key"}}).encode()
        made = make(body)
        error = json.loads(made.body)["error"]
        assert made.status == (400 if is_final else status)
        assert [found for member in error.values() for found in found_in(f"{member}")] == []
        assert str(ORIGIN) in error["message"] and (ADVICE in error["message"]) is (status in (401, 403))
    plain = (
        b'{"error": {"message": "maximum context length is 8192 tokens", "type": "invalid_request_error"}}'
    )
    assert (make(plain).body == plain) is not is_final and (status == 401 or status in NOT_RETRIED)


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
