"""Whatever stands in the place of the file is read at once or refused at once, by name."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from clawgate.settings.json5.file import MAX_BYTES, parsed, read_json5, read_regular
from clawgate.settings.json5.source_map import InvalidJson5
from clawgate.settings.problems import SettingsInvalid


def refused(path: Path) -> str:
    with pytest.raises(SettingsInvalid) as caught:
        read_json5(path)
    (problem,) = caught.value.problems
    assert problem.location.startswith(str(path))
    return problem.message


def test_a_file_is_read_with_its_digest_and_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_bytes(b"\xef\xbb\xbf// c\r\n{a: 1}")
    path.chmod(0o640)
    found = read_json5(path)
    assert found is not None
    assert found.value == {"a": 1} and found.text == "\ufeff// c\r\n{a: 1}" and found.mode == 0o640
    assert found.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert found.place(2, 1) == f"{path}:2:1"


def test_a_file_that_is_not_there_is_none(tmp_path: Path) -> None:
    assert read_json5(tmp_path / "none") is None
    assert read_regular(tmp_path / "no" / "folder") is None


def test_a_link_to_a_file_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text("{}")
    (tmp_path / "l.json").symlink_to("c.json")
    found = read_json5(tmp_path / "l.json")
    assert found is not None and found.value == {}


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


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "it is empty"), (b"\n\n", "it is empty"), (b"\xef\xbb\xbf", "it is empty"), (b"\0" * 512, "NUL"),
        ("{}".encode("utf-16"), "not UTF-8"), (b"{a: '\xe9'}", "not UTF-8"), (b"\xff", "not UTF-8"),
        (b"{a: '\xed\xa0\x80'}", "not UTF-8"), (b"<html>", "unexpected '<'"), (b"a = 1", "unexpected 'a'"),
    ],
)  # fmt: skip
def test_what_is_no_json5_is_refused_with_the_reason(tmp_path: Path, data: bytes, says: str) -> None:
    (tmp_path / "c.json").write_bytes(data)
    assert says in refused(tmp_path / "c.json")


def test_bytes_that_are_no_text_have_a_place(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_bytes("{\n  é: 1, x: '".encode() + b"\xff'}")
    with pytest.raises(SettingsInvalid) as caught:
        read_json5(tmp_path / "c.json")
    assert [problem.location for problem in caught.value.problems] == [f"{tmp_path / 'c.json'}:2:13"]


def test_what_only_one_of_the_two_readers_takes_is_refused() -> None:
    """`\u00b2` counts as a letter for one of them."""
    with pytest.raises(InvalidJson5, match="from here on"):
        parsed("{\n a: 1, a\u00b2: 1}")
