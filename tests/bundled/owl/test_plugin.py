"""The plugin is what its manifest says, and passes the kit that others' plugins have to pass."""

from __future__ import annotations

from pathlib import Path

import clawgate.bundled.owl as package
from clawgate.bundled.owl.config import ENABLING_VARIABLE, ID, OwlSettings
from clawgate.bundled.owl.plugin import plugin
from clawgate.plugins.host.discovery import find_plugins
from clawgate.plugins.host.loader import load_plugin
from clawgate.plugins.host.manifest import FILE_NAME, read_manifest
from clawgate.testing.plugins.conformance import check_imports, check_plugin

FOLDER = Path(package.__file__).parent


def test_the_host_finds_and_loads_it(tmp_path: Path) -> None:
    found = next(one for one in find_plugins(tmp_path) if one.id == ID)
    loaded = load_plugin(found)
    assert [one.id for one in loaded.providers] == [ID] and not loaded.services and not loaded.commands


def test_the_manifest_says_every_setting_as_the_code_does() -> None:
    manifest = read_manifest(FOLDER / FILE_NAME)
    assert manifest.config == {field.alias: field.description for field in OwlSettings.model_fields.values()}
    assert (manifest.description, manifest.enabling_variable) == (plugin.description, ENABLING_VARIABLE)


def test_it_is_measured_as_the_plugins_of_others_are() -> None:
    found = [str(one) for one in check_imports(FOLDER, package.__name__)]
    assert [one for one in found if f" imports {package.__name__}" not in one] == []
    assert check_plugin(plugin, manifest=read_manifest(FOLDER / FILE_NAME)) == []
