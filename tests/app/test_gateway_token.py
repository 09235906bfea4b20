"""A gateway that only this machine reaches makes its token; it is stored for its owner alone, or not made at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pyjson5
import pytest

from clawgate.app import gateway_token
from clawgate.app.gateway_token import (
    TokenNotStored,
    close_to_others,
    ensure_token,
    start_problems,
    storage_problem,
    store_token,
    with_mode,
    with_token,
)
from clawgate.settings.openclaw.config_file import ConfigFile, read_config
from clawgate.settings.openclaw.gateway import GatewayFlags
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.secrets import token_problem

NO_FLAGS = GatewayFlags()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def config(folder: Path, text: str | None, permissions: int = 0o600) -> ConfigFile:
    path = folder / "openclaw.json"
    if text is not None:
        path.write_text(text)
        path.chmod(permissions)
    return read_config(path, {"HOME": str(folder)}, required=False)


def token_in(path: Path) -> str:
    return str(pyjson5.decode(path.read_text())["gateway"]["auth"]["token"])


@pytest.mark.parametrize(
    "text", [None, "{}", "{gateway: {}}", "{gateway: {auth: {mode: 'token'}}}", "{gateway: {auth: {token: null}}}",
             "{gateway: {bind: 'auto'}}", "{gateway: {bind: 'custom', customBindHost: '127.0.0.2'}}"],
)  # fmt: skip
def test_a_token_is_made_where_only_this_machine_reaches_the_gateway(
    text: str | None, tmp_path: Path
) -> None:
    file = config(tmp_path, text)
    assert start_problems(file, NO_FLAGS) == []
    stored = ensure_token(file, NO_FLAGS, {})
    assert stored is not None and stored.path == file.path and mode(file.path) == 0o600
    assert (stored.backup is None) is (text is None) and not stored.was_open
    token = token_in(file.path)
    assert token_problem(token) is None and len(token) >= 43
    again = config(tmp_path, None)
    assert ensure_token(again, NO_FLAGS, {}) is None and token_in(file.path) == token


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{gateway: {bind: 'lan'}}", "every request would be rejected"),
        ("{gateway: {bind: 'custom', customBindHost: '192.168.0.9'}}", "every request would be rejected"),
        ("{gateway: {auth: {mode: 'password'}}}", "gateway.auth.password"),
        ("{gateway: {bind: 'tailnet'}}", "'tailnet' is not supported"),
        ("{gateway: {auth: {mode: 'trusted-proxy'}}}", "gateway.auth.trustedProxy.userHeader"),
    ],
)
def test_no_token_is_made_where_something_else_is_missing_or_others_reach_it(
    text: str, problem: str, tmp_path: Path
) -> None:
    file = config(tmp_path, text)
    assert ensure_token(file, NO_FLAGS, {}) is None and file.path.read_text() == text
    assert problem in "; ".join(map(str, start_problems(file, NO_FLAGS)))


@pytest.mark.parametrize(
    ("text", "flags", "environment"),
    [
        ("{gateway: {auth: {token: 'set-0123456789abcdef'}}}", NO_FLAGS, {}),
        ("{gateway: {auth: {password: 'set-0123456789abcdef'}}}", NO_FLAGS, {}),
        ("{gateway: {auth: {mode: 'none'}}}", NO_FLAGS, {}),
        ("{}", GatewayFlags(token="set-0123456789abcdef"), {}),
        ("{}", GatewayFlags(password="set-0123456789abcdef"), {}),
        ("{}", NO_FLAGS, {"OPENCLAW_GATEWAY_TOKEN": "set-0123456789abcdef"}),
        ("{}", GatewayFlags(bind="0.0.0.0"), {}),
    ],
)
def test_no_token_is_made_where_one_is_set_or_none_is_wanted(
    text: str, flags: GatewayFlags, environment: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "openclaw.json"
    path.write_text(text)
    path.chmod(0o600)
    file = read_config(path, {"HOME": str(tmp_path), **environment}, required=True)
    assert ensure_token(file, flags, environment) is None and path.read_text() == text


def test_a_file_that_others_can_read_is_closed_before_the_token_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = config(tmp_path, "{}", 0o644)
    seen = []

    def observed(text: str) -> str:
        seen.append(mode(file.path))
        return with_token(text)

    monkeypatch.setattr(gateway_token, "with_token", observed)
    stored = ensure_token(file, NO_FLAGS, {})
    assert stored is not None and stored.was_open and seen == [0o600] and mode(file.path) == 0o600


def link(folder: Path) -> None:
    (folder / "openclaw.json").rename(folder / "dotfiles.json")
    (folder / "openclaw.json").symlink_to("dotfiles.json")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (link, "it is a link to dotfiles.json"),
        (lambda folder: os.chown(folder / "openclaw.json", 4242, -1), "it belongs to another user"),
    ],
)
def test_no_token_is_written_to_a_file_of_something_else(
    change: Callable[[Path], None], reason: str, tmp_path: Path
) -> None:
    """The command says why, and what to do; the file stays as it was."""
    if os.geteuid() != 0 and "user" in reason:
        pytest.skip("only root can give a file away")
    config(tmp_path, "{gateway: {mode: 'local'}}")
    change(tmp_path)
    file = config(tmp_path, None)
    with pytest.raises(SettingsInvalid) as caught:
        ensure_token(file, NO_FLAGS, {})
    (problem,) = caught.value.problems
    assert reason in problem.message and "clawgate server new-token" in problem.fix
    assert "OPENCLAW_GATEWAY_TOKEN" in problem.fix and start_problems(file, NO_FLAGS) == [problem]
    assert (tmp_path / "openclaw.json").read_text() == "{gateway: {mode: 'local'}}"


def test_what_cannot_be_written_is_reported_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = config(tmp_path, "{}")
    monkeypatch.setattr(os, "access", lambda path, how: path != file.path)
    assert storage_problem(file.path) == "it is read-only"
    monkeypatch.undo()
    (tmp_path / "none").write_text("")
    with pytest.raises(TokenNotStored):
        store_token(tmp_path / "none" / "openclaw.json", {})


def test_a_token_that_another_process_wrote_meanwhile_is_kept(tmp_path: Path) -> None:
    file = config(tmp_path, "{}")
    file.path.write_text("{gateway: {auth: {token: 'theirs-0123456789abcdef'}}}")
    assert ensure_token(file, NO_FLAGS, {}) is not None
    assert token_in(file.path) == "theirs-0123456789abcdef"


def test_the_rest_of_the_text_stays_as_it_is() -> None:
    text = "{\n  // mine\n  gateway: { port: 1 },\n}\n"
    assert with_token(text).startswith("{\n  // mine\n  gateway: { port: 1,")
    assert with_mode("{gateway: {mode: 'remote'}}") == "{gateway: {mode: 'remote'}}"
    assert with_token(text) != with_token(text)


def test_a_link_is_not_followed_to_change_a_mode(tmp_path: Path) -> None:
    (tmp_path / "target").touch(0o644)
    (tmp_path / "link").symlink_to("target")
    with pytest.raises(OSError, match="symbolic links"):
        close_to_others(tmp_path / "link")
    assert not close_to_others(tmp_path / "nowhere")
