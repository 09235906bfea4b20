"""`clawgate chat` without a terminal: each line is a message. At a terminal: tests/e2e/test_chat_pty.py."""

from __future__ import annotations

from tests.cli.chat.running_gateway import ChatHome
from tests.processes.instance.raw_gateway import called, content, failure, stream


def test_each_line_is_a_message_of_one_session(home: ChatHome) -> None:
    with home.running(stream(content("one")), stream(called("look_up"), content("two"))) as gateway:
        found = home.run("chat", "--session", "work", typed="/help\n\n  hello \n/exit\nnot sent\n")
        messages = [body["messages"][0]["content"] for _, body in gateway.requests]
        sessions = {headers["x-openclaw-session-key"] for headers, _ in gateway.requests}
    assert (found.exit_code, found.stdout, found.stderr) == (0, "one\ntwo\n", "-> look_up\n")
    assert (messages, sessions) == (["/help", "hello"], {"work"})


def test_a_message_that_fails_is_one_line_and_the_chat_continues(home: ChatHome) -> None:
    with home.running(failure(400, "it is wrong", "invalid_request"), stream(content("two"))):
        found = home.run("chat", typed="a\nb\n")
    assert (found.exit_code, found.stdout, found.stderr) == (1, "two\n", "clawgate: it is wrong\n")


def test_without_a_gateway_it_does_not_begin(home: ChatHome) -> None:
    found = home.run("chat", typed="a\n")
    assert found.exit_code == 1 and "start one with: clawgate gateway start" in found.stderr


def test_a_line_that_is_not_text_ends_it(home: ChatHome) -> None:
    with home.running(stream()) as gateway:
        found = home.run("chat", typed=b"\xff\n")
        assert gateway.requests == [] and found.exit_code == 1 and "is not UTF-8" in found.stderr
