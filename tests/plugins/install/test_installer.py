"""A plugin is installed whole or not at all, and gone when it is removed."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from clawgate.plugins.host.discovery import find_plugins, installed_folder
from clawgate.plugins.install.installer import activate, remove, stage
from clawgate.plugins.install.sources import parse_source
from clawgate.plugins.install.unpack import SourceRejected
from tests.plugins.samples import manifest, plugin_folder, sample_wheel, write_files

BOOM = "raise SystemExit('this code ran')\n"


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    path = installed_folder(tmp_path / "state")
    path.mkdir(parents=True)
    return path


def install(plugins: Path, source: Path) -> Path:
    with stage(parse_source(str(source)), {}, plugins) as new:
        return activate(new)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_is_staged_waits_and_leaves_nothing_behind(tmp_path: Path, plugins: Path) -> None:
    with stage(parse_source(str(plugin_folder(tmp_path / "a", code=BOOM))), {}, plugins) as new:
        assert (
            new.manifest.id == "sample" and find_plugins(tmp_path / "state", bundled=tmp_path / "none") == []
        )
        assert stat.S_IMODE(new.folder.stat().st_mode) == 0o700
    assert names(plugins) == []


def test_what_is_placed_is_found_with_its_record(tmp_path: Path, plugins: Path) -> None:
    tree = install(plugins, plugin_folder(tmp_path / "a", code=BOOM))
    (found,) = find_plugins(tmp_path / "state", bundled=tmp_path / "none")
    assert found.folder == tree and found.problem is None and found.record is not None
    assert found.record["digest"].startswith("sha256:") and found.record["kind"] == "folder"
    assert names(plugins) == ["sample"] and names(plugins / "sample") == sorted([tree.name, "installed.json"])
    assert stat.S_IMODE((plugins / "sample" / "installed.json").stat().st_mode) == 0o600


def test_an_upgrade_takes_the_place_and_the_old_one_is_gone(tmp_path: Path, plugins: Path) -> None:
    old = install(plugins, plugin_folder(tmp_path / "a"))
    new = install(plugins, sample_wheel(tmp_path))
    (found,) = find_plugins(tmp_path / "state", bundled=tmp_path / "none")
    assert found.folder == new and not old.exists() and found.source.startswith("wheel ")


def test_an_upgrade_that_breaks_off_leaves_the_old_one(
    tmp_path: Path, plugins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = install(plugins, plugin_folder(tmp_path / "a"))

    def no_room(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", no_room)
    with pytest.raises(OSError, match="No space"):
        install(plugins, plugin_folder(tmp_path / "b"))
    (found,) = find_plugins(tmp_path / "state", bundled=tmp_path / "none")
    assert found.folder == old and found.problem is None


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"a.py": ""}, "not a plugin of clawgate: it has no clawgate-plugin.toml"),
        ({"clawgate-plugin.toml": "id = 1"}, "not a plugin of clawgate"),
        ({"clawgate-plugin.toml": manifest()}, "neither sample_package/__init__"),
        (
            {"clawgate-plugin.toml": manifest(requires_api="99"), "sample_package.py": ""},
            "use a newer clawgate",
        ),
    ],
)
def test_what_is_no_plugin_leaves_nothing_behind(
    tmp_path: Path, plugins: Path, files: dict[str, str], says: str
) -> None:
    with pytest.raises(SourceRejected, match=says):
        install(plugins, write_files(tmp_path / "a", files))
    assert names(plugins) == []


def test_a_plugin_cannot_bring_its_own_record(tmp_path: Path, plugins: Path) -> None:
    folder = write_files(
        plugin_folder(tmp_path / "a"), {"installed.json": '{"source": "the shop", "tree": "x"}'}
    )
    install(plugins, folder)
    (found,) = find_plugins(tmp_path / "state", bundled=tmp_path / "none")
    assert found.source == f"path {folder}"


def test_a_version_is_no_path(tmp_path: Path, plugins: Path) -> None:
    tree = install(plugins, plugin_folder(tmp_path / "a", version='"../../1.0"'))
    assert tree.parent == plugins / "sample"


def test_removed_is_gone(tmp_path: Path, plugins: Path) -> None:
    install(plugins, plugin_folder(tmp_path / "a"))
    (found,) = find_plugins(tmp_path / "state", bundled=tmp_path / "none")
    assert remove(found, tmp_path / "state") == plugins / "sample" and names(plugins) == []


def test_what_a_dead_process_left_is_swept_and_what_a_living_one_has_is_not(
    tmp_path: Path, plugins: Path
) -> None:
    write_files(plugins, {".new-999999999-aa/x": "", ".gone-999999999-aa/x": "", ".new-1-aa/x": ""})
    install(plugins, plugin_folder(tmp_path / "a"))
    assert names(plugins) == [".new-1-aa", "sample"]


def test_the_record_says_when_and_what(tmp_path: Path, plugins: Path) -> None:
    install(plugins, plugin_folder(tmp_path / "a"))
    record = json.loads((plugins / "sample" / "installed.json").read_text())
    assert set(record) == {
        "id", "version", "kind", "source", "digest", "revision", "installed", "tree", "description", "commands",
    }  # fmt: skip
