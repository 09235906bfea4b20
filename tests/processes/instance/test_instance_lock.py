"""One gateway for a state folder, found by the lock that it holds and never by files that it left behind."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clawgate import __version__
from clawgate.processes.instance.instance_lock import (
    LOCK_VARIABLE,
    AlreadyRunning,
    Instance,
    RunningInstance,
    find_instance,
)

PROGRAM = Path(__file__).with_name("instance_program.py")


class Other:
    """Another process that claims the folder."""

    def __init__(self, folder: Path) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, PROGRAM, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.output = self.read_line()

    def read_line(self) -> str:
        assert self.popen.stdout is not None
        return self.popen.stdout.readline().strip()

    def send(self, what: str) -> str:
        assert self.popen.stdin is not None
        self.popen.stdin.write(f"{what}\n")
        self.popen.stdin.flush()
        return self.read_line()

    def close(self) -> None:
        self.popen.kill()
        self.popen.communicate()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Callable[[], Other]]:
    made: list[Other] = []

    def make() -> Other:
        made.append(Other(tmp_path / "own"))
        return made[-1]

    yield make
    for process in made:
        process.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "own"


def found_in(folder: Path) -> RunningInstance:
    found = find_instance(folder)
    assert found is not None
    return found


def test_the_holder_is_known_as_soon_as_the_lock_is_taken(folder: Path, other: Callable[[], Other]) -> None:
    """Before it serves: pid and start time, but no address."""
    process = other()
    found = found_in(folder)
    assert (found.pid, found.is_visible, found.url, found.instance) == (process.popen.pid, True, None, None)
    assert str(found).startswith(f"pid {process.popen.pid}, not serving yet")


def test_find_instance_returns_what_was_announced(folder: Path, other: Callable[[], Other]) -> None:
    process = other()
    assert process.send("announce") == "done"
    found = found_in(folder)
    assert (found.url, found.port, found.version) == ("http://127.0.0.1:1", 1, __version__)
    assert found.instance == process.output.split()[1] and found.flags == ("--port", "1")
    assert found.config == str(folder / "c.json") and found.log is None


def test_a_second_claim_fails_with_the_holder(folder: Path, other: Callable[[], Other]) -> None:
    first = other()
    first.send("announce")
    assert other().output == f"held {first.popen.pid} http://127.0.0.1:1"
    with pytest.raises(
        AlreadyRunning, match=rf"already runs for .*own \(pid {first.popen.pid} at http"
    ) as caught:
        Instance.claim(folder)
    assert caught.value.holder is not None and caught.value.holder.pid == first.popen.pid


def test_files_of_a_killed_process_are_ignored(folder: Path, other: Callable[[], Other]) -> None:
    process = other()
    process.send("announce")
    process.close()
    assert (folder / "gateway.json").exists() and find_instance(folder) is None
    assert other().output.startswith("claimed")
    assert found_in(folder).url is None  # the old announcement is not taken for the new one's


def test_an_announcement_of_another_process_is_ignored(folder: Path, other: Callable[[], Other]) -> None:
    """As after a crash between two lives, or from a backup."""
    process = other()
    process.send("announce")
    path = folder / "gateway.json"
    output = json.loads(path.read_text())
    for change in ({"pid": 1}, {"identity": "boot pid:[1] 1"}):
        path.write_text(json.dumps(output | change))
        assert found_in(folder).url is None
    path.write_text(json.dumps(output))
    assert found_in(folder).url == "http://127.0.0.1:1"


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "{", "[" * 100_000, '{"pid": "x"}', '{"pid": 1}', "\x00\xff"]
)
def test_any_content_of_the_files_can_be_read(folder: Path, other: Callable[[], Other], text: str) -> None:
    other().send("announce")
    (folder / "gateway.json").write_text(text)
    assert found_in(folder).url is None
    (folder / "gateway.lock").write_text(text)
    assert find_instance(folder) is None
    with pytest.raises(AlreadyRunning, match="not identified"):
        Instance.claim(folder)


def test_a_missing_folder_has_no_holder(folder: Path) -> None:
    assert find_instance(folder) is None and not folder.exists()


def test_release_frees_the_lock_and_removes_the_announcement(
    folder: Path, other: Callable[[], Other]
) -> None:
    process = other()
    process.send("announce")
    process.send("release")
    assert find_instance(folder) is None and not (folder / "gateway.json").exists()
    assert other().output.startswith("claimed")


def test_the_lock_is_kept_over_an_exec(folder: Path, other: Callable[[], Other]) -> None:
    """The same pid, without a gap; a new instance, which is not announced yet."""
    process = other()
    process.send("announce")
    before = found_in(folder)
    assert process.send("exec").startswith("claimed")
    after = found_in(folder)
    assert (after.pid, after.identity) == (before.pid, before.identity) and after.url is None
    process.send("announce")
    assert found_in(folder).instance not in (None, before.instance)


@pytest.mark.parametrize("number", ["0", "999999", "-1", "x", ""])
def test_a_variable_that_names_no_lock_of_ours_is_ignored(
    folder: Path, number: str, other: Callable[[], Other]
) -> None:
    """Setting it does not make a second holder."""
    other()
    with pytest.raises(AlreadyRunning):
        Instance.claim(folder, environment={LOCK_VARIABLE: number})


def test_find_instance_does_not_block_a_claim(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """find_instance has the lock for an instant; a claim at that moment is retried."""
    Instance.claim(folder).release()
    probe = os.open(folder / "gateway.lock", os.O_RDONLY)
    fcntl.flock(probe, fcntl.LOCK_SH)
    monkeypatch.setattr(
        "clawgate.processes.instance.instance_lock.time.sleep",
        lambda seconds: fcntl.flock(probe, fcntl.LOCK_UN),
    )
    instance = Instance.claim(folder)
    os.close(probe)
    assert found_in(folder).pid == os.getpid()
    instance.release()


def test_the_lock_is_held_without_a_gap_during_an_exec(folder: Path) -> None:
    """The descriptor stays open in the next program, and no child of that one gets it."""
    instance = Instance.claim(folder)
    variables = instance.hand_over()
    fd = int(variables[LOCK_VARIABLE])
    assert os.get_inheritable(fd)
    again = Instance.claim(folder, environment=variables)
    assert not os.get_inheritable(fd) and again.id != instance.id
    again.release()
    assert find_instance(folder) is None


def test_only_its_owner_may_read_it(folder: Path) -> None:
    old = os.umask(0)
    try:
        instance = Instance.claim(folder)
        instance.announce("http://127.0.0.1:1", 1, folder / "c.json", folder / "x.log")
    finally:
        os.umask(old)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())}
    instance.release()
    assert modes == {"own": 0o700, "gateway.lock": 0o600, "gateway.json": 0o600}


def test_a_link_in_place_of_the_lock_is_not_followed(folder: Path, tmp_path: Path) -> None:
    folder.mkdir()
    (tmp_path / "target").write_text("precious")
    (folder / "gateway.lock").symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match="Too many levels"):
        Instance.claim(folder)
    assert (tmp_path / "target").read_text() == "precious"


def test_a_forked_child_does_not_release_the_lock(folder: Path, other: Callable[[], Other]) -> None:
    process = other()
    process.send("announce")
    assert process.send("fork") == "done"
    assert found_in(folder).url is not None


def test_a_second_release_does_nothing(folder: Path, other: Callable[[], Other]) -> None:
    """By then the announcement is another process's."""
    instance = Instance.claim(folder)
    instance.release()
    other().send("announce")
    instance.release()
    assert found_in(folder).url is not None


def test_a_failed_announcement_leaves_no_temporary_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = Instance.claim(folder)

    def fail(*_: object) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        instance.announce("http://127.0.0.1:1", 1, folder / "c.json", None)
    assert [path.name for path in folder.iterdir()] == ["gateway.lock"]
    instance.release()
