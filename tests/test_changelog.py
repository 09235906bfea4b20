"""scripts/changelog makes release notes of the fragments, under the version that they allow."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAD = (ROOT / "CHANGELOG.md").read_text().partition("\n## ")[0]
"""Up to the first release."""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    for name in ("scripts", "changes", "src/clawgate"):
        (tmp_path / name).mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / "changelog", tmp_path / "scripts")
    (tmp_path / "CHANGELOG.md").write_text(f"{HEAD}\n## 0.1.0 (2026-01-02)\n\n### New\n\n- All.\n")
    (tmp_path / "changes" / "README.md").write_text("- No fragment.\n")
    (tmp_path / "changes" / "9.fix.md").write_text("- Nine.\n")
    (tmp_path / "changes" / "10.fix.md").write_text("- Ten, [see](../docs/errors.md).\n")
    return tmp_path


def changelog(clone: Path, version: str, *day: str) -> str:
    (clone / "src" / "clawgate" / "__init__.py").write_text(f'__version__ = "{version}"\n')
    command = [sys.executable, str(clone / "scripts" / "changelog"), version, *day]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    return done.stderr


def test_a_release_has_its_fragments_above_the_older_ones(clone: Path) -> None:
    assert changelog(clone, "0.1.1", "2026-02-03") == ""
    assert (clone / "CHANGELOG.md").read_text() == (
        f"{HEAD}\n## 0.1.1 (2026-02-03)\n\n### Fixed\n\n- Nine.\n- Ten, [see](docs/errors.md).\n"
        "\n## 0.1.0 (2026-01-02)\n\n### New\n\n- All.\n"
    )
    assert [path.name for path in (clone / "changes").iterdir()] == ["README.md"]
    assert "there are no fragments" in changelog(clone, "0.1.2", "2026-02-03")


def test_a_summary_comes_first_and_is_used_up(clone: Path) -> None:
    summary = clone / "changes" / "summary.md"
    summary.write_text("All of it, [see](../docs/index.md).\n")
    assert changelog(clone, "0.1.1", "2026-02-03") == ""
    text = (clone / "CHANGELOG.md").read_text()
    assert "## 0.1.1 (2026-02-03)\n\nAll of it, [see](docs/index.md).\n\n### Fixed\n" in text
    assert not summary.exists()


@pytest.mark.parametrize(
    ("version", "kind", "problem"),
    [
        ("0.1.0", "fix", "it is not above 0.1.0"),
        ("0.1.1", "feature", "its last number is not 0"),
        ("0.1.1", "breaking", "its last number is not 0"),
        ("1.1.0", "breaking", "only its first number may rise"),
        ("0.2.0", "breaking", ""),
        ("0.2.0", "feature", ""),
        ("1.0.0", "breaking", ""),
        ("0.1.1", "security", ""),
    ],
)
def test_the_version_follows_from_the_kinds(clone: Path, version: str, kind: str, problem: str) -> None:
    (clone / "changes" / f"11.{kind}.md").write_text("- Eleven.\n")
    before = (clone / "CHANGELOG.md").read_text()
    printed = changelog(clone, version, "2026-02-03")
    assert problem in printed and bool(printed) is bool(problem)
    assert ((clone / "CHANGELOG.md").read_text() == before) is bool(problem)


def test_a_version_that_the_package_has_not_is_refused(clone: Path) -> None:
    changelog(clone, "0.1.1")
    command = [sys.executable, str(clone / "scripts" / "changelog"), "0.1.2", "2026-02-03"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert "src/clawgate/__init__.py has 0.1.1" in done.stderr and done.returncode == 1


def test_every_fragment_is_a_list_and_no_bullet_is_there_twice() -> None:
    bullets: list[str] = []
    for path in (ROOT / "changes").glob("[0-9]*.md"):
        text = path.read_text()
        assert not re.search(r"^(?!- |  \S|$)", text, flags=re.MULTILINE), path.name
        bullets += re.split(r"^- ", text, flags=re.MULTILINE)[1:]
    openings = [bullet[:60] for bullet in bullets]
    assert [one for one in openings if openings.count(one) > 1] == []


def test_the_draft_has_every_fragment() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "changelog"), "--draft"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    bullets = sum(path.read_text().count("\n- ") + 1 for path in (ROOT / "changes").glob("[0-9]*.md"))
    details = printed[printed.index("\n### ") :]
    assert details.count("\n- ") == bullets > 0
