"""No handler reads the URL that Starlette composes of the Host header and the path: a Host may hold a ``?``.

`Request.url` of ``GET /v1/models`` with ``Host: a?`` has the path ``""`` and the query ``/v1/models``: what decides by
it decides about another request than the one that was admitted.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.e2e.stand import PATIENCE
from tests.peers.client import RawClient
from tests.peers.response import Response
from tests.routing.gateway_server import CLIENT_TOKEN, config_of, own_config, provider, serving_gateway

PACKAGE = Path(__file__).parents[2] / "src" / "clawgate"
BANNED = {"url", "base_url", "url_for"}
CONFIG = {"oa": provider("http://127.0.0.1:9", models=[{"id": "m"}])}


def composed_urls(source: str) -> list[int]:
    """Return the lines that read such an attribute, or import the class behind it, if the module uses Starlette."""
    tree = ast.parse(source)
    modules = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    modules += [one.name for node in ast.walk(tree) if isinstance(node, ast.Import) for one in node.names]
    if not any(name.partition(".")[0] == "starlette" for name in modules):
        return []
    return [
        node.lineno
        for node in ast.walk(tree)
        if (isinstance(node, ast.Attribute) and node.attr in BANNED)
        or (isinstance(node, ast.ImportFrom) and node.module == "starlette.datastructures")
        or (isinstance(node, ast.Call) and getattr(node.func, "id", "") == "getattr" and _names_one(node))
    ]


def _names_one(call: ast.Call) -> bool:
    return any(isinstance(one, ast.Constant) and one.value in BANNED for one in call.args)


def test_no_module_reads_the_composed_url() -> None:
    found = [
        f"{path.relative_to(PACKAGE)}:{line}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for line in composed_urls(path.read_text(encoding="utf-8"))
    ]
    assert not found, "use request.scope['path'] and request.query_params instead of the composed URL"


@pytest.mark.parametrize(
    ("line", "is_found"),
    [
        ("request.url.path", True),
        ("request.base_url", True),
        ("getattr(request, 'url')", True),
        ("request.url_for('x')", True),
        ("request.scope['path']", False),
    ],
)
def test_the_rule_finds_what_it_is_for(line: str, is_found: bool) -> None:
    assert bool(composed_urls(f"from starlette.requests import Request\nx = {line}\n")) is is_found
    assert composed_urls(f"x = {line}\n") == []


async def _get(url: str, target: str, host: bytes, token: str | None) -> Response:
    lines = [f"GET {target} HTTP/1.1".encode(), b"Host: " + host]
    lines += [f"Authorization: Bearer {token}".encode()] if token else []
    async with await RawClient.open(url, limit=PATIENCE) as client:
        await client.send(b"\r\n".join([*lines, b"", b""]))
        return await client.response()


@pytest.mark.parametrize("bind", ["loopback", "lan"])
@pytest.mark.parametrize(
    "host",
    [b"a?", b"a#", b"a/", b"a?/health", b"a/health?", b"a/health#", b"127.0.0.1?", b"127.0.0.1/health?x=",
     b"localhost#", b"a@localhost", b"localhost\\health?", b"a b"],
)  # fmt: skip
async def test_a_host_that_would_move_the_path_is_rejected(host: bytes, bind: str, tmp_path: Path) -> None:
    """On every listener, with a token or without; `GET /health` needs none, so nothing may look like it."""
    config = own_config(config_of(CONFIG, gateway={"bind": bind}), directModels=True)
    async with serving_gateway(tmp_path, config) as stand:
        for token in (None, CLIENT_TOKEN):
            for target in ("/v1/models", "/v1/models/oa/m", "/health", "/ready"):
                response = await _get(stand.url, target, host, token)
                assert response.status in (400, 421), target
                assert b"oa" not in response.body and b"instance" not in response.body
        named = await _get(stand.url, "/v1/models", b"localhost:1", CLIENT_TOKEN)
        assert named.status == 200 and named.json()["data"][0]["id"] == "oa/m"
