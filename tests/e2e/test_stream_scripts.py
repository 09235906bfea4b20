"""A cut stream never looks finished, a whole one is never cut, and no credential of ours goes back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import pytest

from tests.e2e.stand import run
from tests.e2e.stream_script import (
    LANES,
    SECRET,
    SHORT_SECRET,
    Dialect,
    Framing,
    JudgedHooks,
    Lane,
    StreamScript,
    ask,
    config,
    keepalives,
    problems,
    recorded,
    scripted,
)
from tests.peers.script import Trickle
from tests.peers.upstream import FakeUpstream
from tests.routing.gateway_server import serving_gateway
from tests.wire.exchanges import sse

MAGIC = 'event: message_stop\n\ndata: [DONE]\n\n"error": {"type":"error"} data: {"type":"message_stop"} finish_reason'
"""What a model may say about streams."""


def check(scripts: Sequence[StreamScript], lane: Lane, folder: Path) -> None:
    """Run scripts of one upstream dialect, one after the other."""

    async def work() -> None:
        async with (
            FakeUpstream(*[script.steps() for script in scripts]) as upstream,
            serving_gateway(folder, config({scripts[0].upstream: upstream.url})) as stand,
        ):
            stand.role.router.hooks = JudgedHooks()
            broken = {script.name: await problems(stand, script, lane) for script in scripts}
            assert not {name: found for name, found in broken.items() if found}
            await stand.quiet()

    run(work())


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("script", recorded(), ids=lambda script: script.name)
def test_a_recorded_stream_keeps_the_promises(script: StreamScript, lane: Lane, tmp_path: Path) -> None:
    """Streams that were once passed on wrongly, for each kind of provider."""
    check([script], lane, tmp_path)


# Neighbours: each kind of stream, in each framing, to each client.

START = {"type": "message_start", "message": {"id": "m", "role": "assistant", "content": [], "usage": {}}}
OPEN = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
CLOSE = {"type": "content_block_stop", "index": 0}
END = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}}
STOP = {"type": "message_stop"}
FAILED = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}


def text(words: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": words}}


def chunk(reason: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}


HALF_MESSAGE = (START, OPEN, text("half"), CLOSE)
HALF_CHAT = (chunk(role="assistant"), chunk(content="half"))
CHAT_FAILED = {"error": {"message": "Overloaded", "type": "server_error"}}
DONE = b"data: [DONE]\n\n"


def response(status: str, **more: Any) -> dict[str, Any]:
    whole: dict[str, Any] = {
        "id": "resp_1",
        "object": "response",
        "status": status,
        "output": [],
        "error": None,
        "model": "m",
    }
    return {
        "type": f"response.{status}" if status != "in_progress" else "response.created",
        "response": whole | more,
    }


ITEM = {"id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
ITEM_BEGUN = {"type": "response.output_item.added", "output_index": 0, "item": ITEM}
AT = {"output_index": 0, "item_id": "msg_1", "content_index": 0}


def words(said: str) -> dict[str, Any]:
    return {"type": "response.output_text.delta", "delta": said, **AT}


def written(said: str) -> tuple[dict[str, Any], ...]:
    """The events of a response that says this, without its end."""
    part = {"type": "output_text", "text": "", "annotations": []}
    return (
        response("in_progress"),
        ITEM_BEGUN,
        {"type": "response.content_part.added", "part": part, **AT},
        words(said),
    )


def ended(said: str, status: str = "completed", **more: Any) -> tuple[dict[str, Any], ...]:
    part = {"type": "output_text", "text": said, "annotations": []}
    item = {**ITEM, "status": status, "content": [part]}
    return (
        {"type": "response.output_text.done", "text": said, **AT},
        {"type": "response.content_part.done", "part": part, **AT},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        response(
            status, output=[item], usage={"input_tokens": 3, "output_tokens": 5, "total_tokens": 8}, **more
        ),
    )


HALF_RESPONSE = written("half")
WHOLE_RESPONSE = (*HALF_RESPONSE, *ended("half"))
TOO_LONG = {"incomplete_details": {"reason": "max_output_tokens"}}
ERROR_EVENT = {
    "type": "error",
    "code": "server_error",
    "message": "Overloaded",
    "error": {"message": "Overloaded"},
}
RESPONSE_FAILED = response("failed", error={"code": "server_error", "message": "Overloaded"})

STREAMS: dict[str, tuple[Dialect, tuple[dict[str, Any], ...], bytes]] = {
    "whole": ("m", (*HALF_MESSAGE, END, STOP), b""),
    "without a stop": ("m", (*HALF_MESSAGE, END), b""),
    "without a reason": ("m", (*HALF_MESSAGE, STOP), b""),
    "cut": ("m", HALF_MESSAGE, b""),
    "an error": ("m", (*HALF_MESSAGE, FAILED), b""),
    "an error, then the end": ("m", (*HALF_MESSAGE, FAILED, END, STOP), b""),
    "an error alone": ("m", (FAILED,), b""),
    "magic words": ("m", (START, OPEN, text(MAGIC), CLOSE, END, STOP), b""),
    "magic words, cut": ("m", (START, OPEN, text(MAGIC)), b""),
    "a credential": ("m", (START, OPEN, text(f"{SECRET} and {SHORT_SECRET}"), END), b""),
    "a comment behind the end": ("m", (*HALF_MESSAGE, END, STOP), b": bye\n\n: and"),
    "chat": ("o", (*HALF_CHAT, chunk("stop")), DONE),
    "chat without [DONE]": ("o", (*HALF_CHAT, chunk("stop")), b""),
    "chat without a reason": ("o", HALF_CHAT, DONE),
    "chat, cut": ("o", HALF_CHAT, b""),
    "chat, cut in an event": ("o", HALF_CHAT, b'data: {"choices":[{"delta":{"con'),
    "chat, an error": ("o", (*HALF_CHAT, CHAT_FAILED), b""),
    "chat, an error, then [DONE]": ("o", (*HALF_CHAT, CHAT_FAILED), DONE),
    "chat, an error alone": ("o", (CHAT_FAILED,), b""),
    "chat, magic words": ("o", (chunk(content=MAGIC), chunk("stop")), DONE),
    "chat, a credential": ("o", (chunk(content=f"{SECRET} and {SHORT_SECRET}"), chunk("stop")), DONE),
    "chat, an event of 70 kB": ("o", (chunk(content="x" * 70_000), chunk("stop")), DONE),
    "chat, a last [DONE] without its blank line": ("o", (*HALF_CHAT, chunk("stop")), DONE[:-2]),
    "response": ("r", WHOLE_RESPONSE, b""),
    "response, then [DONE]": ("r", WHOLE_RESPONSE, DONE),
    "response, incomplete": ("r", (*HALF_RESPONSE, *ended("half", "incomplete", **TOO_LONG)), b""),
    "response, a comment behind the end": ("r", WHOLE_RESPONSE, b": bye\n\n: and"),
    "response without its last event": ("r", WHOLE_RESPONSE[:-1], b""),
    "response without its last event, then [DONE]": ("r", WHOLE_RESPONSE[:-1], DONE),
    "response, cut": ("r", HALF_RESPONSE, b""),
    "response, cut in an event": ("r", HALF_RESPONSE, b'event: response.output_text.delta\ndata: {"type":"res'),
    "response, an error": ("r", (*HALF_RESPONSE, ERROR_EVENT), b""),
    "response, an error, then the end": ("r", (*HALF_RESPONSE, ERROR_EVENT, *ended("half")), b""),
    "response, an error alone": ("r", (ERROR_EVENT,), b""),
    "response, failed": ("r", (*HALF_RESPONSE, RESPONSE_FAILED), b""),
    "response, failed, then [DONE]": ("r", (*HALF_RESPONSE, RESPONSE_FAILED), DONE),
    "response, failed alone": ("r", (RESPONSE_FAILED,), b""),
    "response, failed at once": ("r", (response("in_progress"), RESPONSE_FAILED), b""),
    "response, magic words": ("r", (*written(MAGIC), *ended(MAGIC)), b""),
    "response, magic words, cut": ("r", written(MAGIC), b""),
    "response, a credential": (
        "r", (*written(f"{SECRET} and {SHORT_SECRET}"), *ended(f"{SECRET} and {SHORT_SECRET}")), b""),
}  # fmt: skip


def pieces_of(name: str) -> list[bytes]:
    _, events, rest = STREAMS[name]
    return [*(sse(event) for event in events), *([rest] if rest else [])]


def every_framing(upstream: Dialect) -> Iterator[StreamScript]:
    for name, (dialect, _, _) in STREAMS.items():
        for framing in get_args(Framing) if dialect == upstream else ():
            for client in get_args(Dialect):
                for cut in (False, True):
                    for http in ("1.1", "1.0"):
                        case = f"{name}, {framing}, cut: {cut}, to {client} in HTTP/{http}"
                        yield scripted(
                            case, client, dialect, pieces_of(name), framing=framing, cut=cut, http=http
                        )


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("upstream", get_args(Dialect))
def test_every_stream_keeps_the_promises_in_every_framing(
    upstream: Dialect, lane: Lane, tmp_path: Path
) -> None:
    """Also where the upstream announces a length, and where the client speaks HTTP/1.0."""
    check(list(every_framing(upstream)), lane, tmp_path)


def _type_last(event: bytes) -> bytes:
    name, _, data = event.partition(b"data: ")
    value = json.loads(data)
    kind = value.pop("type", None)
    return name + b"data: " + json.dumps(value | ({"type": kind} if kind else {})).encode() + b"\n\n"


SPELLINGS: dict[str, Callable[[bytes], bytes]] = {
    "no space": lambda event: event.replace(b"data: ", b"data:").replace(b"event: ", b"event:"),
    "no name": lambda event: event[event.index(b"data:") :],
    "CRLF": lambda event: event.replace(b"\n", b"\r\n"),
    "CR": lambda event: event.replace(b"\n", b"\r"),
    "no spaces in JSON": lambda event: event.replace(b'": ', b'":'),
    "type last": _type_last,
    "escaped": lambda event: event.replace(b'"type": "message_', b'"t\\u0079pe": "message\\u005f'),
    "the name behind the data": lambda event: b"\n".join([*reversed(event.strip().split(b"\n")), b"", b""]),
    "the name alone": lambda event: event.replace(b'"type": "message_stop"', b""),
    "two data lines": lambda event: event.replace(b"{", b"{\ndata: ", 1),
    "a comment within": lambda event: b": c\n" + event.replace(b"\ndata", b"\n: c\ndata"),
    "an id": lambda event: b"id: 7\nretry: 5\n" + event,
}


@pytest.mark.parametrize("lane", LANES)
def test_how_an_event_is_spelled_does_not_matter(lane: Lane, tmp_path: Path) -> None:
    scripts = [
        scripted(f"{spelling}: {name} to {client}", client, "m", list(map(spell, pieces_of(name))))
        for spelling, spell in SPELLINGS.items()
        for name in ("whole", "without a reason", "an error", "an error, then the end", "magic words")
        for client in get_args(Dialect)
        if spelling != "the name alone" or client == "m"  # a translator needs the type in the data
    ]
    check(scripts, lane, tmp_path)
    scripts = [
        scripted(f"{spelling}: {name} to {client}", client, "r", list(map(spell, pieces_of(name))))
        for spelling, spell in SPELLINGS.items()
        for name in (
            "response",
            "response, cut",
            "response, an error",
            "response, failed",
            "response, magic words",
        )
        for client in get_args(Dialect)
    ]
    check(scripts, lane, tmp_path)


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("client", get_args(Dialect))
@pytest.mark.parametrize(
    "name",
    [
        "without a reason",
        "an error, then the end",
        "whole",
        "chat",
        "chat, cut in an event",
        "response",
        "response, cut",
    ],
)
def test_where_the_bytes_are_cut_does_not_matter(
    name: str, client: Dialect, lane: Lane, tmp_path: Path
) -> None:
    """Behind each of the last bytes, where the end of the message is."""
    upstream = STREAMS[name][0]
    stream = b"".join(pieces_of(name))
    places = range(len(stream) - 150, len(stream), 1 if lane == "plain" else 7)
    scripts = [scripted(f"{at}", client, upstream, [stream[:at], stream[at:]]) for at in places]
    check(scripts, lane, tmp_path)


@pytest.mark.parametrize(
    ("name", "upstream"),
    [
        ("C12a-pings-in-mid-answer", "m"),
        ("C12c-pings-in-front", "m"),
        ("C12r-keepalives-in-mid-answer", "r"),
    ],
)
@pytest.mark.parametrize("client", get_args(Dialect))
async def test_pings_re_arm_no_time_limit(
    name: str, upstream: Dialect, client: Dialect, tmp_path: Path
) -> None:
    start, pings = keepalives(name)
    script = StreamScript(name, client, upstream, (start,))
    steps = (*script.steps(), Trickle(pings, 0.02))
    async with (
        FakeUpstream(steps) as peer,
        serving_gateway(tmp_path, config({upstream: peer.url})) as stand,
    ):
        stand.limit(f"plain-{upstream}", connect=1.0, first_byte=0.3, idle=0.3, total=9.0)
        found, how, trailing = await ask(stand, script, "plain")
        is_failed = (
            client == "r" != upstream
        )  # `response.failed`, of a translation, ends the transfer in order
        ends = None if is_failed else "fin"
        assert b"upstream_timed_out" in found.body and (trailing, how) == (b"", ends)
        await peer.saw_close(0)
