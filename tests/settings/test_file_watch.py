"""A change of a file is seen by its status, and one that may be half-written is looked at twice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clawgate.settings.file_watch import FileWatch


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_text("one")
    return path


def test_no_change_is_reported_once_it_was_seen(file: Path) -> None:
    watch = FileWatch(file)
    assert not watch.changed()
    file.write_text("other")
    assert watch.changed() and not watch.changed()


def test_a_file_that_goes_and_comes_back_has_changed(file: Path) -> None:
    watch = FileWatch(file.with_name("another"), file)
    file.unlink()
    assert watch.changed() and not watch.changed()
    file.write_text("one")
    assert watch.changed()


def test_a_change_of_the_mode_is_a_change(file: Path) -> None:
    watch = FileWatch(file)
    file.chmod(0o604)
    assert watch.changed()


def test_a_change_that_keeps_size_and_time_is_a_change(file: Path) -> None:
    status = file.stat()
    watch = FileWatch(file)
    file.write_text("two")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert watch.changed()


def test_an_unusable_file_is_reported_twice(file: Path) -> None:
    watch = FileWatch(file)
    file.write_text("")
    assert watch.changed() and watch.in_doubt()
    assert watch.changed() and not watch.in_doubt()
    assert not watch.changed()


def test_a_file_that_became_usable_is_in_doubt_again_later(file: Path) -> None:
    watch = FileWatch(file)
    file.write_text("")
    assert watch.changed() and watch.in_doubt()
    file.write_text("whole")
    assert watch.changed()
    watch.settle()
    assert not watch.changed()
    file.unlink()
    assert watch.changed() and watch.in_doubt()
