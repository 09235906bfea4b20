"""Lists the generated pages with their text, so that a test can compare them with what is in the repository."""

from __future__ import annotations

from pathlib import Path

from reference.commands import command_page
from reference.configuration import configuration_page
from reference.measurements import with_measurements

DOCS = Path(__file__).parents[1] / "docs"


def pages() -> dict[Path, str]:
    folder = DOCS / "reference"
    statuses = (DOCS / "errors.md").read_text(encoding="utf-8").partition("## Exit statuses\n")[2]
    return {
        folder / "cli.md": command_page(statuses.partition("\n## ")[0]),
        folder / "configuration.md": configuration_page(),
        DOCS / "comparison.md": with_measurements((DOCS / "comparison.md").read_text(encoding="utf-8")),
    }
