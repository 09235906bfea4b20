"""Who may come in at the server: one function of two fields, the same on every route (RFC 6750 section 2.1)."""

from __future__ import annotations

from typing import Any

from tests.contract.case import Case, denied, get, post, refused, served
from tests.contract.live_role import CLIENT_TOKEN, UPSTREAM_TOKEN

TOKEN = CLIENT_TOKEN.encode()
SERVER: dict[str, Any] = {"roles": ("server",)}
ROUTES = (
    b"/v1/chat/completions",
    b"/v1/models",
    b"/v1/models/x",
    b"/v1/files",
    b"/v1/",
    b"/",
    b"/admin",
    b"/metrics",
    b"/healthz/x",
    b"/health/",
    b"/HEALTH",
    b"/.env",
    b"/v1/models?token=%b" % TOKEN,
    b"/v1/models?api_key=%b" % TOKEN,
)


def _lets_in(name: str, line: bytes) -> Case:
    return served(f"auth-{name}", post(auth=line), **SERVER)


def _keeps_out(name: str, line: bytes | None, status: int = 401, code: str | None = None) -> Case:
    return denied(f"auth-{name}", post(auth=line), status, code=code, **SERVER)


CASES: tuple[Case, ...] = (
    _lets_in("bearer", b"Authorization: Bearer " + TOKEN),
    _lets_in("bearer-lower", b"authorization: bearer " + TOKEN),
    _lets_in("bearer-upper", b"AUTHORIZATION: BEARER " + TOKEN),
    _lets_in("bearer-spaces", b"Authorization: Bearer   " + TOKEN),
    _lets_in("bearer-space-behind", b"Authorization: Bearer " + TOKEN + b" "),
    _lets_in("bearer-space-in-front", b"Authorization:    Bearer " + TOKEN),
    _lets_in("proxy-token", b"X-Proxy-Token: " + TOKEN),
    _lets_in("proxy-token-upper", b"X-PROXY-TOKEN: " + TOKEN),
    _lets_in("proxy-token-spaces", b"X-Proxy-Token:  " + TOKEN + b"  "),
    _lets_in("both-same", b"X-Proxy-Token: " + TOKEN + b"\r\nAuthorization: Bearer " + TOKEN),
    _lets_in("with-basic-beside", b"X-Proxy-Token: " + TOKEN + b"\r\nAuthorization: Basic dTpw"),
    _lets_in("with-empty-bearer-beside", b"X-Proxy-Token: " + TOKEN + b"\r\nAuthorization: Bearer "),
    _keeps_out("none", None, code="missing_token"),
    _keeps_out("wrong", b"Authorization: Bearer wrong", code="invalid_token"),
    _keeps_out("bearer-alone", b"Authorization: Bearer", code="missing_token"),
    _keeps_out("bearer-empty", b"Authorization: Bearer ", code="missing_token"),
    _keeps_out("empty", b"Authorization:", code="missing_token"),
    _keeps_out("no-scheme", b"Authorization: " + TOKEN),
    _keeps_out("basic", b"Authorization: Basic " + TOKEN),
    _keeps_out("token-scheme", b"Authorization: Token " + TOKEN),
    _keeps_out("bearer-glued", b"Authorization: Bearer" + TOKEN),
    _keeps_out("bearer-tab", b"Authorization: Bearer\t" + TOKEN),
    _keeps_out("bearer-colon", b"Authorization: Bearer: " + TOKEN),
    _keeps_out("bearer-comma", b"Authorization: Bearer " + TOKEN + b", Bearer " + TOKEN),
    _keeps_out("bearer-quoted", b'Authorization: Bearer "' + TOKEN + b'"'),
    _keeps_out("bearer-twice-in-value", b"Authorization: Bearer Bearer " + TOKEN),
    _keeps_out("shorter", b"Authorization: Bearer " + TOKEN[:-1]),
    _keeps_out("longer", b"Authorization: Bearer " + TOKEN + b"x"),
    _keeps_out("other-case", b"Authorization: Bearer " + TOKEN.lower()),
    _keeps_out("non-ascii", b"Authorization: Bearer \xff\xfe\xfd"),
    _keeps_out("non-ascii-behind", b"Authorization: Bearer " + TOKEN + b"\xa0"),
    _keeps_out("utf8", "Authorization: Bearer schlüssel".encode()),
    _keeps_out("upstream-key", b"Authorization: Bearer " + UPSTREAM_TOKEN.encode()),
    _keeps_out("long", b"Authorization: Bearer " + b"a" * 20_000),
    _keeps_out("sql", b"Authorization: Bearer ' OR '1'='1"),
    _keeps_out("star", b"Authorization: Bearer *"),
    _keeps_out("proxy-token-empty", b"X-Proxy-Token:", code="missing_token"),
    _keeps_out("proxy-token-wrong", b"X-Proxy-Token: wrong"),
    _keeps_out("proxy-token-bearer", b"X-Proxy-Token: Bearer " + TOKEN),
    _keeps_out("other-field", b"X-Api-Key: " + TOKEN),
    _keeps_out("azure-field", b"Api-Key: " + TOKEN),
    _keeps_out("proxy-authorization", b"Proxy-Authorization: Bearer " + TOKEN),
    _keeps_out("cookie", b"Cookie: token=" + TOKEN),
    _keeps_out("both-different", b"X-Proxy-Token: " + TOKEN + b"\r\nAuthorization: Bearer wrong", 400),
    _keeps_out("both-different-other-way", b"X-Proxy-Token: wrong\r\nAuthorization: Bearer " + TOKEN, 400),
    _keeps_out(
        "bearer-field-twice-same",
        b"Authorization: Bearer " + TOKEN + b"\r\nAuthorization: Bearer " + TOKEN,
        400,
    ),
    _keeps_out(
        "bearer-field-twice", b"Authorization: Bearer " + TOKEN + b"\r\nAuthorization: Bearer wrong", 400
    ),
    _keeps_out("proxy-field-twice", b"X-Proxy-Token: " + TOKEN + b"\r\nX-Proxy-Token: " + TOKEN, 400),
    _keeps_out("proxy-field-twice-other-case", b"X-Proxy-Token: " + TOKEN + b"\r\nx-proxy-token: wrong", 400),
    refused("auth-nul", post(auth=b"Authorization: Bearer " + TOKEN + b"\x00"), **SERVER),
    refused("auth-folded", post(auth=b"Authorization: Bearer\r\n " + TOKEN), **SERVER),
    denied("auth-empty-method-post-unknown", post(auth=None, target=b"/nowhere"), 401, **SERVER),
    denied("auth-before-kind", post(auth=None, kind=b"Content-Type: text/plain"), 401, **SERVER),
    denied(
        "auth-before-length",
        post(auth=None, body=b"", length=b"Content-Length: 1000000000"),
        401,
        closes=True,
        **SERVER,
    ),
    denied("auth-before-method", get(auth=None, method=b"TRACE"), 401, **SERVER),
    denied("auth-health-wrong", get(auth=b"Authorization: Bearer wrong", target=b"/health"), 401, **SERVER),
    *(
        denied(
            "auth-route-"
            + (route.partition(b"?")[0].decode().strip("/").replace("/", "-") or "root")
            + ("-query" + str(len(route)) if b"?" in route else ""),
            get(auth=None, target=route),
            401,
            **SERVER,
        )
        for route in ROUTES
    ),
    Case(
        name="auth-health-open",
        send=get(auth=None, target=b"/health"),
        status=(200,),
        reaches=0,
        closes=False,
    ),
    Case(
        name="auth-healthz-open",
        send=get(auth=None, target=b"/healthz"),
        status=(200,),
        reaches=0,
        closes=False,
    ),
)
