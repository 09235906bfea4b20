"""What was accepted stays; what a server changes waits; and a file that cannot be read accepts nothing."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from clawgate.agents.tools.mcp.definitions import Definition
from clawgate.agents.tools.mcp.pins import PinStore

NOW = 1_800_000_000.0


def tool(name: str, description: str = "d") -> Definition:
    return Definition.of({"name": name, "description": description, "inputSchema": {"type": "object"}})


@pytest.fixture
def store(tmp_path: Path) -> PinStore:
    return PinStore(tmp_path / "mcp", lambda: NOW)


def names(pins: Any) -> tuple[list[str], list[str]]:
    return sorted(pins.accepted), sorted(pins.waiting)


def test_the_first_list_of_a_server_is_accepted(store: PinStore) -> None:
    assert store.read("docs").is_new
    pins = store.observe("docs", [tool("a"), tool("b")])
    assert names(pins) == (["a", "b"], []) and pins.accepted_at == "2027-01-15T08:00:00Z"
    assert names(store.read("docs")) == (["a", "b"], [])


def test_what_is_changed_or_new_waits_until_it_is_accepted(store: PinStore) -> None:
    store.observe("docs", [tool("a"), tool("b"), tool("c")])
    pins = store.observe("docs", [tool("a"), tool("b", "other"), tool("d")])
    assert names(pins) == (["a", "b", "c"], ["b", "d"])
    assert pins.accepted["b"].description == "d"
    pins = store.accept("docs")
    assert names(pins) == (["a", "b", "c", "d"], []) and pins.accepted["b"].description == "other"
    assert names(store.observe("docs", [tool("b", "other")])) == (["a", "b", "c", "d"], [])


def test_what_waits_is_what_the_server_lists_now(store: PinStore) -> None:
    """A tool that was changed back needs no consent, and one that was changed again needs it for its new form."""
    store.observe("docs", [tool("a")])
    store.observe("docs", [tool("a", "two")])
    assert names(store.observe("docs", [tool("a")])) == (["a"], [])
    store.observe("docs", [tool("a", "two")])
    store.observe("docs", [tool("a", "three")])
    assert store.accept("docs").accepted["a"].description == "three"


def test_another_process_sees_what_was_accepted(store: PinStore, tmp_path: Path) -> None:
    store.observe("docs", [tool("a")])
    store.observe("docs", [tool("a", "two")])
    PinStore(tmp_path / "mcp", lambda: NOW).accept("docs")
    assert names(store.read("docs")) == (["a"], [])


def test_the_files_are_the_owners_alone(store: PinStore, tmp_path: Path) -> None:
    store.observe("docs", [tool("a")])
    assert stat.S_IMODE(store.path("docs").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "mcp").stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"null", b'{"version": 1}',
        b'{"version": 2, "accepted": [], "waiting": [], "acceptedAt": ""}',
        b'{"version": 1, "accepted": [5], "waiting": [], "acceptedAt": ""}', b"\xff", b"[" * 100_000,
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_accepts_nothing_and_stays(store: PinStore, content: bytes) -> None:
    path = store.path("docs")
    path.parent.mkdir()
    path.write_bytes(content)
    pins = store.observe("docs", [tool("a")])
    assert (
        names(pins) == ([], [])
        and str(path) in pins.problem
        and "remove it to accept the tools anew" in pins.problem
    )
    assert path.read_bytes() == content


def test_a_folder_in_the_place_of_a_file_accepts_nothing(store: PinStore) -> None:
    store.path("docs").mkdir(parents=True)
    assert store.read("docs").problem and not store.observe("docs", [tool("a")]).accepted


def test_a_folder_that_cannot_be_entered_accepts_nothing(tmp_path: Path) -> None:
    (tmp_path / "mcp").write_bytes(b"a file")
    pins = PinStore(tmp_path / "mcp", lambda: NOW).read("docs")
    assert pins.problem and not pins.is_new
