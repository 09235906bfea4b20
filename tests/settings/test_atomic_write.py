"""The file is always the old or the new version; whatever fails, the old one stands, and nothing else is left."""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clawgate.settings import atomic_write as atomic
from clawgate.settings.atomic_write import (
    BACKUPS,
    ConcurrentModification,
    WriteFailed,
    locked,
    read_optional,
    replace,
)

OLD, NEW = b"{a: 1}\n", b"{a: 2}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "openclaw.json"
    path.write_bytes(OLD)
    path.chmod(0o600)
    return path


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def write(path: Path, content: bytes = NEW, seen: bytes | None = OLD) -> Path | None:
    with locked(path):
        return replace(path, content, old=seen)


def test_a_version_replaces_the_other_and_is_kept(file: Path) -> None:
    """Beside it stand the backup and the lock, nothing else."""
    backup = write(file)
    assert file.read_bytes() == NEW
    assert backup == file.with_name("openclaw.json.bak") and backup.read_bytes() == OLD
    assert names(file.parent) == {"openclaw.json", "openclaw.json.bak", ".openclaw.json.lock"}


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_new_file_is_for_its_owner_alone(tmp_path: Path, umask: int) -> None:
    """And so are its folder, its backups and its lock."""
    path = tmp_path / "state" / "openclaw.json"
    before = os.umask(umask)
    try:
        assert write(path, OLD, None) is None
        backup = write(path)
    finally:
        os.umask(before)
    assert backup is not None and path.read_bytes() == NEW
    assert [mode(found) for found in (path, backup, path.parent / ".openclaw.json.lock")] == [0o600] * 3
    assert mode(path.parent) == 0o700


@pytest.mark.parametrize("kept", [0o600, 0o640, 0o644, 0o660])
def test_the_mode_stays(file: Path, kept: int) -> None:
    """But a backup is for the owner alone."""
    file.chmod(kept)
    backup = write(file)
    assert backup is not None and (mode(file), mode(backup)) == (kept, 0o600)


def test_the_owner_stays_where_the_system_allows_it(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it does not, what one group might read is not for another."""
    file.chmod(0o640)
    asked: list[tuple[int, int]] = []
    real = os.fstat

    def somebody_else(handle: int) -> os.stat_result:
        facts = list(real(handle))
        facts[stat.ST_UID] += 1
        return os.stat_result(facts)

    monkeypatch.setattr(os, "fchown", lambda _, uid, gid: asked.append((uid, gid)))
    monkeypatch.setattr(os, "fstat", somebody_else)
    write(file)
    assert (file.stat().st_uid, file.stat().st_gid) in asked and mode(file) == 0o640

    def refused(*_: object) -> None:
        raise PermissionError(errno.EPERM, "no")

    monkeypatch.setattr(os, "fchown", refused)
    write(file, OLD, NEW)
    assert file.read_bytes() == OLD and mode(file) == 0o600


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """The file that it leads to is written, and the backup stands beside that."""
    real, link = tmp_path / "dotfiles" / "claw.json", tmp_path / "home" / "openclaw.json"
    real.parent.mkdir()
    link.parent.mkdir()
    real.write_bytes(OLD)
    link.symlink_to("../dotfiles/claw.json")
    assert write(link) == real.with_name("claw.json.bak")
    assert link.is_symlink() and real.read_bytes() == NEW and names(link.parent) == {"openclaw.json"}


@pytest.mark.parametrize("target", ["nowhere.json", "missing/openclaw.json", "openclaw.json"])
def test_a_link_that_leads_nowhere_is_refused(tmp_path: Path, target: str) -> None:
    link = tmp_path / "openclaw.json"
    link.symlink_to(target)
    with pytest.raises(WriteFailed, match="leads nowhere"):
        write(link, NEW, None)
    assert names(tmp_path) == {"openclaw.json"}


def test_the_last_five_versions_are_kept(file: Path) -> None:
    """The newest is .bak; the sixth falls off."""
    versions = [OLD, *(b"{a: %d}\n" % number for number in range(10, 17))]
    for before, after in itertools.pairwise(versions):
        write(file, after, before)
    kept = [file.with_name(file.name + ending).read_bytes() for ending in BACKUPS]
    assert kept == versions[-2:-7:-1]
    assert len(names(file.parent)) == 1 + 5 + 1


def test_a_version_is_not_kept_twice(file: Path) -> None:
    """Writes that fail over and over do not push the old versions out."""
    write(file)
    write(file, OLD, NEW)
    file.with_name("openclaw.json.bak").write_bytes(OLD)
    write(file)
    assert file.with_name("openclaw.json.bak").read_bytes() == OLD
    assert file.with_name("openclaw.json.bak.1").read_bytes() == OLD
    assert not file.with_name("openclaw.json.bak.2").exists()


@pytest.mark.parametrize("found", [b"{a: 3}\n", b"", None])
def test_a_file_that_changed_underneath_is_left_alone(file: Path, found: bytes | None) -> None:
    """Somebody else wrote, emptied or removed it after it was read."""
    if found is None:
        file.unlink()
    else:
        file.write_bytes(found)
    with pytest.raises(ConcurrentModification, match="run the command again"):
        write(file)
    assert read_optional(file) == found and ".bak" not in str(names(file.parent))


def test_a_file_that_appeared_underneath_is_left_alone(file: Path) -> None:
    with pytest.raises(ConcurrentModification):
        write(file, NEW, None)
    assert file.read_bytes() == OLD


def test_a_change_is_seen_until_the_last_moment(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that comes while the backup is made."""
    real = atomic._rotate_backups

    def keep(*given: Any) -> Path:
        file.write_bytes(b"{a: 3}\n")
        return real(*given)

    monkeypatch.setattr(atomic, "_rotate_backups", keep)
    with pytest.raises(ConcurrentModification):
        write(file)
    assert file.read_bytes() == b"{a: 3}\n"


def test_a_file_that_is_read_only_is_left_alone(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rename could replace it all the same; somebody meant it."""
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everything
    with pytest.raises(WriteFailed, match="read-only"):
        write(file)
    assert file.read_bytes() == OLD


def test_two_writers_wait_for_each_other(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second comes in when the first is done, and gives up after a while."""
    with locked(file):
        monkeypatch.setattr(atomic, "LOCK_SECONDS", 0.0)
        with pytest.raises(WriteFailed, match="another writer"), locked(file):
            pytest.fail("both were let in")
    write(file)
    assert file.read_bytes() == NEW


def test_a_file_system_without_locks_is_written_all_the_same(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second look still guards; what others may be writing is not swept away."""
    (file.parent / ".openclaw.json.new-x").touch()

    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    write(file)
    assert file.read_bytes() == NEW and ".openclaw.json.new-x" in names(file.parent)


def test_a_lock_that_fails_otherwise_stops_the_write(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", broken)
    with pytest.raises(WriteFailed, match="Input/output error"):
        write(file)
    assert file.read_bytes() == OLD


def test_what_a_killed_writer_left_is_swept_away(file: Path) -> None:
    """It holds secrets."""
    (file.parent / ".openclaw.json.new-0123").write_bytes(NEW)
    (file.parent / ".openclaw.json.newest").touch()
    write(file)
    assert ".openclaw.json.new-0123" not in names(file.parent) and ".openclaw.json.newest" in names(
        file.parent
    )


SYSTEM_CALLS = ["open", "write", "fchmod", "fsync", "close", "replace"]
ERRORS = [errno.EACCES, errno.EROFS, errno.ENOSPC, errno.EIO, errno.EDQUOT]


def failing(real: Callable[..., Any], number: int, on: int) -> tuple[Callable[..., Any], list[int]]:
    """``real``, but call ``on`` fails; the list counts the calls."""
    calls: list[int] = []

    def call(*given: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) == on:
            if real is CLOSE:
                real(*given)
            raise OSError(number, os.strerror(number))
        return real(*given, **named)

    return call, calls


CLOSE = os.close


def outcome(file: Path) -> str | None:
    """What the error says, None without one."""
    try:
        replace(file, NEW, old=OLD)
    except WriteFailed as error:
        return str(error)
    return None


@pytest.mark.parametrize("number", ERRORS)
@pytest.mark.parametrize("name", SYSTEM_CALLS)
def test_whatever_the_system_refuses_the_old_version_stands(
    file: Path, monkeypatch: pytest.MonkeyPatch, name: str, number: int
) -> None:
    """Each call of each system call fails once: the folder's too. No temporary file is left, and the error says why."""
    for ending in BACKUPS[:2]:
        file.with_name(file.name + ending).write_bytes(ending.encode())
    before = names(file.parent) | {".openclaw.json.lock", "openclaw.json.bak.2"}
    holder, attribute = (Path, "replace") if name == "replace" else (os, name)
    failed = 0
    while True:
        with monkeypatch.context() as patch, locked(file):
            call, calls = failing(getattr(holder, attribute), number, failed + 1)
            patch.setattr(holder, attribute, call)
            said = outcome(file)
        if said is None:
            break
        assert os.strerror(number) in said and str(file) in said
        failed += 1
        assert file.read_bytes() == OLD
        assert names(file.parent) <= before
        assert len(calls) >= failed
    assert failed >= {"open": 3, "fsync": 3, "write": 2, "close": 3, "replace": 3}.get(name, 1)
    assert file.read_bytes() == NEW
    kept = {path.read_bytes() for path in file.parent.glob("*.bak*")}
    assert {OLD, b".bak", b".bak.1"} <= kept, "no failed write pushed an older version out"


def test_a_folder_that_cannot_be_synced_for_good_is_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the way back fails as well, the error says that the new version is in place."""
    real = os.fsync
    folder = file.parent.stat().st_ino
    seen: list[int] = []

    def fsync(handle: int) -> None:
        if os.fstat(handle).st_ino == folder or seen:
            seen.append(handle)
            raise OSError(errno.EIO, "Input/output error")
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(WriteFailed, match="new version is in place"):
        write(file)
    assert file.read_bytes() == NEW and ".new-" not in str(names(file.parent))


def test_a_new_file_that_cannot_be_synced_is_gone_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(folder: Path) -> None:
        raise OSError(errno.EIO, f"Input/output error on {folder.name}")

    monkeypatch.setattr(atomic, "_sync_folder", fails)
    with pytest.raises(WriteFailed, match="Input/output"):
        write(tmp_path / "openclaw.json", NEW, None)
    assert names(tmp_path) == {".openclaw.json.lock"}


def test_a_file_system_that_syncs_no_folders_will_do(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fsync

    def fsync(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    write(file)
    assert file.read_bytes() == NEW


LIMITED = """
import sys, resource
from pathlib import Path
from clawgate.settings.atomic_write import WriteFailed, locked, replace
path = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    with locked(path):
        replace(path, b"x" * 10000, old=path.read_bytes())
except WriteFailed as error:
    sys.exit(str(error))
"""


def test_a_real_limit_on_the_size_of_files(file: Path) -> None:
    """The kernel itself cuts the write short, after a part of it."""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY or os.geteuid() == 0
    found = subprocess.run(
        [sys.executable, "-c", LIMITED, str(file)], capture_output=True, text=True, timeout=120, check=False
    )
    assert found.returncode == 1 and "ulimit -f" in found.stderr and "Traceback" not in found.stderr
    assert file.read_bytes() == OLD and names(file.parent) == {"openclaw.json", ".openclaw.json.lock"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write into every folder")
def test_a_real_folder_that_may_not_be_written(file: Path) -> None:
    file.parent.chmod(0o500)
    try:
        with pytest.raises(WriteFailed, match="Permission denied"):
            write(file)
    finally:
        file.parent.chmod(0o700)
    assert file.read_bytes() == OLD


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_plain_file_is_left_alone(tmp_path: Path, kind: str) -> None:
    """A pipe is not waited for."""
    path = tmp_path / "openclaw.json"
    if kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    with pytest.raises(WriteFailed):
        write(path, NEW, None)
    assert path.exists() and not path.is_file()


def test_the_lock_ends_with_its_holder(file: Path) -> None:
    """Also when that fails within."""
    with pytest.raises(ZeroDivisionError), locked(file):
        raise ZeroDivisionError
    handle = os.open(file.parent / ".openclaw.json.lock", os.O_RDWR)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(handle)


def test_a_file_that_is_a_mount_of_its_own_is_kept_and_the_message_says_what_to_mount(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What rename(2) says of it. The real thing: tests/e2e/test_containers.py."""
    file.write_bytes(OLD)
    rename = Path.replace

    def refuse(source: Path, target: Path) -> Path:
        if target == file:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        return rename(source, target)

    monkeypatch.setattr(Path, "replace", refuse)
    with locked(file), pytest.raises(WriteFailed, match="mount the folder that it is in"):
        replace(file, NEW, old=OLD)
    assert file.read_bytes() == OLD and sorted(one.name for one in file.parent.iterdir()) == [
        f".{file.name}.lock", file.name, f"{file.name}.bak",
    ]  # fmt: skip
