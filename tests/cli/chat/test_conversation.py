"""Errors of a message name what to do at this machine."""

from __future__ import annotations

import pytest

from clawgate.cli.chat.conversation import Conversation, Reply
from clawgate.cli.paths import find_paths
from clawgate.policy.path_routing import AGENTS_SWITCH
from clawgate.processes.instance.chat_client import ChatFailed
from clawgate.processes.instance.instance_lock import Instance
from clawgate.routing.gateway_router import agents_off
from tests.cli.chat.running_gateway import ChatHome
from tests.processes.instance.raw_gateway import called, chunk, content, failure, stream


def send(on_text: list[str] | None = None, on_call: list[str] | None = None) -> Reply:
    texts: list[str] = [] if on_text is None else on_text
    calls: list[str] = [] if on_call is None else on_call
    return Conversation(find_paths(), None, "", "main", None).send("hi", texts.append, calls.append)


def test_text_and_calls_are_passed_on_as_they_come(home: ChatHome) -> None:
    refusal = chunk(choices=[{"index": 0, "delta": {"refusal": "no"}, "finish_reason": None}])
    texts: list[str] = []
    calls: list[str] = []
    with home.running(stream(content("a"), called("get_weather"), content("b"), refusal)):
        reply = send(texts, calls)
    assert (texts, calls, reply.text) == (["a", "b", "no"], ["get_weather"], "abno")


@pytest.mark.parametrize(
    ("message", "code", "expected"),
    [
        (
            agents_off("openclaw").message,
            "model_not_found",
            f"agents are off; turn them on with: clawgate config set {AGENTS_SWITCH} true",
        ),
        ("the token is unknown", "invalid_token", "the token is unknown; see: clawgate gateway token"),
        ("Unknown agent 'x'.", "invalid_request", "Unknown agent 'x'."),
    ],
)
def test_an_error_has_its_next_step(home: ChatHome, message: str, code: str, expected: str) -> None:
    with home.running(failure(404, message, code)), pytest.raises(ChatFailed) as failed:
        send()
    assert (failed.value.message, failed.value.code) == (expected, code)


def test_a_gateway_that_starts_is_not_sent_to(home: ChatHome) -> None:
    instance = Instance.claim(home.state / "clawgate")
    try:
        with pytest.raises(ChatFailed, match="still starting; see: clawgate gateway status"):
            send()
    finally:
        instance.release()


def test_a_gateway_that_was_restarted_is_found_again(home: ChatHome) -> None:
    for text in ("one", "two"):
        with home.running(stream(content(text))):
            assert send().text == text


def test_without_a_token_none_is_sent(home: ChatHome) -> None:
    home.config.write_text(
        home.config.read_text().replace('auth: { token: "', 'auth: { mode: "none" }, x: { y: "')
    )
    with home.running(stream()) as gateway:
        send()
        assert "authorization" not in gateway.requests[0][0]
