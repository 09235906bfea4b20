"""The header names the model that served the request, if that is another one than was requested."""

from __future__ import annotations

import json

import pytest

from clawgate.relay.response.served_model import ServedModelFilter
from clawgate.wire.sse.reader import EventReader

LINES = b"x-one: 1\r\nx-clawgate-model: opus\r\nx-two: 2\r\n"


def made(sent: str) -> tuple[ServedModelFilter, list[str]]:
    others: list[str] = []
    served = ServedModelFilter(
        sent, "opus", lambda name: f"x-clawgate-model: {name}\r\n".encode(), others.append
    )
    return served, others


def stream(*models: object) -> bytes:
    events: list[dict[str, object]] = [{"type": "ping"}]
    events += [{"type": "message_start", "message": {"model": model}} for model in models]
    return b"".join(f"event: x\ndata: {json.dumps(one)}\n\n".encode() for one in events)


def test_another_model_is_named_and_reported_once() -> None:
    served, others = made("claude-opus-4-6")
    events = EventReader().feed(stream("claude-opus-4-7", "claude-opus-4-8"))
    assert [passed for event in events for passed in served.feed(event)] == events
    assert list(served.close()) == [] and others == ["claude-opus-4-7"]
    assert served.corrected(LINES) == LINES.replace(b"opus", b"claude-opus-4-7")


def test_a_whole_body_names_it_as_well() -> None:
    served, others = made("claude-opus-4-6")
    served.read(b'{"type":"message","model":"claude-sonnet-4-6","content":[]}')
    assert others == ["claude-sonnet-4-6"] and b"claude-sonnet-4-6" in served.corrected(LINES)


@pytest.mark.parametrize(
    "name",
    [
        "claude-opus-4-6",
        "claude-opus-4.6",
        "claude-opus-4-6-20260205",
        "claude-opus-4-6[1m]",
        "Claude-Opus-4-6",
    ],
)
def test_a_spelling_of_the_same_model_is_no_other(name: str) -> None:
    served, others = made("claude-opus-4-6")
    served.read(json.dumps({"model": name}).encode())
    assert others == [] and served.corrected(LINES) == LINES


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{",
        b'{"model":7}',
        b'{"message":"x"}',
        b'{"model":""}',
        b'{"model":"<synthetic>"}',
        b"\xff",
    ],
)
def test_what_names_no_model_changes_nothing(data: bytes) -> None:
    served, others = made("claude-opus-4-6")
    served.read(data)
    assert others == [] and served.corrected(LINES) == LINES
