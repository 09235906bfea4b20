"""`sessions list --url` and `sessions show --url`: what a gateway elsewhere has of the caller."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from clawgate.cli.main import clawgate
from tests.processes.instance.fake_gateway import FakeGateway, ok

ROW = {
    "key": "agent:main:a\x1b[31m", "agentId": "main", "createdAt": 1_700_000_000_000, "updatedAt": 1_700_000_060_000,
    "status": "done", "modelProvider": "up", "model": "m",
}  # fmt: skip
MESSAGES = [
    {"role": "user", "content": [{"type": "text", "text": "what is in it?"}], "timestamp": 1_700_000_000_000},
    {
        "role": "assistant",
        "content": [{"type": "toolCall", "id": "c1", "name": "look", "arguments": {"at": "notes"}}],
        "timestamp": 1_700_000_001_000,
    },
    {"role": "toolResult", "toolCallId": "c1", "content": "milk", "timestamp": 1_700_000_002_000},
    {
        "role": "assistant",
        "content": [{"type": "text", "text": "mil\x1b[31m"}],
        "stopReason": "aborted",
        "timestamp": 1_700_000_003_000,
    },
]


def run(*arguments: str, payload: Any) -> tuple[Result, list[tuple[str, dict[str, Any]]]]:
    with FakeGateway(others=lambda *_: [ok(payload)]) as fake:
        found = CliRunner().invoke(clawgate, ["sessions", *arguments, "--url", fake.url, "--token", "t"])
        return found, [request for request in fake.requests if request[0] != "connect"]


def test_the_sessions_of_the_caller_are_listed() -> None:
    found, requests = run("list", "--agent", "main", payload={"sessions": [ROW], "hasMore": False})
    assert requests == [("sessions.list", {"limit": 100, "agentId": "main"})]
    (_, row) = found.stdout.splitlines()
    assert row.startswith("agent:main:a\\x1b[31m") and "up/m" in row and "done" in row
    assert found.stderr.startswith("Of this caller, at ws://127.0.0.1:")


def test_a_list_that_is_cut_says_so() -> None:
    found, _ = run("list", "--limit", "1", "--json", payload={"sessions": [ROW], "hasMore": True})
    output = json.loads(found.stdout)
    assert (output["count"], output["isCut"]) == (1, True)
    assert output["sessions"][0] == {
        "key": ROW["key"],
        "agent": "main",
        "model": "up/m",
        "createdAt": "2023-11-14T22:13:20.000+00:00",
        "updatedAt": "2023-11-14T22:14:20.000+00:00",
    }


def test_replaced_turns_are_not_shown_of_a_gateway_elsewhere() -> None:
    found, requests = run("show", "main", "--all", payload={})
    assert (found.exit_code, requests) == (2, []) and "--all: a gateway at --url" in found.stderr


@pytest.mark.parametrize("verb", [["list"], ["show", "main"]])
def test_another_caller_cannot_be_named(verb: list[str]) -> None:
    found, requests = run(*verb, "--caller", "x", payload={})
    assert (found.exit_code, requests) == (2, []) and "the sessions of its caller alone" in found.stderr


def test_the_turns_of_a_session_are_readable_and_steer_no_terminal() -> None:
    found, requests = run("show", "main", payload={"sessionKey": "agent:main:main", "messages": MESSAGES})
    assert requests == [("chat.history", {"sessionKey": "main", "limit": 200})]
    text = found.stdout
    assert "Session : agent:main:main" in text and "user\n  what is in it?" in text
    assert '-> look {"at": "notes"} (c1)' in text and "tool c1\n  milk" in text
    assert "assistant (interrupted)\n  mil\\x1b[31m" in text


def test_the_last_turns_are_as_many_as_the_command_names() -> None:
    found, requests = run(
        "show", "main", "-n", "4", "--json", payload={"messages": MESSAGES, "hasMore": True}
    )
    assert requests[0][1]["limit"] == 4
    output = json.loads(found.stdout)
    assert (output["key"], output["isCut"], output["messages"]) == ("main", True, MESSAGES)


def test_a_session_that_is_not_there_is_an_error() -> None:
    found, _ = run("show", "nope", payload={"sessionKey": "agent:main:nope", "messages": []})
    assert found.exit_code == 1 and "no session 'agent:main:nope' of this caller at ws://" in found.stderr
