"""Files as a container mounts them, with real mounts in a namespace of their own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.e2e.processes import environment, role_command, started
from tests.e2e.stand import CLIENT_TOKEN
from tests.private_file import write_private

UNSHARE = shutil.which("unshare") or ""


def may_mount() -> bool:
    return (
        bool(UNSHARE)
        and subprocess.run([UNSHARE, "-m", "true"], capture_output=True, check=False).returncode == 0
    )


pytestmark = pytest.mark.skipif(not may_mount(), reason="this user may not mount anything")


def mounted(mounts: str, command: Sequence[str]) -> list[str]:
    """``command`` in a mount namespace of its own, after the shell commands ``mounts``."""
    return [UNSHARE, "-m", "sh", "-ec", f'{mounts}; exec "$@"', "sh", *command]


@pytest.mark.parametrize(
    "command",
    [
        ["config", "set", "gateway.port", "23103"],
        ["config", "unset", "gateway.port"],
        ["models", "set", "x/m"],
        ["models", "auth", "login", "--provider", "proxy-bridge", "--remote-url", "http://127.0.0.1:9",
         "--proxy-token", CLIENT_TOKEN, "--models", "m", "--yes", "--no-check"],
        ["plugins", "disable", "proxy-bridge"],
        ["doctor", "--fix", "--yes"],
        ["gateway", "run"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_config_file_that_is_a_mount_is_kept_and_every_writer_says_what_to_mount(
    command: list[str], tmp_path: Path
) -> None:
    """The last two would store a token."""
    outside, state = tmp_path / "outside.json", tmp_path / "state"
    state.mkdir()
    providers = {
        "x": {"baseUrl": "http://127.0.0.1:9/v1", "apiKey": "k", "models": [{"id": "m", "name": "m"}]}
    }
    plugins = {
        "entries": {
            "proxy-bridge": {"config": {"remoteUrl": "http://127.0.0.1:9", "proxyToken": CLIENT_TOKEN}}
        }
    }
    text = json.dumps(
        {"gateway": {"port": 0}, "models": {"providers": providers}, "plugins": plugins}, indent=2
    )
    config = state / "openclaw.json"
    outside.write_text(text)
    config.touch()
    outside.chmod(0o600)
    program = mounted(f"mount --bind {outside} {config}", [sys.executable, "-m", "clawgate", *command])
    done = subprocess.run(
        program,
        capture_output=True,
        text=True,
        check=False,
        env=environment(tmp_path, OPENCLAW_STATE_DIR=str(state)),
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    said = done.stdout + done.stderr
    assert "mount the folder that it is in" in said and "Traceback" not in said, said
    assert done.returncode != 0 or command[0] == "doctor"  # whose status is that of what it found
    assert outside.read_text() == text


@pytest.mark.parametrize(("mode", "read_only"), [(0o444, True), (0o440, True), (0o444, False), (0o464, True)])
@pytest.mark.parametrize("name", ["tokens", "my.env", ".env"])
def test_a_mounted_secret_is_used_and_warned_about(
    name: str, mode: int, read_only: bool, tmp_path: Path
) -> None:
    """A tokens file, the file of --env-file, and the one of the state folder."""
    secrets = tmp_path / "secrets"
    secrets.mkdir(0o700)
    content = f"alice:{CLIENT_TOKEN}\n" if name == "tokens" else f"OPENAI_PROXY_TOKEN={CLIENT_TOKEN}\n"
    file = write_private(secrets / name, content, mode)
    flag = {"tokens": "--proxy-tokens-file", "my.env": "--env-file"}.get(name)
    command, variables = role_command("server", "http://127.0.0.1:9", *([flag, str(file)] if flag else ()))
    variables |= {"OPENCLAW_STATE_DIR": str(secrets)}
    variables.pop("OPENAI_PROXY_TOKEN")
    mounts = f"mount --bind {secrets} {secrets}" + (
        f" && mount -o remount,ro,bind {secrets}" if read_only else ""
    )
    passes = read_only and mode in (0o444, 0o440)
    with started(
        mounted(mounts, command), tmp_path / "role", environment(tmp_path, **variables), listens=passes
    ) as process:
        if not passes:
            assert process.wait() == 2
            assert f"chmod 600 {file}" in process.err
            return
        process.send()
        assert process.wait() == 0
        warning = f"{file}: other users can read it (mode {mode:04o}); its mount is read-only"
        assert warning in process.err + process.out and CLIENT_TOKEN not in process.err + process.out


def test_an_environment_file_with_quotes_is_refused_by_the_name_of_the_variable(tmp_path: Path) -> None:
    command, variables = role_command("server", "http://127.0.0.1:9")
    variables["OPENAI_API_KEY"] = f'"{variables["OPENAI_API_KEY"]}"'
    env = environment(tmp_path, **variables)
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=env, timeout=60, cwd=tmp_path
    )
    assert done.returncode == 2 and "OPENAI_API_KEY" in done.stderr and "wrapped in quotes" in done.stderr
    assert variables["OPENAI_API_KEY"][1:-1] not in done.stderr + done.stdout
