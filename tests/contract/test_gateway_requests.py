"""Raw requests to the gateway: what cannot be trusted is refused in the caller's dialect, with nothing dialled.

Every case is sent on a fresh connection and behind a good request on the same one.
"""

from __future__ import annotations

import gzip
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.contract.case import chunked, get, post
from tests.peers import faults
from tests.peers.client import RawClient
from tests.peers.connection import Request
from tests.peers.response import Response
from tests.peers.script import Script
from tests.peers.upstream import FakeUpstream
from tests.relay.recording_dialer import RecordingDialer
from tests.routing.gateway_server import (
    ANTHROPIC,
    CLIENT_TOKEN,
    KEY,
    GatewayStand,
    config_of,
    provider,
    serving_gateway,
)

CHAT, MESSAGES = b"/v1/chat/completions", b"/v1/messages"
LIMIT = 20 * 1024 * 1024
MARK = "EVILMARK"
"""Stands in what a client says where it must never come out of a head unescaped."""
AUTH = b"Authorization: Bearer " + CLIENT_TOKEN.encode()
OWN_FIELDS = {
    "allow", "cache-control", "connection", "content-length", "content-type", "date",
    "retry-after", "transfer-encoding", "upgrade", "www-authenticate", "x-clawgate-attempts", "x-clawgate-model",
    "x-clawgate-estimated", "x-clawgate-ignored", "x-clawgate-provider",
}  # fmt: skip

CHAT_ANSWER = {
    "id": "c1", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}  # fmt: skip
MESSAGES_ANSWER = {
    "id": "m1", "type": "message", "role": "assistant", "model": "m", "content": [{"type": "text", "text": "hi"}],
    "stop_reason": "end_turn", "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1},
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """``status`` of each answer in turn. ``reaches``: how many requests get to a provider."""

    name: str
    send: bytes
    status: tuple[int, ...]
    code: str | None = None
    reaches: int = 0
    closes: bool = False
    to_method: str = "GET"
    messages: bool = False
    """Whether its errors have the shape of Anthropic's."""
    check: Callable[[list[Response], list[Request]], None] | None = None


def said(model: str | None = "oa/m", *, more: str = "") -> bytes:
    """A good body of either dialect, with the JSON text ``model`` written out."""
    name = "" if model is None else f'"model":{json.dumps(model)},'
    return f'{{{name}{more}"max_tokens":5,"messages":[{{"role":"user","content":"hi"}}]}}'.encode()


def with_model(text: bytes) -> bytes:
    """A body in which these bytes are the model's value."""
    return b'{"model":' + text + b',"max_tokens":5,"messages":[{"role":"user","content":"hi"}]}'


def both(name: str, body: bytes, status: int = 400, code: str | None = "invalid_request") -> list[Case]:
    """A body that is refused on the routes of both dialects."""
    return [
        Case(
            name=f"{name}-{kind}", send=post(body=body, target=target), status=(status,), code=code,
            messages=target == MESSAGES,
        )
        for kind, target in (("chat", CHAT), ("messages", MESSAGES))
    ]  # fmt: skip


def refused(name: str, send: bytes, status: int, code: str | None = None, **more: Any) -> Case:
    return Case(**{"name": name, "send": send, "status": (status,), "code": code, **more})


def served(name: str, send: bytes, **more: Any) -> Case:
    return Case(**{"name": name, "send": send, "status": (200,), "reaches": 1, **more})


def nested(opening: bytes, closing: bytes, depth: int) -> bytes:
    return b'{"model":"oa/m","a":' + opening * depth + b"1" + closing * depth + b"}"


NOT_JSON: list[tuple[str, bytes]] = [
    ("blank", b" \r\n\t "),
    ("null", b"null"),
    ("true", b"true"),
    ("number", b"1"),
    ("text", b'"oa/m"'),
    ("array", b"[]"),
    ("array-of-one", b"[" + said() + b"]"),
    ("open", b"{"),
    ("open-key", b'{"model"'),
    ("open-text", b'{"model":"oa/m'),
    ("no-value", b'{"model":}'),
    ("no-key", b'{:"oa/m"}'),
    ("no-comma", b'{"model":"oa/m" "stream":true}'),
    ("comma-behind", b'{"model":"oa/m",}'),
    ("comma-in-front", b'{,"model":"oa/m"}'),
    ("single-quotes", b"{'model':'oa/m'}"),
    ("bare-key", b'{model:"oa/m"}'),
    ("comment", b'{/* x */"model":"oa/m"}'),
    ("line-comment", b'{"model":"oa/m"}// x'),
    ("nan", b'{"model":"oa/m","temperature":NaN}'),
    ("infinity", b'{"model":"oa/m","temperature":Infinity}'),
    ("minus-infinity", b'{"model":"oa/m","temperature":-Infinity}'),
    ("hex", b'{"model":"oa/m","n":0x1}'),
    ("leading-zero", b'{"model":"oa/m","n":01}'),
    ("half-a-number", b'{"model":"oa/m","n":1.}'),
    ("plus", b'{"model":"oa/m","n":+1}'),
    ("half-a-word", b'{"model":"oa/m","n":tru}'),
    ("two-objects", said() + said("an/m")),
    ("two-lines", said() + b"\n" + said("an/m")),
    ("rubbish-behind", said() + b"x"),
    ("nul-behind", said() + b"\0"),
    ("nul-in-front", b"\0" + said()),
    ("bom", b"\xef\xbb\xbf" + said()),
    ("utf-16", said().decode().encode("utf-16")),
    ("utf-16-be", said().decode().encode("utf-16-be")),
    ("utf-32", said().decode().encode("utf-32")),
    ("vertical-tab", b"\x0b" + said()),
    ("raw-line-break-in-text", with_model(b'"oa/\nm"')),
    ("raw-nul-in-text", with_model(b'"oa/\0m"')),
    ("raw-line-break-in-key", b'{"a\n":1,"model":"oa/m"}'),
    ("unknown-escape", with_model(rb'"oa/\xm"')),
    ("short-escape", with_model(rb'"oa/\u12"')),
    ("key-not-utf-8", b'{"\xff":1,"model":"oa/m"}'),
    ("model-not-utf-8", with_model(b'"oa/\xff"')),
    ("model-overlong-utf-8", with_model(b'"oa\xc0\xafm"')),
    ("model-surrogate-bytes", with_model(b'"oa/\xed\xa0\x80"')),
    ("model-half-a-surrogate", with_model(rb'"oa/\ud800"')),
    ("model-other-half", with_model(rb'"oa/\udc00"')),
    ("gzip-without-saying-so", gzip.compress(said())),
    ("form", b"model=oa/m&stream=true"),
    ("sse", b"data: " + said() + b"\n\n"),
    ("deep-arrays", nested(b"[", b"]", 100_000)),
    ("deep-objects", nested(b'{"a":', b"}", 50_000)),
    ("deep-and-open", b'{"a":' + b"[" * 500_000),
    ("model-twice", b'{"model":"oa/m","model":"an/m"}'),
    ("model-twice-the-same", b'{"model":"oa/m","model":"oa/m"}'),
    ("model-twice-escaped", rb'{"model":"oa/m","mod\u0065l":"an/m"}'),
    ("model-twice-escaped-first", rb'{"\u006d\u006f\u0064\u0065\u006c":"oa/m","model":"an/m"}'),
    ("model-twice-null", b'{"model":"oa/m","model":null}'),
    ("model-in-capitals", b'{"Model":"oa/m"}'),
    ("model-and-capitals", b'{"model":"oa/m","MODEL":"an/m"}'),
    ("stream-twice", b'{"model":"oa/m","stream":true,"stream":false}'),
    ("messages-twice", b'{"model":"oa/m","messages":[],"messages":[]}'),
    ("odd-name-twice", b'{"model":"oa/m","a\\r\\nX-Evil: 1":1,"a\\r\\nX-Evil: 1":1}'),
    ("long-name-twice", b'{"%b":1,"%b":2}' % (b"n" * 100_000, b"n" * 100_000)),
    ("prefix-twice", b'{"n":12,"n":1,"model":"oa/m"}'),
    ("model-number", with_model(b"1")),
    ("model-float", with_model(b"1.5")),
    ("model-huge", with_model(b"9" * 5000)),
    ("model-huge-exponent", with_model(b"1e999999")),
    ("model-true", with_model(b"true")),
    ("model-list", with_model(b'["oa/m"]')),
    ("model-object", with_model(b'{"model":"oa/m"}')),
]

NOT_FOUND: list[tuple[str, str | None]] = [
    ("none", None),
    ("empty", ""),
    ("default", "default"),
    ("agent", "openclaw/main"),
    ("agent-colon", "agent:main"),
    ("no-provider", "gpt-5"),
    ("unknown-provider", f"{MARK}/m"),
    ("other-case", "OA/m"),
    ("blank-in-front", " oa/m"),
    ("nothing-behind", "oa/"),
    ("nothing-in-front", "/m"),
    ("slash", "/"),
    ("dots", "../oa/m"),
    ("url", "http://127.0.0.1:1/v1"),
    ("metadata", "169.254.169.254/m"),
    ("crlf", f"x\r\nX-{MARK}: 1\r\n\r\n/m"),
    ("nul", f"x\0{MARK}"),
    ("escape", f"\x1b[31m{MARK}"),
    ("right-to-left", f"\u202e{MARK}/m"),
    ("zero-width", "o\u200ba/m"),
    ("look-alike", "\u043e\u0430/m"),
    ("emoji", "🦞/🦞"),
    ("quotes", f"\"{MARK}'; drop table"),
    ("format", "%s%n{0}{model}/m"),
    ("long", "x" * 100_000),
    ("long-provider", "x" * 100_000 + "/m"),
    ("very-long", "y/" * 1_000_000),
    ("line-separator", f"\u2028{MARK}\u2029"),
]

ODD_NAMES: list[tuple[str, str]] = [
    ("crlf", f"x\r\nX-{MARK}: 1\r\n\r\n"),
    ("line-break", f"x\nX-{MARK}: 1"),
    ("nul", "x\0y"),
    ("tab", "x\ty"),
    ("del", "x\x7fy"),
    ("escape", "x\x1b[0m"),
    ("slashes", "a/b/c//"),
    ("unicode", "ünïcode-🦞"),
    ("separators", "a\u2028b\u202ec"),
    ("quotes", 'a"b\\c'),
    ("percent", "a%0d%0ab"),
    ("blank", " "),
    ("long", "z" * 100_000),
    ("long-unicode", "🦞" * 30_000),
]


def _model_is(model: str, field: str = "x-clawgate-model") -> Callable[[list[Response], list[Request]], None]:
    """The provider is asked for just that, and the head names it in visible ASCII, within bounds."""

    def check(answers: list[Response], requests: list[Request]) -> None:
        assert json.loads(requests[-1].body)["model"] == model
        shown = answers[-1].header(field)
        assert shown is not None and shown.isascii() and shown.isprintable() and len(shown) <= 1000

    return check


def _body_is(body: bytes) -> Callable[[list[Response], list[Request]], None]:
    def check(_: list[Response], requests: list[Request]) -> None:
        assert requests[-1].body == body

    return check


def _allows(*methods: str) -> Callable[[list[Response], list[Request]], None]:
    def check(answers: list[Response], _: list[Request]) -> None:
        assert answers[-1].header("allow") == ", ".join(methods)

    return check


def _continued(answers: list[Response], _: list[Request]) -> None:
    assert [interim.start[1] for interim in answers[0].interim] == ["100"]


GOOD = post(body=said())
GZIP = gzip.compress(said())
CASES: tuple[Case, ...] = (
    *(case for name, body in NOT_JSON for case in both(f"body-{name}", body)),
    refused("body-empty", post(body=b""), 400, "invalid_request"),
    refused("body-empty-chunked", chunked(body=b"0\r\n\r\n"), 400, "invalid_request"),
    *(
        case
        for name, model in NOT_FOUND
        for case in both(f"model-{name}", said(model), 404, "model_not_found")
    ),
    *both("model-null", with_model(b"null"), 404, "model_not_found"),
    *(
        served(f"model-odd-{name}", post(body=said(f"oa/{model}")), check=_model_is(model))
        for name, model in ODD_NAMES
    ),
    *(
        served(f"model-odd-translated-{name}", post(body=said(f"an/{model}")), check=_model_is(model))
        for name, model in ODD_NAMES
    ),
    # What passes in the same dialect is nobody's business but the provider's.
    *(
        served(f"passes-{name}", post(body=said("oa/m", more=more)), check=_body_is(said("m", more=more)))
        for name, more in (
            ("huge-number", f'"n":{"9" * 5000},'),
            ("huge-exponent", '"n":1e99999,'),
            ("nested", '"n":' + "[" * 300 + "]" * 300 + ","),
            ("nested-twice", '"n":{"a":1,"a":2},'),
            ("half-a-surrogate", '"n":"\\ud800",'),
            ("nested-model", '"n":{"model":"an/m"},'),
            ("blanks", '\r\n\t "n"  :\t{ } ,\r\n'),
        )
    ),
    served("passes-wrong-types", post(body=b'{"model":"oa/m","messages":7,"max_tokens":"x"}')),
    *(
        refused(f"translated-{name}", post(body=b'{"model":"an/m",' + body + b"}"), 400, "invalid_request")
        for name, body in (
            ("messages-number", b'"messages":7'),
            ("messages-null", b'"messages":null'),
            ("messages-object", b'"messages":{}'),
            ("message-number", b'"messages":[1]'),
            ("role-unknown", b'"messages":[{"role":"king","content":"x"}]'),
            ("role-number", b'"messages":[{"role":1,"content":"x"}]'),
            ("content-number", b'"messages":[{"role":"user","content":1}]'),
            ("part-unknown", b'"messages":[{"role":"user","content":[{"type":"smell"}]}]'),
            ("content-not-utf-8", b'"messages":[{"role":"user","content":"\xff"}]'),
            ("max-tokens-text", b'"max_tokens":"5","messages":[{"role":"user","content":"x"}]'),
            ("stream-text", b'"stream":"yes","messages":[{"role":"user","content":"x"}]'),
            ("tools-number", b'"tools":7,"messages":[{"role":"user","content":"x"}]'),
        )
    ),
    refused(
        "no-counterpart-embeddings", post(target=b"/v1/embeddings", body=said("an/m")), 400, "invalid_request"
    ),
    refused(
        "no-counterpart-responses", post(target=b"/v1/responses", body=said("an/m")), 400, "invalid_request"
    ),
    served("count-estimated", post(target=b"/v1/messages/count_tokens", body=said("oa/m")), reaches=0),
    served("count-tokens", post(target=b"/v1/messages/count_tokens", body=said("an/m"))),
    served(
        "input-tokens-estimated",
        post(target=b"/v1/responses/input_tokens", body=b'{"model":"oa/m","input":"hi"}'),
        reaches=0,
    ),
    served("embeddings", post(target=b"/v1/embeddings", body=said("oa/m"))),
    served("responses", post(target=b"/v1/responses", body=b'{"model":"oa/m","input":"hi"}')),
    served("completions", post(target=b"/v1/completions", body=b'{"model":"oa/m","prompt":"hi"}')),
    refused("chat-at-responses", post(target=b"/v1/responses", body=said("oa/m")), 400, "invalid_request"),
    refused("responses-at-chat", post(body=b'{"model":"oa/m","input":"hi"}'), 400, "invalid_request"),
    # Methods and routes.
    *(
        refused(
            f"method-{method.decode().lower()}",
            get(target=CHAT, method=method),
            405,
            "method_not_allowed",
            check=_allows("POST"),
        )
        for method in (b"GET", b"OPTIONS", b"DELETE", b"PUT", b"PATCH", b"TRACE")
    ),
    Case(name="method-head", send=get(target=CHAT, method=b"HEAD"), status=(405,), to_method="HEAD"),
    refused("method-get-messages", get(target=MESSAGES), 405, "method_not_allowed", messages=True),
    refused("method-put-messages", post(target=MESSAGES, method=b"PUT", body=said()), 405, messages=True),
    *(
        refused(f"route-{number}", post(target=target, body=said()), 404, "unknown_route")
        for number, target in enumerate(
            (
                b"/",
                b"/v1/",
                b"/v1/files",
                b"//v1/chat/completions",
                b"/v1//messages",
                b"/chat/completions",
                b"/v1/v1/responses",
                b"/v1/completion",
                b"/v1/chat/completions/",
                b"/v1/chat/completions/x",
                b"/V1/chat/completions",
                b"/admin",
                b"/v1/responses/x",
                b"/v1/embeddings/x",
                b"/metrics",
            )
        )
    ),
    refused("route-batches", post(target=b"/v1/messages/batches", body=said()), 404, messages=True),
    refused("route-messages-slash", post(target=b"/v1/messages/", body=said()), 404, messages=True),
    refused("route-dots", post(target=b"/v1/../v1/chat/completions", body=said()), 400),
    refused("route-encoded-dots", post(target=b"/v1/%2e%2e/chat/completions", body=said()), 400),
    served("route-query", post(target=CHAT + b"?beta=true", body=said())),
    served("route-absolute", post(target=b"http://@HOST@" + CHAT, body=said())),
    # Framing and coding of the body.
    served("chunked", chunked(body=faults.chunk(said()) + faults.LAST_CHUNK), check=_body_is(said("m"))),
    served(
        "chunked-bytes",
        chunked(body=b"".join(faults.chunk(bytes([one])) for one in said()) + faults.LAST_CHUNK),
        check=_body_is(said("m")),
    ),
    refused("chunked-and-length", post(b"Transfer-Encoding: chunked", body=said()), 400, closes=True),
    refused("chunked-bad-size", chunked(body=b"x\r\n{}\r\n0\r\n\r\n"), 400, closes=True),
    refused("chunked-http10", chunked(body=faults.LAST_CHUNK, version=b"HTTP/1.0"), 400, closes=True),
    refused("gzip", post(b"Content-Encoding: gzip", body=GZIP), 415, "unsupported_content_type"),
    refused("deflate", post(b"Content-Encoding: deflate", body=GZIP), 415),
    refused(
        "gzip-and-identity", post(b"Content-Encoding: identity", b"Content-Encoding: gzip", body=GZIP), 400
    ),
    refused("gzip-messages", post(b"Content-Encoding: gzip", body=GZIP, target=MESSAGES), 415, messages=True),
    served("identity", post(b"Content-Encoding: identity", body=said())),
    served("continue", post(b"Expect: 100-continue", body=said()), check=_continued),
    refused("continue-refused", post(b"Expect: 100-continue", body=b"[]"), 400, check=_continued),
    refused("expect-else", post(b"Expect: 200-ok", body=said()), 417),
    refused(
        "length-over",
        post(body=b"", length=b"Content-Length: %d" % (LIMIT + 1)),
        413,
        "body_too_large",
        closes=True,
    ),
    refused("length-far-over", post(body=b"", length=b"Content-Length: 99999999999999"), 413, closes=True),
    refused(
        "length-over-messages",
        post(body=b"", target=MESSAGES, length=b"Content-Length: %d" % (LIMIT + 1)),
        413,
        closes=True,
        messages=True,
    ),
    refused("length-negative", post(body=b"", length=b"Content-Length: -1"), 400, closes=True),
    refused("length-twice", post(b"Content-Length: 2", body=said()), 400, closes=True),
    refused(
        "plain-text", post(kind=b"Content-Type: text/plain", body=said()), 415, "unsupported_content_type"
    ),
    refused("no-type", post(kind=None, body=said()), 415),
    refused("form-type", post(kind=b"Content-Type: application/x-www-form-urlencoded", body=b"a=b"), 415),
    refused("multipart", post(kind=b"Content-Type: multipart/form-data; boundary=x", body=b"--x--"), 400),
    served("type-with-charset", post(kind=b"Content-Type: Application/JSON; charset=utf-8", body=said())),
    # Who, and from where.
    served("token-bearer", GOOD),
    served("token-api-key", post(auth=b"X-Api-Key: " + CLIENT_TOKEN.encode(), body=said())),
    served("token-proxy", post(auth=b"X-Proxy-Token: " + CLIENT_TOKEN.encode(), body=said())),
    served("token-twice", post(b"X-Api-Key: " + CLIENT_TOKEN.encode(), body=said())),
    *(
        refused(f"token-{name}", post(auth=line, body=said()), 401, code)
        for name, line, code in (
            ("none", None, "missing_token"),
            ("wrong", b"Authorization: Bearer wrong", "invalid_token"),
            ("basic", b"Authorization: Basic " + CLIENT_TOKEN.encode(), "missing_token"),
            ("no-scheme", b"Authorization: " + CLIENT_TOKEN.encode(), "missing_token"),
            ("cookie", b"Cookie: token=" + CLIENT_TOKEN.encode(), "missing_token"),
            ("api-key-wrong", b"X-Api-Key: wrong", "invalid_token"),
            ("proxy-wrong", b"X-Proxy-Token: wrong", "invalid_token"),
            ("azure", b"Api-Key: " + CLIENT_TOKEN.encode(), "missing_token"),
            ("goog", b"X-Goog-Api-Key: " + CLIENT_TOKEN.encode(), "missing_token"),
            ("proxy-authorization", b"Proxy-Authorization: Bearer " + CLIENT_TOKEN.encode(), "missing_token"),
            ("providers-key", b"Authorization: Bearer " + KEY.encode(), "invalid_token"),
        )
    ),
    refused(
        "token-in-query", post(target=CHAT + b"?token=" + CLIENT_TOKEN.encode(), auth=None, body=said()), 401
    ),
    refused("token-none-messages", post(target=MESSAGES, auth=None, body=said()), 401, messages=True),
    refused("token-none-models", get(target=b"/v1/models", auth=None), 401),
    refused("token-none-nowhere", get(target=b"/nowhere", auth=None), 401),
    refused("tokens-differ", post(b"X-Api-Key: wrong", body=said()), 400),
    refused("token-field-twice", post(AUTH, body=said()), 400),
    *(
        refused(f"origin-{number}", post(line, body=said()), 403, "origin_not_allowed")
        for number, line in enumerate(
            (
                b"Origin: https://evil.example",
                b"Origin: null",
                b"Origin: http://@HOST@",
                b"Origin: http://localhost",
                b"Sec-Fetch-Site: cross-site",
                b"Sec-Fetch-Site: same-site",
            )
        )
    ),
    refused("origin-messages", post(b"Origin: null", body=said(), target=MESSAGES), 403, messages=True),
    refused("host-foreign", post(host=b"Host: evil.example", body=said()), 421, "host_not_allowed"),
    refused("host-none", post(host=None, body=said()), 400),
    refused("host-rebound", post(host=b"Host: 127.0.0.1.evil.example", body=said()), 421),
    served("host-localhost", post(host=b"Host: localhost", body=said())),
    refused(
        "socket",
        get(
            b"Connection: Upgrade",
            b"Upgrade: websocket",
            b"Sec-WebSocket-Version: 13",
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            target=CHAT,
        ),
        426,
        closes=True,
    ),
    # Old clients, and several requests at once.
    served("http10", post(version=b"HTTP/1.0", body=said()), closes=True),
    refused("http10-refused", post(version=b"HTTP/1.0", body=b"[]"), 400, closes=True),
    refused("http2", post(version=b"HTTP/2.0", body=said()), 505, closes=True),
    Case(name="pipeline", send=GOOD + post(body=said("an/m")) + GOOD, status=(200, 200, 200), reaches=3),
    Case(name="pipeline-bad-first", send=post(body=b"[]") + GOOD, status=(400, 200), reaches=1),
    Case(name="pipeline-bad-last", send=GOOD + post(body=b"[]"), status=(200, 400), reaches=1),
    Case(name="pipeline-bad-twice", send=post(body=b"{") * 2, status=(400, 400), code="invalid_request"),
    # The gateway's own pages.
    Case(name="health", send=get(target=b"/health", auth=None), status=(200,)),
    Case(name="ready", send=get(target=b"/ready", auth=None), status=(200,)),
    Case(name="models", send=get(target=b"/v1/models"), status=(200,)),
    Case(name="models-head", send=get(target=b"/v1/models", method=b"HEAD"), status=(405,), to_method="HEAD"),
    Case(name="model", send=get(target=b"/v1/models/oa/m"), status=(200,)),
    refused("model-unlisted", get(target=b"/v1/models/oa/%s" % MARK.encode()), 404, "model_not_found"),
    refused("model-unknown", get(target=b"/v1/models/x/y"), 404, "model_not_found"),
    refused("models-post", post(target=b"/v1/models", body=said()), 405, check=_allows("GET")),
    refused("models-body", get(b"Content-Length: 2", target=b"/v1/models") + b"{}", 400),
    refused("health-post", post(target=b"/health", body=b"{}"), 405),
)

KNOWN_DEFECTS: dict[str, str] = {}
"""Case name to what is wrong. An entry that is no longer needed fails."""


def answer_of(request: Request) -> Script:
    return faults.json_response(MESSAGES_ANSWER if request.target.startswith("/v1/messages") else CHAT_ANSWER)


def config(upstream: FakeUpstream) -> dict[str, Any]:
    url = upstream.url
    models = [{"id": "m"}]
    return config_of(
        {"oa": provider(url, models=models), "an": provider(url, ANTHROPIC, models=models)},
        gateway={
            "auth": {
                "mode": "token",
                "token": CLIENT_TOKEN,
                "rateLimit": {"maxAttempts": 1_000, "exemptLoopback": False},
            }
        },
    )


def spelled(stand: GatewayStand, data: bytes) -> bytes:
    return data.replace(b"@HOST@", stand.url.removeprefix("http://").encode()).replace(b"@AUTH@", AUTH)


def judge(case: Case, answer: Response, *, to_method: str) -> None:
    """What holds for every answer, whatever was asked."""
    assert answer.complete and not answer.anomalies, answer
    head = answer.head
    assert head is not None
    assert {name.lower() for name, _ in head.fields} <= OWN_FIELDS | {"x-request-id"}
    assert all(name.lower() == "x-clawgate-model" or MARK not in value for name, value in head.fields)
    assert CLIENT_TOKEN.encode() not in head.raw + answer.body and KEY.encode() not in head.raw + answer.body
    assert len(head.raw) < 4096
    if answer.status < 400 or to_method == "HEAD":
        return
    assert answer.status < 500 or answer.status == 505, "our own making"
    assert answer.header("content-type") == "application/json" and len(answer.body) < 4096
    shown = answer.json()
    if case.messages:
        assert shown["type"] == "error" and set(shown) == {"type", "error"}
        assert {"type", "message"} <= set(shown["error"]) <= {"type", "message", "code", "param"}
    else:
        assert set(shown) == {"error"} and set(shown["error"]) == {"message", "type", "code", "param"}
    if case.code is not None:
        assert shown["error"]["code"] == case.code


async def attempt(case: Case, stand: GatewayStand, upstream: FakeUpstream, client: RawClient) -> None:
    seen = len(upstream.requests)
    await client.send(spelled(stand, case.send))
    answers: list[Response] = []
    for number, status in enumerate(case.status, 1):
        to_method = case.to_method if number == len(case.status) else "GET"
        answer = await client.response(to_method=to_method, last=False)
        assert answer.status == status, answer
        judge(case, answer, to_method=to_method)
        answers.append(answer)
    if case.closes:
        assert answers[-1].header("connection") == "close"
        assert (await client.ended()).trailing == b""
    else:
        await client.send(spelled(stand, get(target=b"/health", auth=None)))
        assert (await client.response()).status == 200, "the connection has lost its place"
    requests = upstream.requests[seen:]
    assert len(requests) == case.reaches and upstream.anomalies == []
    for request in requests:
        assert CLIENT_TOKEN.encode() not in request.raw_head + request.body
        fields = {"authorization": f"Bearer {KEY}", "x-api-key": KEY}
        shown = [name for name in fields if request.header_all(name) == [fields[name]]]
        assert len(shown) == 1 and MARK.encode() not in request.raw_head
    if case.check is not None:
        case.check(answers, requests)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            case,
            id=case.name,
            marks=[pytest.mark.xfail(reason=KNOWN_DEFECTS[case.name])] if case.name in KNOWN_DEFECTS else [],
        )
        for case in CASES
    ],
)
async def test_request(case: Case, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The status, the shape and the end that it deserves; where it is refused, not one connection is dialled."""
    caplog.set_level(logging.INFO, "clawgate")
    dialer = RecordingDialer()
    async with (
        FakeUpstream(answer_of) as upstream,
        serving_gateway(tmp_path, config(upstream), dialer=dialer) as stand,
    ):
        async with await stand.client() as client:
            await attempt(case, stand, upstream, client)
        assert len(dialer.ledger) <= case.reaches and (case.reaches or not upstream.connections)
        async with await stand.client() as client:
            await client.send(spelled(stand, GOOD))
            assert (await client.response()).status == 200
            await attempt(case, stand, upstream, client)
    for record in caplog.records:
        assert record.exc_info is None, record.getMessage()
        assert "\r" not in record.getMessage() and "\n" not in record.getMessage()
        assert "\x1b" not in record.getMessage() and len(record.getMessage()) < 4096
        assert CLIENT_TOKEN not in record.getMessage() and KEY not in record.getMessage()


def test_names_are_unique_and_there_are_enough() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names) >= 110


@pytest.mark.parametrize("over", [False, True], ids=["at the limit", "one byte over it"])
async def test_a_chunked_body_is_counted_as_it_comes(over: bool, tmp_path: Path) -> None:
    """20 MB pass; one byte more is refused before anything is dialled."""
    padding = LIMIT - len(said("oa/m", more='"p":"",')) + over
    body = said("oa/m", more=f'"p":"{"x" * padding}",')
    assert len(body) == LIMIT + over
    dialer = RecordingDialer()
    async with (
        FakeUpstream(answer_of) as upstream,
        serving_gateway(tmp_path, config(upstream), dialer=dialer) as stand,
        await stand.client() as client,
    ):
        send = chunked(body=faults.chunk(body) + faults.LAST_CHUNK)
        if not over:
            await client.send(spelled(stand, send))
            assert (await client.response()).status == 200
            assert len(upstream.requests[0].body) == LIMIT - len("oa/")
            return
        await client.send(spelled(stand, send[: -len(faults.LAST_CHUNK)]))
        answer = await client.response()
        judge(replace(CASES[0], code="body_too_large"), answer, to_method="POST")
        assert answer.status == 413 and not dialer.ledger and not upstream.connections


async def test_an_absolute_target_has_the_dialect_of_its_path(tmp_path: Path) -> None:
    """``POST http://host/v1/messages`` is a request of Anthropic's clients as well."""
    async with (
        FakeUpstream(answer_of) as upstream,
        serving_gateway(tmp_path, config(upstream)) as stand,
        await stand.client() as client,
    ):
        await client.send(spelled(stand, post(target=b"http://@HOST@" + MESSAGES, body=b"[]")))
        assert (await client.response()).json().get("type") == "error"
