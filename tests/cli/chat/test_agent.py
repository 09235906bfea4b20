"""`clawgate agent` sends one message and prints the reply and nothing else, or why there is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clawgate.cli.chat.conversation import Conversation
from tests.cli.chat.running_gateway import TOKEN, ChatHome
from tests.processes.instance.raw_gateway import content, failure, stream

REPLY = stream(
    content("hel"), content("lo"), lines=b"x-clawgate-run: r1\r\nx-clawgate-session: agent:main:a%23b\r\n"
)


@pytest.mark.parametrize("options", [[], ["--stream"]])
def test_the_reply_alone_is_printed(home: ChatHome, options: list[str]) -> None:
    with home.running(REPLY) as gateway:
        found = home.run("agent", "--message", "hi", *options)
        ((headers, body),) = gateway.requests
    assert (found.exit_code, found.stdout, found.stderr) == (0, "hello\n", "")
    assert headers["authorization"] == f"Bearer {TOKEN}"
    assert headers["x-openclaw-session-key"] == "main" and "x-openclaw-model" not in headers
    assert (body["model"], body["messages"]) == ("openclaw", [{"role": "user", "content": "hi"}])


def test_agent_session_and_model_are_chosen_by_the_request(home: ChatHome) -> None:
    options = ("--agent", "coder", "--session", "work", "--model", "owl/qwen")
    with home.running(REPLY) as gateway:
        assert home.run("agent", "-m", "hi", *options).exit_code == 0
        ((headers, body),) = gateway.requests
    assert body["model"] == "openclaw/coder"
    assert (headers["x-openclaw-session-key"], headers["x-openclaw-model"]) == ("work", "owl/qwen")


def test_json_has_the_shape_of_openclaw(home: ChatHome) -> None:
    with home.running(REPLY):
        output: dict[str, Any] = json.loads(home.run("agent", "-m", "hi", "--json").stdout)
    meta = output["result"]["meta"]
    assert isinstance(meta.pop("durationMs"), int)
    assert output == {
        "runId": "r1",
        "status": "ok",
        "summary": "completed",
        "result": {
            "payloads": [{"text": "hello", "mediaUrl": None}],
            "meta": {
                "agentMeta": {
                    "sessionId": "agent:main:a#b",
                    "provider": None,
                    "model": None,
                    "usage": {"input": 11, "output": 5, "cacheRead": 3, "total": 16},
                }
            },
        },
    }


def test_a_message_may_come_from_standard_input(home: ChatHome) -> None:
    with home.running(REPLY) as gateway:
        assert home.run("agent", "--message", "-", typed="two\nlines\n").exit_code == 0
        assert gateway.requests[0][1]["messages"][0]["content"] == "two\nlines\n"


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
    with home.running(failure(429, "another run uses the session; wait", "session_busy")):
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
    with home.running(stream(content("half"), ends=False)):
        found = home.run("agent", "-m", "hi", "--stream")
        whole = home.run("agent", "-m", "hi")
    assert (found.exit_code, found.stdout) == (1, "half\n") and "ended before it was complete" in found.stderr
    assert (whole.exit_code, whole.stdout) == (1, "")


def test_ctrl_c_cancels_the_run(home: ChatHome, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Conversation, "send", interrupted)
    with home.running(REPLY):
        found = home.run("agent", "-m", "hi")
    assert (found.exit_code, found.stdout, found.stderr) == (130, "", "Cancelled.\n")


def test_a_database_that_cannot_be_read_costs_no_reply(home: ChatHome) -> None:
    (home.state / "clawgate").mkdir(mode=0o700)
    (home.state / "clawgate" / "state.db").write_bytes(b"no database at all, but longer than the magic")
    with home.running(REPLY):
        found = home.run("agent", "-m", "hi", "--json")
    assert (found.exit_code, found.stderr) == (0, "")
    assert json.loads(found.stdout)["result"]["payloads"][0]["text"] == "hello"
