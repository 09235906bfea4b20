"""Agents are read as OpenClaw has them, those of older files too."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from clawgate.settings.schema.agents import AgentsBlock, ToolRules


def block(**keys: Any) -> AgentsBlock:
    return AgentsBlock.model_validate(keys)


def test_a_model_may_be_a_text_or_have_fallbacks() -> None:
    found = block(
        defaults={"model": "a/b"},
        entries={"x": {"model": "c/d"}, "y": {"model": {"fallbacks": ["e/f"]}}, "z": {}},
    )
    assert found.defaults.model.primary == "a/b"
    assert found.entries["x"].model is not None and found.entries["x"].model.primary == "c/d"
    assert found.entries["y"].model is not None and found.entries["y"].model.fallbacks == ("e/f",)
    assert found.entries["z"].model is None


def test_an_agent_of_an_older_file_has_its_id_beside_its_keys() -> None:
    (listed,) = block(list=[{"id": "Ops", "default": True, "workspace": "~/ops"}]).list
    assert (listed.id, listed.default, listed.workspace) == ("Ops", True, "~/ops")
    with pytest.raises(ValidationError):
        block(list=[{"name": "no id"}])


def test_openclaws_own_keys_are_kept() -> None:
    found = block(entries={"x": {"identity": {"emoji": "o"}, "tools": {"exec": {}, "deny": ["web_*"]}}})
    assert (found.entries["x"].model_extra or {})["identity"] == {"emoji": "o"}
    assert found.entries["x"].tools == ToolRules.model_validate({"exec": {}, "deny": ["web_*"]})


@pytest.mark.parametrize(
    "entry",
    [{"thinkingDefault": "much"}, {"contextInjection": "no"}, {"bootstrapMaxChars": 0}, {"tools": {"profile": "x"}},
     {"tools": {"allow": "web_fetch"}}, {"default": "yes"}, {"modelPolicy": []}],
)  # fmt: skip
def test_what_openclaw_rejects_is_rejected(entry: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        block(entries={"x": entry})


def test_a_run_may_take_any_number_of_seconds() -> None:
    assert block(defaults={"timeoutSeconds": 0}).defaults.timeout_seconds == 0
    with pytest.raises(ValidationError):
        block(defaults={"timeoutSeconds": "600"})
