"""A bridge that cannot serve responds with why, in the client's dialect and in words that OpenClaw shows at once."""

from __future__ import annotations

from typing import Any

import pytest

from clawgate.app.refusing_bridge import build_refusing_bridge
from tests.e2e.stand import BODY, PATH, serving

REASON = "invalid configuration: caFile: /no/such/file does not exist; name another"


def refusing(host: str = "127.0.0.1") -> Any:
    return build_refusing_bridge(
        REASON, host=host, port=0, instance="an-instance", operator_status=400, parent_fd=None
    )


@pytest.mark.parametrize(
    ("method", "target", "is_anthropic"),
    [
        ("POST", PATH, False),
        ("POST", "/v1/responses", False),
        ("POST", "/v1/messages", True),
        ("POST", "/v1/messages/count_tokens", True),
        ("GET", "/v1/models", False),
        ("DELETE", "/v1/files/a", False),
        ("POST", "/chat/completions", False),
    ],
)
async def test_every_request_gets_the_reason(method: str, target: str, is_anthropic: bool) -> None:
    async with serving("bridge", "", role=refusing()) as stand:
        found = await stand.fresh(BODY if method == "POST" else None, method=method, target=target)
    body = found.json()
    assert found.status == 400 and (body.get("type") == "error") is is_anthropic
    assert body["error"]["code"] == "provider_not_configured"
    assert body["error"]["message"] == REASON.replace("does not exist", "does not exi*t")


async def test_a_long_prompt_is_not_awaited_and_the_connection_serves_the_next_request() -> None:
    async with serving("bridge", "", role=refusing()) as stand:
        assert (await stand.fresh(b" " * 4_000_000)).status == 400
        async with await stand.client() as client:
            assert [(await stand.ask(client)).status for _ in range(3)] == [400] * 3


async def test_its_health_names_the_reason_and_the_instance() -> None:
    async with serving("bridge", "", role=refusing()) as stand:
        found = await stand.fresh(None, target="/health")
    said = found.json()
    assert (found.status, said["ok"], said["instance"], said["message"]) == (
        503,
        False,
        "an-instance",
        REASON,
    )


async def test_a_web_page_does_not_get_the_reason() -> None:
    async with serving("bridge", "", role=refusing()) as stand:
        for fields in ((("Origin", "https://evil.example"),), (("Sec-Fetch-Site", "cross-site"),)):
            found = await stand.fresh(fields=fields)
            assert found.status == 403 and b"caFile" not in found.body
