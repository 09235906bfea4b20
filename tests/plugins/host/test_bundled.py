"""What generic code knows of the bundled plugins is in their manifests."""

from __future__ import annotations

import re
from pathlib import Path

import clawgate
from clawgate.plugins.host.bundled import bundled_folder, bundled_manifests, local_providers

PACKAGE = Path(clawgate.__file__).parent
ROLE_ENTRY = "settings/roles/bridge.py"
"""The block of ``clawgate bridge run``, which is also that of a bundled plugin, is named there."""
SECRETS = "settings/redaction.py"
"""It has to know which keys of that block are paths: the same name may be a secret of another plugin."""


def test_each_bundled_plugin_has_a_valid_manifest() -> None:
    folders = [path.parent.name for path in bundled_folder().glob("*/plugin.py")]
    assert sorted(one.id.replace("-", "_") for one in bundled_manifests()) == sorted(folders)


def test_local_providers_are_those_that_a_manifest_lists() -> None:
    assert local_providers() == {name for one in bundled_manifests() for name in one.local_providers} != set()


def test_no_generic_code_names_a_bundled_plugin() -> None:
    ids = [one.id for one in bundled_manifests()]
    names = re.compile(
        "|".join(rf"\b{re.escape(name)}\b" for one in ids for name in (one, one.replace("-", "_")))
    )
    found = {
        f"{path.relative_to(PACKAGE).as_posix()}: {match[0]}"
        for path in PACKAGE.rglob("*.py")
        if bundled_folder() not in path.parents
        for match in names.finditer(path.read_text(encoding="utf-8"))
    }
    assert found == {f"{ROLE_ENTRY}: proxy-bridge", f"{SECRETS}: proxy-bridge"}
