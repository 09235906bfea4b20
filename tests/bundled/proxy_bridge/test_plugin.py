"""The plugin is what its manifest says, passes the kit that others' plugins have to pass, and its docs are right."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyjson5

import clawgate.bundled.proxy_bridge as package
from clawgate.bundled.proxy_bridge.config import ID
from clawgate.bundled.proxy_bridge.plugin import plugin
from clawgate.bundled.proxy_bridge.provider import BridgeProvider
from clawgate.plugins.api import BridgeSettings
from clawgate.plugins.host.discovery import enabled_reason, find_plugins
from clawgate.plugins.host.loader import load_plugin
from clawgate.plugins.host.manifest import FILE_NAME, read_manifest
from clawgate.settings.schema.openclaw import OpenClawConfig
from clawgate.testing.plugins.conformance import check_imports, check_plugin

FOLDER = Path(package.__file__).parent
ROOT = Path(__file__).parents[3]
DOCS = (ROOT / "docs" / "proxy-bridge.md").read_text(encoding="utf-8")


def blocks(text: str) -> list[OpenClawConfig]:
    return [
        OpenClawConfig.model_validate(pyjson5.decode(found))
        for found in re.findall(r"```json5\n(.*?)```", text, re.DOTALL)
        if ID in found
    ]


def test_the_host_finds_and_loads_it(tmp_path: Path) -> None:
    found = next(one for one in find_plugins(tmp_path) if one.id == ID)
    loaded = load_plugin(found)
    assert found.origin == "bundled" and loaded.plugin is plugin
    assert [one.id for one in loaded.providers] == [one.name for one in loaded.commands] == [ID]
    assert len(loaded.services) == 1


def test_the_manifest_tells_every_setting_as_the_code_does() -> None:
    fields = {field.alias: field.description for field in BridgeSettings.model_fields.values()}
    manifest = read_manifest(FOLDER / FILE_NAME)
    assert manifest.config == fields
    assert (manifest.name, manifest.description) == (plugin.name, plugin.description)


def test_it_is_measured_as_the_plugins_of_others_are() -> None:
    found = [str(one) for one in check_imports(FOLDER, package.__name__)]
    assert [one for one in found if f" imports {package.__name__}" not in one] == []
    assert check_plugin(plugin, manifest=read_manifest(FOLDER / FILE_NAME)) == []


def test_the_config_that_users_of_the_javascript_plugin_have_works(tmp_path: Path) -> None:
    """As on the page: no ``enabled``, and the provider names the bridge."""
    for config in blocks(DOCS):
        entry, provider = config.plugins.entries[ID], config.models.providers[ID]
        settings = BridgeSettings.model_validate(entry.config | {"proxyToken": "tok-Xc82Lm"})
        assert str(provider.base_url) == f"http://127.0.0.1:{settings.bridge_port}/v1"
        assert (provider.api, settings.remote_url) == ("openai-completions", "https://proxy.example.com")
        found = next(one for one in find_plugins(tmp_path) if one.id == ID)
        assert enabled_reason(found, config.plugins, config.models.providers)[0]


def test_the_docs_tell_every_setting_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", DOCS, re.MULTILINE))
    assert rows.keys() == {field.alias for field in BridgeSettings.model_fields.values()}
    for field in BridgeSettings.model_fields.values():
        if isinstance(field.default, bool | int | float | str):
            shown = field.default if isinstance(field.default, str) else json.dumps(field.default)
            assert rows[str(field.alias)] == f"`{shown}`"


def test_the_docs_tell_every_variable_and_every_question() -> None:
    for question in BridgeProvider().questions(BridgeProvider().previous_answers({}), {}):
        assert f"`{question.flag_name}`" in DOCS
    for field in BridgeSettings.model_fields.values():
        extra = field.json_schema_extra
        for name in extra.get("env", []) if isinstance(extra, dict) else []:  # type: ignore[union-attr]  # a list
            assert f"`{name}`" in DOCS
