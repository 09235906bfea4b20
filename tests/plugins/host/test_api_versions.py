"""A plugin for another version of the interface is rejected with what to do."""

from __future__ import annotations

import pytest

from clawgate.plugins.api import API_VERSION
from clawgate.plugins.host.api_versions import RENAMED_HOOKS, api_problem
from tests.plugins.samples import DOCS


def test_this_version_is_accepted() -> None:
    assert api_problem(API_VERSION) is None


@pytest.mark.parametrize(
    ("version", "says"), [(API_VERSION + 1, "a newer clawgate"), (0, "an older clawgate")]
)
def test_another_version_is_rejected_with_a_remedy(version: int, says: str) -> None:
    assert f"use {says}" in str(api_problem(version))


def test_version_1_is_rejected_with_what_changed_and_where_to_read() -> None:
    problem, docs = str(api_problem(1)), DOCS.read_text(encoding="utf-8")
    assert "docs/writing-a-plugin.md" in problem and "## From API 1 to 2" in docs
    for old, new in RENAMED_HOOKS.items():
        assert f"{old} is {new}" in problem and f"`{new}`" in docs.replace(f".{new}`", f" `{new}`")
