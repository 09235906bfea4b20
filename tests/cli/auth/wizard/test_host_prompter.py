"""The wizard through another program: its questions arrive as they are, its change is printed and not written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.cli.command import OURS
from tests.ports import free_port

FILE = {
    "gateway": {"mode": "local"},
    "plugins": {"entries": {"proxy-bridge": {"enabled": True, "config": {"verbose": True}}}},
    "models": {"providers": {"proxy-bridge": {"timeoutSeconds": 9}}},
}


def login(
    home: Path, replies: list[str], provider: str = "proxy-bridge"
) -> tuple[int, list[dict[str, Any]], str]:
    state = home / ".openclaw"
    state.mkdir(mode=0o700, exist_ok=True)
    (state / "openclaw.json").write_text(json.dumps(FILE))
    (state / "openclaw.json").chmod(0o600)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    words = ["models", "auth", "login", "--provider", provider, "--host-prompts", "--no-check"]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "clawgate", *words],
        input="".join(json.dumps({"text": text}) + "\n" for text in replies),
        env=environment | {"HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_the_change_is_printed_with_what_was_configured_and_not_written(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    status, messages, errors = login(tmp_path, [url, "a-token-12345", "gpt-4o", "yes"])
    assert status == 0, errors
    result = messages[-1]["result"]
    assert result["configPatch"]["plugins"]["entries"]["proxy-bridge"] == {
        "enabled": True,
        "config": {
            "verbose": True,
            "remoteUrl": url,
            "proxyToken": "a-token-12345",
            "models": ["gpt-4o"],
        },
    }
    block = result["configPatch"]["models"]["providers"]["proxy-bridge"]
    assert (block["timeoutSeconds"], block["apiKey"]) == (9, "bridge")
    assert (result["defaultModel"], result["fallbacks"]) == ("proxy-bridge/gpt-4o", [])
    assert json.loads((tmp_path / ".openclaw" / "openclaw.json").read_text()) == FILE


def test_the_questions_are_those_of_the_provider_and_a_secret_is_read_hidden(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    _, messages, _ = login(tmp_path, [url, "a-token-12345", "gpt-4o", "yes"])
    reads = [(one["read"], one["default"], one["hidden"]) for one in messages if "read" in one]
    assert reads == [
        ("URL of the remote proxy", "", False),
        ("Proxy token (not shown)", "", True),
        ("Models", "", False),
    ]
    assert [one["confirm"].split(" to ")[0] for one in messages if "confirm" in one] == ["Write this"]


def test_an_alias_and_the_models_of_the_claude_proxy_are_in_the_change(tmp_path: Path) -> None:
    status, messages, errors = login(
        tmp_path,
        [
            "127.0.0.1",
            str(free_port()),
            "claude-opus-4.6, claude-opus-4-6-thinking, claude-haiku-4",
            "",
            "yes",
        ],
        "anthropic-claude-proxy",
    )
    assert status == 0, errors
    patch = messages[-1]["result"]["configPatch"]
    models = patch["agents"]["defaults"]["models"]
    assert models == {"anthropic-claude-proxy/claude-opus-4-6": {"alias": "claude-max-proxy"}}
    listed = patch["models"]["providers"]["anthropic-claude-proxy"]["models"]
    assert [one["id"] for one in listed] == ["claude-opus-4-6", "claude-haiku-4"], "as the proxy knows them"


def test_the_end_of_its_input_changes_nothing(tmp_path: Path) -> None:
    status, messages, errors = login(tmp_path, ["http://127.0.0.1:9"])
    assert status == 130 and "Config was not changed." in errors
    assert not any("result" in one for one in messages)
