"""Calls that wait for approval, at `clawgate agent` and `clawgate chat`. At a terminal: tests/e2e/test_chat_pty.py."""

from __future__ import annotations

from typing import Any

import pytest

from clawgate.cli.chat.approval import WaitingCall, waiting_call
from tests.cli.chat.running_gateway import ChatHome
from tests.e2e.waiting import poll
from tests.processes.instance.fake_gateway import accepted, result


def requested(run: str = "RUN", **more: Any) -> dict[str, Any]:
    request = {"toolName": "saw", "description": "cut", "detail": '{"at": 1}\x1b[2J', "runId": run, **more}
    payload = {"id": "plugin:1", "request": request, "createdAtMs": 1, "expiresAtMs": 2}
    return {"type": "event", "event": "plugin.approval.requested", "payload": payload}


@pytest.mark.parametrize("command", [("agent", "--message", "hi"), ("chat",)])
def test_without_a_terminal_a_call_is_refused_and_the_run_continues(
    home: ChatHome, command: tuple[str, ...]
) -> None:
    with home.running([accepted(), requested(), result("done")]) as gateway:
        found = home.run(*command, typed="hi\n" if command == ("chat",) else "")
        poll(lambda: bool(gateway.params("plugin.approval.resolve")), "the decision")
        decisions = gateway.params("plugin.approval.resolve")
    assert (found.exit_code, found.stdout) == (0, "done\n")
    assert decisions == [{"id": "plugin:1", "decision": "deny"}]
    assert 'saw {"at": 1}\\x1b[2J\n' in found.stderr and "there is no terminal" in found.stderr
    assert "use clawgate chat" in found.stderr


def test_a_call_of_another_run_is_not_decided_here(home: ChatHome) -> None:
    with home.running([accepted(), requested("another"), result("done")]) as gateway:
        found = home.run("agent", "--message", "hi")
        assert (found.stderr, gateway.params("plugin.approval.resolve")) == ("", [])


def test_a_call_is_shown_on_one_line_of_a_bounded_length() -> None:
    call = WaitingCall("1", "sa\nw", "\u202eab" + "x" * 10_000 + "end")
    assert call.shown.startswith("sa\\nw \\u202eab") and call.shown.endswith("xend")
    assert call.shown.isprintable() and len(call.shown) < 4100 and "characters are not shown" in call.shown


@pytest.mark.parametrize("request_", [None, "x", {}, {"runId": "other"}])
def test_what_is_no_call_of_the_run_is_none(request_: object) -> None:
    assert waiting_call("plugin.approval.requested", {"id": "1", "request": request_}, "r") is None
    assert waiting_call("agent", {"id": "1", "request": {"runId": "r"}}, "r") is None
