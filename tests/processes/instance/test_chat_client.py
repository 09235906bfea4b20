"""A response is read as it comes, however it is cut; one that is not complete never looks so."""

from __future__ import annotations

from typing import Any

import pytest

from clawgate.processes.instance import chat_client
from clawgate.processes.instance.chat_client import ChatFailed, post_chat
from tests.ports import free_port
from tests.processes.instance.raw_gateway import RawGateway, content, failure, stream


def post(gateway: RawGateway, **headers: str) -> list[dict[str, Any]]:
    with post_chat("127.0.0.1", gateway.port, {"model": "openclaw"}, headers) as response:
        return list(response.events())


def collect(gateway: RawGateway, seen: list[dict[str, Any]]) -> None:
    with post_chat("127.0.0.1", gateway.port, {}, {}) as response:
        seen.extend(response.events())


def texts(events: list[dict[str, Any]]) -> list[str]:
    deltas = [choice["delta"] for event in events for choice in event["choices"]]
    return [delta["content"] for delta in deltas if "content" in delta]


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_events_are_read_however_the_stream_is_cut(size: int) -> None:
    whole = b"".join(stream(content("hello"), b": ping\n\n", content(" wörld")))
    pieces = [whole[begin : begin + size] for begin in range(0, len(whole), size)]
    with RawGateway(pieces) as gateway:
        events = post(gateway)
    assert texts(events) == ["hello", " wörld"] and events[-1]["usage"]["total_tokens"] == 16


def test_a_tool_that_the_agent_runs_is_an_event_of_its_own() -> None:
    with RawGateway(stream(b": tool look\n\n: keep-alive\n\n: tool ../x\n\n", content("12 C"))) as gateway:
        events = post(gateway)
    assert [event["tool"] for event in events if "tool" in event] == ["look"]


def test_the_request_has_the_headers_and_the_name_of_the_listener() -> None:
    with RawGateway(stream()) as gateway:
        post(gateway, Authorization="Bearer x")
        ((headers, body),) = gateway.requests
    assert headers["authorization"] == "Bearer x" and headers["host"] == f"127.0.0.1:{gateway.port}"
    assert body == {"model": "openclaw"}


def test_the_headers_of_the_response_are_known_before_its_events() -> None:
    with (
        RawGateway(stream(lines=b"X-Clawgate-Run: r1\r\n")) as gateway,
        post_chat("127.0.0.1", gateway.port, {}, {}) as response,
    ):
        assert response.headers["x-clawgate-run"] == "r1"


@pytest.mark.parametrize(
    ("pieces", "message"),
    [
        (stream(content("x"), ends=False), "ended before it was complete"),
        (stream(content("x"), ends=False)[:-1], "closed the connection"),
        (stream(content("x"))[:1], "closed the connection"),
        (stream(b"data: nonsense\n\n"), "not JSON"),
        (stream(b'data: "nonsense"\n\n'), "not JSON"),
        ([b"nonsense\r\n\r\n"], "not HTTP"),
        ([], "closed the connection"),
        ([b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\n{}"], "responded with status 500"),
        ([b"HTTP/1.1 502 No\r\nContent-Length: 9\r\n\r\n<html>"], "responded with status 502"),
    ],
)
def test_what_is_not_complete_fails_with_the_next_step(pieces: list[bytes], message: str) -> None:
    with RawGateway(pieces) as gateway, pytest.raises(ChatFailed, match=message) as failed:
        post(gateway)
    assert "; see: clawgate " in failed.value.message


def test_an_error_of_the_gateway_keeps_its_message_on_one_line_and_its_code() -> None:
    with (
        RawGateway(failure(429, "wait for\n\x1b[2J it", "session_busy")) as gateway,
        pytest.raises(ChatFailed) as failed,
    ):
        post(gateway)
    assert (failed.value.message, failed.value.code) == (r"wait for\n\x1b[2J it", "session_busy")


def test_an_error_within_a_stream_comes_behind_what_was_sent() -> None:
    """As recorded: status 200, an event with the error, then the end as if nothing had happened."""
    error = b'data: {"error":{"message":"it broke","type":"api_error","code":"upstream_failed"}}\n\n'
    seen: list[dict[str, Any]] = []
    with (
        RawGateway(stream(content("half"), error)) as gateway,
        pytest.raises(ChatFailed, match="it broke") as failed,
    ):
        collect(gateway, seen)
    assert failed.value.code == "upstream_failed" and texts(seen) == ["half"]


def test_a_port_without_a_listener_is_an_error() -> None:
    sent = post_chat("127.0.0.1", free_port(), {}, {})
    with pytest.raises(ChatFailed, match="cannot be reached: Connection refused"), sent:
        pass


def test_a_gateway_that_sends_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_client, "SILENT_SECONDS", 0.05)
    with RawGateway([], holds=True) as gateway, pytest.raises(ChatFailed, match=r"sent nothing for 0\.05 s"):
        post(gateway)


def test_leaving_early_closes_the_connection() -> None:
    with RawGateway(stream(content("x"), ends=False)[:-1], holds=True) as gateway:
        with post_chat("127.0.0.1", gateway.port, {}, {}) as response:
            next(response.events())
        assert gateway.left.wait(30)
