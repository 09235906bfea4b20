"""Files of a plugin come to us: no link is followed, nothing lands elsewhere, nothing is endless."""

from __future__ import annotations

import os
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgate.plugins.install import unpack as unpacking
from clawgate.plugins.install.unpack import SourceRejected, copy_folder, printable, unpack_wheel
from tests.plugins.samples import wheel, write_files


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "target"
    path.mkdir()
    return path


def below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_is_copied_without_what_is_nobodys_source(tmp_path: Path, target: Path) -> None:
    files = {
        "a.py": "1",
        "p/b.py": "2",
        ".git/config": "",
        "p/__pycache__/x.pyc": "",
        "old.pyc": "",
        ".venv/x": "",
    }
    copy_folder(write_files(tmp_path / "source", files), target)
    assert below(target) == {"a.py", "p/b.py"}


def test_modes_of_the_source_do_not_come_along(tmp_path: Path, target: Path) -> None:
    source = write_files(tmp_path / "source", {"p/a.py": "1"})
    (source / "p" / "a.py").chmod(0o4777)
    copy_folder(source, target)
    assert stat.S_IMODE((target / "p" / "a.py").stat().st_mode) == 0o600
    assert stat.S_IMODE((target / "p").stat().st_mode) == 0o700


def test_folders_between_are_as_closed(tmp_path: Path, target: Path) -> None:
    write_files(tmp_path / "source", {"src/p/deep/a.py": ""})
    copy_folder(tmp_path / "source", target)
    for name in ("src", "src/p", "src/p/deep"):
        assert stat.S_IMODE((target / name).stat().st_mode) == 0o700


def test_the_digest_is_of_names_and_contents(tmp_path: Path) -> None:
    digests = []
    for number, files in enumerate(
        ({"a": "1", "b": "2"}, {"b": "2", "a": "1"}, {"a": "2", "b": "1"}, {"c": "1", "b": "2"})
    ):
        (tmp_path / f"t{number}").mkdir()
        digests.append(copy_folder(write_files(tmp_path / f"s{number}", files), tmp_path / f"t{number}"))
    assert digests[0] == digests[1] and len(set(digests)) == 3


@pytest.mark.parametrize("where", ["/etc/passwd", "a.py", "no-such-file", "."])
def test_a_link_is_refused_wherever_it_leads(tmp_path: Path, target: Path, where: str) -> None:
    source = write_files(tmp_path / "source", {"a.py": "1"})
    (source / "link").symlink_to(where)
    with pytest.raises(SourceRejected, match="'link' is a link"):
        copy_folder(source, target)


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path, target: Path) -> None:
    source = write_files(tmp_path / "source", {"a.py": "1"})
    os.mkfifo(source / "pipe")
    with pytest.raises(SourceRejected, match="'pipe' is not a regular file"):
        copy_folder(source, target)


@pytest.mark.parametrize("name", ["a\x1b[2J.py", "a\\b.py", "c:d.py", "trailing. ", "new\nline"])
def test_odd_names_are_refused_in_printable_words(tmp_path: Path, target: Path, name: str) -> None:
    source = write_files(tmp_path / "source", {name: ""})
    with pytest.raises(SourceRejected) as caught:
        copy_folder(source, target)
    assert str(caught.value).isprintable()


def test_too_much_is_refused(tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_files(tmp_path / "source", {f"f{number}": "x" * 10 for number in range(10)})
    monkeypatch.setattr(unpacking, "MAX_FILES", 9)
    with pytest.raises(SourceRejected, match="more than 9 files"):
        copy_folder(source, target)


def test_a_hundred_megabytes_are_refused(tmp_path: Path, target: Path) -> None:
    source = write_files(tmp_path / "source", {"a.py": ""})
    with (source / "large.bin").open("wb") as file:
        file.truncate(100 * 2**20)
    with pytest.raises(SourceRejected, match="larger than 50 MB"):
        copy_folder(source, target)
    assert sum(path.stat().st_size for path in target.rglob("*") if path.is_file()) <= 50 * 2**20


def test_folders_without_end_are_refused(tmp_path: Path, target: Path) -> None:
    with pytest.raises(SourceRejected, match="nested deeper"):
        copy_folder(write_files(tmp_path / "source", {"/".join("d" * 40): ""}), target)


def test_a_wheel_is_unpacked(tmp_path: Path, target: Path) -> None:
    path = wheel(tmp_path / "a.whl", {"p/": "", "p/a.py": "1", "a-1.dist-info/METADATA": ""})
    assert len(unpack_wheel(path, target)) == 64 and below(target) == {"p/a.py", "a-1.dist-info/METADATA"}


@pytest.mark.parametrize(
    "name",
    ["../a.py", "p/../../a.py", "/etc/a.py", "p//a.py", "./a.py", "..", "p\\..\\a.py", "C:/a.py", "a\x00b.py", "p/..",
     "../", "/", "p/./a"],
)  # fmt: skip
def test_no_name_in_a_wheel_leads_elsewhere(tmp_path: Path, target: Path, name: str) -> None:
    path = wheel(tmp_path / "a.whl", {"X" * len(name.encode()): "owned"})
    path.write_bytes(path.read_bytes().replace(b"X" * len(name.encode()), name.encode()))
    before = {one for one in tmp_path.rglob("*") if target not in one.parents}
    with pytest.raises(SourceRejected):
        unpack_wheel(path, target)
    assert {one for one in tmp_path.rglob("*") if target not in one.parents} == before and below(
        target
    ) == set()


@given(name=st.text(alphabet="./\\ab\x00:", min_size=1, max_size=12))
def test_whatever_a_name_is_it_stays_within_or_is_refused(
    name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("x")
    (folder / "target").mkdir()
    path = wheel(folder / "a.whl", {"X" * len(name.encode()): "owned"})
    path.write_bytes(path.read_bytes().replace(b"X" * len(name.encode()), name.encode()))
    try:
        unpack_wheel(path, folder / "target")
    except SourceRejected:
        assert below(folder / "target") == set()
    else:
        assert below(folder / "target") <= {name}
    assert {one.name for one in folder.iterdir()} == {"a.whl", "target"}


@pytest.mark.parametrize(
    ("files", "modes", "says"),
    [
        ({"p/a": "/etc/passwd"}, {"p/a": 0o120777}, "'p/a' is a link"),
        ({"p/a": ""}, {"p/a": 0o010644}, "not a regular file"),
        ({"p/A.py": "", "p/a.py": ""}, {}, "is a duplicate file name"),
        ({"p": "", "p/a.py": ""}, {}, "is both a file and a folder"),
        ({"a-1.data/scripts/clawgate": ""}, {}, "installs outside of the package"),
        ({"evil.pth": "import os"}, {}, "is not allowed in a plugin"),
        ({"p/__init__.pyc": ""}, {}, "is not allowed in a plugin"),
    ],
)
def test_what_a_wheel_may_not_hold(
    tmp_path: Path, target: Path, files: dict[str, str], modes: dict[str, int], says: str
) -> None:
    with pytest.raises(SourceRejected, match=says):
        unpack_wheel(wheel(tmp_path / "a.whl", files, modes=modes), target)


def test_a_small_wheel_that_becomes_large_is_refused(tmp_path: Path, target: Path) -> None:
    path = wheel(tmp_path / "a.whl", {"p/zeros": b"\0" * (60 * 2**20)})
    assert path.stat().st_size < 2**20
    with pytest.raises(SourceRejected, match="larger than 50 MB"):
        unpack_wheel(path, target)
    assert below(target) == set()


@pytest.mark.parametrize("content", [b"", b"PK", b"no zip at all"])
def test_what_is_no_zip_is_refused(tmp_path: Path, target: Path, content: bytes) -> None:
    path = tmp_path / "a.whl"
    path.write_bytes(content)
    with pytest.raises(SourceRejected, match="is not a readable wheel"):
        unpack_wheel(path, target)


def test_a_damaged_member_is_refused(tmp_path: Path, target: Path) -> None:
    path = tmp_path / "a.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("p/a.py", "content that will be changed")
    path.write_bytes(path.read_bytes().replace(b"content", b"CONTENT", 1))
    with pytest.raises(SourceRejected, match="is not a readable wheel"):
        unpack_wheel(path, target)


def test_a_name_is_shown_without_what_a_terminal_obeys() -> None:
    assert printable("a\x1b[2Jb") == "a\\x1b[2Jb" and len(printable("x" * 1000)) == 200
