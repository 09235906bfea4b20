"""Which plugins there are, and which the config wants; none of them runs for that."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from clawgate.plugins.host.discovery import enabled_reason, find_plugins, installed_folder
from clawgate.plugins.install.installer import activate, stage
from clawgate.plugins.install.sources import parse_source
from clawgate.settings.schema.openclaw import PluginsBlock
from tests.plugins.samples import BODY, manifest, plugin_folder, unique, write_files

BOOM = "raise SystemExit('this code ran')\n"


def installed(state: Path, folder: Path) -> Path:
    plugins = installed_folder(state)
    plugins.mkdir(parents=True, exist_ok=True)
    with stage(parse_source(str(folder)), {}, plugins) as new:
        return activate(new)


def bundle(folder: Path, plugin: str, **more: str) -> Path:
    write_files(
        folder / plugin.replace("-", "_"), {"clawgate-plugin.toml": manifest(plugin, "sample_x", **more)}
    )
    return folder


def on_path(
    folder: Path, monkeypatch: pytest.MonkeyPatch, plugin: str, *, entry: str = "", place: str = ""
) -> str:
    """A package with an entry point, as pip would leave it."""
    package = unique()
    files = {
        f"{package}/__init__.py": BOOM,
        place or f"{package}/clawgate-plugin.toml": manifest(plugin, package),
        f"{package}-1.0.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n",
        f"{package}-1.0.dist-info/entry_points.txt": f"[clawgate.plugins]\n{plugin} = {entry or f'{package}:plugin'}\n",
    }
    write_files(folder, files)
    monkeypatch.syspath_prepend(str(folder))
    return package


def test_the_three_places_are_looked_at_in_order_and_nothing_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "state"
    installed(state, plugin_folder(tmp_path / "a", "mine", BOOM))
    package = on_path(tmp_path / "site", monkeypatch, "theirs")
    found = find_plugins(state, bundled=bundle(tmp_path / "bundled", "own"))
    assert [(one.id, one.origin, one.problem) for one in found] == [
        ("own", "bundled", None), ("theirs", "package", None), ("mine", "installed", None),
    ]  # fmt: skip
    assert found[1].source == f"package {package} 1.0" and found[2].source == f"path {tmp_path / 'a'}"
    assert package not in sys.modules


def test_an_entry_point_that_is_not_the_manifests_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_path(tmp_path, monkeypatch, "theirs", entry="other:plugin")
    (found,) = find_plugins(tmp_path, bundled=tmp_path / "none")
    assert found.problem == "its package has no clawgate-plugin.toml beside its code"
    on_path(tmp_path / "b", monkeypatch, "odd", entry="sample_none.x:plugin", place="nowhere.toml")
    assert all(one.problem is not None for one in find_plugins(tmp_path, bundled=tmp_path / "none"))


def test_an_entry_point_to_another_object_than_the_manifests_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = on_path(tmp_path, monkeypatch, "theirs")
    (tmp_path / f"{package}-1.0.dist-info" / "entry_points.txt").write_text(
        f"[clawgate.plugins]\ntheirs = {package}:other\n"
    )
    (found,) = find_plugins(tmp_path, bundled=tmp_path / "none")
    assert found.problem == f"its entry point is {package}:other, but its manifest has {package}:plugin"


def test_of_two_with_one_id_neither_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path, plugin_folder(tmp_path / "a", "twice"))
    on_path(tmp_path / "site", monkeypatch, "twice")
    found = find_plugins(tmp_path, bundled=tmp_path / "none")
    assert len(found) == 2 and all("another plugin has the id 'twice'" in str(one.problem) for one in found)


def test_no_plugin_can_take_the_place_of_a_bundled_one(tmp_path: Path) -> None:
    installed(tmp_path, plugin_folder(tmp_path / "a", "own"))
    own, other = find_plugins(tmp_path, bundled=bundle(tmp_path / "bundled", "own"))
    assert own.problem is None and "(clawgate itself)" in str(other.problem)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"tree": 7, "source": "x"}',
        '{"source": "x"}',
        "[" * 100_000,
        f'{{"tree": {"9" * 5000}}}',
    ],
)
def test_a_record_that_cannot_be_read_is_a_reason_and_no_crash(tmp_path: Path, text: str) -> None:
    installed(tmp_path, plugin_folder(tmp_path / "a", "mine"))
    (installed_folder(tmp_path) / "mine" / "installed.json").write_text(text)
    (found,) = find_plugins(tmp_path, bundled=tmp_path / "none")
    assert found.id == "mine" and found.problem is not None


@pytest.mark.parametrize("text", [f"requires_api = {'9' * 5000}", "\x00", "id = 7", "[" * 5000])
@pytest.mark.parametrize("origin", ["installed", "package"])
def test_a_manifest_that_cannot_be_read_is_the_problem_of_its_plugin_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, origin: str, text: str
) -> None:
    installed(tmp_path, plugin_folder(tmp_path / "a", "other"))
    if origin == "installed":
        tree = installed(tmp_path, plugin_folder(tmp_path / "b", "mine"))
        (tree / "clawgate-plugin.toml").write_text(text)
    else:
        package = on_path(tmp_path / "site", monkeypatch, "mine")
        (tmp_path / "site" / package / "clawgate-plugin.toml").write_text(text)
    found = {one.id: one.problem for one in find_plugins(tmp_path, bundled=tmp_path / "none")}
    assert found["other"] is None and found["mine"] is not None


def test_any_exception_from_a_file_of_a_plugin_is_the_problem_of_that_plugin_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(tmp_path, plugin_folder(tmp_path / "a", "mine"))
    on_path(tmp_path / "site", monkeypatch, "theirs")

    def fails(path: Path) -> None:
        raise ZeroDivisionError("any exception")

    monkeypatch.setattr("clawgate.plugins.host.discovery.read_manifest", fails)
    found = find_plugins(tmp_path, bundled=tmp_path / "none")
    assert [one.problem for one in found] == [
        "its files cannot be read: ZeroDivisionError: any exception"
    ] * 2


def test_a_record_that_is_no_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    installed(tmp_path, plugin_folder(tmp_path / "a", "mine"))
    record = installed_folder(tmp_path) / "mine" / "installed.json"
    record.unlink()
    os.mkfifo(record)
    (found,) = find_plugins(tmp_path, bundled=tmp_path / "none")
    assert "cannot be read" in str(found.problem)


def test_a_record_cannot_lead_out_of_its_folder(tmp_path: Path) -> None:
    write_files(
        installed_folder(tmp_path) / "mine", {"installed.json": '{"tree": "../../../a", "source": "x"}'}
    )
    plugin_folder(tmp_path / "a", "mine")
    (found,) = find_plugins(tmp_path, bundled=tmp_path / "none")
    assert found.problem is not None and found.folder is None


def test_a_plugin_whose_manifest_names_another_since_is_not_used(tmp_path: Path) -> None:
    tree = installed(tmp_path, plugin_folder(tmp_path / "a", "mine"))
    text = (tree / "clawgate-plugin.toml").read_text()
    (tree / "clawgate-plugin.toml").write_text(text.replace('"mine"', '"other"'))
    (found,) = find_plugins(tmp_path, bundled=tmp_path / "none")
    assert found.id == "mine" and "its manifest has the id 'other' now" in str(found.problem)


def test_what_was_never_finished_is_not_there(tmp_path: Path) -> None:
    write_files(installed_folder(tmp_path), {".new-1-x/installed.json": "{}", "half/code.py": ""})
    assert find_plugins(tmp_path, bundled=tmp_path / "none") == []


@pytest.mark.parametrize(
    ("block", "providers", "expected"),
    [
        ({}, [], (False, 'plugins.entries."own".enabled is not set')),
        ({}, ["own-models"], (True, 'models.providers."own-models" is set')),
        ({"entries": {"own": {"config": {"a": 1}}}}, [], (False, 'plugins.entries."own".enabled is not set')),
        ({"entries": {"own": {"enabled": True}}}, [], (True, 'plugins.entries."own".enabled is true')),
        (
            {"entries": {"own": {"enabled": False}}},
            ["own-models"],
            (False, 'plugins.entries."own".enabled is false'),
        ),
        ({"enabled": False, "entries": {"own": {"enabled": True}}}, [], (False, "plugins.enabled is false")),
        ({"deny": ["own"], "entries": {"own": {"enabled": True}}}, [], (False, "plugins.deny lists it")),
        ({"deny": ["own"], "allow": ["own"]}, ["own-models"], (False, "plugins.deny lists it")),
        ({"allow": ["other"]}, ["own-models"], (False, "plugins.allow does not list it")),
        ({"allow": ["other", "own"]}, ["own-models"], (True, 'models.providers."own-models" is set')),
        ({"allow": []}, ["own-models"], (True, 'models.providers."own-models" is set')),
    ],
)
def test_the_config_decides_and_says_by_which_setting(
    tmp_path: Path, block: dict[str, object], providers: list[str], expected: tuple[bool, str]
) -> None:
    folder = bundle(tmp_path, "own", registers='["provider"]', providers='["own-models"]')
    (found,) = find_plugins(tmp_path / "state", bundled=folder)
    assert enabled_reason(found, PluginsBlock.model_validate(block), providers) == expected


def test_a_plugin_that_is_not_ours_is_only_on_if_it_was_turned_on(tmp_path: Path) -> None:
    """A provider in the config is no consent to run somebody's code."""
    code, more = BODY, {"registers": '["service", "provider"]', "providers": '["p"]'}
    installed(tmp_path, plugin_folder(tmp_path / "a", "mine", code, **more))
    (found,) = find_plugins(tmp_path, bundled=tmp_path / "none")
    assert enabled_reason(found, PluginsBlock(), ["p"])[0] is False


def test_what_is_bundled_can_be_found() -> None:
    """Whatever is bundled has a manifest that is right."""
    assert [
        one for one in find_plugins(Path("/nonexistent")) if one.origin == "bundled" and one.problem
    ] == []
