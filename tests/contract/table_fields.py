"""Which fields cross: hop-by-hop ones never do, the client's credentials never do, ours always does."""

from __future__ import annotations

from tests.contract.case import Case, Outcome, post, served
from tests.contract.live_role import CLIENT_MARK

MARK = CLIENT_MARK.encode()
ROUTER_FIELDS = (
    b"X-Forwarded-For: 10.0.0.1", b"X-Forwarded-Host: evil.example", b"X-Real-IP: 10.0.0.1", b"Forwarded: for=10.0.0.1",
    b"X-Original-URL: /admin", b"X-Rewrite-URL: /admin", b"X-HTTP-Method-Override: DELETE",
)  # fmt: skip


def _absent(*names: str) -> object:
    def check(outcome: Outcome) -> None:
        for name in names:
            assert outcome.whole[-1].header_all(name) == []

    return check


def _has(name: str, *values: str) -> object:
    def check(outcome: Outcome) -> None:
        assert outcome.whole[-1].header_all(name) == list(values)

    return check


def _dropped(name: str, line: bytes) -> Case:
    return served(f"drop-{name}", post(line), check=_absent(line.partition(b":")[0].decode().lower()))


def _named(name: str, *names: bytes) -> Case:
    """The invariants of every case say that our credential and Host are there all the same."""
    return served(f"connection-names-{name}", post(b"Connection: " + b", ".join(names)))


CASES: tuple[Case, ...] = (
    _named("proxy-token", b"X-Proxy-Token"),
    _named("authorization", b"Authorization"),
    _named("host", b"Host"),
    _named("content-length", b"Content-Length"),
    _named("via", b"Via"),
    _named("keep-alive-and-token", b"keep-alive", b"x-proxy-token", b"authorization"),
    _named("nonsense", b"", b"", b" , ", b"@"),
    served(
        "connection-names-content-type",
        post(b"Connection: Content-Type"),
        check=_absent("content-type"),
    ),
    served(
        "connection-names-beta",
        post(b"Connection: openai-beta", b"OpenAI-Beta: x"),
        check=_absent("openai-beta"),
    ),
    served(
        "connection-twice",
        post(b"Connection: keep-alive", b"OpenAI-Beta: x", b"Connection: OpenAI-Beta"),
        check=_absent("openai-beta"),
    ),
    _dropped("proxy-authorization", b"Proxy-Authorization: Basic " + MARK),
    _dropped("cookie", b"Cookie: session=" + MARK),
    _dropped("api-key", b"X-Api-Key: " + MARK),
    _dropped("azure-key", b"Api-Key: " + MARK),
    _dropped("te", b"TE: trailers"),
    _dropped("trailer", b"Trailer: X-T"),
    _dropped("keep-alive", b"Keep-Alive: timeout=5"),
    _dropped("proxy-connection", b"Proxy-Connection: keep-alive"),
    _dropped("unknown", b"X-Unknown: 1"),
    _dropped("stainless", b"X-Stainless-Lang: python"),
    _dropped("organization", b"OpenAI-Organization: org-" + MARK),
    _dropped("project", b"OpenAI-Project: proj-" + MARK),
    _dropped("referer", b"Referer: http://" + MARK),
    _dropped("range", b"Range: bytes=0-1"),
    _dropped("if-none-match", b'If-None-Match: "x"'),
    _dropped("date", b"Date: Mon, 01 Jan 2024 00:00:00 GMT"),
    _dropped("accept-language", b"Accept-Language: de"),
    *(_dropped(line.partition(b":")[0].decode().lower(), line) for line in ROUTER_FIELDS),
    served("user-agent-is-ours", post(b"User-Agent: curl/8 " + MARK)),
    served(
        "accept-encoding-is-ours",
        post(b"Accept-Encoding: gzip, br"),
        check=_has("accept-encoding", "identity"),
    ),
    served("keep-accept", post(b"Accept: text/event-stream"), check=_has("accept", "text/event-stream")),
    served(
        "keep-openai-beta", post(b"OpenAI-Beta: assistants=v2"), check=_has("openai-beta", "assistants=v2")
    ),
    served("keep-idempotency-key", post(b"Idempotency-Key: k1"), check=_has("idempotency-key", "k1")),
    served(
        "keep-anthropic",
        post(b"Anthropic-Version: 2023-06-01"),
        check=_has("anthropic-version", "2023-06-01"),
    ),
    served("keep-content-type", post(), check=_has("content-type", "application/json")),
    served(
        "keep-content-type-parameter",
        post(kind=b"Content-Type: Application/JSON; charset=utf-8"),
        check=_has("content-type", "Application/JSON; charset=utf-8"),
    ),
    served("keep-high-bytes", post(b"Idempotency-Key: \xe4"), check=_has("idempotency-key", "\xe4")),
    served("via-is-extended", post(b"Via: 1.1 first"), check=lambda o: _via(o, "1.1 first, 1.1 clawgate-")),
    served("via-is-begun", post(), check=lambda o: _via(o, "1.1 clawgate-")),
)


def _via(outcome: Outcome, start: str) -> None:
    (value,) = outcome.whole[-1].header_all("via")
    assert value.startswith(start)
