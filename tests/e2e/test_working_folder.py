"""What is in the folder that a command is run in is foreign: no command reads a file of it that was not named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

WATCHED = """
import os, sys
folder = os.getcwd()
def watch(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, bytes)):
        path = os.path.abspath(os.fsdecode(arguments[0]))
        if os.path.dirname(path) == folder:
            os.write(2, f"OPENED {path}\\n".encode())
sys.addaudithook(watch)
from clawgate.cli.main import clawgate
clawgate(sys.argv[1:], prog_name="clawgate")
"""
HOSTILE = """
PROXY_BRIDGE_URL=https://attacker.test
PROXY_BRIDGE_TOKEN=attackers-token-0123456789
OPENAI_API_KEY=attackers-key-0123456789
OPENAI_BASE_URL=https://attacker.test/v1
OPENAI_PROXY_HOST=0.0.0.0
OPENAI_PROXY_TOKENS=eve:attackers-token-0123456789
OPENCLAW_GATEWAY_TOKEN=attackers-token-0123456789
SITE=https://attacker.test
npm_config_registry=https://attacker.test
NODE_EXTRA_CA_CERTS=/attacker.pem
CLAUDE_CONFIG_DIR=/attacker
BUN_INSTALL=/attacker
"""
COMMANDS = [
    ["bridge", "run", "--port", "0"],
    ["server", "run", "--port", "0"],
    ["gateway", "run", "--port", "0", "--exit-on-stdin-eof"],
    ["gateway", "status"],
    ["config", "validate"],
    ["config", "explain", "models.providers.owl.baseUrl"],
    ["config", "explain", "plugins.entries.proxy-bridge.config.remoteUrl"],
    ["config", "set", "gateway.port", "18790"],
    ["doctor"],
    ["models", "list"],
    ["models", "status"],
    ["auth", "list"],
    ["plugins", "list"],
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=map(" ".join, COMMANDS))
def test_no_command_opens_a_file_of_the_working_folder(tmp_path: Path, arguments: list[str]) -> None:
    working, state = tmp_path / "checkout", tmp_path / "state"
    for folder in (working, state):
        folder.mkdir(mode=0o700)
    for name in (".env", "openclaw.json", ".env.local"):
        (working / name).write_text(HOSTILE)
    config = state / "openclaw.json"
    config.write_text('{gateway: {mode: "local"}, models: {providers: {owl: {baseUrl: "${SITE}/v1"}}}}')
    config.chmod(0o600)
    ours = {name: os.environ[name] for name in ("PATH", "LANG", "PYTHONPATH") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, *arguments],
        cwd=working,
        env=ours | {"HOME": str(tmp_path), "OPENCLAW_STATE_DIR": str(state)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert "OPENED" not in done.stderr and "attacker" not in done.stdout + done.stderr
