"""Whatever a model answers, and however its server sends it: the client sees that answer, or sees that it broke.

Each example is an answer, a legal stream of it in either dialect, spelled and cut into segments at random, and a way to
end. What the client has to see follows from the answer and from what was sent of it, read by the tests' own reader.
``CLAWGATE_FUZZ_EXAMPLES`` sets the number of examples; a long run wants ``--timeout 0`` as well.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.e2e.stand import run
from tests.e2e.stream_script import (
    LANES,
    Dialect,
    Framing,
    JudgedHooks,
    Lane,
    StreamScript,
    Truth,
    ask,
    broken_promises,
    config,
    read,
    scripted,
)
from tests.fuzz.answers import Answer, answers, chat_events, message_events, response_events, streams
from tests.peers.response import Response
from tests.peers.upstream import FakeUpstream
from tests.routing.gateway_server import serving_gateway

EXAMPLES = int(os.environ.get("CLAWGATE_FUZZ_EXAMPLES", "100"))
STREAMS: dict[Dialect, Callable[[Answer], st.SearchStrategy[list[object]]]] = {
    "m": message_events,
    "o": chat_events,
    "r": response_events,
}
ERRORS: dict[Dialect, dict[str, Any]] = {
    "m": {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
    "o": {"error": {"message": "Overloaded", "type": "server_error"}},
    "r": {"type": "error", "code": "server_error", "message": "Overloaded"},
}


@dataclass(frozen=True, slots=True)
class Example:
    """An answer and a stream of it; ``whole``: all of it is sent, and ended in order."""

    answer: Answer
    script: StreamScript
    lane: Lane
    whole: bool


@st.composite
def examples(draw: st.DrawFn) -> Example:
    """Whole streams, streams cut at any byte, and streams with an error event anywhere."""
    answer = draw(answers())
    upstream: Dialect = draw(st.sampled_from(get_args(Dialect)))
    events = draw(STREAMS[upstream](answer))
    fate = draw(st.sampled_from(["whole", "whole", "cut", "ends early", "error", "error last"]))
    if fate.startswith("error"):
        place = draw(st.integers(0, len(events) - 1))
        events.insert(place, ERRORS[upstream])
        del events[place + 1 if fate == "error last" else len(events) :]
    wire = draw(streams(events))
    if fate in ("cut", "ends early"):
        wire = wire[: draw(st.integers(0, len(wire) - 1))]
    places = sorted(draw(st.sets(st.integers(1, max(1, len(wire) - 1)), max_size=6)))
    bounds = [0, *places, len(wire)]
    pieces = [wire[start:end] for start, end in itertools.pairwise(bounds) if end > start]
    script = scripted(
        fate,
        draw(st.sampled_from(get_args(Dialect))),
        upstream,
        pieces,
        framing=draw(st.sampled_from(get_args(Framing))),
        cut=fate == "cut",
        http=draw(st.sampled_from(["1.1", "1.1", "1.0"])),
    )
    return Example(answer, script, draw(st.sampled_from(LANES)), whole=fate == "whole")


def truth_of(answer: Answer) -> Truth:
    """What a client has to see of a whole answer."""
    calls = {number: [call.id, call.name, call.arguments] for number, call in enumerate(answer.calls)}
    usage = {"prompt": answer.prompt, "cached": answer.cached, "output": answer.output}
    return Truth(text=answer.text, thinking=answer.thinking, calls=calls, stop=answer.stop, usage=usage)


def wrong(example: Example, found: Response, how: str | None, trailing: bytes) -> Iterator[str]:
    """What differs from the answer, and which promises were broken."""
    yield from broken_promises(example.script, example.lane, found, how, trailing)
    if not example.whole:
        return
    got, expected = read(found.body + found.partial), truth_of(example.answer)
    if got.says() != expected.says():
        yield f"not the answer: {got.says()}"
    if (got.stop, got.usage) != (expected.stop, expected.usage):
        yield f"stops for {got.stop} with {got.usage}"


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(examples())
def test_the_client_sees_the_answer_or_that_it_broke(tmp_path: Path, example: Example) -> None:
    async def work() -> None:
        async with (
            FakeUpstream(example.script.steps()) as upstream,
            serving_gateway(tmp_path, config({example.script.upstream: upstream.url})) as stand,
        ):
            stand.role.router.hooks = JudgedHooks()
            assert list(wrong(example, *await ask(stand, example.script, example.lane))) == []
            await stand.quiet()

    run(work())


@given(answers(), st.data())
def test_the_generator_and_the_reader_agree(answer: Answer, data: st.DataObject) -> None:
    """Two readings of one answer: without this, the claims above could hold for nothing."""
    for events_of in STREAMS.values():
        wire = data.draw(streams(data.draw(events_of(answer))))
        got, expected = read(wire), truth_of(answer)
        assert got.says() == expected.says() and got.stop == expected.stop and got.usage == expected.usage
        assert not got.errors and got.finished
