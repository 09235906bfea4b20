"""Heads that are no HTTP/1.1 (RFC 9112 sections 2 to 5), and targets that are not what they seem (RFC 3986)."""

from __future__ import annotations

from tests.contract.case import Case, Outcome, denied, get, post, refused, served

LINES = b"Host: @HOST@\r\n@AUTH@\r\n"


def _line(name: str, line: bytes) -> Case:
    return refused(f"field-{name}", post(line))


def _start(name: str, line: bytes, status: int = 400) -> Case:
    return refused(f"start-{name}", line + b"\r\n" + LINES + b"\r\n", status, twin=get())


def _target(name: str, target: bytes, status: int = 400) -> Case:
    """A target that the grammar allows and we do not: the request itself was read without doubt."""
    return denied(f"target-{name}", get(target=target), status, twin=get())


def _unreadable_target(name: str, target: bytes) -> Case:
    return refused(f"target-{name}", get(target=target), twin=get())


def _goes_to(target: str) -> object:
    def check(outcome: Outcome) -> None:
        assert outcome.whole[-1].target == target

    return check


CASES: tuple[Case, ...] = (
    # Line ends.
    refused("lf-only", post().replace(b"\r\n", b"\n")),
    refused("lf-in-request-line", post().replace(b"HTTP/1.1\r\n", b"HTTP/1.1\n")),
    refused("lf-after-field", post(b"X: 1\nY: 2")),
    refused("lf-at-head-end", post().replace(b"\r\n\r\n", b"\r\n\n")),
    refused("lf-lf-at-head-end", post().replace(b"\r\n\r\n", b"\n\n") + b"\r\n\r\n"),
    refused("cr-only", post().replace(b"\r\n", b"\r") + b"\r\n\r\n"),
    refused("cr-at-head-end", post().replace(b"\r\n\r\n", b"\r\n\rX") + b"\r\n\r\n"),
    refused("cr-in-value", post(b"X: a\rb")),
    served("empty-lines-in-front", b"\r\n\r\n" + post()),
    # Field lines.
    _line("folded-space", b"X: 1\r\n 2"),
    _line("folded-tab", b"X: 1\r\n\t2"),
    _line("folded-host", b"X: 1\r\n Host: evil"),
    refused("field-first-folded", b"GET /v1/models HTTP/1.1\r\n Host: @HOST@\r\n@AUTH@\r\n\r\n", twin=get()),
    _line("nul-in-value", b"X: a\x00b"),
    _line("nul-in-name", b"X\x00: a"),
    _line("control-in-value", b"X: a\x01b"),
    _line("escape-in-value", b"X: a\x1bb"),
    _line("del-in-value", b"X: a\x7fb"),
    _line("space-before-colon", b"X : 1"),
    _line("tab-before-colon", b"X\t: 1"),
    _line("space-in-name", b"X Y: 1"),
    _line("name-empty", b": 1"),
    _line("name-non-ascii", "Ü: 1".encode()),
    _line("name-paren", b"X(): 1"),
    _line("name-quote", b'"X": 1'),
    _line("name-at", b"X@Y: 1"),
    _line("no-colon", b"nonsense"),
    _line("only-space", b" "),
    served("field-value-empty", post(b"X:")),
    served("field-value-high-bytes", post(b"X: \xff\xfe")),
    served("field-value-tab", post(b"X: a\tb")),
    # Host.
    refused("host-none", post(host=None), closes=False),
    refused("host-twice-same", post(b"Host: @HOST@"), closes=False),
    refused("host-twice-different", post(b"Host: evil.example"), closes=False),
    refused("host-twice-evil-first", post(b"Host: @HOST@", host=b"Host: evil.example"), closes=False),
    refused("host-twice-other-case", post(b"HOST: @HOST@"), closes=False),
    refused("host-space-before-colon", post(host=b"Host : @HOST@")),
    refused("host-bad-port", post(host=b"Host: 127.0.0.1:80x"), closes=False),
    refused("host-two-ports", post(host=b"Host: 127.0.0.1:80:80"), closes=False),
    served("host-space-behind", post(host=b"Host: @HOST@ ")),
    served("host-tab-around", post(host=b"Host:\t@HOST@\t")),
    denied("host-empty", post(host=b"Host:"), 421),
    denied("host-user-info", post(host=b"Host: user@127.0.0.1"), 421),
    denied("host-list", post(host=b"Host: 127.0.0.1, evil.example"), 421),
    denied("host-path", post(host=b"Host: 127.0.0.1/evil"), 421),
    # Start lines.
    _start("http09", b"GET /v1/models", 505),
    refused("start-http09-bare", b"GET /v1/models\r\n\r\n", 505, twin=get()),
    _start("http2", b"GET /v1/models HTTP/2.0", 505),
    _start("http12", b"GET /v1/models HTTP/1.2"),
    _start("http3", b"GET /v1/models HTTP/3.0"),
    _start("http01", b"GET /v1/models HTTP/0.1"),
    _start("http11-leading-zero", b"GET /v1/models HTTP/01.1"),
    _start("http1-no-minor", b"GET /v1/models HTTP/1"),
    _start("http110", b"GET /v1/models HTTP/1.10"),
    _start("http-lower-case", b"GET /v1/models http/1.1"),
    _start("other-protocol", b"GET /v1/models RTSP/1.0"),
    _start("ice", b"SOURCE /v1/models ICE/1.0"),
    _start("tab", b"GET\t/v1/models HTTP/1.1"),
    _start("space-in-front", b" GET /v1/models HTTP/1.1"),
    _start("space-at-end", b"GET /v1/models HTTP/1.1 "),
    _start("space-in-target", b"GET /v1/mo dels HTTP/1.1"),
    _start("no-target", b"GET HTTP/1.1"),
    _start("method-lower-case", b"get /v1/models HTTP/1.1"),
    _start("method-unknown", b"FROBNICATE /v1/models HTTP/1.1"),
    _start("method-nul", b"GE\x00T /v1/models HTTP/1.1"),
    _start("method-paren", b"G(T /v1/models HTTP/1.1"),
    _start("http2-preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    refused("start-tls-hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", twin=get()),
    refused("start-nul", b"\x00\r\n\r\n", twin=get()),
    # RFC 9112 section 3 lets a reader split on any white space; the line is written anew.
    served("start-two-spaces", get().replace(b"GET ", b"GET  "), check=_goes_to("/v1/models"), twin=get()),
    served(
        "start-two-spaces-behind",
        get().replace(b" HTTP", b"  HTTP"),
        check=_goes_to("/v1/models"),
        twin=get(),
    ),
    # Targets.
    served(
        "target-absolute", get(target=b"http://@HOST@/v1/models"), check=_goes_to("/v1/models"), twin=get()
    ),
    served(
        "target-absolute-upper-case", get(target=b"HTTP://@HOST@/v1/models"), check=_goes_to("/v1/models")
    ),
    _target("absolute-foreign", b"http://evil.example/v1/models"),
    _target("absolute-user-info", b"http://user@@HOST@/v1/models"),
    _target("absolute-https", b"https://@HOST@/v1/models", 404),
    _target("absolute-ftp", b"ftp://@HOST@/v1/models", 404),
    denied("target-asterisk", get(target=b"*", method=b"OPTIONS"), 404, twin=get()),
    _target("asterisk-get", b"*", 404),
    refused("target-connect", get(target=b"evil.example:443", method=b"CONNECT"), 404, twin=get()),
    refused("target-connect-self", get(target=b"@HOST@", method=b"CONNECT"), 404, twin=get()),
    _unreadable_target("authority-in-get", b"evil.example:443"),
    _unreadable_target("relative", b"v1/models"),
    _unreadable_target("utf8", "/v1/models/ü".encode()),
    _unreadable_target("high-byte", b"/v1/models/\xff"),
    _unreadable_target("nul", b"/v1/models/\x00"),
    _unreadable_target("tab-inside", b"/v1/models/a\tb"),
    _unreadable_target("del", b"/v1/models/\x7f"),
    _target("fragment", b"/v1/models#x"),
    _target("fragment-in-query", b"/v1/models?a=b#x"),
    _target("dots", b"/v1/models/../files"),
    _target("dots-at-end", b"/v1/models/.."),
    _target("dot", b"/v1/./models"),
    _target("dots-encoded", b"/v1/models/%2e%2e/files"),
    _target("dots-half-encoded", b"/v1/models/.%2E/files"),
    _target("dots-slash-encoded", b"/v1/models/..%2ffiles"),
    _target("dots-all-encoded", b"/v1/models%2f..%2ffiles"),
    _target("backslash", b"/v1/models\\..\\files"),
    _target("backslash-encoded", b"/v1/models/%5c..%5cfiles"),
    _target("backslash-encoded-twice", b"/v1/models/%255c..%255cfiles"),
    _target("nul-encoded-twice", b"/v1/models/%2500"),
    _target("dots-encoded-twice", b"/v1/models/%252e%252e/files"),
    _target("dots-encoded-half-twice", b"/v1/models/%2e%252E/files"),
    _target("dots-encoded-thrice", b"/v1/models/%25252e%25252e/files"),
    _target("dots-slash-encoded-twice", b"/v1/models/..%252ffiles"),
    _target("dots-with-parameter", b"/v1/models/..;/files"),
    _target("dots-with-parameter-encoded", b"/v1/models/..%3bx/files"),
    _target("dots-encoded-with-parameter-encoded-twice", b"/v1/models/%252e%252e%253b/files"),
    _target("dot-with-parameter", b"/v1/models/.;a=b/files"),
    _target("dots-with-space", b"/v1/models/..%20/files"),
    _target("dots-overlong", b"/v1/models/%c0%ae%c0%ae/files"),
    _target("dots-of-iis", b"/v1/models/%u002e%u002e/files"),
    _target("parameter-alone", b"/v1/models/;/files"),
    _target("encoding-cut", b"/v1/models/a%2"),
    _target("double-slash", b"/v1//models"),
    _target("double-slash-in-front", b"//evil.example/v1/models"),
    _target("double-slash-encoded", b"/v1/models/%2f%2fx"),
    _target("nul-encoded", b"/v1/models/%00"),
    _target("crlf-encoded", b"/v1/models/%0d%0aX:1"),
    _target("del-encoded", b"/v1/models/%7f"),
    _target("route-case", b"/V1/models", 404),
    _target("route-encoded", b"/%761/models", 404),
    _target("root", b"/", 404),
    _target("admin", b"/admin", 404),
    _target("v1-alone", b"/v1/", 404),
    served(
        "target-dots-in-query", get(target=b"/v1/models?after=../x"), check=_goes_to("/v1/models?after=../x")
    ),
    served("target-three-dots", get(target=b"/v1/models/..."), check=_goes_to("/v1/models/...")),
    served("target-dot-name", get(target=b"/v1/models/.x"), check=_goes_to("/v1/models/.x")),
    served("target-encoded-percent", get(target=b"/v1/models/a%25b"), check=_goes_to("/v1/models/a%25b")),
    served("target-encoded-twice", get(target=b"/v1/models/a%252fb"), check=_goes_to("/v1/models/a%252fb")),
    served("target-parameter", get(target=b"/v1/models/a;b=c"), check=_goes_to("/v1/models/a;b=c")),
    served(
        "target-key-in-query",
        get(target=b"/v1/models?api_key=k&limit=2&API_KEY=k&key=k"),
        check=_goes_to("/v1/models?limit=2"),
    ),
    served("target-query-dropped", get(target=b"/v1/models?%61pi_key=k"), check=_goes_to("/v1/models")),
    served("target-encoded-letter", get(target=b"/v1/models/%41"), check=_goes_to("/v1/models/%41")),
)
