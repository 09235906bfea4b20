"""The config file is never lost: not to kill -9, not to two writers, not with the real command either."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from clawgate.settings.atomic_write import BACKUPS
from tests.e2e.config_writer_program import number_of, version

KILLS = 200


@pytest.fixture
def quick_folder(tmp_path: Path) -> Iterator[Path]:
    """In memory where there is such a place: a kill is no power cut, and a busy disk takes 20 ms for each sync."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else tmp_path) as folder:
        yield Path(folder)


@pytest.mark.timeout(280)
def test_a_killed_writer_leaves_the_old_version_or_the_new_one(quick_folder: Path) -> None:
    """Writers are killed with -9 at 200 random instants of some 2,000 writes; each time, what stands there is a
    version byte for byte, the last that was told or the next, and the backups are older whole ones.
    """
    path = quick_folder / "openclaw.json"
    found = subprocess.run(
        [sys.executable, "-m", "tests.e2e.config_writer_program", str(path), str(KILLS), "20260921"],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    counts = json.loads(found.stdout)
    assert counts["kills"] == KILLS and counts["writes"] > 6 * KILLS
    assert counts["leftovers"] > KILLS // 10, (
        "hardly a kill came in the midst of a write: this proves nothing"
    )
    assert number_of(path.read_bytes()) == counts["writes"]


@pytest.mark.parametrize(
    "content", [version(7)[:-1], version(7).replace(b'"number": 7', b'"number": 8'), b"", b"\n\n"]
)
def test_the_one_who_looks_sees_a_broken_version(content: bytes) -> None:
    """So that the test above can fail."""
    with pytest.raises((ValueError, IndexError)):
        number_of(content)


def start(state: Path, *arguments: str) -> subprocess.Popen[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OPENCLAW_")}
    return subprocess.Popen(
        [sys.executable, "-m", "clawgate", "config", *arguments],
        env=inherited | {"OPENCLAW_STATE_DIR": str(state)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_commands_at_once_lose_no_change(tmp_path: Path) -> None:
    """Six set a key each, at the same time, in a file with comments: all six stand there, and the comments."""
    path = tmp_path / "openclaw.json"
    path.write_text("// mine\n{\n  env: { vars: {} }, // also mine\n}\n")
    writers = [start(tmp_path, "set", f"env.vars.KEY{number}", f'"{number}"') for number in range(6)]
    for writer in writers:
        _, said = writer.communicate(timeout=120)
        assert writer.returncode == 0, said
    text = path.read_text()
    assert text.startswith("// mine\n{\n  env: { vars: {") and text.endswith("  } }, // also mine\n}\n")
    assert sorted(re.findall(r'"(\d)"', text)) == [str(number) for number in range(6)]
    assert all(path.with_name(path.name + ending).exists() for ending in BACKUPS)
    assert {entry.name for entry in tmp_path.iterdir()} == {
        "openclaw.json", ".openclaw.json.lock", *(f"openclaw.json{ending}" for ending in BACKUPS)
    }  # fmt: skip
