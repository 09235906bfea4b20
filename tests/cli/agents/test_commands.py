"""`clawgate agents` shows what a request to each agent would get, and how agents are turned on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from clawgate.cli.main import clawgate
from tests.cli.catalogs import CONFIG, alone, config_file

ON = "http: { endpoints: { chatCompletions: { enabled: true } } }, "
AGENTS = """list: [
    { id: "Main", default: true },
    { id: "coder", name: "Coder", model: { primary: "lan/x", fallbacks: ["owl/qwen"] }, tools: { profile: "coding" } },
    { id: "lost", model: "lan/x" },
  ], """


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone(tmp_path, monkeypatch)


def run(folder: Path, *arguments: str, on: bool = True, agents: str = AGENTS, switch: str = ON) -> Result:
    text = CONFIG.replace("gateway: { ", f"gateway: {{ {switch if on else ''}")
    path = config_file(folder, text.replace("agents: { ", f"agents: {{ {agents}"))
    found = CliRunner().invoke(clawgate, ["agents", *arguments, "--config", str(path)])
    assert "canary" not in found.output and "Traceback" not in found.output
    return found


def test_list(tmp_path: Path) -> None:
    for arguments in (["list"], []):
        found = run(tmp_path, *arguments)
        assert found.exit_code == 0
        assert [line.split(maxsplit=4) for line in found.stdout.splitlines()] == [
            ["Agent", "Default", "Model", "Fallbacks", "Ready"],
            ["main", "yes", "owl/qwen", "far/sonnet", "yes"],
            ["coder", "no", "lan/x", "owl/qwen", "yes"],  # by its fallback
            ["lost", "no", "lan/x", "-", "no"],
            ["Based", "on", "the", "config", "alone; no gateway is running."],
        ]
        assert "status 503 (provider_not_configured)" in found.stderr and "NO_SUCH_KEY" in found.stderr


def test_without_agents_in_the_config_there_is_one(tmp_path: Path) -> None:
    (row,) = json.loads(run(tmp_path, "--json", agents="").stdout)["agents"]
    assert (row["id"], row["default"], row["model"], row["ok"]) == ("main", True, "owl/qwen", True)


def test_where_agents_are_off_the_switch_is_named(tmp_path: Path) -> None:
    turn_on = "clawgate config set gateway.http.endpoints.chatCompletions.enabled true"
    for arguments in ([], ["show", "main"]):
        found = run(tmp_path, *arguments, on=False)
        assert turn_on in found.stderr and found.stderr.count("\n") == 1
    output = json.loads(run(tmp_path, "--json", on=False).stdout)
    assert output["enabled"] is False and {row["code"] for row in output["agents"]} == {"model_not_found"}


def test_show(tmp_path: Path) -> None:
    found = run(tmp_path, "show", "MAIN")
    assert found.exit_code == 0 and found.stderr == ""
    facts = dict(line.split(":", 1) for line in found.stdout.splitlines() if ":" in line)
    assert {name.strip(): value.strip() for name, value in facts.items()} == {
        "Agent": "main (default)",
        "Request": '"model": "openclaw/main"',
        "Model": "owl/qwen",
        "Fallbacks": "far/sonnet",
        "Tools": "every tool that is registered",
        "Workspace": str(tmp_path / ".openclaw" / "workspace-main"),
        "Prompt": "AGENTS.md and SOUL.md of the workspace",
        "Limits": "50 model calls, 200 tool calls, 172,800 seconds",
        "Endpoint": "on",
    }


def test_show_says_where_agents_are_on_when_it_is_one_place(tmp_path: Path) -> None:
    found = run(tmp_path, "show", "main", switch=ON.replace("chatCompletions", "responses"))
    assert "Endpoint : on, at /v1/responses alone\n" in found.stdout


def test_show_of_one_whose_requests_would_fail_has_its_error(tmp_path: Path) -> None:
    found = run(tmp_path, "show", "lost")
    assert found.exit_code == 1 and "Requests would fail with status 503" in found.stderr
    output = json.loads(run(tmp_path, "show", "lost", "--json").stdout)
    assert (output["ok"], output["status"], output["code"]) == (False, 503, "provider_not_configured")


def test_one_whose_fallback_works_is_ready(tmp_path: Path) -> None:
    output = json.loads(run(tmp_path, "show", "coder", "--json").stdout)
    found = (output["ok"], output["requestAs"], output["tools"]["own"]["profile"])
    assert found == (True, "openclaw/coder", "coding")


def test_an_unknown_agent_is_an_error_with_those_that_exist(tmp_path: Path) -> None:
    found = run(tmp_path, "show", "codr\x1b")
    assert found.exit_code == 1
    assert (
        r"unknown agent 'codr\x1b'; did you mean 'coder'? the agents are: main, coder, lost" in found.stderr
    )
