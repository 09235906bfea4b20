"""Only a process of our own user, or of the user that the config names, is sent anything."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from clawgate.plugins.api import TrustedUser
from clawgate.processes.port_trust import distrust_reason

PORT = 0x0D80
pytestmark = pytest.mark.skipif(sys.byteorder != "little", reason="rows of a little-endian machine")


def proc(folder: Path, *uids: int) -> Path:
    """A /proc in which these users listen on 127.0.0.1."""
    row = "0: 0100007F:0D80 00000000:0000 0A 00000000:00000000 00:00000000 00000000 {} 0 1 1"
    (folder / "net").mkdir()
    (folder / "net" / "tcp").write_text("\n".join(["header", *map(row.format, uids)]) + "\n")
    return folder


def reason(
    folder: Path, trusted: TrustedUser, *, host: str = "127.0.0.1", unknown: bool = False
) -> str | None:
    return distrust_reason(host, PORT, trusted, unknown_is_trusted=unknown, proc=folder)


def test_our_own_user_is_trusted_and_another_only_if_it_is_named(tmp_path: Path) -> None:
    other = os.geteuid() + 54_321
    own = proc(tmp_path, os.geteuid())
    assert reason(own, "self") is None and reason(own, other) is not None
    (tmp_path / "b").mkdir()
    foreign = proc(tmp_path / "b", other)
    assert f"it runs as uid {other}" in str(reason(foreign, "self"))
    assert reason(foreign, other) is None and reason(foreign, "any") is None


def test_one_trusted_listener_among_others_is_not_enough(tmp_path: Path) -> None:
    """Either of them may get the connection."""
    assert reason(proc(tmp_path, os.geteuid(), os.geteuid() + 1), "self") is not None


def test_a_user_that_is_not_visible_is_decided_by_the_caller(tmp_path: Path) -> None:
    assert "not visible" in str(reason(tmp_path, "self")) and reason(tmp_path, "self", unknown=True) is None


def test_another_machine_that_the_config_names_cannot_be_checked(tmp_path: Path) -> None:
    assert (
        reason(tmp_path, "self", host="192.0.2.7") is None
        and reason(tmp_path, "self", host="claude-box") is None
    )
    assert (
        reason(tmp_path, "self", host="LOCALHOST") is not None
        and reason(tmp_path, "self", host="::1") is not None
    )
