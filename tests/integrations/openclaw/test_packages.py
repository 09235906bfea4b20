"""The packages are complete, generated from one source, and free of what a registry's scanner flags."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
PACKAGES = ROOT / "integrations" / "openclaw"
NAMES = ("proxy-bridge", "anthropic-claude-proxy", "owl")


def writer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("write_packages", PACKAGES / "write_packages.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def manifest(package: str) -> Any:
    return json.loads((PACKAGES / package / "openclaw.plugin.json").read_text())


def modules(package: str) -> list[Path]:
    return sorted((PACKAGES / package).rglob("*.js"))


def test_what_is_generated_is_current() -> None:
    module = writer()
    stale = [
        str(path.relative_to(ROOT))
        for package in module.PACKAGES
        for path, text in module.files_of(package)
        if not path.is_file() or path.read_text() != text
    ]
    assert not stale, f"run python integrations/openclaw/write_packages.py: {stale}"


@pytest.mark.parametrize("package", NAMES)
def test_a_package_imports_node_and_its_own_files_alone(package: str) -> None:
    for path in modules(package):
        for name in re.findall(r"(?:from|import)\s*\(?\s*\"([^\"]+)\"", path.read_text()):
            assert name.startswith("node:") or (path.parent / name).is_file(), f"{path}: {name}"
    assert "dependencies" not in json.loads((PACKAGES / package / "package.json").read_text())


@pytest.mark.parametrize("package", NAMES)
def test_no_module_combines_what_scanners_flag(package: str) -> None:
    for path in modules(package):
        text = path.read_text()
        traits = (
            "node:child_process" in text,
            "process.env" in text,
            "fetch(" in text or "node:http" in text,
        )
        assert sum(traits) <= 1, f"{path}: {traits}"


@pytest.mark.parametrize("package", NAMES)
def test_words_of_the_module_and_of_the_manifest_agree(package: str) -> None:
    text = (PACKAGES / package / "index.js").read_text()
    found = manifest(package)
    choice = found["providerAuthChoices"][0]
    for word in (
        found["id"],
        found["name"],
        found["description"],
        choice["choiceLabel"],
        choice["choiceHint"],
    ):
        assert json.dumps(word, ensure_ascii=False) in text


@pytest.mark.parametrize("package", NAMES)
def test_no_secret_has_a_default_and_each_is_marked(package: str) -> None:
    found = manifest(package)
    secret = {name for name, hint in found["uiHints"].items() if hint.get("sensitive")}
    for name in ("proxyToken", "bridgeToken", "apiKey", "password"):
        assert name in secret or name not in found["configSchema"]["properties"]
    assert not any("default" in found["configSchema"]["properties"][name] for name in secret)
