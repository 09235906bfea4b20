"""Each path of an agent is that of one door."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.agents.agent_stand import echoes, serving_agents


@pytest.mark.parametrize(
    ("target", "body", "kind"),
    [
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "hi"}]}, "chat.completion"),
        ("/v1/messages", {"max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}, "message"),
        ("/v1/messages/count_tokens", {"messages": [{"role": "user", "content": "hi"}]}, None),
        ("/v1/responses", {"input": "hi"}, "response"),
        ("/v1/responses/input_tokens", {"input": "hi"}, "response.input_tokens"),
    ],
)
async def test_each_path_is_served_in_its_dialect(
    tmp_path: Path, target: str, body: dict[str, object], kind: str | None
) -> None:
    async with serving_agents(tmp_path, echoes) as stand:
        sent = json.dumps({"model": "openclaw", **body}).encode()
        response = await stand.gateway.ask(sent, target=target)
    assert response.status == 200, response.body
    assert response.json().get("object", response.json().get("type")) == kind
