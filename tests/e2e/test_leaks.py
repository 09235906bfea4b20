"""Canaries in every header of the client and in every secret of the server: where may they turn up? Nowhere else."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.e2e.processes import Process, role_process
from tests.e2e.stand import (
    CLIENT_TOKEN,
    KINDS,
    OPENAI_KEY,
    PATH,
    PATIENCE,
    PROXY_TOKEN,
    Kind,
    credential_of,
)
from tests.peers import faults
from tests.peers.client import RawClient
from tests.peers.connection import Request
from tests.peers.faults import Steps
from tests.peers.script import Close, ReadBody, Send
from tests.peers.upstream import FakeUpstream

NAMES = [
    "X-Api-Key", "Cookie", "Cookie2", "Proxy-Authorization", "Proxy-Connection", "X-Anything", "Referer",
    "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Forwarded", "From", "User-Agent",
    "OpenAI-Organization", "OpenAI-Project", "Api-Key", "X-Goog-Api-Key", "X-Auth-Token", "X-Amz-Security-Token",
    "X-Csrf-Token", "X-Stainless-Lang", "X-Request-Id", "X-Clawgate-Debug", "X-Http-Method-Override", "X-Original-URL",
    "X-Rewrite-Url", "Accept-Encoding", "Accept-Language", "If-None-Match", "Range", "Traceparent", "Baggage",
    "X-B3-Traceid", "Authentication", "WWW-Authenticate", "Set-Cookie", "Last-Event-Id", "Sec-Ch-Ua", "DNT", "TE",
    "Trailer", "Keep-Alive", "Max-Forwards", "Pragma", "Link", "Server", "Destination",
]  # fmt: skip
CONTENT = "canary-in-the-prompt-5521"


def canary(name: str) -> str:
    return f"canary-{name.lower()}-93f1"


def fields() -> tuple[tuple[str, str], ...]:
    return tuple((name, canary(name)) for name in NAMES)


def spellings(secret: str) -> Iterator[bytes]:
    """As it is, as URLs and as Basic write it, and its beginning."""
    yield secret.encode()
    yield quote(secret, safe="").encode()
    yield base64.b64encode(secret.encode())
    yield base64.b64encode(f"{secret}:".encode())[:-4]
    yield secret[:12].encode()


def script(request: Request) -> Steps:
    """Answers of every kind in turn, each of which repeats what it was shown."""
    shown = request.raw_head.decode("latin-1")
    kinds: list[Steps] = [
        faults.json_response({"ok": True}),
        faults.sse_response(),
        faults.json_response(
            {"error": {"message": shown}}, 401, [("X-Request-Id", request.header("x-proxy-token") or "-")]
        ),
        faults.json_response({"error": {"message": shown}}, 500),
        faults.cut_mid_chunk(),
        (ReadBody(), Send(b"HTTP/1.1 200 OK\r\nX: " + request.raw_head[:40]), Close()),
        faults.garbage_head(),
        (ReadBody(), Send(faults.head(302, [("Location", "http://elsewhere.example/?k=1")]))),
        (ReadBody(), Close()),
    ]
    return kinds[request.number % len(kinds)]


@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize("kind", KINDS)
async def test_no_canary_is_found_where_it_does_not_belong(kind: Kind, verbose: bool, tmp_path: Path) -> None:
    """Upstream bytes, client bytes, standard output and error, the access log, files, and the command line."""
    if kind == "server" and verbose:
        pytest.skip("the server has no --verbose")
    options = ("--verbose",) if verbose else ()
    async with FakeUpstream(script) as upstream:
        with role_process(kind, upstream.url, tmp_path / "role", *options) as process:
            received = await talk(process, kind)
            process.send()
            assert await process.ended() == 0
            judge(
                kind,
                process,
                b"".join(bytes(c.received) for c in upstream.connections),
                received,
                tmp_path,
            )
            assert len(upstream.requests) >= 20
            for request in upstream.requests:
                own = {"x-proxy-token", "authorization"} & {name.lower() for name, _ in request.headers}
                assert own == {"x-proxy-token" if kind == "bridge" else "authorization"}
            assert upstream.anomalies == []


async def talk(process: Process, kind: Kind) -> bytes:
    """Requests of every kind, each with all canaries; everything that came back."""
    right: tuple[tuple[str, str], ...] = (("Authorization", f"Bearer {CLIENT_TOKEN}"),)
    wrong = (("Authorization", "Bearer canary-authorization-93f1"),)
    body = f'{{"model":"m","messages":[{{"role":"user","content":"{CONTENT}"}}]}}'.encode()
    received = b""
    for number in range(27):
        async with await RawClient.open(process.url, limit=PATIENCE) as client:
            named = (("Connection", "x-proxy-token, authorization, host"),) if number % 2 else ()
            extra = (*fields(), *named)
            await client.request(f"{PATH}?api_key=canary-in-the-query-93f1", body, fields=(*right, *extra))
            await client.response()
            received += bytes(client.received)
    for target, more in (
        (PATH, wrong),
        ("/v1/../secret", right),
        ("/nowhere", right),
        ("/health", wrong),
        ("/health?deep=1", right),
    ):
        async with await RawClient.open(process.url, limit=PATIENCE) as client:
            sent = None if target.startswith("/health") else body
            await client.request(target, sent, fields=(*more, *(fields() if sent else ())))
            await client.response()
            received += bytes(client.received)
    return received


def judge(kind: Kind, process: Process, upstream: bytes, received: bytes, folder: Path) -> None:
    output = (process.out + process.err).encode()
    files = b"".join(
        path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.parent != process.folder
    )
    for name in NAMES:
        value = canary(name).encode()
        assert value not in upstream and name.lower().encode() + b": canary" not in upstream, name
        assert value not in received and value not in output and value not in files, name
    own, query = credential_of(kind), b"canary-in-the-query-93f1"
    for secret in (PROXY_TOKEN, OPENAI_KEY, CLIENT_TOKEN):
        for spelling in spellings(secret):
            assert spelling not in received, f"{secret[:6]} reached a client"
            assert spelling not in output, f"{secret[:6]} was logged"
            assert spelling not in files, f"{secret[:6]} was written to a file"
            if secret != own:
                assert spelling not in upstream, f"{secret[:6]} went upstream"
    assert own.encode() in upstream
    for value in (b"canary-authorization", CONTENT.encode()):
        assert value not in received and value not in output and value not in files
    assert b"canary-authorization" not in upstream
    assert query not in output, "the query was logged"
