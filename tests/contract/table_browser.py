"""What a web page could send to a listener on this machine. None of it may spend the user's money."""

from __future__ import annotations

from tests.contract.case import Case, Outcome, denied, get, post, refused, served

MULTIPART = b"Content-Type: multipart/form-data; boundary=b"


def _host(name: str, host: bytes) -> Case:
    return denied(f"rebind-{name}", post(host=b"Host: " + host), 421, code="host_not_allowed")


def _origin(name: str, origin: bytes, **more: object) -> Case:
    return denied(f"origin-{name}", post(b"Origin: " + origin), 403, code="origin_not_allowed", **more)


def _site(name: str, *values: bytes) -> Case:
    return denied(f"site-{name}", post(*[b"Sec-Fetch-Site: " + value for value in values]), 403)


def _kind(name: str, kind: bytes | None, **more: object) -> Case:
    return denied(f"kind-{name}", post(kind=None if kind is None else b"Content-Type: " + kind), 415, **more)


def _no_cors(outcome: Outcome) -> None:
    assert [name for name, _ in outcome.answers[0].headers if name.lower().startswith("access-control")] == []


CASES: tuple[Case, ...] = (
    _host("foreign", b"evil.example"),
    _host("foreign-port", b"evil.example:18800"),
    _host("looks-local", b"localhost.evil.example"),
    _host("prefix", b"127.0.0.1.evil.example"),
    _host("nip", b"127.0.0.1.nip.io"),
    _host("any-address", b"0.0.0.0"),
    _host("two-dots", b"localhost.."),
    _host("decimal", b"2130706433"),
    _host("short", b"127.1"),
    _host("octal", b"0177.0.0.1"),
    _host("private", b"192.168.0.10"),
    _host("mapped", b"[::ffff:127.0.0.1]"),
    _host("non-ascii", "löcalhost".encode()),
    denied("rebind-get", get(host=b"Host: evil.example"), 421, twin=get()),
    denied("rebind-health", get(host=b"Host: evil.example", target=b"/health"), 421, twin=get()),
    served("host-localhost", post(host=b"Host: localhost")),
    served("host-localhost-case", post(host=b"Host: LocalHost:1")),
    served("host-localhost-dot", post(host=b"Host: localhost.")),
    served("host-ipv6", post(host=b"Host: [::1]:18800")),
    _origin("evil", b"https://evil.example"),
    _origin("null", b"null"),
    _origin("localhost", b"http://localhost:3000"),
    _origin("self", b"http://@HOST@"),
    _origin("empty", b""),
    _origin("extension", b"chrome-extension://abcdef"),
    _origin("file", b"file://"),
    denied("origin-twice", post(b"Origin: null", b"Origin: null"), 400),
    denied("origin-get", get(b"Origin: https://evil.example"), 403, twin=get()),
    denied("origin-health", get(b"Origin: https://evil.example", target=b"/health"), 403, twin=get()),
    denied("origin-with-good-site", post(b"Origin: null", b"Sec-Fetch-Site: same-origin"), 403),
    _site("cross", b"cross-site"),
    _site("same-site", b"same-site"),
    _site("case", b"Cross-Site"),
    _site("unknown", b"elsewhere"),
    _site("empty", b""),
    denied("site-twice-cross-first", post(b"Sec-Fetch-Site: cross-site", b"Sec-Fetch-Site: none"), 400),
    denied("site-twice-cross-last", post(b"Sec-Fetch-Site: none", b"Sec-Fetch-Site: cross-site"), 400),
    denied("site-get", get(b"Sec-Fetch-Site: cross-site"), 403, twin=get()),
    served("site-none", post(b"Sec-Fetch-Site: none")),
    served("site-same-origin", post(b"Sec-Fetch-Site: same-origin")),
    _kind("text", b"text/plain"),
    _kind("text-json-inside", b"text/plain; application/json"),
    _kind("form", b"application/x-www-form-urlencoded"),
    _kind("none", None),
    _kind("empty", b""),
    _kind("json-suffix", b"application/jsonx"),
    _kind("json-list", b"text/plain, application/json"),
    _kind("json-list-reversed", b"application/json, text/plain"),
    _kind("ndjson", b"application/x-ndjson"),
    _kind("text-behind-empty-body", b"text/plain", twin=post(kind=b"Content-Type: text/plain", body=b"")),
    denied("kind-twice", post(b"Content-Type: text/plain"), 400),
    denied(
        "kind-twice-text-first",
        post(b"Content-Type: application/json", kind=b"Content-Type: text/plain"),
        400,
    ),
    refused(
        "kind-text-chunked",
        post(b"Transfer-Encoding: chunked", body=b"", length=None, kind=b"Content-Type: text/plain"),
        415,
    ),
    served("multipart-with-credential", post(kind=MULTIPART, body=b"--b--\r\n")),
    denied(
        "multipart-without-credential",
        post(kind=MULTIPART, body=b"--b--\r\n", auth=None),
        415,
        roles=("bridge",),
    ),
    served("json-without-credential", post(auth=None), roles=("bridge",)),
    denied(
        "preflight",
        get(
            b"Origin: https://evil.example",
            b"Access-Control-Request-Method: POST",
            method=b"OPTIONS",
            auth=None,
        ),
        403,
        check=_no_cors,
    ),
    denied(
        "preflight-private-network",
        get(
            b"Origin: https://evil.example",
            b"Access-Control-Request-Method: POST",
            b"Access-Control-Request-Private-Network: true",
            method=b"OPTIONS",
            auth=None,
        ),
        403,
        check=_no_cors,
    ),
    denied("options", get(method=b"OPTIONS"), 405, check=_no_cors),
    refused(
        "websocket-from-a-page",
        get(b"Connection: Upgrade", b"Upgrade: websocket", b"Origin: https://evil.example"),
        403,
        twin=get(),
    ),
)
