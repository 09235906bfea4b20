"""`clawgate egress explain` says what the policy decides, and dials nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from clawgate.cli.egress import explain as explain_command
from tests.cli.stored_runs import StateHome


@pytest.fixture(autouse=True)
def no_dns(monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolver(host: str, port: int) -> Sequence[str]:
        assert host == "llm.example"
        return ["93.184.216.34", "10.0.0.9"]

    monkeypatch.setattr(explain_command, "system_resolver", resolver)


@pytest.mark.parametrize(
    ("arguments", "status", "parts"),
    [
        (["http://127.0.0.1:9/v1"], 0, ["Requester : provider:owl", "Verdict   : allowed", "allowPrivateNetwork"]),
        (["http://127.0.0.1:9", "--tool", "web_fetch"], 1, ["tool:web_fetch", "Verdict   : refused"]),
        (["http://169.254.169.254/", "--provider", "owl"], 1, ["metadata", "never dialled"]),
        (["https://llm.example/x?secret=canary"], 0, ["allowed if each of its addresses is", "--resolve"]),
        (["https://llm.example", "--resolve"], 1, ["10.0.0.9: private", "93.184.216.34: public", "would fail"]),
        (["https://93.184.216.34", "--requester", "plugin:owl"], 0, ["plugin:owl", "Verdict   : allowed"]),
        (["http://10.0.0.7", "--plugin", "owl"], 1, ["plugin:owl", "refused", "gateway.allowPrivateNetwork"]),
    ],
)  # fmt: skip
def test_the_verdict_of_a_url(state: StateHome, arguments: list[str], status: int, parts: list[str]) -> None:
    found = state.run("egress", "explain", *arguments)
    assert found.exit_code == status
    for part in (*parts, "Based on the config alone."):
        assert part in found.output
    assert "canary" not in found.output


def test_a_verdict_for_programs(state: StateHome) -> None:
    found = state.run("egress", "explain", "https://llm.example", "--resolve", "--json")
    output = json.loads(found.stdout)
    assert (output["verdict"], output["requester"]) == ("refused", "tool:web_fetch")
    assert [one["address"] for one in output["addresses"]] == ["93.184.216.34", "10.0.0.9"]
    assert [one["allowed"] for one in output["addresses"]] == [True, False]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["http://user:pw@host/"], "user name or password"),
        (["ftp://host/"], "must look like"),
        (["http://a/", "--provider", "none"], "there is no provider 'none'"),
        (["http://a/", "--provider", "oWl"], "did you mean 'owl'?"),
        (["http://a/", "--requester", "nobody"], "is no requester"),
        (
            ["http://a/", "--plugin", "proxy-brige"],
            "no plugin 'proxy-brige'; did you mean 'proxy-bridge'? use one of: ",
        ),
        (
            ["http://a/", "--requester", "plugin:none\x1b"],
            r"no plugin 'none\x1b'; use one of: anthropic-claude",
        ),
        (
            ["http://a/", "--tool", "web_fech"],
            "did you mean 'web_fetch'? use one of: image, web_fetch",
        ),
        (["http://a/", "--requester", "mcp:none"], "no MCP server over HTTP 'none'; use one of: (none)"),
        (["http://a/", "--provider", "owl", "--tool", "x"], "give one of them"),
        (["http://a/", "--plugin", "a", "--tool", "x"], "give one of them"),
    ],
)
def test_what_cannot_be_explained_is_said(state: StateHome, arguments: list[str], problem: str) -> None:
    found = state.run("egress", "explain", *arguments)
    assert found.exit_code != 0 and problem in found.output
