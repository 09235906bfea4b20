"""What a request asks of the connection: Expect, HEAD, HTTP/1.0, keep-alive, pipelines, upgrades (RFC 9110, 9112)."""

from __future__ import annotations

from tests.contract.case import Case, Outcome, chunked, denied, get, post, refused, served

TWO = b"2\r\n{}\r\n0\r\n\r\n"
WEBSOCKET = (
    b"Connection: Upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
H2C = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA")


def _continued(outcome: Outcome) -> None:
    assert [head.start[1] for head in outcome.answers[0].interim] == ["100"]
    assert outcome.whole[0].header_all("expect") == []


def _not_continued(outcome: Outcome) -> None:
    assert outcome.answers[0].interim == ()


def _framing(framing: str) -> object:
    def check(outcome: Outcome) -> None:
        assert outcome.answers[-1].framing == framing
        assert outcome.answers[-1].json() == {"ok": True}

    return check


def _bodiless(outcome: Outcome) -> None:
    assert outcome.answers[-1].body == b""
    assert outcome.answers[-1].header("content-length") not in (None, "0")


def _method(method: str) -> object:
    def check(outcome: Outcome) -> None:
        assert outcome.whole[-1].method == method

    return check


def _in_order(*targets: str) -> object:
    def check(outcome: Outcome) -> None:
        assert [request.target for request in outcome.whole] == list(targets)

    return check


def _pipeline(name: str, *requests: bytes, status: tuple[int, ...] | None = None, **more: object) -> Case:
    statuses = status or (200,) * len(requests)
    reaches = sum(each == 200 for each in statuses)
    values: dict[str, object] = {"status": statuses, "reaches": reaches, "closes": False}
    return Case(name=f"pipeline-{name}", send=b"".join(requests), **{**values, **more})  # type: ignore[arg-type]


def _ends(name: str, send: bytes, **more: object) -> Case:
    return Case(**{"name": name, "send": send, "status": (200,), "reaches": 1, "closes": True, **more})  # type: ignore[arg-type]


CASES: tuple[Case, ...] = (
    # Expect.
    served("expect-continue", post(b"Expect: 100-continue"), check=_continued),
    served("expect-continue-case", post(b"Expect: 100-Continue"), check=_continued),
    served(
        "expect-continue-behind-empty",
        post(b"Expect: 100-continue"),
        check=_continued,
        twin=post(b"Expect: 100-continue", body=b""),
    ),
    served("expect-continue-chunked", chunked(b"Expect: 100-continue", body=TWO), check=_continued),
    served("expect-continue-no-body", get(b"Expect: 100-continue"), check=_not_continued, twin=get()),
    _ends("expect-continue-http10", post(b"Expect: 100-continue", version=b"HTTP/1.0"), check=_not_continued),
    denied("expect-unknown", post(b"Expect: 200-ok"), 417, code="expectation_unknown"),
    denied("expect-list", post(b"Expect: 100-continue, x"), 417),
    denied("expect-empty", post(b"Expect:"), 417),
    denied("expect-twice", post(b"Expect: 100-continue", b"Expect: 100-continue"), 400),
    refused(
        "expect-refused-before-body",
        post(b"Expect: 100-continue", kind=b"Content-Type: text/plain", body=b"").replace(
            b": 0\r\n", b": 10\r\n"
        ),
        415,
    ),
    # HEAD and other methods.
    served("head", get(method=b"HEAD"), check=_bodiless, to_method="HEAD", twin=get()),
    served("head-behind-head", get(method=b"HEAD"), check=_method("HEAD"), to_method="HEAD", twin=get()),
    denied(
        "head-health-unknown-route",
        get(method=b"HEAD", target=b"/nowhere"),
        404,
        to_method="HEAD",
        twin=get(),
    ),
    denied(
        "head-of-a-post-route",
        get(method=b"HEAD", target=b"/v1/chat/completions"),
        405,
        to_method="HEAD",
        roles=("server",),
    ),
    denied("get-of-a-post-route", get(target=b"/v1/chat/completions"), 405, roles=("server",)),
    denied("post-to-a-get-route", post(target=b"/v1/models"), 405, roles=("server",)),
    denied("delete", get(method=b"DELETE", target=b"/v1/models/x"), 405, roles=("server",)),
    served(
        "delete-through-the-bridge",
        get(method=b"DELETE", target=b"/v1/files/x"),
        check=_method("DELETE"),
        roles=("bridge",),
    ),
    denied("trace", get(method=b"TRACE"), 405),
    denied("put", post(method=b"PUT"), 405, roles=("server",)),
    denied("post-to-health", post(target=b"/health"), 405),
    denied("health-with-body", get(b"Content-Length: 2", target=b"/health") + b"{}", 400),
    # HTTP/1.0 and who closes.
    _ends("http10-get", get(version=b"HTTP/1.0"), check=_framing("length"), twin=get()),
    _ends("http10-no-host", get(version=b"HTTP/1.0", host=None), check=_framing("length"), twin=get()),
    _ends(
        "http10-no-chunked-answer",
        get(version=b"HTTP/1.0", target=b"/v1/models/chunked"),
        check=_framing("close"),
    ),
    _ends(
        "http10-keep-alive",
        get(b"Connection: keep-alive", version=b"HTTP/1.0"),
        check=_framing("length"),
        twin=get(),
    ),
    _ends("close", get(b"Connection: close"), twin=get()),
    _ends("close-case", get(b"Connection: Close"), twin=get()),
    _ends("close-in-list", get(b"Connection: keep-alive, close"), twin=get()),
    _ends(
        "close-chunked-answer",
        get(b"Connection: close", target=b"/v1/models/chunked"),
        check=_framing("chunked"),
    ),
    served("chunked-answer", get(target=b"/v1/models/chunked"), check=_framing("chunked"), twin=get()),
    served("keep-alive", get(b"Connection: keep-alive"), twin=get()),
    Case(
        name="close-then-another",
        send=get(b"Connection: close") + get(target=b"/v1/models/x"),
        status=(200,),
        reaches=1,
        closes=True,
        twin=get(),
    ),
    Case(
        name="http10-then-another",
        send=get(version=b"HTTP/1.0") + get(target=b"/v1/models/x"),
        status=(200,),
        reaches=1,
        closes=True,
        twin=get(),
    ),
    # Pipelines.
    _pipeline(
        "two-gets",
        get(target=b"/v1/models/1"),
        get(target=b"/v1/models/2"),
        check=_in_order("/v1/models/1", "/v1/models/2"),
    ),
    _pipeline(
        "three",
        get(target=b"/v1/models/1"),
        post(),
        get(target=b"/v1/models/3"),
        check=_in_order("/v1/models/1", "/v1/chat/completions", "/v1/models/3"),
    ),
    _pipeline("same-head-thrice", post(body=b"{}"), post(body=b"{ }"), post(body=b"{  }")),
    _pipeline(
        "health-between", get(), get(target=b"/health", auth=None), get(), status=(200, 200, 200), reaches=2
    ),
    _pipeline("refusal-between", get(), get(target=b"/nowhere"), get(), status=(200, 404, 200)),
    _pipeline("refusal-with-body-first", post(kind=b"Content-Type: text/plain"), get(), status=(415, 200)),
    _pipeline("malformed-behind", get(), b"GET / HTTP/9.9\r\n\r\n", status=(200, 400), closes=True),
    _pipeline("chunked-second", get(), chunked(body=TWO)),
    _pipeline("empty-line-between", get(), b"\r\n" + get()),
    _pipeline(
        "twenty",
        *[get(target=b"/v1/models/%d" % number) for number in range(20)],
        check=_in_order(*[f"/v1/models/{number}" for number in range(20)]),
    ),
    # Ends too soon.
    Case(name="ends-in-head", send=get()[:-2], status=(), reaches=0, closes=True, then_fin=True),
    Case(name="ends-at-once", send=b"", status=(), reaches=0, closes=True, then_fin=True),
    Case(
        name="ends-in-body",
        send=post(body=b"{", length=b"Content-Length: 2"),
        status=(),
        reaches=0,
        closes=True,
        torn=True,
        then_fin=True,
    ),
    # Upgrades.
    refused("websocket", get(*WEBSOCKET), 426, code="upgrade_refused", twin=get()),
    refused("websocket-case", get(WEBSOCKET[0], b"Upgrade: WebSocket"), 426, twin=get()),
    refused("websocket-with-body", post(*WEBSOCKET), 426),
    refused("websocket-then-request", get(*WEBSOCKET) + get(), 426, twin=get()),
    refused("websocket-chunked", chunked(*WEBSOCKET, body=TWO), 426),
    refused("websocket-health", get(*WEBSOCKET, target=b"/health", auth=None), 426, twin=get()),
    served("websocket-not-in-connection", get(b"Upgrade: websocket"), twin=get()),
    served("h2c-get", get(*H2C), twin=get()),
    served("h2c-length-body", post(*H2C)),
    served("h2c-chunked-body", chunked(*H2C, body=TWO), check=lambda o: _body(o, b"{}")),
    _pipeline("h2c-twice", post(*H2C), post(*H2C, body=b"{ }")),
    served("upgrade-tls", get(b"Connection: Upgrade", b"Upgrade: TLS/1.0"), twin=get()),
)


def _body(outcome: Outcome, body: bytes) -> None:
    assert outcome.whole[-1].body == body
