"""A process gets the plugins that its config wants; those that fail are reasons, and their providers are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clawgate.plugins.host.registry import PluginFailure, Registry, load_plugins
from clawgate.settings.schema.openclaw import OpenClawConfig
from tests.plugins.host.test_discovery import installed
from tests.plugins.samples import BODY, docs_plugin, plugin_folder, tool_code


def config(*enabled: str, **more: Any) -> OpenClawConfig:
    entries = {plugin: {"enabled": True} for plugin in enabled}
    return OpenClawConfig.model_validate({"plugins": {"entries": entries}, **more})


def test_only_what_is_on_is_loaded(tmp_path: Path) -> None:
    installed(tmp_path, plugin_folder(tmp_path / "a", "one"))
    installed(tmp_path, plugin_folder(tmp_path / "b", "two", "raise SystemExit('this code ran')"))
    found = load_plugins(config("one"), tmp_path, bundled=tmp_path / "none")
    assert [one.id for one in found.loaded] == ["one"] and found.failures == ()


def test_one_that_fails_keeps_no_other_out_and_its_providers_are_refused(tmp_path: Path) -> None:
    bad = plugin_folder(tmp_path / "a", "bad", "1 / 0", registers='["provider"]', providers='["bad-models"]')
    installed(tmp_path, bad)
    installed(tmp_path, docs_plugin(tmp_path / "b"))
    found = load_plugins(config("bad", "house-model"), tmp_path, bundled=tmp_path / "none")
    assert [one.id for one in found.loaded] == ["house-model"]
    assert "the plugin 'bad' cannot be used: ZeroDivisionError" in str(found.failure_of("bad-models"))
    assert found.failure_of("house-model") is None


def test_providers_and_commands_are_found_by_their_names(tmp_path: Path) -> None:
    installed(tmp_path, docs_plugin(tmp_path / "b"))
    found = load_plugins(config("house-model"), tmp_path, bundled=tmp_path / "none")
    provider, command = found.provider("house-model"), found.command("house-model")
    assert provider is not None and provider[0] is found.loaded[0] and provider[1].label == "House model"
    assert command is not None and command[1].help
    assert found.provider("other") is None and found.command("other") is None


def test_a_provider_that_is_taken_keeps_the_later_plugin_out_and_stays_with_the_first(tmp_path: Path) -> None:
    installed(tmp_path, docs_plugin(tmp_path / "b"))
    more = {"registers": '["service", "provider"]', "providers": '["house-model"]'}
    installed(tmp_path, plugin_folder(tmp_path / "z", "zebra", BODY, **more))
    found = load_plugins(config("house-model", "zebra"), tmp_path, bundled=tmp_path / "none")
    assert "the provider 'house-model' is already registered by the plugin 'house-model'" in str(
        found.failures[0]
    )
    assert found.failure_of("house-model") is None and found.provider("house-model") is not None


@pytest.mark.parametrize(("first", "later"), [("find", "find"), ("find", "Find"), ("FIND", "find")])
def test_a_tool_whose_name_is_taken_keeps_the_later_plugin_out(
    tmp_path: Path, first: str, later: str
) -> None:
    """The lists of allowed tools know no case, so a name in another case is taken, too."""
    for plugin, name in (("one", first), ("two", later)):
        more = {"registers": '["tool"]', "tools": f'["{name}"]'}
        installed(tmp_path, plugin_folder(tmp_path / plugin, plugin, tool_code(name), **more))
    found = load_plugins(config("one", "two"), tmp_path, bundled=tmp_path / "none")
    assert [one.id for one in found.loaded] == ["one"]
    assert f"the tool '{later}' is already registered by the plugin 'one'" in str(found.failures)


def test_the_names_of_a_plugin_that_was_upgraded_stay_taken(tmp_path: Path) -> None:
    """Else another plugin would run in its place, and be approved by its name."""
    more = {"registers": '["tool"]', "tools": '["find"]'}
    folder = plugin_folder(tmp_path / "a", "one", tool_code("find"), **more)
    installed(tmp_path, folder)
    before = load_plugins(config("one"), tmp_path, bundled=tmp_path / "none")
    installed(tmp_path, folder)
    installed(tmp_path, plugin_folder(tmp_path / "z", "zebra", tool_code("find"), **more))
    after = load_plugins(config("one", "zebra"), tmp_path, bundled=tmp_path / "none").after(before)
    assert after.loaded == before.loaded
    assert "the tool 'find' is already registered by the plugin 'one'" in str(after.failures)


def test_a_plugin_that_was_upgraded_goes_on_as_it_was_loaded(tmp_path: Path) -> None:
    """Its files are others now, and Python does not import them over those that it has."""
    folder = plugin_folder(tmp_path / "a", "one")
    installed(tmp_path, folder)
    before = load_plugins(config("one"), tmp_path, bundled=tmp_path / "none")
    installed(tmp_path, folder)
    found = load_plugins(config("one"), tmp_path, bundled=tmp_path / "none")
    assert found.loaded == () and "clawgate gateway restart" in found.failures[0].reason
    after = found.after(before)
    assert after.loaded == before.loaded and after.failures == ()
    broken = Registry((), (PluginFailure("one", "it is broken now"),))
    assert broken.after(before) == broken
    assert found.after(load_plugins(config(), tmp_path, bundled=tmp_path / "none")).failures == found.failures
