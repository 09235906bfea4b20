"""What is in the place of a file is read at once or refused at once; who else can change it is reported."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from clawgate.settings.diagnostic import Severity
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.regular_file import (
    MAX_BYTES,
    access_warnings,
    exposure,
    foreign_writer,
    is_mounted_secret,
    read_regular,
)
from tests.private_file import write_private


def refused(path: Path) -> str:
    with pytest.raises(SettingsInvalid) as caught:
        read_regular(path)
    (problem,) = caught.value.problems
    assert problem.location.startswith(str(path))
    return problem.text


def test_a_regular_file_is_read_with_its_status(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"x")
    path.chmod(0o640)
    found = read_regular(path)
    assert found is not None and found[0] == b"x" and found[1].st_mode & 0o777 == 0o640


def test_a_file_that_is_not_there_is_none(tmp_path: Path) -> None:
    assert read_regular(tmp_path / "no" / "folder") is None


def a_folder(path: Path) -> None:
    path.mkdir()


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(os.fspath(path))


def a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def a_dangling_link(path: Path) -> None:
    path.symlink_to("nowhere")


def a_loop(path: Path) -> None:
    path.symlink_to(path.name)


def a_file_in_a_file(path: Path) -> None:
    path.parent.rmdir()
    path.parent.write_text("x")


def a_giant(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)


def a_sparse_terabyte(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (a_folder, "Is a directory"), (a_pipe, "no regular file"), (a_socket, "it cannot be read"),
        (a_device, "no regular file"), (a_dangling_link, "a link to a file that does not exist"),
        (a_loop, "symbolic links"), (a_file_in_a_file, "Not a directory"), (a_giant, "larger than"),
        (a_sparse_terabyte, "larger than"),
    ],
)  # fmt: skip
def test_what_is_no_file_to_read_is_refused_and_not_waited_for(
    tmp_path: Path, make: Callable[[Path], None], says: str
) -> None:
    (tmp_path / "d").mkdir()
    make(tmp_path / "d" / "c.json")
    assert says in refused(tmp_path / "d" / "c.json")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text("{}")
    (tmp_path / "c.json").chmod(0)
    assert "Permission denied" in refused(tmp_path / "c.json")


def test_a_refusal_of_the_system_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    assert refused(tmp_path / "c.json") == "it cannot be read: Permission denied"


def test_a_name_that_no_file_can_have() -> None:
    assert "NUL" in refused(Path("a\0b"))


def test_a_name_that_is_too_long() -> None:
    assert "too long" in refused(Path("a" * 5000))


def owned_by(path: Path, uid: int, mode: int, gid: int = 0) -> os.stat_result:
    status = path.stat()
    return os.stat_result((status.st_mode & ~0o7777 | mode, 0, 0, 1, uid, gid, 0, 0, 0, 0))


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_file_for_its_owner_alone_is_not_exposed(tmp_path: Path, mode: int) -> None:
    path = write_private(tmp_path / "tokens", "x", mode)
    assert exposure(path, path.stat()) is None


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o666, 0o777])
def test_a_file_that_others_may_touch_is_exposed(tmp_path: Path, mode: int) -> None:
    path = write_private(tmp_path / "my tokens", "x", mode)
    problem = f"{path}: other users have access to it (mode {mode:04o}); run: chmod 600 '{path}'"
    assert str(exposure(path, path.stat())) == problem
    assert f"chown {os.geteuid()} '{path}' && chmod 600" in str(exposure(path, owned_by(path, 4711, mode)))


@pytest.mark.parametrize(
    ("uid", "gid", "mode", "read_only", "passes"),
    [
        (0, 0, 0o444, True, True), (0, 4711, 0o440, True, True), (0, 4711, 0o644, True, True),
        (os.geteuid(), 4711, 0o444, True, True), (4711, os.getegid(), 0o440, True, True),
        (4711, 4711, 0o444, True, False), (4711, 4711, 0o440, True, False), (0, 0, 0o464, True, False),
        (0, 0, 0o666, True, False), (4711, os.getegid(), 0o460, True, False),
        (0, 0, 0o444, False, False), (0, os.getegid(), 0o440, False, False), (os.geteuid(), 0, 0o644, False, False),
    ],
)  # fmt: skip
def test_others_may_read_a_mounted_secret_and_nothing_else(
    tmp_path: Path,
    uid: int,
    gid: int,
    mode: int,
    read_only: bool,
    passes: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As Docker and Kubernetes mount them, with and without fsGroup."""
    flags = os.ST_RDONLY if read_only else 0
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_flag=flags))
    status = owned_by(tmp_path, uid, mode, gid)
    assert is_mounted_secret(tmp_path, status) is passes
    assert (exposure(tmp_path, status) is None) is passes


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o400, 0o755])
def test_what_only_its_owner_can_change_has_no_foreign_writer(tmp_path: Path, mode: int) -> None:
    own = os.geteuid()
    assert foreign_writer(owned_by(tmp_path, own, mode)) is None
    assert foreign_writer(owned_by(tmp_path, 0, mode)) is None
    assert foreign_writer(owned_by(tmp_path, own + 7, mode), trusted=[own + 7]) is None


@pytest.mark.parametrize("mode", [0o660, 0o602, 0o777])
def test_a_mode_that_lets_others_write_is_reported(tmp_path: Path, mode: int) -> None:
    assert f"mode {mode:04o}" in (foreign_writer(owned_by(tmp_path, os.geteuid(), mode)) or "")


def test_another_owner_is_reported_whatever_the_mode(tmp_path: Path) -> None:
    assert "uid 4711" in (foreign_writer(owned_by(tmp_path, 4711, 0o600)) or "")


def test_a_folder_with_the_sticky_bit_keeps_our_files(tmp_path: Path) -> None:
    assert foreign_writer(owned_by(tmp_path, 0, 0o1777)) is None


def test_each_path_that_others_can_change_is_a_warning_with_its_command(tmp_path: Path) -> None:
    loose, closed, folder = tmp_path / "loose", tmp_path / "closed", tmp_path / "folder"
    loose.touch()
    loose.chmod(0o666)
    closed.touch(0o600)
    folder.mkdir()
    folder.chmod(0o777)
    found = access_warnings(loose, closed, folder, tmp_path / "none", loose)
    assert [(one.location, one.severity, one.fix) for one in found] == [
        (str(loose), Severity.WARNING, f"run: chmod 600 {loose}"),
        (str(folder), Severity.WARNING, f"run: chmod 700 {folder}"),
    ]


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, True), (0o604, True), (0o400, False)])
def test_a_secret_file_that_others_can_read_is_a_warning_and_another_file_is_not(
    tmp_path: Path, mode: int, warned: bool
) -> None:
    file = tmp_path / "x.env"
    file.touch(mode)
    file.chmod(mode)
    assert access_warnings(file) == []
    found = access_warnings(secret_files=[file])
    assert [(one.location, one.fix) for one in found] == (
        [(str(file), f"run: chmod 600 {file}")] if warned else []
    )
