"""Rows and lines about plugins, of what is known without their code."""

from __future__ import annotations

import json

from clawgate.cli.plugins.listing import COLUMNS, PluginRow, aligned, manifest_facts
from clawgate.plugins.host.discovery import DiscoveredPlugin
from clawgate.plugins.host.manifest import parse_manifest
from tests.plugins.samples import docs_files

MANIFEST = parse_manifest(docs_files()["clawgate-plugin.toml"])


def test_a_row_says_whether_it_is_on_off_or_broken() -> None:
    good = DiscoveredPlugin(id="a", origin="installed", source="s", manifest=MANIFEST)
    bad = DiscoveredPlugin(id="a", origin="installed", source="s", problem="no manifest")
    assert [PluginRow(good, True, "").status, PluginRow(good, False, "").status, PluginRow(bad, True, "").status] == [
        "enabled", "disabled", "error",
    ]  # fmt: skip
    assert len(PluginRow(bad, True, "").cells()) == len(COLUMNS) == len(PluginRow(good, True, "").cells())


def test_what_cannot_be_read_can_be_shown() -> None:
    row = PluginRow(
        DiscoveredPlugin(id="a", origin="package", source="s", problem="no manifest"), False, "not set"
    )
    assert json.loads(json.dumps(row.to_json()))["problem"] == "no manifest"
    assert "Problem : no manifest" in list(row.lines())


def test_the_facts_of_a_manifest_are_complete() -> None:
    assert dict(manifest_facts(MANIFEST)) == {
        "Version": "0.1.0",
        "Service": "runs inside the gateway",
        "Providers": "house-model",
        "Commands": "clawgate house-model",
        "Tools": "none",
    }
    calendar = parse_manifest(docs_files("tool file")["clawgate-plugin.toml"])
    assert dict(manifest_facts(calendar))["Tools"] == "days_between"


def test_facts_are_aligned() -> None:
    assert list(aligned([("a", "1"), ("long", "2")])) == ["a    : 1", "long : 2"]
