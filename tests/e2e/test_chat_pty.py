"""A person at a real terminal talks with an agent of a real gateway: Ctrl-C ends a reply, and not the chat."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.gateway_home import Home
from tests.e2e.terminal import terminal
from tests.processes.instance.raw_gateway import RawGateway, chunk, content, stream

MODEL = [stream(content("It is **he"), content("re**.\n")), stream(content("half\n\n"), ends=False)[:-1]]
"""A reply, then one that does not end."""


@pytest.fixture
def model() -> Iterator[RawGateway]:
    with RawGateway(*MODEL, holds=True) as found:
        yield found


@pytest.fixture
def home(tmp_path: Path, model: RawGateway) -> Iterator[Home]:
    found = Home(tmp_path)
    found.configure(upstream=model.port, http={"endpoints": {"chatCompletions": {"enabled": True}}})
    assert found.gateway("start").returncode == 0
    yield found
    found.close()


@pytest.mark.parametrize("term", ["dumb", "xterm"])
def test_ctrl_c_cancels_the_run_and_the_chat_continues(home: Home, model: RawGateway, term: str) -> None:
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    words = [sys.executable, "-m", "clawgate", "chat", "--session", "work"]
    with terminal(words, home.folder, kept | {"HOME": str(home.folder), "TERM": term}, columns=80) as person:
        person.until("> ")
        person.type("where?\n")
        person.until("It is")
        assert ("**here**" in person.until("> ")) is (term == "dumb")
        model.left.clear()
        person.type("and then?\n")
        person.until("half")
        person.type("\x03")
        person.until("(cancelled; Ctrl-D ends)")
        assert model.left.wait(120), "the model still works for nobody"
        person.until("> ")
        person.interrupt("(cancelled; Ctrl-D ends)")
        person.until("> ")
        person.type("/help\n")
        person.until("/new")
        # The list has a "> " of its own, and it is shown twice; before the prompt the terminal would lose the key.
        person.ends_with("> ")
        person.type("\x04")
        assert person.end() == 0
    history = home.state / "clawgate" / "chat-history"
    assert history.read_text().splitlines() == ["where?", "and then?", "/help"]
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    shown = home.run("sessions", "show", "work").stdout
    assert "assistant (interrupted)\n  half" in shown and "It is **here**." in shown


def fetches() -> list[bytes]:
    """A model that calls `web_fetch` with what is no URL."""
    function = {"name": "web_fetch", "arguments": '{"url": "nowhere\\u001b[2J"}'}
    call = {"index": 0, "id": "1", "type": "function", "function": function}
    return stream(chunk(choices=[{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}]))


@pytest.mark.parametrize("term", ["dumb", "xterm"])
def test_a_call_is_approved_or_refused_at_the_terminal(tmp_path: Path, term: str) -> None:
    """What was typed before the question approves nothing, and Ctrl-C refuses the call and not the run."""
    replies = [part for text in ("one", "two", "three") for part in (fetches(), stream(content(text)))]
    home = Home(tmp_path)
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    words = [sys.executable, "-m", "clawgate", "chat", "--session", "work"]
    with RawGateway(*replies) as model:
        home.configure(upstream=model.port, http={"endpoints": {"chatCompletions": {"enabled": True}}})
        config = json.loads((home.state / "openclaw.json").read_text())
        own = {"entries": {"clawgate": {"config": {"agents": {"main": {"approveTools": "all"}}}}}}
        home.write(json.dumps(config | {"tools": {"web": {"fetch": {}}}, "plugins": own}))
        assert home.gateway("start").returncode == 0
        try:
            with terminal(
                words, home.folder, kept | {"HOME": str(home.folder), "TERM": term}, columns=200
            ) as person:
                for typed, text in (("y\n", "one"), ("\n", "two"), ("\x03", "three")):
                    person.until("> ")
                    person.type("hi\n")
                    shown = person.until("[y/N]")
                    assert "web_fetch" in shown and "nowhere" in shown and "\x1b[2J" not in shown
                    person.type(typed)
                    assert ("(refused)" in person.until(text)) is (text != "one")
                person.until("> ")
                person.type("\x04")
                assert person.end() == 0
        finally:
            home.close()
        results = [
            body["messages"][-1]["content"]
            for _, body in model.requests
            if body["messages"][-1]["role"] == "tool"
        ]
    assert ["was not run" in result for result in results] == [False, True, True]


def test_a_message_is_sent_to_the_gateway_that_runs(home: Home) -> None:
    done = home.run("agent", "--message", "where?")
    assert (done.returncode, done.stdout, done.stderr) == (0, "It is **here**.\n", "")
    assert home.run("usage").stdout.splitlines()[1].split()[:5] == ["main", "1", "11", "3", "5"]
    meta = json.loads(home.run("agent", "--message", "/status", "--json").stdout)["result"]["meta"][
        "agentMeta"
    ]
    assert (meta["sessionId"], meta["provider"]) == ("agent:main:main", None)


def test_json_names_the_model_that_served_it(home: Home) -> None:
    output = json.loads(home.run("agent", "--message", "where?", "--json").stdout)
    meta = output["result"]["meta"]["agentMeta"]
    assert (meta["provider"], meta["model"]) == ("local", "m")


def half(process: subprocess.Popen[bytes]) -> None:
    """Return once the reply has begun."""
    assert process.stdout is not None
    assert process.stdout.readline() == b"half\n"


@pytest.fixture
def hangup_ends() -> Iterator[None]:
    """As at a terminal: programs that `nohup` started ignore it, and so do those that they start."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("hangup_ends")
@pytest.mark.parametrize(
    ("number", "status", "said"),
    [
        (signal.SIGINT, 130, b"Cancelled.\n"),
        (signal.SIGTERM, 143, b""),
        (signal.SIGHUP, 129, b""),
    ],
)
def test_a_signal_ends_the_run_of_one_message_and_frees_the_model(
    home: Home, model: RawGateway, number: signal.Signals, status: int, said: bytes
) -> None:
    home.run("agent", "--message", "where?")
    model.left.clear()
    with home.begin("agent", "--message", "and then?", "--stream") as process:
        half(process)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (status, said)
    assert model.left.wait(120), "the model still works for nobody"
    assert "assistant (interrupted)" in home.run("sessions", "show", "main").stdout


def test_a_gateway_that_dies_during_a_reply_is_an_error_with_the_next_step(home: Home) -> None:
    home.run("agent", "--message", "where?")
    with home.begin("agent", "--message", "and then?", "--stream") as process:
        half(process)
        home.close()
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors.decode() == (
        "clawgate: the connection to the gateway was lost; its run may continue: "
        "its reply is then in: clawgate sessions show agent:main:main\n"
    )
