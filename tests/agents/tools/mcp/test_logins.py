"""A login is kept for its URL, private, and by one process at a time."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest

from clawgate.agents.tools.mcp.logins import Login

URL = "https://mcp.example/mcp"
TOKENS = {"access_token": "a" * 10, "refresh_token": "r" * 10, "token_type": "Bearer"}


def test_a_login_is_private_and_replaced_whole(tmp_path: Path) -> None:
    kept = Login(tmp_path / "logins" / "docs.json", URL)
    assert not kept.is_made and kept.read() == {}
    kept.write(tokens=TOKENS, client={"client_secret": "c" * 10})
    kept.write(wanted="more")
    assert kept.path is not None and stat.S_IMODE(kept.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.path.parent.stat().st_mode) == 0o700
    other = Login(kept.path, URL)
    assert other.is_made and other.read() == {
        "tokens": TOKENS,
        "client": {"client_secret": "c" * 10},
        "wanted": "more",
    }
    assert sorted(other.secrets()) == ["a" * 10, "c" * 10, "r" * 10]


def test_a_change_by_another_process_is_read(tmp_path: Path) -> None:
    path = tmp_path / "docs.json"
    ours, theirs = Login(path, URL), Login(path, URL)
    ours.write(tokens=TOKENS)
    assert ours.read() is ours.read()
    theirs.write(tokens={**TOKENS, "access_token": "new"})
    assert ours.read()["tokens"]["access_token"] == "new"
    assert theirs.forget() and not theirs.forget() and ours.read() == {}


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"version": 2, "url": "https://mcp.example/mcp"}', '{"version": 1}']
)
def test_what_is_no_login_counts_as_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "docs.json"
    path.write_text(text)
    assert Login(path, URL).read() == {}


def test_a_login_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "docs.json"
    kept = Login(path, URL)
    kept.write(tokens=TOKENS)
    found = []
    for mode in (0o600, 0o640, 0o600):
        path.chmod(mode)
        found.append((kept.is_made, kept.problem))
    assert found[0] == found[2] == (True, "")
    assert not found[1][0] and "other users have access to it (mode 0640)" in found[1][1]
    assert f"run: chmod 600 {path}" in found[1][1]


def test_a_login_counts_for_its_url_alone(tmp_path: Path) -> None:
    Login(tmp_path / "docs.json", URL).write(tokens=TOKENS)
    assert not Login(tmp_path / "docs.json", "https://mcp.example/other").is_made


def test_a_client_that_logs_in_itself_leaves_no_file(tmp_path: Path) -> None:
    kept = Login(None, URL)
    kept.write(tokens=TOKENS)
    assert kept.is_made and kept.forget() is False and list(tmp_path.iterdir()) == []


async def test_a_login_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    first, second = (Login(tmp_path / "docs.json", URL) for _ in range(2))
    order: list[str] = []

    async def hold() -> None:
        async with second.locked():
            order.append("second")

    async with first.locked():
        waiting = asyncio.create_task(hold())
        await asyncio.sleep(0)
        order.append("first")
    await waiting
    assert order == ["first", "second"]
