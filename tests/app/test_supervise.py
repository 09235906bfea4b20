from __future__ import annotations

import json
from pathlib import Path

from clawgate.app.supervise import only_plugin
from clawgate.plugins.host.registry import load_plugins
from clawgate.settings.openclaw.config_file import ConfigFile, read_config


def read(folder: Path, plugins: object) -> ConfigFile:
    path = folder / "openclaw.json"
    path.write_text(json.dumps({"plugins": plugins}))
    path.chmod(0o600)
    return read_config(path, {}, required=True)


def test_only_the_named_plugin_is_loaded_with_its_config(tmp_path: Path) -> None:
    entries = {
        "proxy-bridge": {"enabled": True, "config": {"remoteUrl": "http://127.0.0.1:9"}},
        "anthropic-claude-proxy": {"config": {"port": 4567}},
    }
    file = only_plugin(read(tmp_path, {"entries": entries}), "anthropic-claude-proxy")
    registry = load_plugins(file.config, tmp_path)
    assert [one.id for one in registry.loaded] == ["anthropic-claude-proxy"]
    assert file.plugin_config("anthropic-claude-proxy") == {"port": 4567}


def test_the_other_gateway_decides_whether_the_plugin_runs(tmp_path: Path) -> None:
    file = read(tmp_path, {"enabled": False, "deny": ["anthropic-claude-proxy"]})
    registry = load_plugins(only_plugin(file, "anthropic-claude-proxy").config, tmp_path)
    assert [one.id for one in registry.loaded] == ["anthropic-claude-proxy"]
