"""Errors of a message name what to do at this machine, and a message that is left stops its run."""

from __future__ import annotations

import pytest

from clawgate.cli.chat.conversation import Conversation, Reply
from clawgate.cli.paths import find_paths
from clawgate.policy.path_routing import AGENTS_SWITCH
from clawgate.processes.instance.gateway_client import GatewayCallFailed, GatewayLost
from clawgate.processes.instance.instance_lock import Instance
from clawgate.routing.gateway_router import agents_off
from tests.cli.chat.running_gateway import ChatHome
from tests.processes.instance.fake_gateway import (
    Frames,
    accepted,
    closes,
    failure,
    ok,
    reply,
    result,
    run_event,
    texts,
)


def send(
    on_text: list[str] | None = None, on_call: list[str] | None = None, of: Reply | None = None
) -> Reply:
    spoken: list[str] = [] if on_text is None else on_text
    calls: list[str] = [] if on_call is None else on_call
    found = of or Reply("hi")
    Conversation(find_paths(), None, "", "main", None).send(found, spoken.append, calls.append)
    return found


def test_text_and_calls_are_passed_on_as_they_come(home: ChatHome) -> None:
    frames = [
        accepted(), run_event("assistant", text="a", delta="a"), run_event("tool", phase="start", name="get_weather"),
        run_event("tool", phase="result", name="get_weather"), run_event("assistant", text="ab", delta="b"),
        result("b"),
    ]  # fmt: skip
    spoken: list[str] = []
    calls: list[str] = []
    with home.running(frames):
        found = send(spoken, calls)
    assert (spoken, calls, found.text) == (["a", "b"], ["get_weather"], "ab")


def test_a_refusal_is_text(home: ChatHome) -> None:
    with home.running([accepted(), result("I will not.")]):
        assert send().text == "I will not."


def test_the_events_of_another_run_of_the_caller_are_not_of_this_one(home: ChatHome) -> None:
    (other,) = texts("not mine")
    other["payload"]["runId"] = "another"
    with home.running([accepted(), other, *texts("mine"), result("mine")]):
        assert send().text == "mine"


@pytest.mark.parametrize(
    ("message", "code", "expected"),
    [
        (
            agents_off("openclaw").message,
            "model_not_found",
            f"agents are off; turn them on with: clawgate config set {AGENTS_SWITCH} true",
        ),
        ("the token is unknown", "auth_token_mismatch", "the token is unknown; see: clawgate gateway token"),
        ("Unknown agent 'x'.", "invalid_request", "Unknown agent 'x'."),
        (
            "rate limit: up/m responded with 429: slow down.",
            "upstream_failed",
            (
                "rate limit: up/m responded with 429: slow down (upstream_failed); see: clawgate models status, "
                "or choose another model with --model"
            ),
        ),
    ],
)
def test_an_error_has_its_next_step(home: ChatHome, message: str, code: str, expected: str) -> None:
    with home.running([failure(message, code=code.upper())]), pytest.raises(GatewayCallFailed) as failed:
        send()
    assert (failed.value.message, failed.value.code) == (expected, code)


def test_a_gateway_that_starts_is_not_sent_to(home: ChatHome) -> None:
    instance = Instance.claim(home.state / "clawgate")
    try:
        with pytest.raises(GatewayCallFailed, match="still starting; see: clawgate gateway status"):
            send()
    finally:
        instance.release()


def test_a_gateway_that_was_restarted_is_found_again(home: ChatHome) -> None:
    for text in ("one", "two"):
        with home.running(reply(text)):
            assert send().text == text


def test_without_a_token_none_is_sent(home: ChatHome) -> None:
    home.config.write_text(
        home.config.read_text().replace('auth: { token: "', 'auth: { mode: "none" }, x: { y: "')
    )
    with home.running(reply("a")) as gateway:
        send()
        assert gateway.params("connect")[0]["auth"] == {}


@pytest.mark.parametrize("reason", [KeyboardInterrupt, BrokenPipeError])
def test_a_message_that_is_left_stops_its_run(home: ChatHome, reason: type[BaseException]) -> None:
    def leave(text: str) -> None:
        raise reason

    of = Reply("hi")
    with home.running([accepted(), *texts("half")]) as gateway, pytest.raises(reason):
        Conversation(find_paths(), None, "coder", "work", None).send(of, leave)
    wanted = {"sessionKey": "work", "agentId": "coder", "runId": of.run}
    assert gateway.params("chat.abort") == [wanted]


def test_a_run_that_only_begins_when_it_is_left_is_stopped_too(
    home: ChatHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is nothing to stop yet at the first request."""
    monkeypatch.setattr("clawgate.cli.chat.conversation._ABORT_PAUSE_SECONDS", 0)
    stopped = [False, False, True, True]

    def leave(text: str) -> None:
        raise KeyboardInterrupt

    def others(method: str, params: dict[str, object]) -> Frames:
        return [ok({"aborted": stopped.pop(0)})]

    with home.running(texts("half"), others=others) as gateway, pytest.raises(KeyboardInterrupt):
        Conversation(find_paths(), None, "", "main", None).send(Reply("hi"), leave)
    assert len(gateway.params("chat.abort")) == 3


def test_every_message_has_a_key_of_its_own(home: ChatHome) -> None:
    with home.running(reply("a")) as gateway:
        first, second = send(), send()
        keys = [params["idempotencyKey"] for params in gateway.params("agent")]
    assert keys == [first.run, second.run] and first.run != second.run


def test_a_message_whose_connection_was_lost_is_resumed_without_a_second_run(home: ChatHome) -> None:
    """The first frame of a resumed run has the whole text; what was shown already is not shown again."""
    of, spoken = Reply("hi"), list[str]()
    again = [accepted(), run_event("assistant", text="half, whole", delta="whole"), result("half, whole")]
    with home.running([accepted(), *texts("half"), closes(1011)], again) as gateway:
        with pytest.raises(GatewayLost, match="1011"):
            send(spoken, of=of)
        send(spoken, of=of)
        first, second = gateway.params("agent")
    assert first == second and spoken == ["half", ", whole"]


def test_a_run_that_was_over_before_it_was_resumed_gives_the_rest(home: ChatHome) -> None:
    of, spoken = Reply("hi"), list[str]()
    with home.running([accepted(), *texts("half"), closes(1011)], [result("half and rest")]):
        with pytest.raises(GatewayLost):
            send(spoken, of=of)
        send(spoken, of=of)
    assert spoken == ["half", " and rest"]
