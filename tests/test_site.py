"""The site is built without a warning, and a page of it loads nothing from another host."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOADED = re.compile(r"<(?:script|img|link|iframe|source)\b[^>]*\b(?:src|href)=\"((?:https?:)?//[^\"]*)\"")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_page_of_the_documentation_is_in_the_site(site: Path) -> None:
    for page in (ROOT / "docs").rglob("*.md"):
        name = page.relative_to(ROOT / "docs")
        name = name.with_name("index.html") if name.name == "README.md" else name.with_suffix(".html")
        assert (site / name).is_file()


def test_no_page_loads_anything_from_another_host(site: Path) -> None:
    found = {str(page): LOADED.findall(page.read_text(encoding="utf-8")) for page in site.rglob("*.html")}
    assert {name: urls for name, urls in found.items() if urls} == {}
    assert [one.name for one in site.rglob("*.css") if "url(http" in one.read_text(encoding="utf-8")] == []


def test_a_page_that_would_load_something_is_found() -> None:
    assert LOADED.findall('<script src="https://cdn.example/x.js">') == ["https://cdn.example/x.js"]
    assert LOADED.findall('<link rel="stylesheet" href="//fonts.example/a.css">') == ["//fonts.example/a.css"]
