"""What the documentation claims about the code is true."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from clawgate.cli.exit_codes import ExitCode
from clawgate.relay.response.error_response import TABLE
from tests.error_classes import all_errors
from tests.test_references import MODULES, texts

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def test_every_error_code_is_in_the_docs_with_its_status() -> None:
    """docs/errors.md has one row for each code, with the status of the table, and no row for a code that is gone."""
    rows = dict(re.findall(r"^\| `(\w+)` \| (\d+) \|", (DOCS / "errors.md").read_text(), flags=re.MULTILINE))
    expected = {error.code: str(TABLE[error][0]) for error in all_errors()}
    assert rows == expected


def test_every_exit_status_is_in_the_docs() -> None:
    """docs/errors.md lists the statuses of the commands."""
    section = (DOCS / "errors.md").read_text().partition("## Exit statuses")[2]
    for module in (ROOT / "src" / "clawgate" / "cli" / "gateway").glob("*.py"):
        for result in re.findall(r'output\.finish\(\s*"([\w-]+)"', module.read_text()):
            assert f"`{result}`" in section
    assert set(re.findall(r"^\| (\d+) \|", section, flags=re.MULTILINE)) == {
        str(int(code)) for code in ExitCode
    }


def test_every_news_fragment_has_a_kind_of_the_list() -> None:
    """changes/README.md lists the kinds; a fragment of another one would be left out of the release notes."""
    kinds = set(
        re.findall(r"^\| `(\w+)` \|", (ROOT / "changes" / "README.md").read_text(), flags=re.MULTILINE)
    )
    fragments = [
        path.name for path in (ROOT / "changes").iterdir() if path.name not in {"README.md", "summary.md"}
    ]
    assert fragments
    assert [name for name in fragments if not re.fullmatch(rf"\d+\.({'|'.join(kinds)})\.md", name)] == []


def test_the_readme_names_the_installation_before_the_first_command() -> None:
    readme = (ROOT / "README.md").read_text()
    first = re.search(r"^clawgate ", readme, flags=re.MULTILINE)
    assert first and 0 < readme.index("pip install .") < first.start()


@pytest.mark.parametrize(
    ("page", "heading"), [("custom-inference-api.md", "## Troubleshooting"), ("troubleshooting.md", "# ")]
)
def test_every_text_of_a_troubleshooting_table_is_one_of_ours(page: str, heading: str) -> None:
    """What a message inserts is an ellipsis there."""
    section = (DOCS / page).read_text().partition(heading)[2]
    quoted = re.findall(r"^\| `([^`]+)`", section, flags=re.MULTILINE)
    sources = [text for module in MODULES for text in texts(module)]
    assert len(quoted) > 15
    for text in quoted:
        parts = ".*".join(re.escape(part) for part in text.split("…"))
        assert any(re.search(parts, source, flags=re.DOTALL) for source in sources), text


def test_the_picture_of_the_architecture_has_the_layers_that_are_enforced() -> None:
    """From top to bottom, with those beside each other in one row."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(one["layers"] for one in contracts if one["name"] == "dependencies point down")
    enforced = [re.findall(r"\w+", layer) for layer in layers if "__main__" not in layer]
    rows: dict[int, list[str]] = {}
    drawn = re.findall(r'y="(\d+)"[^>]*class="layer">(\w+)<', (DOCS / "architecture.svg").read_text())
    for height, name in drawn:
        rows.setdefault(int(height), []).append(name)
    assert [rows[height] for height in sorted(rows)] == enforced
