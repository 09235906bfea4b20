"""The commands of docs/tools.md by which a caller approves a call work as they are written."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e.test_first_hour import pytestmark
from tests.e2e.test_http_api_page import sections, walking

__all__ = ["pytestmark"]

PAGE = "docs/tools.md"
SECTION = "Approval by the caller"


def test_a_call_is_approved_by_the_commands_of_the_page(tmp_path: Path) -> None:
    """The URL of the scripted model is none, so nothing is dialled."""
    with walking(tmp_path, {SECTION: sections(PAGE)[SECTION]}, tools={"web": {"fetch": {}}}) as walk:
        assert len(walk.texts(SECTION)) == 1
        result = json.loads(walk.model.state.seen[-1].body)["messages"][-1]
    assert result["role"] == "tool" and "URL" in result["content"]
