"""`clawgate agent` sends one message and prints the reply and nothing else, or why there is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clawgate.cli.chat.conversation import Conversation
from tests.cli.chat.running_gateway import TOKEN, ChatHome
from tests.processes.instance.fake_gateway import accepted, closes, failure, reply, texts

REPLY = reply("hel", "lo")


@pytest.mark.parametrize("options", [[], ["--stream"]])
def test_the_reply_alone_is_printed(home: ChatHome, options: list[str]) -> None:
    with home.running(REPLY) as gateway:
        found = home.run("agent", "--message", "hi", *options)
        (connected,), (sent,) = gateway.params("connect"), gateway.params("agent")
    assert (found.exit_code, found.stdout, found.stderr) == (0, "hello\n", "")
    assert connected["auth"] == {"token": TOKEN} and gateway.paths == ["/"]
    assert connected["scopes"] == ["operator.read", "operator.write", "operator.approvals"]
    key = sent.pop("idempotencyKey")
    assert len(key) >= 32 and sent == {"message": "hi", "sessionKey": "main"}


def test_agent_session_and_model_are_chosen_by_the_request(home: ChatHome) -> None:
    options = ("--agent", "coder", "--session", "work", "--model", "owl/qwen")
    with home.running(REPLY) as gateway:
        assert home.run("agent", "-m", "hi", *options).exit_code == 0
        (sent,) = gateway.params("agent")
    assert (sent["agentId"], sent["sessionKey"], sent["model"]) == ("coder", "work", "owl/qwen")


def test_json_has_the_shape_of_openclaw(home: ChatHome) -> None:
    with home.running(REPLY) as gateway:
        output: dict[str, Any] = json.loads(home.run("agent", "-m", "hi", "--json").stdout)
    meta = output["result"]["meta"]
    assert isinstance(meta.pop("durationMs"), int)
    assert output == {
        "runId": gateway.params("agent")[0]["idempotencyKey"],
        "status": "ok",
        "summary": "completed",
        "result": {
            "payloads": [{"text": "hello", "mediaUrl": None}],
            "meta": {
                "agentMeta": {
                    "sessionId": "agent:main:a#b",
                    "provider": "up",
                    "model": "m",
                    "usage": {"input": 11, "output": 5, "cacheRead": 3, "total": 16},
                }
            },
        },
    }


def test_a_message_may_come_from_standard_input(home: ChatHome) -> None:
    with home.running(REPLY) as gateway:
        assert home.run("agent", "--message", "-", typed="two\nlines\n").exit_code == 0
        assert gateway.params("agent")[0]["message"] == "two\nlines\n"


@pytest.mark.parametrize(
    ("arguments", "typed", "status", "message"),
    [
        (["-m", " "], "", 1, "the message is empty; give a text"),
        (["-m", "-"], "", 1, "the message is empty"),
        (["-m", "-"], b"\xff", 1, "standard input is not UTF-8"),
        (["-m", "x", "--json", "--stream"], "", 2, "exclude each other"),
        (["-m", "x", "--session", "a\r\nb: c"], "", 2, "use printable ASCII"),
        (["-m", "x", "--session", "ü"], "", 2, "use printable ASCII"),
        (["-m", "x", "--model", "\x1b"], "", 2, "use printable ASCII"),
        ([], "", 2, "Missing option '--message'"),
    ],
)
def test_a_wrong_request_is_not_sent(
    home: ChatHome, arguments: list[str], typed: str | bytes, status: int, message: str
) -> None:
    with home.running(REPLY) as gateway:
        found = home.run("agent", *arguments, typed=typed)
        assert (found.exit_code, gateway.requests) == (status, []) and message in found.stderr


def test_without_a_gateway_the_command_that_starts_one_is_named(home: ChatHome) -> None:
    found = home.run("agent", "-m", "hi")
    assert (found.exit_code, found.stdout) == (1, "")
    step = "start one with: clawgate gateway start, or add --local"
    assert found.stderr == f"clawgate: no gateway is running; {step}\n"


def test_an_error_is_one_line_and_with_json_an_object(home: ChatHome) -> None:
    with home.running([failure("another run uses the session; wait", "UNAVAILABLE", code="SESSION_BUSY")]):
        found = home.run("agent", "-m", "hi", "--json")
    assert found.exit_code == 1
    assert found.stderr == "clawgate: another run uses the session; wait\n"
    assert json.loads(found.stdout) == {
        "ok": False,
        "error": "another run uses the session; wait",
        "status": "error",
        "code": "session_busy",
    }


def test_a_reply_that_breaks_off_is_an_error_behind_what_came(home: ChatHome) -> None:
    with home.running([accepted(), *texts("half"), closes(1012, "service restart")]):
        found = home.run("agent", "-m", "hi", "--stream")
        whole = home.run("agent", "-m", "hi")
    assert (found.exit_code, found.stdout) == (1, "half\n")
    assert found.stderr == (
        "clawgate: the gateway closed the connection (1012: service restart); its run may continue: "
        "its reply is then in: clawgate sessions show agent:main:a#b\n"
    )
    assert (whole.exit_code, whole.stdout) == (1, "")


def test_ctrl_c_cancels_the_run(home: ChatHome, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Conversation, "send", interrupted)
    with home.running(REPLY):
        found = home.run("agent", "-m", "hi")
    assert (found.exit_code, found.stdout, found.stderr) == (130, "", "Cancelled.\n")
