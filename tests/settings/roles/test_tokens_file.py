"""Who may come in: every holder once, from a file that is for its owner alone and may change while we run."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clawgate.errors import InvalidToken
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.roles.server import ServerSettings
from clawgate.settings.roles.tokens_file import TokenSource, gather_tokens, hashed_line, read_tokens_file
from tests.settings.canary import CANARY, KEY

A, B, C = "canary-A-9f2Kq7Zx", "canary-B-4m1Tw8Vy", "canary-C-6p3Rj5Nb"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tokens"


def write(path: Path, text: str | bytes, mode: int = 0o600) -> str:
    """Replace the file as editors do, so that its identity changes even within one tick of its clock."""
    new = path.with_suffix(".new")
    new.write_bytes(text.encode() if isinstance(text, str) else text)
    new.chmod(mode)
    new.replace(path)
    return str(path)


def settings(**values: Any) -> ServerSettings:
    return ServerSettings.model_validate({"openaiApiKey": KEY} | values)


def refused(path: Path) -> list[str]:
    with pytest.raises(SettingsInvalid) as caught:
        read_tokens_file(path)
    found = [str(problem) for problem in caught.value.problems]
    assert not any(CANARY in text for text in found), "a problem shows a token"
    return found


def test_a_file_of_names_and_tokens(file: Path) -> None:
    write(file, f"# who\n\nalice:{A}\r\n  bob : {B}  \n\t# more\nc:d:{C}")
    with pytest.raises(SettingsInvalid, match="c"):
        gather_tokens(settings(proxyTokensFile=str(file), proxyTokens={"alice": C}))
    assert read_tokens_file(file) == {"alice": A, "bob": B, "c": f"d:{C}"}


def test_a_hashed_token_admits_the_token_and_not_its_hash(file: Path) -> None:
    """The file does not show the token, and what it shows is no token."""
    write(file, f"{hashed_line('alice', A)}\nbob:{B}\n")
    source = TokenSource(settings(proxyTokensFile=str(file)))
    assert A not in file.read_text() and source.secrets() == [B]
    assert source.store().authenticate(A.encode()) == "alice"
    assert source.store().authenticate(B.encode()) == "bob"
    for shown in (file.read_text().splitlines()[0].partition(":")[2], hashlib.sha256(A.encode()).hexdigest()):
        with pytest.raises(InvalidToken):
            source.store().authenticate(shown.encode())


def test_a_hash_elsewhere_than_in_the_file_is_a_token_as_it_stands(file: Path) -> None:
    """Whoever reads the file could present the hash otherwise."""
    text = hashed_line("x", A).partition(":")[2]
    source = TokenSource(settings(proxyToken=text))
    with pytest.raises(InvalidToken):
        source.store().authenticate(A.encode())


@pytest.mark.parametrize("text", ["", "12", "g" * 64, "A" * 64, "a" * 65, "a" * 63])
def test_a_hash_that_is_none_is_refused(file: Path, text: str) -> None:
    write(file, f"alice:sha256:{text}")
    assert "64 of 0-9 a-f" in refused(file)[0]


@pytest.mark.parametrize("line", [f"alice:{KEY}", hashed_line("alice", KEY)], ids=["plain", "hashed"])
def test_the_upstreams_key_is_no_token(file: Path, line: str) -> None:
    write(file, line)
    with pytest.raises(SettingsInvalid, match="'alice' is the upstream's key") as caught:
        gather_tokens(settings(proxyTokensFile=str(file)))
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_for_its_owner_alone_is_read(file: Path, mode: int) -> None:
    write(file, f"a:{A}", mode)
    assert read_tokens_file(file) == {"a": A}


@pytest.mark.parametrize("mode", [0o640, 0o601, 0o777])
def test_a_file_that_others_may_touch_is_refused_with_the_remedy(file: Path, mode: int) -> None:
    write(file, f"a:{A}", mode)
    message = f"other users have access to it (mode {mode:04o}); run: chmod 600 {file}"
    assert refused(file) == [f"proxyTokensFile ({file}): {message}"]


def test_every_problem_has_its_line(file: Path) -> None:
    write(file, f"alice:{A}\n{B}\n:{B}\nalice:{B}\nbob:canary-b\ncarol:\ndave:changeme\n", 0o644)
    found = refused(file)
    lines = [text.partition("(")[2].partition(")")[0].removeprefix(f"{file}:") for text in found[1:]]
    assert "chmod 600" in found[0]
    assert lines == ["2", "3", "4", "5", "6", "7"]
    for text, says in zip(
        found[1:], ["name:TOKEN", "name:TOKEN", "not unique", "shorter", "empty", "an example"], strict=True
    ):
        assert says in text


def test_a_file_that_cannot_be_read(file: Path, tmp_path: Path) -> None:
    assert "there is no such file" in refused(file)[0]
    assert "Is a directory" in refused(tmp_path)[0]
    write(file, b"a:\xff\xfe")
    assert "not UTF-8" in refused(file)[0]


def test_tokens_are_gathered_from_all_places(file: Path) -> None:
    write(file, f"carol:{C}")
    found = gather_tokens(settings(proxyToken=A, proxyTokens={"bob": B}, proxyTokensFile=str(file)))
    assert found == {"default": A, "bob": B, "carol": C}


@pytest.mark.parametrize(
    ("values", "text", "says"),
    [
        ({"proxyToken": A}, f"default:{B}", "also set elsewhere: 'default'"),
        ({"proxyTokens": {"bob": A}}, f"bob:{B}", "also set elsewhere: 'bob'"),
        ({"proxyToken": A}, f"bob:{A}", "'default' and 'bob' have the same token"),
        ({"proxyToken": A, "proxyTokens": {"bob": A}}, f"carol:{C}", "have the same token"),
        ({}, f"a:{A}\nb:{A}", "'a' and 'b' have the same token"),
        ({}, f"a:{A}\n{hashed_line('b', A)}\n", "'a' and 'b' have the same token"),
        ({"proxyToken": A}, hashed_line("bob", A), "'default' and 'bob' have the same token"),
        ({}, "# nobody\n", "it contains no token"),
        ({}, "", "it contains no token"),
    ],
)
def test_a_duplicate_or_missing_name_or_token_is_refused(
    file: Path, values: dict[str, Any], text: str, says: str
) -> None:
    """One token has one holder, or the log would name the wrong one."""
    write(file, text)
    with pytest.raises(SettingsInvalid, match=says) as caught:
        gather_tokens(settings(proxyTokensFile=str(file), **values))
    assert CANARY not in str(caught.value)


# While we run


def test_a_change_of_the_file_counts_and_no_change_does_not(file: Path) -> None:
    source = TokenSource(settings(proxyTokensFile=write(file, f"alice:{A}")))
    assert not source.reload_if_changed() and source.store().authenticate(A.encode()) == "alice"
    write(file, f"bob:{B}")
    assert source.reload_if_changed() and not source.reload_if_changed()
    assert source.store().authenticate(B.encode()) == "bob"
    with pytest.raises(InvalidToken):
        source.store().authenticate(A.encode())


def refused_reload(source: TokenSource) -> None:
    """The file is looked at twice, and refused once."""
    assert not source.reload_if_changed()
    with pytest.raises(SettingsInvalid):
        source.reload_if_changed()
    assert not source.reload_if_changed()


@pytest.mark.parametrize(
    "broken", ["nonsense", "bob:short", "", "# none\n", f"a:{B}\nb:{B}", b"\xff", b"\0\0"]
)
def test_a_file_that_cannot_be_used_revokes_every_token(file: Path, broken: str | bytes) -> None:
    source = TokenSource(settings(proxyTokensFile=write(file, f"alice:{A}")))
    write(file, broken)
    refused_reload(source)
    with pytest.raises(InvalidToken, match="cannot be read"):
        source.store().authenticate(A.encode())
    write(file, f"alice:{C}")
    assert source.reload_if_changed() and source.store().authenticate(C.encode()) == "alice"


def test_a_file_that_is_gone_or_opened_to_others_revokes_every_token(file: Path) -> None:
    """Those of other sources too: at a start, the same state would be refused as a whole."""
    source = TokenSource(settings(proxyToken=B, proxyTokensFile=write(file, f"alice:{A}")))
    file.unlink()
    refused_reload(source)
    assert source.tokens == {}
    write(file, f"alice:{A}")
    assert source.reload_if_changed() and source.tokens == {"default": B, "alice": A}
    file.chmod(0o644)
    refused_reload(source)
    assert source.tokens == {}


def test_a_pipe_in_the_place_of_the_file_is_refused_and_not_waited_for(file: Path) -> None:
    source = TokenSource(settings(proxyTokensFile=write(file, f"alice:{A}")))
    file.unlink()
    os.mkfifo(file, 0o600)
    refused_reload(source)


def test_a_file_that_is_being_written_keeps_the_earlier_tokens_for_one_look(file: Path) -> None:
    source = TokenSource(settings(proxyTokensFile=write(file, f"alice:{A}")))
    file.write_text("")
    assert not source.reload_if_changed() and source.tokens == {"alice": A}
    file.write_text(f"bob:{B}")
    assert source.reload_if_changed() and source.tokens == {"bob": B}


def test_an_emptied_file_leaves_the_tokens_of_other_sources(file: Path) -> None:
    source = TokenSource(settings(proxyToken=B, proxyTokensFile=write(file, f"alice:{A}")))
    write(file, "")
    assert source.reload_if_changed() and source.tokens == {"default": B}


def test_an_edit_in_place_counts(file: Path) -> None:
    source = TokenSource(settings(proxyTokensFile=write(file, f"alice:{A}")))
    file.write_text(f"alice:{B}")
    os.utime(file, ns=(1, 1))
    assert source.reload_if_changed() and source.tokens == {"alice": B}


def test_without_a_file_nothing_changes() -> None:
    source = TokenSource(settings(proxyToken=A))
    assert not source.reload_if_changed() and source.store().authenticate(A.encode()) == "default"


def test_no_problem_shows_a_token_in_the_place_of_its_name(file: Path) -> None:
    write(file, f"{A}:alice")
    refused(file)


@pytest.mark.parametrize("line", [f'alice:"{A}"', f"alice:'{A}'", f'"alice:{A}"'])
def test_a_token_in_quotes_is_refused_by_its_line(file: Path, line: str) -> None:
    write(file, f"bob:{B}\n{line}\n")
    (said,) = refused(file)
    assert f"{file}:2" in said and "wrapped in quotes" in said


@pytest.mark.parametrize(
    ("mode", "read_only", "passes"),
    [
        (0o440, True, True),
        (0o440, False, False),
        (0o464, True, False),
    ],
)
def test_others_may_read_a_mounted_secret_and_nothing_else(
    file: Path, mode: int, read_only: bool, passes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(file, f"alice:{A}", mode)
    flags = os.ST_RDONLY if read_only else 0
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_flag=flags))
    if passes:
        assert read_tokens_file(file) == {"alice": A}
    else:
        assert f"chmod 600 {file}" in refused(file)[0]
