"""`--local` runs an agent without a gateway, with the sessions of one, and leaves nothing behind but these."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.gateway_home import TOKEN, Home
from tests.processes.instance.raw_gateway import RawGateway, content, failure, stream

SEND = ("agent", "--message", "hi")


@pytest.fixture
def model() -> Iterator[RawGateway]:
    with RawGateway(stream(content("hello"))) as found:
        yield found


@pytest.fixture
def own(tmp_path: Path, model: RawGateway) -> Iterator[Home]:
    """Agents are off."""
    found = Home(tmp_path)
    found.configure(upstream=model.port)
    yield found
    found.close()


def test_it_needs_no_gateway_and_leaves_none(own: Home, model: RawGateway) -> None:
    done = own.run(*SEND, "--local")
    assert (done.returncode, done.stdout, done.stderr) == (0, "hello\n", "")
    assert own.find_instance() is None and len(model.requests) == 1
    assert own.run(*SEND).returncode == 1  # agents are off, and no gateway runs


def test_a_chat_is_local_too(own: Home) -> None:
    done = own.run("chat", "--local")  # its standard input is at the end
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("auth", "caller"),
    [
        ({"token": TOKEN}, "token"),
        ({}, "token"),
        ({"password": TOKEN}, "password"),
        ({"mode": "none"}, "-"),
        ({"mode": "trusted-proxy", "trustedProxy": {"userHeader": "x-user"}}, "token"),
    ],
)
def test_sessions_are_those_of_the_gateway_s_caller(
    own: Home, model: RawGateway, auth: Any, caller: str
) -> None:
    proxies = {"trustedProxies": ["10.0.0.1"]} if auth.get("mode") == "trusted-proxy" else {}
    own.configure(upstream=model.port, auth=auth, **proxies)
    done = own.run(*SEND, "--local")
    assert (done.returncode, done.stdout) == (0, "hello\n"), done.stderr
    (session,) = json.loads(own.run("sessions", "--json").stdout)["sessions"]
    assert (session["caller"], session["turns"]) == (caller, 2)


def test_a_running_gateway_is_used_rather_than_disturbed(own: Home) -> None:
    assert own.gateway("start").returncode == 0
    done = own.run(*SEND, "--local", "--json")
    assert done.returncode == 1 and "a gateway is running" in json.loads(done.stdout)["error"]
    assert own.find_instance() is not None


def test_what_fails_there_is_one_line(own: Home) -> None:
    with RawGateway(failure(400, "it is wrong", "bad")) as refusing:
        own.configure(upstream=refusing.port)
        done = own.run(*SEND, "--local")
    assert (done.returncode, done.stdout) == (1, "") and done.stderr.count("\n") == 1
    assert "it is wrong" in done.stderr and own.find_instance() is None


def test_an_unusable_config_is_status_2(own: Home) -> None:
    own.write("{")
    assert own.run(*SEND, "--local").returncode == 2
