"""Which agents a config has: those of both shapes, or the one that is always there."""

from __future__ import annotations

from typing import Any

import pytest

from clawgate.settings.openclaw.agent_ids import agent_ids, default_agent
from clawgate.settings.schema.openclaw import OpenClawConfig


@pytest.mark.parametrize(
    ("agents", "ids"),
    [
        ({}, ("main",)),
        ({"defaults": {"model": "a/b"}}, ("main",)),
        ({"entries": {"Research": {}, "main": {}}}, ("research", "main")),
        ({"list": [{"id": "one"}, {"id": "Two"}, {"id": " "}]}, ("one", "two")),
        ({"entries": {"a": {}}, "list": [{"id": "A"}, {"id": "b"}]}, ("a", "b")),
    ],
    ids=["none", "defaults alone", "entries", "list", "both"],
)
def test_the_agents_of_a_config(agents: dict[str, Any], ids: tuple[str, ...]) -> None:
    assert agent_ids(OpenClawConfig.model_validate({"agents": agents})) == ids


@pytest.mark.parametrize(
    ("agents", "default"),
    [
        ({}, "main"),
        ({"entries": {"ops": {}}}, "ops"),
        ({"entries": {"ops": {}, "main": {}}}, "main"),
        ({"entries": {"ops": {}, "web": {}}}, "ops"),
        ({"entries": {"ops": {}, "main": {}}, "list": [{"id": "Old", "default": True}]}, "old"),
    ],
)
def test_the_agent_of_requests_that_name_none(agents: dict[str, Any], default: str) -> None:
    assert default_agent(OpenClawConfig.model_validate({"agents": agents})) == default
