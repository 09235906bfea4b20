"""The settings are those that users know, and what cannot work is told before anything is started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from clawgate.bundled.anthropic_claude_proxy.config import (
    ProxyConfig,
    host_problem,
    is_loopback,
    models_problem,
    origin,
)


def problem(**settings: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        ProxyConfig.model_validate(settings)
    return str(caught.value)


def test_an_empty_config_is_what_users_expect() -> None:
    found = ProxyConfig.model_validate({}).model_dump(by_alias=True)
    assert found == {
        "autoStart": True,
        "autoRestart": True,
        "restartDelayMs": 3000,
        "host": "127.0.0.1",
        "port": 3456,
        "command": ("bunx", "opencode-claude-max-proxy"),
        "cwd": None,
        "env": {},
        "proxyUser": None,
        "profiles": (),
        "models": (
            "claude-opus-4.6", "claude-opus-4-6-thinking", "claude-sonnet-4.6", "claude-sonnet-4-6-thinking",
            "claude-haiku-4",
        ),
    }  # fmt: skip


def test_a_command_for_a_shell_is_answered_with_the_list_that_was_meant() -> None:
    assert '["npx", "-y", "meridian"]' in problem(command="npx -y meridian")
    assert '["bunx"]' in problem(command="bunx")
    assert '["npx", "meridian"]' in problem(command=["npx meridian"])


@pytest.mark.parametrize(
    "command",
    [
        "env TOKEN=sk-not-to-be-shown bunx proxy",
        "proxy --access-token not-to-be-shown",
        "proxy --API-KEY not-to-be-shown",
        "proxy -p 0123456789abcdef0123/not-to-be-shown",
    ],
)
def test_a_command_that_may_hold_a_secret_is_not_repeated(command: str) -> None:
    """The example shows the default command then."""
    told = problem(command=command).partition("[type=")[0]
    assert "not-to-be-shown" not in told and '"opencode-claude-max-proxy"' in told


@pytest.mark.parametrize("command", [[], [""], [" ", "x"], ["a\0b"], [1], None, {"a": 1}])
def test_what_is_no_list_of_words_is_no_command(command: Any) -> None:
    assert "command" in problem(command=command)


def test_a_path_with_blanks_is_a_program() -> None:
    assert ProxyConfig.model_validate({"command": ["/opt/my tools/proxy"]}).command == (
        "/opt/my tools/proxy",
    )


def test_a_proxy_that_we_start_listens_for_this_machine_alone() -> None:
    """Whoever reaches it uses the login of the user; one that runs elsewhere is somebody else's matter."""
    assert "loopback" in problem(host="0.0.0.0")
    assert (
        ProxyConfig.model_validate({"host": "claude-box", "autoStart": False}).origin
        == "http://claude-box:3456"
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"port": 0}, {"port": 65_536}, {"port": True}, {"restartDelayMs": 0}, {"restartDelayMs": 86_400_001},
        {"autoStart": "yes"}, {"host": "http://127.0.0.1"}, {"host": ""}, {"models": ["a b"]}, {"models": [""]},
        {"models": "claude"}, {"restartDelayMS": 1}, {"cwd": "relative/folder"}, {"cwd": ""}, {"cwd": 7},
        {"env": {"A B": "x"}}, {"env": {"": "x"}}, {"env": {"A": 1}}, {"env": {"A": "\0"}}, {"env": ["A=b"]},
    ],
)  # fmt: skip
def test_what_means_nothing_is_refused(settings: dict[str, Any]) -> None:
    assert next(iter(settings)) in problem(**settings)


def test_addresses() -> None:
    assert is_loopback("localhost") and is_loopback("127.9.9.9") and is_loopback("::1")
    assert not is_loopback("192.168.0.2") and not is_loopback("localhost.example.com")
    assert origin("::1", 1) == "http://[::1]:1"
    assert (
        host_problem("127.0.0.1") is None
        and host_problem("a b") is not None
        and host_problem("x/y") is not None
    )


def test_one_wrong_model_of_a_list_is_named() -> None:
    assert models_problem("claude-opus-4.6, gpt-4o") is None
    assert "not a model id" in (models_problem("claude-opus-4.6, \x1b[31m") or "")
    assert "\x1b" not in (models_problem("\x1b[31m") or "")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("MERIDIAN_PORT", "set `port`"),
        ("CLAUDE_PROXY_HOST", "set `host`"),
        ("MERIDIAN_PASSTHROUGH", "never starts a proxy in its internal mode"),
        ("CLAWGATE_CHILD", "finds its processes"),
    ],
)
def test_variables_of_the_gateways_own_cannot_be_set(name: str, says: str) -> None:
    assert says in problem(env={name: "0"})


def test_a_program_with_a_relative_path_needs_a_folder() -> None:
    """The gateway's working directory is not the program's."""
    assert "relative path" in problem(command=["./proxy"])
    assert ProxyConfig.model_validate({"command": ["./proxy"], "cwd": "/opt/proxy"}).folder == Path(
        "/opt/proxy"
    )
    assert ProxyConfig.model_validate({"cwd": "~/proxy"}).folder == Path.home() / "proxy"


@pytest.mark.parametrize("user", ["", "a b", "../x", -1, True, 1.5, ["root"]])
def test_what_is_no_user_is_rejected(user: Any) -> None:
    assert "proxyUser" in problem(proxyUser=user)
