"""A folder of ours is private with all that had to be created on the way to it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from clawgate.settings.private_folder import make_private_folder, replace_private


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_every_created_folder_is_private_and_existing_ones_keep_their_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    before = os.umask(0)
    try:
        make_private_folder(tmp_path / "a" / "b" / "c")
        make_private_folder(tmp_path / "a" / "b" / "c")
    finally:
        os.umask(before)
    assert mode(tmp_path) == 0o755
    assert [mode(tmp_path / path) for path in ("a", "a/b", "a/b/c")] == [0o700] * 3


def test_a_file_in_the_way_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    for path in ("a", "a/b"):
        with pytest.raises(OSError, match=r"exists|directory"):
            make_private_folder(tmp_path / path)


def test_a_replaced_file_is_private_and_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o644)
    replace_private(path, b"new")
    assert path.read_bytes() == b"new" and mode(path) == 0o600
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="directory"):
        replace_private(tmp_path / "folder", b"")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["file", "folder"]
