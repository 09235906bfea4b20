"""What was shown is written; if the file has changed since, nothing is."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from clawgate.cli.auth.wizard.write import NothingWritten, write_shown

BEFORE = '{ gateway: { mode: "local" } }\n'
AFTER = '{ gateway: { mode: "local", port: 18800 } }\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "openclaw.json"
    found.write_text(BEFORE)
    found.chmod(0o600)
    return found


def test_it_is_written_and_the_version_before_is_kept(path: Path) -> None:
    written = write_shown(path, BEFORE, AFTER)
    assert path.read_text() == AFTER and written.backup is not None and written.backup.read_text() == BEFORE


def test_a_file_that_changed_meanwhile_is_kept(path: Path) -> None:
    path.write_text(BEFORE + "// theirs\n")
    with pytest.raises(NothingWritten, match="changed by another process"):
        write_shown(path, BEFORE, AFTER)
    assert path.read_text() == BEFORE + "// theirs\n"


def test_a_file_that_would_be_wrong_stays(path: Path) -> None:
    with pytest.raises(NothingWritten, match=r"gateway\.port"):
        write_shown(path, BEFORE, '{ gateway: { mode: "local", port: "x" } }')
    assert path.read_text() == BEFORE


def test_an_unwritable_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NothingWritten, match="cannot be"):
        write_shown(tmp_path / "file" / "openclaw.json", "{\n}\n", AFTER)


def test_a_large_loss_has_to_be_meant(path: Path) -> None:
    large = f'{{ gateway: {{ mode: "local" }}, tools: {{ x: "{"y" * 2000}" }} }}'
    path.write_text(large)
    with pytest.raises(NothingWritten, match="would shrink"):
        write_shown(path, large, BEFORE)
    assert write_shown(path, large, BEFORE, may_shrink=True).changed


def test_ctrl_c_waits_for_the_write(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And works again after it."""
    from clawgate.settings.atomic_write import locked

    def interrupted(target: Path) -> object:
        os.kill(os.getpid(), signal.SIGINT)
        return locked(target)

    monkeypatch.setattr("clawgate.settings.atomic_write.locked", interrupted)
    handler = signal.getsignal(signal.SIGINT)
    assert write_shown(path, BEFORE, AFTER).changed and signal.getsignal(signal.SIGINT) is handler


def test_a_thread_can_write_as_well(path: Path) -> None:
    """Only the main thread may say what Ctrl-C does."""
    thread = threading.Thread(target=write_shown, args=(path, BEFORE, AFTER))
    thread.start()
    thread.join(120)
    assert path.read_text() == AFTER
