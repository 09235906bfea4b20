from __future__ import annotations

import os
from pathlib import Path

import pytest

from clawgate.agents.tools.workspace_file import read_workspace_file

MOST = 100


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_bytes(b"a secret")
    folder = tmp_path / "workspace"
    (folder / "pictures").mkdir(parents=True)
    (folder / "pictures" / "a.png").write_bytes(b"content")
    (folder / "out").symlink_to(tmp_path)
    (folder / "file").symlink_to(tmp_path / "secret")
    (folder / "within").symlink_to(folder / "pictures" / "a.png")
    (folder / "large").write_bytes(b"x" * (MOST + 1))
    os.mkfifo(folder / "pipe")
    return folder


@pytest.mark.parametrize("path", ["pictures/a.png", "./pictures/a.png", "pictures//a.png"])
def test_a_file_of_the_workspace_is_read(workspace: Path, path: str) -> None:
    assert read_workspace_file(workspace, path, MOST) == b"content"
    assert read_workspace_file(workspace, str(workspace / path), MOST) == b"content"
    assert read_workspace_file(workspace, f"file://{workspace}/pictures/a.png", MOST) == b"content"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("../secret", "without '..'"),
        ("pictures/../../secret", "without '..'"),
        ("{workspace}/../secret", "without '..'"),
        ("{outside}/secret", "not in the agent's workspace"),
        ("/etc/passwd", "not in the agent's workspace"),
        ("file:///etc/passwd", "not in the agent's workspace"),
        ("file", "a link is not followed"),
        ("within", "a link is not followed"),
        ("out/secret", "cannot be read"),
        ("out/workspace/pictures/a.png", "cannot be read"),
        ("pictures", "no regular file"),
        ("pipe", "no regular file"),
        ("missing", "No such file"),
        ("pictures/a.png/b", "Not a directory"),
        ("large", "it has 101 bytes; at most 100 are read"),
        ("", "must be the path of a file"),
        (".", "must be the path of a file"),
        ("/", "not in the agent's workspace"),
        ("a\0b", "must be the path of a file"),
        ("x" * 300, "too long"),
    ],
)
def test_no_other_file_is_read(workspace: Path, path: str, reason: str) -> None:
    path = path.replace("{workspace}", str(workspace)).replace("{outside}", str(workspace.parent))
    with pytest.raises(ValueError, match=reason):
        read_workspace_file(workspace, path, MOST)


def test_a_workspace_that_is_not_there_has_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="No such file"):
        read_workspace_file(tmp_path / "none", "a.png", MOST)


def test_no_descriptor_is_left(workspace: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for path in ("pictures/a.png", "file", "out/secret", "pipe", "missing", "large"):
        try:
            read_workspace_file(workspace, path, MOST)
        except ValueError:
            continue
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_file_that_is_larger_than_its_size_is_read_up_to_the_limit() -> None:
    """As one that grows meanwhile."""
    assert len(read_workspace_file(Path("/proc/self"), "status", MOST)) == MOST
