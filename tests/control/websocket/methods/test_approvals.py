"""What is decided is in tests/control/websocket/test_approvals.py; here is what a client sends for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.agents.agent_stand import serving_agents
from tests.control.websocket.socket_stand import connected


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({}, "id"),
        ({"id": "x"}, "decision"),
        ({"id": "", "decision": "deny"}, "id"),
        ({"id": "x", "decision": "deny", "more": 1}, "more"),
        ({"id": "x", "decision": "deny", "reviewer": {"channel": "c"}}, "reviewer"),
        ({"id": "x", "decision": "deny"}, "no call waits under this id"),
    ],
)
async def test_a_decision_on_nothing_is_refused_with_its_reason(
    tmp_path: Path, params: dict[str, Any], problem: str
) -> None:
    async with serving_agents(tmp_path) as stand, connected(stand.gateway.url) as client:
        error = await client.error("plugin.approval.resolve", params)
        assert error["code"] == "INVALID_REQUEST" and problem in error["message"]
        assert await client.call("plugin.approval.list") == []
