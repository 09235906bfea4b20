"""What keeps a plugin from running is told with its place; nothing runs for that which the config does not want."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from clawgate.plugins.host.diagnostics import plugin_diagnostics
from clawgate.settings.diagnostic import Diagnostic, Severity
from clawgate.settings.openclaw.config_file import read_config
from tests.plugins.host.test_discovery import installed
from tests.plugins.samples import docs_plugin, imports_undone, plugin_folder, tool_code

CLAUDE = "anthropic-claude-proxy"


@pytest.fixture(autouse=True)
def _undone() -> Iterator[None]:
    with imports_undone():
        yield


def found_in(folder: Path, config: str | dict[str, Any], **environment: str) -> list[Diagnostic]:
    path = folder / "openclaw.json"
    path.write_text(config if isinstance(config, str) else json.dumps(config))
    path.chmod(0o600)
    return plugin_diagnostics(read_config(path, {"HOME": str(folder), **environment}, required=True), folder)


def entry(plugin: str, config: Mapping[str, Any], *, enabled: bool | None = True) -> dict[str, Any]:
    block = {"config": config} | ({} if enabled is None else {"enabled": enabled})
    return {"plugins": {"entries": {plugin: block}}}


TEXT = """{ plugins: { entries: { "anthropic-claude-proxy": { config: {
  prot: 1,
  command: "bunx it",
    host: "192.0.2.7",
} } } } }"""


def test_wrong_settings_of_a_bundled_plugin_are_told_where_they_stand(tmp_path: Path) -> None:
    """All of them, with what was meant; also while nobody wants the plugin."""
    found = found_in(tmp_path, TEXT)
    assert {(one.severity.name, one.location) for one in found} == {
        ("ERROR", f"{tmp_path}/openclaw.json:2:3"), ("ERROR", f"{tmp_path}/openclaw.json:3:3"),
    }  # fmt: skip
    assert "did you mean 'port'?" in str(found[0]) and "must be a list of words" in str(found[1])


@pytest.mark.parametrize("beside", [{}, {"config": {"port": 3456}}])
def test_settings_beside_config_are_an_error(tmp_path: Path, beside: dict[str, Any]) -> None:
    """They would be passed over: the plugin would run with its defaults. OpenClaw's own keys are none."""
    block = beside | {"port": 1, "hooks": {}, "enabled": True}
    (one,) = found_in(tmp_path, {"plugins": {"entries": {CLAUDE: block}}})
    assert one.is_error and one.key == f"plugins.entries.{CLAUDE}.config" and "'port'" in one.message
    assert one.fix == "move it into config"


def test_settings_that_are_wrong_together_are_told_at_their_block(tmp_path: Path) -> None:
    (one,) = found_in(tmp_path, TEXT.replace("prot: 1,", "").replace('command: "bunx it",', ""))
    assert one.key == "plugins.entries.anthropic-claude-proxy.config"
    assert one.location.endswith(":1:53") and "must be a loopback address" in one.text


def test_what_is_lacking_is_told_of_a_plugin_that_is_on(tmp_path: Path) -> None:
    """And that a variable is not set in this environment is no mistake of the file."""
    bridge = {"remoteUrl": "https://remote.test", "proxyToken": "${TOKEN}"}
    (one,) = found_in(tmp_path, entry("proxy-bridge", bridge))
    assert (
        one.unset and not one.is_error and "TOKEN is not set" in str(one) and "openclaw.json:1:" in str(one)
    )
    assert found_in(tmp_path, entry("proxy-bridge", bridge), TOKEN="t" * 20) == []
    lacking = found_in(tmp_path, entry("proxy-bridge", {}))
    assert [one.unset for one in lacking] == [True, True]
    assert str(lacking[0]).endswith(  # and not as a flag
        'is not set; set PROXY_BRIDGE_URL, or plugins.entries."proxy-bridge".config.remoteUrl'
    )
    assert found_in(tmp_path, entry("proxy-bridge", {"models": ["a"]}, enabled=None)) == []


def test_what_a_variable_says_wrongly_is_told_as_the_variables(tmp_path: Path) -> None:
    found = found_in(
        tmp_path,
        entry("proxy-bridge", {"remoteUrl": "https://remote.test", "proxyToken": "t" * 20}),
        PROXY_BRIDGE_PORT="x",
    )
    assert [one.location for one in found] == ["environment variable PROXY_BRIDGE_PORT"]


@pytest.mark.parametrize("variables", [{}, {"TOKEN": "t" * 20}])
def test_settings_that_do_not_fit_together_are_told_with_the_way_out(
    tmp_path: Path, variables: dict[str, str]
) -> None:
    """Also where only the gateway knows the token."""
    config = entry(
        "proxy-bridge", {"remoteUrl": "https://remote.test", "proxyToken": "${TOKEN}", "bridgePort": 18801}
    )
    block = {"baseUrl": "http://127.0.0.1:18800/v1", "apiKey": "bridge", "models": []}
    config["models"] = {"providers": {"proxy-bridge": block}}
    found = found_in(tmp_path, config, **variables)
    (unfit,) = [one for one in found if not one.unset]
    assert unfit.key == "models.providers.proxy-bridge.baseUrl"
    assert unfit.location.startswith(f"{tmp_path}/openclaw.json:1:")
    assert "or bridgePort to 18800" in str(unfit)
    config["plugins"]["entries"]["proxy-bridge"]["enabled"] = False
    assert found_in(tmp_path, config, **variables) == []


def test_an_installed_plugin_is_judged_once_it_is_on(tmp_path: Path) -> None:
    installed(tmp_path, docs_plugin(tmp_path / "b"))
    wrong = {"baseUrl": "https://a.test/v1", "apiKey": "k" * 20, "checkIntervl": 3}
    assert found_in(tmp_path, entry("house-model", wrong, enabled=None)) == []
    (one,) = found_in(tmp_path, entry("house-model", wrong))
    assert one.is_error and "did you mean 'checkInterval'?" in one.text
    assert one.key == "plugins.entries.house-model.config.checkIntervl"


def test_code_of_a_plugin_that_is_off_does_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    installed(
        tmp_path,
        plugin_folder(tmp_path / "a", "one", f"import pathlib; pathlib.Path({str(mark)!r}).touch()\n"),
    )
    assert found_in(tmp_path, entry("one", {"a": 1}, enabled=False)) == [] and not mark.exists()
    (one,) = found_in(tmp_path, entry("one", {}))
    assert not one.is_error and mark.exists() and "clawgate plugins disable one" in str(one)


NOTES = """\
from clawgate.plugins.api import Answers, ConfigChange, PluginConfig

class Provider:
    id = "{id}"
    label = "P"
    dialect = "openai-completions"
    def previous_answers(self, config): return Answers()
    def questions(self, previous, environment): return ()
    async def check_connection(self, answers, context): return None
    def config_change(self, answers): return ConfigChange(plugin_config={}, provider={})
    def owned_paths(self, config): return ()
    def check_config(self, config, settings): BODY

class Plugin:
    id, name, version, description, config_class = "{id}", "Sample", "1.0", "A sample.", PluginConfig
    def register(self, registrar): registrar.add_provider(Provider())

plugin = Plugin()
"""


@pytest.mark.parametrize(("does", "count"), [("raise SystemExit(3)", 1), ("return [1, None]", 0)])
def test_a_plugin_that_cannot_say_it_is_a_finding_itself(tmp_path: Path, does: str, count: int) -> None:
    more = {"registers": '["provider"]', "providers": '["noted"]'}
    installed(tmp_path, plugin_folder(tmp_path / "a", "noted", NOTES.replace("BODY", does), **more))
    found = found_in(tmp_path, entry("noted", {}))
    assert len(found) == count and not any(one.is_error for one in found)
    assert all("check_config failed" in str(one) for one in found)


def test_a_name_that_another_plugin_has_is_told_as_the_gateway_decides_it(tmp_path: Path) -> None:
    more = {"registers": '["tool"]', "tools": '["find"]'}
    for name in ("one", "two"):
        installed(tmp_path, plugin_folder(tmp_path / name, name, tool_code("find"), **more))
    enabled = {name: {"enabled": True} for name in ("one", "two")}
    (found,) = found_in(tmp_path, {"plugins": {"entries": enabled}})
    assert found.severity is Severity.WARNING and found.key == "plugins.entries.two"
    assert "the tool 'find' is already registered by the plugin 'one'" in found.message
    assert found_in(tmp_path, {"plugins": {"entries": enabled | {"one": {"enabled": False}}}}) == []
