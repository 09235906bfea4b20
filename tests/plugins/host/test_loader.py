"""A plugin is loaded if its code does what its manifest says; whatever else it does is a reason."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest
from pydantic import BaseModel, SecretStr

from clawgate.plugins.api import PluginConfig, Service
from clawgate.plugins.host.discovery import DiscoveredPlugin
from clawgate.plugins.host.isolation import PluginFailed
from clawgate.plugins.host.loader import load_plugin, missing_members, plugin_settings, secrets_in
from clawgate.plugins.host.manifest import find_manifest, read_manifest
from clawgate.settings.problems import SettingsInvalid
from tests.plugins.samples import BODY, docs_plugin, docs_tool_plugin, plugin_folder, tool_code, write_files


def found_in(folder: Path, plugin: str = "sample") -> DiscoveredPlugin:
    manifest = read_manifest(find_manifest(folder))
    return DiscoveredPlugin(id=plugin, origin="installed", source="test", manifest=manifest, folder=folder)


def problem(folder: Path, code: str, **more: str) -> str:
    with pytest.raises(PluginFailed) as caught:
        load_plugin(found_in(plugin_folder(folder, code=code, **more)), seconds=20)
    text = str(caught.value)
    assert text.isprintable()
    return text


def test_the_plugin_of_the_docs_registers_what_it_says(tmp_path: Path) -> None:
    loaded = load_plugin(found_in(docs_plugin(tmp_path), "house-model"))
    assert [one.id for one in loaded.providers] == ["house-model"] == [one.name for one in loaded.commands]
    assert len(loaded.services) == 1 and loaded.id == "house-model"


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("raise RuntimeError('broken\\nat import')", "RuntimeError: broken"),
        ("import sys; sys.exit(0)", "it called sys.exit"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("raise type('Odd', (BaseException,), {'__str__': lambda self: 1 / 0})()", "Odd: (no text)"),
        ("import no_such_module_at_all", "ModuleNotFoundError: No module named"),
        ("this is no Python", "SyntaxError"),
        ("", "has no 'plugin'"),
        ("plugin = None", "is not a plugin: it lacks config_class, description, id, name, register, version"),
        ("class plugin: pass", "is a class; name an object, such as plugin = plugin()"),
        (BODY + "\nplugin.version = '2'", "its manifest has version '1.0', and its code '2'"),
        (BODY + "\nplugin.id = 'other'", "its manifest has id 'sample', and its code 'other'"),
        (BODY + "\nplugin.name = 7", "the plugin's name must be one line of text"),
        (BODY + "\nplugin.config_class = {}", "derived from pydantic's BaseModel"),
        (BODY + "\nplugin.register = lambda registrar: 1 / 0", "ZeroDivisionError"),
        (BODY + "\nimport sys\nplugin.register = lambda registrar: sys.exit('no')", "it called sys.exit"),
        (BODY + "\nplugin.register = lambda registrar: None", "it registers no service"),
        (BODY + "\nplugin.register = lambda registrar: registrar.add_service(Service)", "is a class: register Serv"),
        (BODY + "\nplugin.register = lambda registrar: registrar.add_service(7)", "the service int lacks start"),
        (BODY + "\nService.start = lambda self, context: None", "start of the service Service must be 'async def'"),
        (BODY + "\nService.unavailable = Service.start", "unavailable of the service Service must be a plain 'def'"),
        (BODY + "\nplugin.register = lambda registrar: registrar.hook(1)", "AttributeError"),
    ],
)  # fmt: skip
def test_what_a_plugin_does_instead_is_the_reason(tmp_path: Path, code: str, says: str) -> None:
    assert says in problem(tmp_path, code)


def test_an_import_that_hangs_ends_for_the_gateway_when_its_time_is_over(tmp_path: Path) -> None:
    """The thread that hangs is left behind; here it is let go at the end."""
    gate = threading.Event()
    sys.modules["sample_gate"] = type(sys)("sample_gate")
    sys.modules["sample_gate"].gate = gate  # type: ignore[attr-defined]  # what the plugin waits for
    folder = plugin_folder(tmp_path, code="from sample_gate import gate\ngate.wait(60)\n" + BODY)
    try:
        with pytest.raises(PluginFailed, match=r"its import took longer than 0\.05 s"):
            load_plugin(found_in(folder), seconds=0.05)
    finally:
        gate.set()


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"registers": '["service", "provider"]', "providers": '["p"]'}, "providers (none), and its manifest lists p"),
        ({"registers": '["service", "command"]', "commands": '["c"]'}, "commands (none), and its manifest lists c"),
        ({"registers": '["service", "tool"]', "tools": '["t"]'}, "tools (none), and its manifest lists t"),
        ({"registers": '["command"]', "commands": '["c"]'}, "it registers a service, which contradicts `registers`"),
    ],
)  # fmt: skip
def test_a_manifest_that_lies_keeps_the_plugin_out(tmp_path: Path, more: dict[str, str], says: str) -> None:
    assert says in problem(tmp_path, BODY, **more)


def test_a_dialect_that_nobody_speaks_keeps_it_out(tmp_path: Path) -> None:
    folder = docs_plugin(tmp_path)
    code = folder / "house_model" / "__init__.py"
    code.write_text(code.read_text().replace('dialect = "openai-completions"', 'dialect = "smoke-signals"'))
    with pytest.raises(PluginFailed, match="has the unknown dialect 'smoke-signals'"):
        load_plugin(found_in(folder, "house-model"))


@pytest.mark.parametrize(
    ("old", "new"), [("shape", "transform_request"), ("judge", "map_error"), ("config_notes", "check_config")]
)
def test_a_hook_with_its_name_of_api_1_keeps_the_plugin_out(tmp_path: Path, old: str, new: str) -> None:
    """Else it would be loaded without that hook, in silence."""
    folder = docs_plugin(tmp_path)
    code = folder / "house_model" / "__init__.py"
    text = code.read_text().replace("def transform_request", "def unused")
    code.write_text(text + f"\n\nHouseProvider.{old} = HouseProvider.unused\n")
    with pytest.raises(PluginFailed, match=rf"has {old}\(\), which is {new}\(\) since plugin API 2"):
        load_plugin(found_in(folder, "house-model"))


def test_a_tool_that_the_manifest_does_not_list_keeps_the_plugin_out(tmp_path: Path) -> None:
    """Also one that the manifest spells in another case: what is approved is a name."""
    more = {"registers": '["tool"]', "tools": '["Find"]'}
    assert "registers the tools find, and its manifest lists Find" in problem(
        tmp_path, tool_code("find"), **more
    )
    twice = tool_code("Find")
    twice += "Plugin.register = lambda self, registrar: [registrar.add_tool(TOOL) for _ in range(2)]\n"
    assert "registers the tools Find, Find" in problem(tmp_path / "b", twice, **more)


def test_tools_are_loaded_with_their_plugin(tmp_path: Path) -> None:
    (tool,) = load_plugin(found_in(docs_tool_plugin(tmp_path), "house-calendar")).tools
    assert (tool.plugin, tool.name) == ("house-calendar", "days_between")


def test_nothing_can_be_registered_later(tmp_path: Path) -> None:
    code = BODY + "\nkept = []\nold = Plugin.register\n"
    code += "def register(self, registrar):\n    kept.append(registrar)\n    old(self, registrar)\n"
    code += "Plugin.register = register\n"
    loaded = load_plugin(found_in(plugin_folder(tmp_path, code=code)))
    kept = sys.modules[type(loaded.plugin).__module__].kept
    with pytest.raises(PluginFailed, match="nothing can be registered any more"):
        kept[0].add_service(loaded.services[0])


def test_a_package_cannot_stand_in_for_one_that_is_there(tmp_path: Path) -> None:
    write_files(tmp_path / "first", {"sample_taken/__init__.py": "ran = True"})
    sys.path.append(str(tmp_path / "first"))
    folder = write_files(
        plugin_folder(tmp_path / "second", module='"sample_taken:plugin"'), {"sample_taken/__init__.py": BODY}
    )
    with pytest.raises(PluginFailed, match="Python finds another package named 'sample_taken'"):
        load_plugin(found_in(folder))
    assert "sample_taken" not in sys.modules


def test_what_has_a_problem_is_not_touched() -> None:
    with pytest.raises(PluginFailed, match="old"):
        load_plugin(DiscoveredPlugin(id="x", origin="installed", source="", problem="too old"))


def test_config_comes_from_the_environment_and_the_file_with_every_problem(tmp_path: Path) -> None:
    loaded = load_plugin(found_in(docs_plugin(tmp_path), "house-model"))
    block = {"baseUrl": "http://127.0.0.1:9/v1", "apiKey": "${KEY}"}
    found = plugin_settings(
        loaded, block, {"KEY": "canary-key-1", "HOUSE_MODEL_URL": "http://127.0.0.1:8/v1"}
    )
    assert found.model_dump()["base_url"] == "http://127.0.0.1:8/v1"
    assert secrets_in(found) == ("canary-key-1",) and "canary" not in repr(found)
    with pytest.raises(SettingsInvalid) as caught:
        plugin_settings(loaded, {"baseUlr": "x", "apiKey": "changeme"}, {})
    assert len(caught.value.problems) == 3 and "did you mean 'baseUrl'" in str(caught.value)


def test_a_validator_that_goes_wild_is_a_reason_too(tmp_path: Path) -> None:
    code = BODY + (
        "\nimport sys, pydantic\nclass Config(PluginConfig):\n    a: int = 1\n"
        "    @pydantic.field_validator('a')\n    def check(cls, value): sys.exit(3)\nPlugin.config_class = Config\n"
    )
    loaded = load_plugin(found_in(plugin_folder(tmp_path, code=code)))
    with pytest.raises(PluginFailed, match=r"sys\.exit"):
        plugin_settings(loaded, {"a": 2}, {})


def test_secrets_are_found_wherever_they_are() -> None:
    class Part(PluginConfig):
        key: SecretStr = SecretStr("one")

    class Config(BaseModel):
        part: Part = Part()
        many: tuple[SecretStr, ...] = (SecretStr("two"), SecretStr(""))
        named: dict[str, SecretStr] = {"a": SecretStr("three")}

    assert secrets_in(Config()) == ("one", "two", "three")


def test_missing_members_are_named() -> None:
    assert missing_members(object(), Service) == ["start", "status", "stop", "unavailable"]
