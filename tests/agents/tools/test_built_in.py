from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from clawgate.agents.tools.built_in import BuiltInTools
from clawgate.agents.tools.image import ImageModels
from clawgate.policy.egress.policy import NO_RULES
from clawgate.settings import extras
from clawgate.settings.schema.openclaw import OpenClawConfig
from tests.relay.recording_dialer import RecordingDialer

NO_MODELS = ImageModels(chain_of=lambda agent: (), workspace_of=Path, call=cast(Any, None))


@pytest.fixture
async def tools() -> AsyncIterator[BuiltInTools]:
    made = BuiltInTools(RecordingDialer(), NO_MODELS, lambda: 0.0)
    yield made
    await made.close()


def config(**tools: Any) -> OpenClawConfig:
    return OpenClawConfig.model_validate({"tools": tools})


async def test_a_tool_is_offered_while_the_config_has_it(tools: BuiltInTools) -> None:
    image = {"image": {"enabled": True}}
    for block, names in (
        ({}, []),
        ({"web": {"fetch": {}}}, ["web_fetch"]),
        ({"web": {"fetch": {"enabled": False}}, "media": image}, ["image"]),
        ({"web": {"fetch": {"enabled": True}}, "media": image}, ["web_fetch", "image"]),
        ({"web": {"search": {"enabled": True}}}, []),
    ):
        tools.use(config(**block), NO_RULES)
        assert [tool.name for tool in tools.tools] == names


async def test_a_tool_whose_packages_are_missing_is_not_offered(
    tools: BuiltInTools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    tools.use(config(web={"fetch": {}}, media={"image": {"enabled": True}}), NO_RULES)
    assert tools.tools == ()
