"""The demo's client calls an answer whole only if it is, and times hops over one connection each."""

from __future__ import annotations

import asyncio

import pytest

from demo.client import Hop, MessagesSender, Reply, Sender, time_hops
from demo.models import openai_server as model
from demo.models.anthropic_server import build_messages_model
from demo.models.openai_chat import reply_text, split
from tests.peers import faults
from tests.peers.script import Script
from tests.peers.upstream import FakeUpstream


def ask(script: Script) -> Reply:
    async def run() -> Reply:
        async with FakeUpstream(script) as upstream:
            sender = Sender(Hop("x", f"{upstream.url}/v1", {}), timeout=60)
            try:
                return await asyncio.to_thread(sender.ask, "m", "hello")
            finally:
                sender.close()

    return asyncio.run(run())


def test_whole() -> None:
    """A whole stream has its text, with separators that are not line ends, and no error."""
    answer = ask(faults.sse_response())
    assert (answer.text, answer.error) == (faults.CHAT_TEXT, "")
    assert 0 < answer.first_byte <= answer.total


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (faults.cut_mid_chunk(), "IncompleteRead"),
        (faults.cut(faults.sse_bytes(), 0), "RemoteDisconnected"),
        (faults.sse_response(faults.CHAT_FRAMES[:-1]), "without a finish reason and its last event"),
        (faults.sse_response((*faults.CHAT_FRAMES[:3], b"data: [DONE]\n\n")), "without a finish reason"),
        (faults.error_mid_stream(message="overloaded"), "overloaded"),
        (faults.rate_limited(), "status 429"),
        (faults.garbage_head(), "BadStatusLine"),
    ],
)
def test_not_whole(script: Script, says: str) -> None:
    """Whatever goes wrong is an error that says what, and never an exception."""
    assert says in ask(script).error


def test_words_are_shown_as_they_arrive() -> None:
    """`show` gets each word on its own."""
    shown: list[str] = []
    with model.running(model.build_model()) as url:
        sender = Sender(Hop("model", f"{url}/v1", {}))
        answer = sender.ask("clawgate-demo", "hello", shown.append)
        sender.close()
    assert [word for word in shown if word] == list(split(reply_text("hello")))
    assert answer.text == reply_text("hello")


def test_anthropics_dialect_is_read_as_well() -> None:
    """The same text, and a stream that breaks is not whole; the prefix stands before the model's name."""
    headers = {"x-api-key": "k", "anthropic-version": "2023-06-01"}
    with model.running(build_messages_model()) as url:
        sender = MessagesSender(Hop("claude", f"{url}/v1", headers))
        assert (whole := sender.ask("m", "hello")).error == ""
        assert whole.text == reply_text("hello")
        assert "requests" in sender.ask("error-in-stream", "hello").error
        assert "IncompleteRead" in sender.ask("cut-in-stream", "hello").error
        sender.close()
        prefixed = MessagesSender(Hop("claude", f"{url}/v1", headers, "error-"))
        assert "status 529" in prefixed.ask("529", "hello").error
        prefixed.close()


def test_hops_are_timed_in_turn() -> None:
    """Each hop gets the warm-up and every round, and each round begins with another hop."""
    app = model.build_model()
    with model.running(app) as url:
        hops = [Hop(name, f"{url}/v1", {"X-Hop": name}) for name in ("a", "b")]
        timings = time_hops(hops, "delay-0", "hello", rounds=3, warm_up=1)
    assert [timing.hop.name for timing in timings] == ["a", "b"]
    assert all(0 < timing.fastest <= timing.first_byte <= timing.total for timing in timings)
    assert [dict(seen.headers)["x-hop"] for seen in app.state.seen] == ["a", "b", "b", "a"] * 2


def test_a_failing_hop_is_named() -> None:
    """A hop that fails ends the timing with its name."""
    with (
        model.running(model.build_model(api_key="k")) as url,
        pytest.raises(RuntimeError, match=r"^b: .*401"),
    ):
        time_hops([Hop("b", f"{url}/v1", {})], "delay-0", "hello")
