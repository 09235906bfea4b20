"""The plugin is what its manifest says, knows the plugin interface alone, and is found and loaded by the host."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import get_args

import pyjson5

import clawgate.bundled.anthropic_claude_proxy as package
from clawgate.bundled.anthropic_claude_proxy.config import ID, ProxyConfig
from clawgate.bundled.anthropic_claude_proxy.package_pin import unpinned_package
from clawgate.bundled.anthropic_claude_proxy.plugin import plugin
from clawgate.plugins.host.discovery import find_plugins
from clawgate.plugins.host.loader import load_plugin
from clawgate.plugins.host.manifest import FILE_NAME, read_manifest
from clawgate.processes.supervision.child_state import Phase
from clawgate.settings.schema.openclaw import OpenClawConfig

FOLDER = Path(package.__file__).parent
DOCS = (Path(__file__).parents[3] / "docs" / "anthropic-claude-proxy.md").read_text(encoding="utf-8")


def test_the_host_finds_and_loads_it(tmp_path: Path) -> None:
    found = next(one for one in find_plugins(tmp_path) if one.id == ID)
    loaded = load_plugin(found)
    assert found.origin == "bundled" and loaded.plugin is plugin
    assert [one.id for one in loaded.providers] == [one.name for one in loaded.commands] == [ID]
    assert len(loaded.services) == 1


def test_the_manifest_tells_every_setting_as_the_code_does() -> None:
    fields = {field.alias: field.description for field in ProxyConfig.model_fields.values()}
    manifest = read_manifest(FOLDER / FILE_NAME)
    assert manifest.config == fields
    assert (manifest.name, manifest.description) == (plugin.name, plugin.description)


def test_it_knows_the_plugin_interface_alone() -> None:
    own = package.__name__
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            name = node.module if isinstance(node, ast.ImportFrom) else None
            if isinstance(node, ast.ImportFrom) and name == "clawgate.plugins":
                name = ".".join([name, *(alias.name for alias in node.names)])
            if name is not None and name.startswith("clawgate"):
                assert name == "clawgate.plugins.api" or name.startswith(own), f"{path.name} imports {name}"


# The documentation


def test_the_config_in_the_docs_is_one_that_works() -> None:
    config = OpenClawConfig.model_validate(
        pyjson5.decode(re.findall(r"```json5\n(.*?)```", DOCS, re.DOTALL)[0])
    )
    settings = ProxyConfig.model_validate(config.plugins.entries[ID].config)
    assert unpinned_package(settings.command) is None
    own = {"models": list(settings.models), "command": list(settings.command)}
    assert settings == ProxyConfig.model_validate(own)
    provider = config.models.providers[ID]
    assert (str(provider.base_url), [one.id for one in provider.models]) == (
        settings.origin,
        list(settings.models),
    )


def test_the_docs_tell_every_setting_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", DOCS, re.MULTILINE))
    fields = {field.alias: field.default for field in ProxyConfig.model_fields.values()}
    assert rows.keys() >= fields.keys()
    for name in ("autoStart", "autoRestart", "restartDelayMs", "port"):
        assert rows[name] == f"`{json.dumps(fields[name])}`"
    assert rows["command"] == f"`{json.dumps(fields['command'])}`" and rows["host"] == f"`{fields['host']}`"


def test_the_docs_tell_every_state() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .* \| (?:503|go to it) \|$", DOCS, re.MULTILINE)
    assert {*rows, "stopping"} == set(get_args(Phase))
