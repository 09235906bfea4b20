"""No message of a server is read that would occupy the loop, however the bytes of it arrive."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mcp_types import CallToolResult, InitializeResult, ListToolsResult
from pydantic import BaseModel, ValidationError

from clawgate.agents.tools.mcp.frames import MAX_FRAME, Events, FrameRejected, Heads, Lines, Pace, decode


def message(**more: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, **more}).encode()


HALF = b'{"jsonrpc": "2.0", "id": 1, "result": {"a": "cut \\ud83d", "b": "\\ud83d\\ude00 \\\\ud83d"}}'
"""As `JSON.stringify` writes a text that was cut between the halves of an emoji."""


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


def test_a_message_is_read() -> None:
    assert decode(message(result={"content": []})) == {"jsonrpc": "2.0", "id": 1, "result": {"content": []}}


def test_a_half_of_a_character_reads_as_its_replacement() -> None:
    assert decode(HALF)["result"] == {"a": "cut \ufffd", "b": "\U0001f600 \\ud83d"}
    for end in (b"\n", b"\r\n"):
        event = end.join((b"event: message", b"data: " + HALF, b"", b""))
        assert Events().feed(event) == event.replace(b"cut \\ud83d", b"cut \\ufffd")


def test_halves_without_number_are_not_repaired() -> None:
    """Each costs half a microsecond, and a message has room for 700 000."""
    with pytest.raises(FrameRejected, match="no JSON"):
        decode(HALF.replace(b"cut", b"\\ud83d" * 20_000))


@pytest.mark.parametrize(
    "frame",
    [
        b"starting",
        b"[]",
        b"5",
        b'{"id": 1}',
        b'{"jsonrpc": "1.0"}',
        b"[" * 50_000,
        b'{"jsonrpc": "2.0", "x": "\xff"}',
    ],
)
def test_what_is_no_message_is_noise(frame: bytes) -> None:
    with pytest.raises(FrameRejected) as caught:
        decode(frame)
    assert caught.value.is_noise


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (message(result={"x": "y" * MAX_FRAME}), "a message of more than 4194304 bytes"),
        (message(result={"structuredContent": {"b": [1] * 20_000}}), "a message with more than 20000 values"),
        (message(result={"a": {"b": [1] * 4000}}), "a message with more than 4000 values"),
        (message(result={"content": [1] * 257}), "a result with more than 256 content"),
        (message(result={"structuredContent": nested(101)}), "a message that is nested more than 100 deep"),
        (message(result=nested(101)), "a message that is nested more than 100 deep"),
        (message(result={"tools": [{}] * 257}), "a result with more than 256 tools"),
        *(
            (message(result={"x": mark * 200_001}), "a message with more than 200000 commas and brackets")
            for mark in ",[{"
        ),
    ],
)
def test_what_is_too_much_is_rejected(frame: bytes, reason: str) -> None:
    with pytest.raises(FrameRejected, match=reason) as caught:
        decode(frame)
    assert not caught.value.is_noise


@pytest.mark.parametrize("name", ["structuredContent", "_meta"])
def test_what_the_sdk_takes_as_it_is_may_be_long(name: str) -> None:
    result = {
        "content": [{"type": "text", "text": "x", "_meta": {"a": [1] * 5000}}],
        name: {"a": [1] * 14_000},
    }
    assert decode(message(result=result))["result"] == result


LINK: dict[str, Any] = {"type": "resource_link", "name": "x", "uri": "u"}


@pytest.mark.parametrize(
    ("model", "result"),
    [
        (
            CallToolResult,
            {"content": [{"type": "text", "text": "x", "annotations": {"audience": [1] * 3900}}]},
        ),
        (CallToolResult, {"content": [{**LINK, "icons": [{} for _ in range(3900)]}]}),
        (CallToolResult, {"content": [{**LINK, "icons": [{} for _ in range(10)]} for _ in range(250)]}),
        (CallToolResult, {"content": [1] * 256}),
        (ListToolsResult, {"tools": [{"name": "a", "inputSchema": {}, "icons": [1] * 3900}]}),
        (InitializeResult, {"serverInfo": {"icons": [1] * 3900}}),
    ],
)
def test_no_message_has_the_sdk_find_many_mistakes(model: type[BaseModel], result: dict[str, Any]) -> None:
    """Each value is tried as five kinds of block, and each mistake costs 0.4 microseconds: below 20 ms, by count."""
    read = decode(message(result=result))
    with pytest.raises(ValidationError) as caught:
        model.model_validate(read["result"], by_name=False)
    assert caught.value.error_count() <= 5 * 4000
    with pytest.raises(FrameRejected):
        decode(message(result={**result, "more": [1] * 4000}))


def test_a_server_that_sends_much_is_read_with_pauses() -> None:
    calm, flood, large = Pace(), Pace(), Pace()
    assert [calm.after(100) for _ in range(199)] == [0.0] * 199
    assert sum(flood.after(100) for _ in range(3000)) == pytest.approx(15 * 0.05)
    assert large.after(MAX_FRAME) > 0 and flood.after(65_536, 1000) >= 5 * 0.05


@pytest.mark.parametrize("value", [b"0", b"1", b"499", b"60001", b"9" * 9, b"x", b"", "\u0660".encode()])
@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf"])
def test_a_server_has_nobody_reconnect_at_once(value: bytes, before: bytes) -> None:
    """The SDK does it for as long as streams end in order."""
    events = Events()
    assert events.feed(before + b"retry: " + value + b"\nid: 1\n\n") == b"id: 1\n\n"


@pytest.mark.parametrize("line", [b"retry: 500", b"retry:60000", b"data: retry: 0", b": retry: 0"])
def test_what_does_not_hurry_stays(line: bytes) -> None:
    stream = line.replace(b"data: retry: 0", b"event: retry: 0") + b"\r\n\r\n"
    assert Events().feed(stream) == stream


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize(
    ("stream", "passes"),
    [
        (b"HTTP/1.1 200 OK\r\na: b\r\n\r\n" + b"x\n" * 100_000, True),
        (b"HTTP/1.1 103 \r\na: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n" + b"x\n" * 100_000, True),
        (b"HTTP/1.1 200 OK\n\n" + b"x\n" * 100_000, True),
        (b"HTTP/1.1 200 OK\r\n" + b"a:b\r\n" * 200, False),
        (b"HTTP/1.1 200 OK\r\na: " + b"b" * 20_000, False),
        (b"HTTP/1.1 103 \r\na: b\r\n\r\nHTTP/1.1 200 OK\r\n" + b"a:b\r\n" * 200, False),
        (b"HTTP/1.1 100 \r\n\r\n" * 2000, False),
    ],
)
def test_what_comes_before_a_body_is_bounded(size: int, stream: bytes, passes: bool) -> None:
    heads = Heads()
    heads.begin()

    def feed() -> None:
        for start in range(0, len(stream), size):
            heads.feed(stream[start : start + size])

    if passes:
        feed()
    else:
        with pytest.raises(FrameRejected, match="a head of more than 16384 bytes or 128 lines"):
            feed()


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_lines_do_not_depend_on_how_they_arrive(size: int) -> None:
    lines, stream = Lines(), b"one\r\n\n  \ntwo\nthr"
    found = [
        line for start in range(0, len(stream), size) for line in lines.feed(stream[start : start + size])
    ]
    assert found == [b"one\r", b"two"] and list(lines.feed(b"ee\n")) == [b"three"]


def test_a_line_without_an_end_is_rejected_in_time() -> None:
    lines = Lines()
    parts = (list(lines.feed(b"x" * 65_536)) for _ in range(MAX_FRAME // 65_536 + 1))
    with pytest.raises(FrameRejected):
        assert list(parts) == []


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_stream_of_events_stays_as_it_was(size: int, end: bytes) -> None:
    lines = [
        b": hello",
        b"",
        b"event: message",
        b"data: " + message(result={}),
        b"",
        b"data: {",
        b'data: "jsonrpc": "2.0"}',
        b"",
        b"event: endpoint",
        b"data: /messages?session=1",
        b"",
        b"data: x",
    ]
    events, stream = Events(), end.join(lines)
    passed = b"".join(events.feed(stream[start : start + size]) for start in range(0, len(stream), size))
    assert stream == passed + b"data: x"
    events.close()


@pytest.mark.parametrize("size", [1000, 1_000_000])
def test_an_event_that_is_too_much_is_not_passed_on(size: int) -> None:
    for event in (
        b"data: " + message(result={"a": [1] * 30_000}) + b"\n\n",
        b"data: " + b"x" * (MAX_FRAME + 1),
    ):
        events = Events()
        parts = (events.feed(event[start : start + size]) for start in range(0, len(event), size))
        with pytest.raises(FrameRejected):
            assert not any(parts)


MANY = message(result={"a": [1] * 30_000})


def passed_of(stream: bytes) -> bytes:
    events = Events()
    passed = events.feed(stream)
    events.close()
    return passed


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (b"event: message\rdata: " + MANY + b"\n\n", "ends with CR alone"),
        (b"data: " + MANY + b"\r\r", "ends with CR alone"),
        (b"data: " + MANY[:-1] + b', "x": NaN}\n\n', "no JSON"),
        (b"event: endpoint\nevent\ndata: " + MANY + b"\n\n", "more than 256 a"),
        (b"event: endpoint\nevent: message\ndata: NaN\n\n", "no JSON"),
        (b"data:\n" * 10_001, "10000 lines"),
    ],
)
def test_what_the_sdk_could_read_in_another_way_is_rejected(stream: bytes, reason: str) -> None:
    with pytest.raises(FrameRejected, match=reason):
        assert passed_of(stream) == b""


@pytest.mark.parametrize("end", [b"", b"\r", b"\n", b"\n\r", b"\r\n", b"\r\n\r"])
def test_an_event_without_its_end_is_not_passed_on(end: bytes) -> None:
    """The SDK takes a CR at the end of a stream for the end of a line, and of an event: this one was not checked."""
    assert passed_of(b"event: message\ndata: " + MANY + end) == b""


def test_a_stream_of_requests_ends() -> None:
    events, ping = Events(), b"data: " + message(method="ping") + b"\n\n"
    assert events.feed(ping * 1000) == ping * 1000
    with pytest.raises(FrameRejected, match="more than 1000 requests in one stream"):
        events.feed(ping)
