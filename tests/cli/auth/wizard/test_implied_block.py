"""The settings of a plugin become a block of the config: nothing of them is lost, and a reference stays one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clawgate.cli.auth.wizard.config_edits import with_provider
from clawgate.cli.auth.wizard.implied_block import implied_block
from clawgate.cli.auth.wizard.targets import ProviderTargets
from clawgate.plugins.api import Answers
from clawgate.settings.json5.edit import value_in
from clawgate.settings.references import resolve_references
from clawgate.settings.schema.openclaw import OpenClawConfig

URL = "https://owl.test/v1"
ENVIRONMENT = {"MY_KEY": "canary-key-1", "MY_LOGIN": "bWU6cGFzcw=="}


def targets(settings: dict[str, Any], folder: Any = None) -> tuple[dict[str, Any], OpenClawConfig]:
    raw = {"plugins": {"entries": {"owl": {"enabled": True, "config": settings}}}}
    resolved, _ = resolve_references(raw, ENVIRONMENT)
    return raw, OpenClawConfig.model_validate(resolved)


def in_header(name: str, value: str) -> dict[str, Any]:
    return {"request": {"auth": {"mode": "header", "headerName": name, "value": value}}}


@pytest.mark.parametrize(
    ("settings", "credential"),
    [
        ({"apiKey": "${MY_KEY}"}, {"apiKey": "${MY_KEY}"}),
        ({"apiKey": {"source": "env", "provider": "default", "id": "MY_KEY"}}, {"apiKey": "${MY_KEY}"}),
        ({"apiKey": "${MY_LOGIN}"}, in_header("Authorization", "Basic ${MY_LOGIN}")),
        ({"apiKey": "canary-plain"}, {"apiKey": "canary-plain"}),
        ({"headerName": "X-Key", "apiKey": "${MY_KEY}"}, in_header("X-Key", "${MY_KEY}")),
    ],
)  # fmt: skip
def test_a_reference_stays_one(settings: dict[str, Any], credential: dict[str, Any]) -> None:
    raw, config = targets({"baseUrl": URL} | settings)
    found = implied_block("owl", config, raw, ENVIRONMENT)
    assert found is not None and {"request": {}, **found.block} == {
        "baseUrl": URL, "api": "openai-completions", "request": {}, "models": [], **credential
    }  # fmt: skip


def test_settings_that_cannot_be_used_stay_where_they_are() -> None:
    for settings in ({"baseUrl": URL, "auth": "basic"}, {}):
        raw, config = targets(settings)
        assert implied_block("owl", config, raw, ENVIRONMENT) is None


def test_the_wizard_moves_them_as_a_whole(tmp_path: Any) -> None:
    settings = {
        "baseUrl": URL, "apiKey": "${MY_KEY}", "allowPrivateNetwork": True, "timeouts": {"idle": 30},
        "models": ["a", {"id": "b", "contextWindow": 4096}],
    }  # fmt: skip
    raw, config = targets(settings)
    found = ProviderTargets(config, raw, tmp_path, ENVIRONMENT).find("owl", new=False)
    earlier = found.provider.previous_answers(raw)
    assert (
        earlier["models"] == "a, b" and earlier["key"] == "${MY_KEY}" and earlier["private_network"] == "yes"
    )
    change = found.provider.config_change(Answers({**earlier, "auth": "bearer"}))
    text = with_provider(json.dumps(raw), "owl", change, plugin=None, default=False)
    assert value_in(text, ("plugins", "entries", "owl")) is None
    block = value_in(text, ("models", "providers", "owl"))
    assert block["models"][1] == {"id": "b", "contextWindow": 4096} and block["apiKey"] == "${MY_KEY}"  # type: ignore[index, call-overload]
    assert value_in(text, ("plugins", "entries", "clawgate", "config")) == {
        "providers": {"owl": {"timeouts": {"idle": 30}}}
    }
