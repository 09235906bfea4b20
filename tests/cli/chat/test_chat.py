"""`clawgate chat` without a terminal: each line is a message. At a terminal: tests/e2e/test_chat_pty.py."""

from __future__ import annotations

from tests.cli.chat.running_gateway import ChatHome
from tests.processes.instance.fake_gateway import accepted, closes, failure, reply, result, run_event, texts


def test_each_line_is_a_message_of_one_session(home: ChatHome) -> None:
    tool = run_event("tool", phase="start", name="look_up")
    with home.running(reply("one"), [accepted(), tool, *texts("two"), result("two")]) as gateway:
        found = home.run("chat", "--session", "work", typed="/help\n\n  hello \n/exit\nnot sent\n")
        messages = [params["message"] for params in gateway.params("agent")]
        sessions = {params["sessionKey"] for params in gateway.params("agent")}
    assert (found.exit_code, found.stdout, found.stderr) == (0, "one\ntwo\n", "-> look_up\n")
    assert (messages, sessions) == (["/help", "hello"], {"work"})


def test_a_message_that_fails_is_one_line_and_the_chat_continues(home: ChatHome) -> None:
    with home.running([failure("it is wrong")], reply("two")):
        found = home.run("chat", typed="a\nb\n")
    assert (found.exit_code, found.stdout, found.stderr) == (1, "two\n", "clawgate: it is wrong\n")


def test_without_a_gateway_it_does_not_begin(home: ChatHome) -> None:
    found = home.run("chat", typed="a\n")
    assert found.exit_code == 1 and "start one with: clawgate gateway start" in found.stderr


def test_a_line_that_is_not_text_ends_it(home: ChatHome) -> None:
    with home.running(reply("x")) as gateway:
        found = home.run("chat", typed=b"\xff\n")
        assert gateway.requests == [] and found.exit_code == 1 and "is not UTF-8" in found.stderr


def test_a_reply_that_was_lost_is_resumed_once_by_its_key(home: ChatHome) -> None:
    with home.running([accepted(), *texts("half"), closes(1011)], [result("half, whole")]) as gateway:
        found = home.run("chat", typed="a\n/resume\n/resume\n")
        keys = {params["idempotencyKey"] for params in gateway.params("agent")}
    assert (found.stdout, len(keys), len(gateway.params("agent"))) == ("half\n, whole\n", 1, 2)
    assert "(1011); its run may continue: to get the rest of the reply, type /resume" in found.stderr
    assert "/resume: no reply was lost" in found.stderr
