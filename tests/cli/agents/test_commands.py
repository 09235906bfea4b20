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
    about, tools = found.stdout.split("Tool ", 1)
    facts = dict(line.split(":", 1) for line in about.splitlines())
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
    command = "clawgate config set tools.web.fetch.enabled true"
    assert f"web_fetch  off    tools.web.fetch.enabled is not set; run: {command}\n" in tools


def test_show_lists_each_tool_with_what_turns_it_on(tmp_path: Path) -> None:
    """An agent's own rules and its approvals count, and a server is named before it was reached."""
    agents = """list: [{ id: "coder", tools: { deny: ["image"] } }], """
    more = """tools: { web: { fetch: {} }, media: { image: { enabled: true } } },
      mcp: { servers: { "docs": { command: "x" }, "late": { command: "x", enabled: false } } }, gateway: { """
    approve = 'entries: { clawgate: { config: { agents: { defaults: { approveTools: ["web_*"] } } } } }'
    text = CONFIG.replace("gateway: { ", more + ON).replace("agents: { ", f"agents: {{ {agents}")
    path = config_file(tmp_path, text.replace("models: { prov", f"plugins: {{ {approve} }}, models: {{ prov"))
    command = ["agents", "show", "coder", "--config", str(path)]
    tools = {
        one["name"]: one
        for one in json.loads(CliRunner().invoke(clawgate, [*command, "--json"]).stdout)["toolList"]
    }
    assert tools["web_fetch"] == {
        "name": "web_fetch",
        "plugin": None,
        "on": True,
        "reason": None,
        "fix": None,
        "approval": True,
    }
    assert (tools["image"]["on"], tools["image"]["reason"]) == (
        False,
        "agents.list[0].tools.deny takes it away",
    )
    assert tools["docs__*"]["fix"] == "run: clawgate mcp test docs"
    assert tools["late__*"]["fix"] == "run: clawgate config set mcp.servers.late.enabled true"
    shown = CliRunner().invoke(clawgate, command).stdout
    assert "web_fetch  on     the caller approves each call\n" in shown
    assert "image      off    agents.list[0].tools.deny takes it away; remove it from that list\n" in shown


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
