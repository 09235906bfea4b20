from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from clawgate.agents.tools import built_in
from clawgate.agents.tools.built_in import BuiltInTools
from clawgate.settings.schema.openclaw import OpenClawConfig
from tests.relay.recording_dialer import RecordingDialer


@pytest.fixture
async def tools() -> AsyncIterator[BuiltInTools]:
    made = BuiltInTools(RecordingDialer(), lambda: 0.0)
    yield made
    await made.close()


def config(**tools: Any) -> OpenClawConfig:
    return OpenClawConfig.model_validate({"tools": tools})


async def test_a_tool_is_offered_while_the_config_has_it(tools: BuiltInTools) -> None:
    for block, names in (
        ({}, []),
        ({"fetch": {}}, ["web_fetch"]),
        ({"fetch": {"enabled": False}}, []),
        ({"fetch": {"enabled": True}}, ["web_fetch"]),
        ({"search": {"enabled": True}}, []),
    ):
        tools.use(config(web=block))
        assert [tool.name for tool in tools.tools] == names


async def test_a_tool_whose_packages_are_missing_is_not_offered(
    tools: BuiltInTools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(built_in, "find_spec", lambda name: None)
    tools.use(config(web={"fetch": {}}))
    assert tools.tools == ()
