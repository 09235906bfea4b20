"""What the documentation says of the code is so."""

from __future__ import annotations

import re
from pathlib import Path

from clawgate.cli.exit_codes import ExitCode
from clawgate.errors import all_errors
from clawgate.relay.response.error_response import TABLE

DOCS = Path(__file__).parent.parent / "docs"


def test_every_error_code_stands_in_the_docs_with_its_status() -> None:
    """docs/errors.md has one row for each code, with the status of the table, and no row for a code that is gone."""
    rows = dict(re.findall(r"^\| `(\w+)` \| (\d+) \|", (DOCS / "errors.md").read_text(), flags=re.MULTILINE))
    expected = {error.code: str(TABLE[error][0]) for error in all_errors()}
    assert rows == expected


def test_every_exit_status_stands_in_the_docs() -> None:
    """docs/errors.md lists the statuses of the commands."""
    section = (DOCS / "errors.md").read_text().partition("## Exit statuses")[2]
    assert set(re.findall(r"^\| (\d+) \|", section, flags=re.MULTILINE)) == {
        str(int(code)) for code in ExitCode
    }
