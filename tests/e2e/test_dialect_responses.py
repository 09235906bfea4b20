"""What users of other gateways report about responses: calls, usage, ids, bytes and failures, through a real gateway.

Each case is what a provider sends, as a stream and, where both exist, as one body; the client requests either.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.dialect_stand import (
    GOOD_BODIES,
    GOOD_STREAMS,
    HI,
    MESSAGE_END,
    PAIRS,
    Exchanged,
    event_bytes,
    exchange,
    good,
    streamed,
    text_of,
)
from tests.peers import faults
from tests.peers.faults import LAST_CHUNK, SSE_FIELDS, chunk, head
from tests.peers.script import Close, Drip, ReadBody, Script, Send, Wait
from tests.peers.upstream import FakeUpstream
from tests.routing.gateway_server import (
    ANTHROPIC,
    CHAT,
    MESSAGES,
    OPENAI,
    config_of,
    provider,
    serving_gateway,
)

TOOLS = [{"name": name, "input_schema": {"type": "object", "properties": {}}} for name in "fg"]


def delta(*calls: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": "c1",
        "choices": [{"index": 0, "delta": {"tool_calls": list(calls), **more}, "finish_reason": None}],
    }


def piece(name: str | None, arguments: str, **more: Any) -> dict[str, Any]:
    function = {"arguments": arguments, **({"name": name} if name is not None else {})}
    return {"type": "function", "function": function, **more}


def finished(reason: str) -> list[Any]:
    return [{"id": "c1", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}, "[DONE]"]


def calls_of(found: Exchanged, *, stream: bool) -> list[tuple[str, str, Any]]:
    """Id, name and arguments of each call that a Messages client gets."""
    if not stream:
        blocks = [block for block in found.response.json()["content"] if block["type"] == "tool_use"]
        return [(block["id"], block["name"], block["input"]) for block in blocks]
    begun = {
        one["index"]: one["content_block"]
        for one in found.data
        if one["type"] == "content_block_start" and one["content_block"]["type"] == "tool_use"
    }
    arguments = dict.fromkeys(begun, "")
    for one in found.data:
        if one["type"] == "content_block_delta" and one["delta"]["type"] == "input_json_delta":
            arguments[one["index"]] += one["delta"]["partial_json"]
    return [(block["id"], block["name"], json.loads(arguments[at])) for at, block in begun.items()]


F, G = piece("f", '{"a":1}'), piece("g", '{"b":2}')
PARALLEL: dict[str, list[Any]] = {
    "without ids, one index": [delta({**F, "index": 0}), delta({**G, "index": 0})],
    "without ids or an index": [delta(F), delta(G)],
    "several in one delta": [delta(F, G)],
    "several in one delta, one index": [delta({**F, "index": 0}, {**G, "index": 0})],
    "with empty ids": [delta({**F, "index": 0, "id": ""}), delta({**G, "index": 0, "id": ""})],
    "with equal ids and different indexes": [delta({**F, "index": 0, "id": "x"}), delta({**G, "index": 1, "id": "x"})],
    "with ids that are null": [delta({**F, "index": 0, "id": None}), delta({**G, "index": 1, "id": None})],
    "with ids and one index": [delta({**F, "index": 0, "id": "x"}), delta({**G, "index": 0, "id": "y"})],
    "in pieces, in turn": [
        delta(piece("f", '{"a"', index=0, id="x"), piece("g", '{"b"', index=1, id="y")),
        delta(piece(None, ":1}", index=0), piece(None, ":2}", index=1)),
    ],
    "in pieces without ids": [
        delta(piece("f", '{"a"', index=0)), delta(piece(None, ":1}", index=0)),
        delta(piece("g", '{"b"', index=0)), delta(piece(None, ":2}", index=0)),
    ],
}  # fmt: skip


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("name", sorted(PARALLEL))
async def test_parallel_calls_are_never_merged(name: str, stream: bool, tmp_path: Path) -> None:
    """A client without a stream gets them assembled."""
    script = streamed(event_bytes([*PARALLEL[name], *finished("tool_calls")]))
    (found,) = await exchange(
        tmp_path, MESSAGES, OPENAI, {"stream": stream, "tools": TOOLS}, scripts=[script]
    )
    calls = calls_of(found, stream=stream)
    assert [call[1:] for call in calls] == [("f", {"a": 1}), ("g", {"b": 2})]
    assert len({call[0] for call in calls}) == 2 and all(call[0] for call in calls)
    if not stream:
        assert found.response.json()["stop_reason"] == "tool_use"


SIGNED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "Gemini, behind the call": ({"extra_content": {"google": {"thought_signature": "SIG=="}}}, {}),
    "Gemini": ({"extra_content": {"google": {"thought_signature": "SIG=="}}}, {}),
    "OpenRouter": ({}, {"reasoning_details": [
        {"type": "reasoning.encrypted", "id": "call-1", "format": "google-gemini-v1", "data": "SIG==", "index": 0}]}),
}  # fmt: skip


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("vendor", sorted(SIGNED))
async def test_what_a_provider_signed_comes_back_to_it(vendor: str, stream: bool, tmp_path: Path) -> None:
    """Kept by a client that keeps what Anthropic's dialect has: ids, and thinking with its signature."""
    of_call, of_message = SIGNED[vendor]
    call = {"id": "call-1", **piece("f", "{}"), **of_call, "index": 0}
    message = {"role": "assistant", "content": None, "tool_calls": [call], **of_message}
    whole = {"id": "c1", "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    pieces = [delta(call, **of_message)]
    if "behind" in vendor:
        pieces = [delta({**call, "extra_content": None}), delta({"index": 0, **of_call})]
    first: Any = (
        streamed(event_bytes([*pieces, *finished("tool_calls")])) if stream else faults.json_response(whole)
    )
    body = {"model": "p/m", "max_tokens": 9, "tools": TOOLS, "messages": [HI]}
    async with (
        FakeUpstream(first, good(OPENAI)) as upstream,
        serving_gateway(tmp_path, config_of({"p": provider(upstream.url)})) as stand,
    ):
        answer = await stand.ask(json.dumps({**body, "stream": stream}).encode(), target=MESSAGES)
        content = whole_content(Exchanged(answer, [])) if stream else answer.json()["content"]
        call_id = next(block["id"] for block in content if block["type"] == "tool_use")
        if "behind" in vendor:  # a client that keeps calls alone
            content = [block for block in content if block["type"] == "tool_use"]
        result = {"type": "tool_result", "tool_use_id": call_id, "content": "ok"}
        turns = [HI, {"role": "assistant", "content": content}, {"role": "user", "content": [result]}]
        await stand.ask(json.dumps({**body, "messages": turns}).encode(), target=MESSAGES)
    turn = json.loads(upstream.requests[1].body)["messages"][1]
    assert "SIG==" in json.dumps(turn) and turn["tool_calls"][0]["id"] == "call-1"
    for name, value in of_call.items():
        assert turn["tool_calls"][0][name] == value
    for name, value in of_message.items():
        assert turn[name] == value


def whole_content(found: Exchanged) -> list[Any]:
    """The blocks of a stream, as an SDK keeps them."""
    blocks: dict[int, Any] = {}
    for one in found.data:
        if one["type"] == "content_block_start":
            blocks[one["index"]] = dict(one["content_block"])
        elif one["type"] == "content_block_delta":
            block, part = blocks[one["index"]], one["delta"]
            if part["type"] == "signature_delta":
                block["signature"] = part["signature"]
            elif part["type"] == "thinking_delta":
                block["thinking"] = block.get("thinking", "") + part["thinking"]
            elif part["type"] == "text_delta":
                block["text"] += part["text"]
    return list(blocks.values())


@pytest.mark.parametrize("stream", [True, False])
async def test_counts_that_are_zeroed_later_stay(stream: bool, tmp_path: Path) -> None:
    usage = {"input_tokens": 25, "cache_read_input_tokens": 100, "output_tokens": 1}
    zeroed = {"input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 7}
    start, *rest = GOOD_STREAMS[ANTHROPIC][:-2]
    events = [
        {**start, "message": {**start["message"], "usage": usage}}, *rest,
        {**MESSAGE_END[0], "usage": zeroed}, MESSAGE_END[1],
    ]  # fmt: skip
    body = {"stream": stream, **({"stream_options": {"include_usage": True}} if stream else {})}
    (found,) = await exchange(tmp_path, CHAT, ANTHROPIC, body, scripts=[streamed(event_bytes(events))])
    counted = found.data[-1]["usage"] if stream else found.response.json()["usage"]
    assert (counted["prompt_tokens"], counted["completion_tokens"]) == (125, 7)
    assert counted["prompt_tokens_details"]["cached_tokens"] == 100


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("path", "api"), PAIRS[:2])
@pytest.mark.parametrize("given", ["", None, 5])
async def test_a_response_without_an_id_gets_one_of_its_own(
    path: str, api: str, given: Any, stream: bool, tmp_path: Path
) -> None:
    """Nor do two requests get the same."""
    events = json.loads(
        json.dumps(GOOD_STREAMS[api]).replace('"c1"', json.dumps(given)).replace('"m1"', json.dumps(given))
    )
    whole = {**GOOD_BODIES[api], "id": given}
    script = streamed(event_bytes(events)) if stream else faults.json_response(whole)
    found = await exchange(tmp_path, path, api, *[{"stream": stream}] * 2, scripts=[script])
    seen = set()
    for one in found:
        shown = one.data[0] if stream else one.response.json()
        shown = shown["message"] if path == MESSAGES and stream else shown
        assert isinstance(shown["id"], str) and shown["id"]
        seen.add(shown["id"])
    assert len(seen) == 2


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("path", "api"), PAIRS)
@pytest.mark.parametrize(
    "content_type", ["application/json", "text/plain", "text/html; charset=utf-8", "text/event-stream"]
)
@pytest.mark.parametrize("front", [b"", b": hello\n\n", b"\xef\xbb\xbf", b"\n\n"])
async def test_a_stream_is_one_whatever_its_content_type(
    path: str, api: str, content_type: str, front: bytes, stream: bool, tmp_path: Path
) -> None:
    """To a client that requested none it is one complete response."""
    data = front + event_bytes(GOOD_STREAMS[api])
    script = streamed(data, content_type=content_type)
    (found,) = await exchange(tmp_path, path, api, {"stream": stream}, scripts=[script])
    assert found.response.status == 200
    kind = found.response.header("content-type") or ""
    assert kind.startswith("text/event-stream" if stream else "application/json")
    if stream and (path, api) == (CHAT, OPENAI):
        assert found.response.body == data
    else:
        assert text_of(path, found, stream=stream) == "good"


@pytest.mark.parametrize(("path", "api"), PAIRS[:2])
async def test_a_body_to_a_request_for_a_stream_is_one(path: str, api: str, tmp_path: Path) -> None:
    script = faults.json_response(GOOD_BODIES[api])
    (found,) = await exchange(tmp_path, path, api, {"stream": True}, scripts=[script])
    assert text_of(path, found, stream=True) == "good"


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("path", "api"), PAIRS)
@pytest.mark.parametrize("wrong", [b"\xff", b"\xc3", b"\xf0\x9f"])
async def test_a_byte_that_is_no_utf_8_is_not_the_end(
    path: str, api: str, wrong: bytes, stream: bool, tmp_path: Path
) -> None:
    """U+FFFD where the response is translated; elsewhere the bytes pass."""
    whole = event_bytes(GOOD_STREAMS[api]) if stream else json.dumps(GOOD_BODIES[api]).encode()
    data = whole.replace(b"good", b"a" + wrong + b"z")
    kind = "text/event-stream" if stream else "application/json"
    (found,) = await exchange(
        tmp_path, path, api, {"stream": stream}, scripts=[streamed(data, content_type=kind)]
    )
    body = found.response.body
    assert found.response.status == 200
    if (path, api) in PAIRS[:2]:
        assert text_of(path, found, stream=stream) in ("a\ufffdz", "a\ufffd\ufffdz")
    else:
        assert b"a" + wrong + b"z" in body


@pytest.mark.parametrize(("path", "api"), PAIRS)
async def test_such_a_byte_in_a_stream_that_was_not_requested(path: str, api: str, tmp_path: Path) -> None:
    data = event_bytes(GOOD_STREAMS[api]).replace(b"good", b"a\xffz")
    (found,) = await exchange(tmp_path, path, api, {}, scripts=[streamed(data)])
    assert text_of(path, found, stream=False) == "a\ufffdz"


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("path", "api"), PAIRS)
async def test_a_character_that_is_cut_between_two_events_is_whole(
    path: str, api: str, stream: bool, tmp_path: Path
) -> None:
    events: list[bytes] = []
    for event in event_bytes(GOOD_STREAMS[api]).split(b"\n\n")[:-1]:
        is_text = b"good" in event
        events += [
            event.replace(b"good", half) for half in ((rb"x\ud83e", rb"\udd9ey") if is_text else (b"",))
        ]
    script = streamed(b"\n\n".join([*events, b""]))
    (found,) = await exchange(tmp_path, path, api, {"stream": stream}, scripts=[script])
    shown = text_of(path, found, stream=stream)
    assert shown.encode("utf-16", "surrogatepass").decode("utf-16") == "x\U0001f99ey"


# A failure with status 200 leads to the fallback.

ERRORS: dict[str, Any] = {
    OPENAI: {"error": {"message": "Provider returned error", "code": 502}},
    ANTHROPIC: {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
}
OPENINGS: dict[str, list[Any]] = {
    OPENAI: [
        {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]}
    ],
    ANTHROPIC: GOOD_STREAMS[ANTHROPIC][:2],
}
FRONTS = [b"", b": OPENROUTER PROCESSING\n\n"]


def failing(api: str, how: str, front: bytes) -> Script:
    """An error as the first event of a stream that was cut ``how``, or as a body."""
    event = front + event_bytes([ERRORS[api]])
    start = head(200, [*SSE_FIELDS, ("Transfer-Encoding", "chunked")])
    match how:
        case "one segment":
            return ReadBody(), Send(start + chunk(event) + LAST_CHUNK)
        case "behind the head":
            return ReadBody(), Send(start), Wait(0.05), Send(chunk(event) + LAST_CHUNK)
        case "byte by byte":
            return ReadBody(), Send(start), Drip(chunk(event) + LAST_CHUNK)
        case "chunks of a byte":
            return ReadBody(), Send(
                start + b"".join(chunk(event[at : at + 1]) for at in range(len(event))) + LAST_CHUNK
            )
        case "with [DONE] behind":
            return ReadBody(), Send(start + chunk(event + b"data: [DONE]\n\n") + LAST_CHUNK)
        case "under another type":
            return ReadBody(), Send(faults.response(event, content_type="application/json"))
        case "open":
            return ReadBody(), Send(start + chunk(event)), Wait(30.0)
        case "no content":
            return ReadBody(), Send(b"HTTP/1.1 204 No Content\r\n\r\n")
        case _:
            return faults.json_response(ERRORS[api])


def cases(api: str) -> Iterator[tuple[str, bytes]]:
    """How an error comes, and what comes in front of it: a comment, or what opens a response."""
    for how in ("one segment", "behind the head", "byte by byte", "chunks of a byte", "with [DONE] behind",
                "under another type", "open"):  # fmt: skip
        for front in FRONTS:
            yield how, front
    yield from ((how, event_bytes(OPENINGS[api])) for how in ("one segment", "behind the head", "open"))
    yield "as a body", b""
    yield "no content", b""


@pytest.mark.parametrize("other", [OPENAI, ANTHROPIC])
@pytest.mark.parametrize(("path", "api"), PAIRS)
async def test_an_error_with_status_200_leads_to_the_fallback(
    path: str, api: str, other: str, tmp_path: Path
) -> None:
    """Streamed and not, however it is cut, with a comment in front, to a fallback of either dialect."""
    for stream in (True, False):
        for how, front in cases(api):
            async with FakeUpstream(failing(api, how, front)) as one, FakeUpstream(good(other)) as two:
                blocks = {"p": provider(one.url, api), "q": provider(two.url, other)}
                config = config_of(blocks, primary="p/m", fallbacks=("q/n",))
                async with serving_gateway(tmp_path, config) as stand:
                    body = json.dumps(
                        {"model": "", "max_tokens": 9, "messages": [HI], "stream": stream}
                    ).encode()
                    found = Exchanged(await stand.ask(body, target=path), [])
                assert found.response.status == 200, (how, front, found.response.body)
                assert found.response.header("x-clawgate-provider") == "q", (how, front, stream)
                assert text_of(path, found, stream=stream) == "good"


_NO_LENGTH = [("Content-Type", "application/json"), ("Transfer-Encoding", "chunked")]
EMPTY: dict[str, Script] = {
    **{
        f"{status}": (ReadBody(), Send(head(status, [("Content-Length", "0")])))
        for status in (200, 201, 202, 203, 204, 205, 206, 304)
    },
    "304 of a body": (ReadBody(), Send(head(304, [("Content-Length", "5"), ("ETag", '"x"')]))),
    "a last chunk": (ReadBody(), Send(head(200, _NO_LENGTH) + LAST_CHUNK)),
    "the end of the connection": (ReadBody(), Send(head(200)), Close()),
    "compressed": (ReadBody(), Send(head(200, [*_NO_LENGTH, ("Content-Encoding", "gzip")]) + LAST_CHUNK)),
}


@pytest.mark.parametrize("how", EMPTY)
async def test_an_empty_response_is_a_failure_at_every_path(how: str, tmp_path: Path) -> None:
    """Also a 304, which no request of a model can mean: none has a condition."""
    bodies: list[tuple[str, str, dict[str, Any]]] = [
        *((path, api, {"max_tokens": 9, "messages": [HI]}) for path, api in PAIRS),
        ("/v1/embeddings", OPENAI, {"input": "hi"}),
        ("/v1/completions", OPENAI, {"prompt": "hi"}),
        ("/v1/messages/count_tokens", ANTHROPIC, {"messages": [HI]}),
    ]
    async with FakeUpstream(EMPTY[how]) as upstream:
        blocks = {api: provider(upstream.url, api) for api in (OPENAI, ANTHROPIC)}
        async with serving_gateway(tmp_path, config_of(blocks)) as stand:
            for path, api, body in bodies:
                for stream in (True, False):
                    sent = json.dumps({"model": f"{api}/m", **body, **({"stream": True} if stream else {})})
                    response = await stand.ask(sent.encode(), target=path)
                    assert response.status == 502, (path, api, stream, response.status)


@pytest.mark.parametrize(("path", "api"), PAIRS)
async def test_without_a_fallback_a_head_does_not_wait_for_the_first_event(
    path: str, api: str, tmp_path: Path
) -> None:
    start = head(200, [*SSE_FIELDS, ("Transfer-Encoding", "chunked")])
    rest = chunk(event_bytes(GOOD_STREAMS[api])) + LAST_CHUNK
    hold = Wait(30.0)
    async with FakeUpstream((ReadBody(), Send(start), hold, Send(rest))) as upstream:
        config = config_of({"p": provider(upstream.url, api)})
        async with serving_gateway(tmp_path, config) as stand, await stand.client() as client:
            body = json.dumps({"model": "p/m", "max_tokens": 9, "messages": [HI], "stream": True}).encode()
            await stand.send(client, body, target=path)
            await client.saw(b"HTTP/1.1 200 OK")
