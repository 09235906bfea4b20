"""The plugin is what its manifest says, knows the plugin interface alone, and is found and loaded by the host."""

from __future__ import annotations

import ast
from pathlib import Path

import clawgate.bundled.anthropic_claude_proxy as package
from clawgate.bundled.anthropic_claude_proxy.config import ID, ProxyConfig
from clawgate.bundled.anthropic_claude_proxy.plugin import plugin
from clawgate.plugins.finding import find_plugins
from clawgate.plugins.loading import load_plugin
from clawgate.plugins.manifest import FILE_NAME, read_manifest

FOLDER = Path(package.__file__).parent


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
            if name is not None and name.startswith("clawgate"):
                assert name == "clawgate.plugins.api" or name.startswith(own), f"{path.name} imports {name}"
