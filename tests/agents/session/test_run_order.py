"""What of a request is the same for all model calls of its run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.agents.agent_stand import TOOL, serving_agents, user


async def sent(folder: Path, **fields: Any) -> Any:
    async with serving_agents(folder) as stand:
        await stand.ask(user("hi", **fields))
        return json.loads(stand.model.requests[0].body)


@pytest.mark.parametrize("choice", [None, "auto"])
async def test_tools_of_the_client_are_offered(tmp_path: Path, choice: str | None) -> None:
    request = await sent(tmp_path, tools=[TOOL], **({"tool_choice": choice} if choice else {}))
    assert request["tools"] == [TOOL] and "tool_choice" not in request


async def test_tools_that_must_not_be_called_are_not_offered(tmp_path: Path) -> None:
    assert "tools" not in await sent(tmp_path, tools=[TOOL], tool_choice="none")


async def test_sampling_goes_to_the_model_as_it_is(tmp_path: Path) -> None:
    fields = {
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 7,
        "stop": ["x"],
        "response_format": {"type": "json_object"},
    }
    request = await sent(tmp_path, **fields)
    assert {name: request[name] for name in fields} == fields
