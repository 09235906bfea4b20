"""What is added can be presented and not read, what is revoked is gone, and nothing else of the file changes."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.roles.tokens_edit import Added, add_token, revoke_token
from clawgate.settings.roles.tokens_file import hashed_line, read_tokens_file

A, B = "canary-A-9f2Kq7Zx", "canary-B-4m1Tw8Vy"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tokens"


def write(path: Path, text: str, mode: int = 0o600) -> None:
    path.touch(mode)
    path.write_text(text)


def test_a_new_file_is_for_its_owner_and_holds_no_token(file: Path) -> None:
    assert add_token(file, "alice", A, may_replace=False) is Added.ADDED
    assert file.read_text() == hashed_line("alice", A) + "\n" and A not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_other_lines_stay_as_they_are(file: Path) -> None:
    text = f"# people\n\n  bob : {B}\n# machines"
    write(file, text)
    add_token(file, "alice", A, may_replace=False)
    assert file.read_text() == f"{text}\n{hashed_line('alice', A)}\n"
    assert revoke_token(file, "bob") == 1
    assert file.read_text() == f"# people\n\n# machines\n{hashed_line('alice', A)}\n"


def test_a_comment_with_the_name_is_no_token(file: Path) -> None:
    write(file, f"#bob:{A}\nbob:{B}\n")
    assert revoke_token(file, "bob") == 0 and file.read_text() == f"#bob:{A}\n"


def test_the_same_again_changes_nothing(file: Path) -> None:
    write(file, f"alice:{A}\n")
    before = file.stat().st_ino, file.stat().st_mtime_ns
    assert add_token(file, "alice", A, may_replace=False) is Added.UNCHANGED
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == before


def test_another_token_of_a_name_replaces_it_only_if_that_is_meant(file: Path) -> None:
    write(file, f"alice:{A}\n")
    with pytest.raises(SettingsInvalid, match="--replace"):
        add_token(file, "alice", B, may_replace=False)
    assert file.read_text() == f"alice:{A}\n"
    assert add_token(file, "alice", B, may_replace=True) is Added.REPLACED
    assert file.read_text() == hashed_line("alice", B) + "\n"


@pytest.mark.parametrize(
    ("name", "token", "says"),
    [
        ("a:b", B, "a name is up to 32"),
        ("", B, "a name is up to 32"),
        ("#a", B, "a name is up to 32"),
        ("bob", "short", "shorter"),
        ("bob", "", "is empty"),
        ("bob", A, "that of 'alice'"),
    ],
)
def test_what_the_server_would_refuse_is_not_added(file: Path, name: str, token: str, says: str) -> None:
    write(file, f"alice:{A}\n")
    with pytest.raises(SettingsInvalid, match=says) as caught:
        add_token(file, name, token, may_replace=True)
    assert file.read_text() == f"alice:{A}\n" and "canary" not in str(caught.value)


@pytest.mark.parametrize(("text", "mode"), [(f"alice:{A}\n?\n", 0o600), (f"alice:{A}\n", 0o644)])
def test_a_file_that_the_server_refuses_is_not_changed(file: Path, text: str, mode: int) -> None:
    write(file, text, mode)
    for change in (
        lambda: add_token(file, "bob", B, may_replace=True),
        lambda: revoke_token(file, "alice"),
    ):
        with pytest.raises(SettingsInvalid):
            change()
    assert file.read_text() == text


def test_a_name_that_is_not_in_the_file_cannot_be_revoked(file: Path) -> None:
    with pytest.raises(SettingsInvalid, match="has no token 'bob'; it has: none"):
        revoke_token(file, "bob")
    write(file, f"alice:{A}\n")
    with pytest.raises(SettingsInvalid, match="it has: alice"):
        revoke_token(file, "bob")
    assert list(read_tokens_file(file)) == ["alice"]
