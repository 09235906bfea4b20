"""A file is JSON5 in UTF-8, or it is refused with the reason and its place."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from clawgate.settings.json5.file import json5_file, read_json5
from clawgate.settings.json5.source_map import InvalidJson5
from clawgate.settings.problems import SettingsInvalid


def refused(path: Path) -> str:
    with pytest.raises(SettingsInvalid) as caught:
        read_json5(path)
    (problem,) = caught.value.problems
    assert problem.location.startswith(str(path))
    return problem.text


def test_a_file_is_read_with_its_digest_and_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_bytes(b"\xef\xbb\xbf// c\r\n{a: 1}")
    path.chmod(0o640)
    found = read_json5(path)
    assert found is not None
    assert found.value == {"a": 1} and found.text == "\ufeff// c\r\n{a: 1}" and found.mode == 0o640
    assert found.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert found.location(2, 1) == f"{path}:2:1"


def test_a_file_that_is_not_there_is_none(tmp_path: Path) -> None:
    assert read_json5(tmp_path / "none") is None


def test_a_link_to_a_file_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text("{}")
    (tmp_path / "l.json").symlink_to("c.json")
    found = read_json5(tmp_path / "l.json")
    assert found is not None and found.value == {}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "the text is empty"), (b"\n\n", "the text is empty"), (b"\xef\xbb\xbf", "the text is empty"),
        (b"\0" * 512, "NUL"),
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
        json5_file(Path("c.json"), "{\n a: 1, a\u00b2: 1}")
