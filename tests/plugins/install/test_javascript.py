"""The commands of the JavaScript plugins lead to the plugins that come with clawgate, and fetch nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clawgate.plugins.install.javascript import counterpart, rejection
from tests.plugins.samples import plugin_folder

CLAUDE, BRIDGE = "anthropic-claude-proxy", "proxy-bridge"


@pytest.mark.parametrize(
    ("source", "plugin"),
    [
        ("@rustyrayzor/anthropic-claude-proxy", CLAUDE),
        ("@rustyrayzor/anthropic-claude-proxy@1.2.3", CLAUDE),
        ("@rustyrayzor/anthropic-claude-proxy@latest", CLAUDE),
        ("npm:@rustyrayzor/anthropic-claude-proxy", CLAUDE),
        ("openclaw-anthropic-claude-proxy", CLAUDE),
        ("openclaw-anthropic-claude-proxy@2", CLAUDE),
        ("openclaw-anthropic-claude-proxy==1.0", CLAUDE),
        ("anthropic-claude-proxy", CLAUDE),
        ("/path/to/openclaw-proxy-bridge", BRIDGE),
        ("/path/to/openclaw-proxy-bridge/", BRIDGE),
        ("./openclaw-proxy-bridge", BRIDGE),
        ("~/openclaw-proxy-bridge", BRIDGE),
        ("openclaw-proxy-bridge-1.0.2.tgz", BRIDGE),
        ("https://git.test/me/openclaw-proxy-bridge.git", BRIDGE),
        ("git@git.test:me/openclaw-proxy-bridge.git#main", BRIDGE),
        ("proxy-bridge", BRIDGE),
        ("clawhub:proxy-bridge", BRIDGE),
    ],
)
def test_a_known_plugin_is_said_to_come_with_clawgate(source: str, plugin: str) -> None:
    assert rejection(source) == f"'{plugin}' comes with clawgate; run: clawgate plugins enable {plugin}"


@pytest.mark.parametrize(
    "source", ["@scope/something", "@scope/something@1.0", "npm:something", "clawhub:other"]
)
def test_any_other_npm_package_is_rejected_with_what_can_be_installed(source: str) -> None:
    message = rejection(source)
    assert message is not None and "is a JavaScript package" in message and "clawgate plugins list" in message


@pytest.mark.parametrize(
    "source",
    [
        "some-plugin", "./nowhere", "https://git.test/me/proxy-bridge.git", "git@git.test:me/x.git",
        "proxy-bridge-plus", "openclaw-other", "my-proxy-bridge", "", "@", "x@y",
    ],
)  # fmt: skip
def test_other_sources_are_left_alone(source: str) -> None:
    assert rejection(source) is None


@pytest.mark.parametrize(
    ("file", "text", "found"),
    [
        ("package.json", json.dumps({"name": "openclaw-proxy-bridge"}), "enable proxy-bridge"),
        ("package.json", json.dumps({"name": "@rustyrayzor/anthropic-claude-proxy"}), f"enable {CLAUDE}"),
        ("openclaw.plugin.json", json.dumps({"id": "proxy-bridge"}), "enable proxy-bridge"),
        ("package.json", json.dumps({"name": "other"}), "is a JavaScript package"),
        ("package.json", "{", "is a JavaScript package"),
        ("package.json", "[" * 100_000, "is a JavaScript package"),
        ("package.json", json.dumps({"name": 1}), "is a JavaScript package"),
    ],
)
def test_a_folder_is_recognized_by_what_it_declares(file: str, text: str, found: str, tmp_path: Path) -> None:
    (tmp_path / file).write_text(text)
    assert found in (rejection(str(tmp_path)) or "")


def test_a_folder_with_a_manifest_of_clawgate_is_a_plugin_whatever_its_name(tmp_path: Path) -> None:
    folder = plugin_folder(tmp_path / "openclaw-proxy-bridge")
    (folder / "package.json").write_text(json.dumps({"name": "openclaw-proxy-bridge"}))
    assert rejection(str(folder)) is None


def test_a_folder_of_a_bundled_plugin_s_plain_name_may_hold_another(tmp_path: Path) -> None:
    (tmp_path / "proxy-bridge").mkdir()
    assert rejection(str(tmp_path / "proxy-bridge")) is None


def test_a_plugin_is_named_by_its_id_or_its_package() -> None:
    assert counterpart("openclaw-proxy-bridge") == "proxy-bridge" and counterpart("proxy") is None
