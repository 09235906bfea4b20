"""A Debian root is made once in the folder that CLAWGATE_TEST_DEBIAN names, whatever else is in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.deploy import debian

_APT = "#!/bin/sh\necho 'trixie http://deb.example/debian/'\n"
_DEBOOTSTRAP = """#!/bin/sh
echo "$@" >> "$0.log"
for target; do case $target in */made) break;; esac; done
mkdir -p "$target/etc" && test ! -e "$0.fails"
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A debootstrap that only makes a folder; the roots are to be in ``roots``."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in (("apt-get", _APT), ("debootstrap", _DEBOOTSTRAP)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setattr(debian, "FOLDER", str(tmp_path / "roots"))
    return folder


def test_a_root_is_made_once(programs: Path, tmp_path: Path) -> None:
    for _ in range(2):
        assert debian.debian_root("made", packages=("a", "b")) == tmp_path / "roots" / "made"
    (run,) = (programs / "debootstrap.log").read_text().splitlines()
    assert run.startswith("--variant=minbase --include=a,b trixie ") and run.endswith(
        " http://deb.example/debian/"
    )
    assert [one.name for one in (tmp_path / "roots").iterdir()] == ["made"]


def test_nothing_else_in_the_folder_is_removed(programs: Path, tmp_path: Path) -> None:
    """It may be a root itself, or hold those of other tests."""
    (tmp_path / "roots" / "etc").mkdir(parents=True)
    debian.debian_root("made", suite="bookworm")
    assert (tmp_path / "roots" / "etc").is_dir()
    assert " bookworm " in (programs / "debootstrap.log").read_text()


def test_a_root_that_could_not_be_made_whole_is_not_used(programs: Path, tmp_path: Path) -> None:
    (programs / "debootstrap.fails").touch()
    with pytest.raises(pytest.skip.Exception, match="no packages"):
        debian.debian_root("made")
    assert list((tmp_path / "roots").iterdir()) == []
