"""A translation keeps what was said, however the bytes are cut, and nothing hostile gets more than an error."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawgate.errors import InvalidRequest, UpstreamClosed, UpstreamFailed, UpstreamMalformed
from clawgate.wire.anthropic.assembly import MessageAssembler
from clawgate.wire.dialect import Dialect
from clawgate.wire.sse.reader import EventReader
from clawgate.wire.translate.exchange import Translation
from clawgate.wire.translate.translator import translation
from tests.wire.exchanges import (
    CHECKS,
    NAMES,
    PAIRS,
    Fed,
    asked,
    events,
    looks_finished,
    new,
    pair_of,
    pieces,
    recorded,
    recorded_json,
    sse,
)

names = pytest.mark.parametrize("name", NAMES)


@names
def test_a_request_is_translated_as_recorded(name: str) -> None:
    exchange = new(name)
    body = exchange.translate_request(recorded(name, "request.json"))
    assert json.loads(body) == recorded_json(name, "upstream_request.json")
    assert exchange.streams is bool(recorded_json(name, "request.json").get("stream"))


@names
def test_a_response_is_translated_as_recorded(name: str) -> None:
    body = asked(name).translate_response(recorded(name, "upstream_answer.json"))
    assert json.loads(body) == recorded_json(name, "answer.json")


@names
@pytest.mark.parametrize("size", [1, 2, 3, 7, 0])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_a_stream_is_translated_as_recorded_however_it_is_cut(name: str, size: int, line_end: bytes) -> None:
    exchange = Fed(asked(name))
    stream = recorded(name, "upstream_stream.txt").replace(b"\n", line_end)
    said = b"".join(exchange.feed(piece) for piece in pieces(stream, size)) + exchange.end()
    assert said == recorded(name, "stream.txt")


@names
def test_what_is_recorded_is_legal(name: str) -> None:
    CHECKS[pair_of(name)](recorded(name, "stream.txt"))


@names
def test_a_stream_that_is_cut_never_looks_finished(name: str) -> None:
    """Wherever it is cut: either the end is refused and nothing said looks finished, or all was said."""
    pair = pair_of(name)
    stream = recorded(name, "upstream_stream.txt")
    whole = [event for event in events(recorded(name, "stream.txt")) if event != {"type": "ping"}]
    refused = 0
    for cut in range(len(stream)):
        exchange = Fed(asked(name))
        said = exchange.feed(stream[:cut])
        try:
            said += exchange.end()
        except UpstreamClosed:
            refused += 1
            assert not looks_finished(pair, said)
            CHECKS[pair](said, whole=False)
        else:
            CHECKS[pair](said)
            assert len(events(said)) >= len(whole) - 1  # only the counts may be missing
    assert refused > len(stream) // 2


@pytest.mark.parametrize("upstream", Dialect)
@pytest.mark.parametrize("client", Dialect)
def test_there_is_a_translation_between_any_two_dialects(client: Dialect, upstream: Dialect) -> None:
    if client is upstream:  # bytes pass unchanged
        return
    made = translation(client, upstream, requested_model="a", upstream_model="b", created=0, unique_id="u")
    assert made.target.decode() == PATHS[upstream]


PATHS = {
    Dialect.CHAT: "/v1/chat/completions",
    Dialect.RESPONSES: "/v1/responses",
    Dialect.MESSAGES: "/v1/messages",
}


# Ids


@pytest.mark.parametrize("sent", ["", None, 7, "absent"])
@pytest.mark.parametrize("pair", PAIRS)
def test_a_response_without_an_id_gets_the_one_that_is_unique(pair: str, sent: object) -> None:
    """Streamed or not: programs take two responses with the same id for one."""
    given = {} if sent == "absent" else {"id": sent}
    if pair == "chat_to_messages":
        whole: dict[str, Any] = {
            "content": [{"type": "tool_use", "name": "f", "input": {}}],
            "stop_reason": "tool_use",
        }
        streamed = [
            {"type": "message_start", "message": {**given, "content": [], "usage": {}}},
            {"type": "content_block_start", "index": 0, "content_block": whole["content"][0]},
            {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
        ]
        expected = "chatcmpl-u1"
    elif pair == "chat_to_responses":
        output = [{"type": "function_call", "name": "f", "arguments": "{}"}]
        whole = {"output": output, "status": "completed"}
        streamed = [{"type": "response.completed", "response": given | whole}]
        expected = "chatcmpl-u1"
    else:
        call = {"index": 0, "function": {"name": "f", "arguments": "{}"}}
        whole = {"choices": [{"message": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]}
        streamed = [
            {
                **given,
                "choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": "tool_calls"}],
            }
        ]
        expected = "resp_u1" if pair == "responses_to_chat" else "msg_u1"
    made = json.loads(new(pair).translate_response(json.dumps(given | whole).encode()))
    assert made["id"] == expected and '"call_' in json.dumps(made) and 'u1_0"' in json.dumps(made)
    fed = Fed(new(pair))
    sent_events = events(fed.feed(sse(*streamed)) + fed.end())
    first = sent_events[0]
    assert (first.get("message") or first.get("response") or first)["id"] == expected
    assert "u1_0" in json.dumps(sent_events)


def test_the_id_of_a_later_chunk_names_the_calls() -> None:
    """Azure's first chunk has an empty id; the message has begun by then."""
    fed = Fed(new("messages_to_chat"))
    delta = {"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "{}"}}]}
    chunk = {"id": "chatcmpl-real1", "choices": [{"index": 0, "delta": delta, "finish_reason": "tool_calls"}]}
    sent = events(fed.feed(sse({"id": "", "choices": []}, chunk)) + fed.end())
    assert sent[0]["message"]["id"] == "msg_u1"
    assert [event["content_block"]["id"] for event in sent if event["type"] == "content_block_start"] == [
        "call_chatcmplreal1_0"
    ]


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("broken", [b"\xff", b"\xf0\x9f\xa6", rb"\ud83d"])
def test_a_byte_that_is_no_character_does_not_end_a_response(pair: str, broken: bytes) -> None:
    """Streamed or not: it reads as U+FFFD."""
    if pair == "chat_to_messages":
        whole = b'{"id":"m","content":[{"type":"text","text":"a?b"}],"stop_reason":"end_turn"}'
        streamed = sse(
            {"type": "message_start", "message": {"id": "m", "content": [], "usage": {}}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a?b"}},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
        )
    elif pair == "chat_to_responses":
        whole = (
            b'{"id":"r","status":"completed","output":[{"type":"message","content":['
            b'{"type":"output_text","text":"a?b"}]}]}'
        )
        streamed = sse(
            {"type": "response.output_text.delta", "delta": "a?b"},
            {"type": "response.completed", "response": {"id": "r", "status": "completed", "output": []}},
        )
    else:
        whole = b'{"id":"c","choices":[{"message":{"content":"a?b"},"finish_reason":"stop"}]}'
        streamed = sse(
            {"id": "c", "choices": [{"index": 0, "delta": {"content": "a?b"}, "finish_reason": "stop"}]}
        )
    assert "a\ufffdb" in new(pair).translate_response(whole.replace(b"?", broken)).decode()
    fed = Fed(new(pair))
    assert "a\ufffdb" in (fed.feed(streamed.replace(b"?", broken)) + fed.end()).decode()


# Round trips: what both dialects can say survives the way there and back


words = st.text("aé🦞 \n", min_size=1, max_size=8).filter(str.strip)
ids = st.integers(0, 99).map("call_{}".format)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=2),
    max_leaves=4,
)
objects = st.dictionaries(words, values, max_size=3)
user_parts = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "text": words}),
    st.just({"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}),
    st.just({"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}),
    st.just({"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk="}}),
)


CLOSED = {"type": "object", "properties": {}, "additionalProperties": False}
FUNCTION = {"name": "f", "parameters": CLOSED, "strict": True}
NAMED = {"type": "function", "function": {"name": "f"}}


@st.composite
def turns(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Rounds of a conversation as a chat client sends them: a question, perhaps calls and their results, an answer."""
    said: list[dict[str, Any]] = []
    if draw(st.booleans()):
        said.append({"role": "system", "content": draw(words)})
    for _ in range(draw(st.integers(1, 3))):
        if draw(st.booleans()):
            said.append({"role": "user", "content": draw(words)})
        else:
            parts = draw(st.lists(user_parts, min_size=2, max_size=3))
            said.append({"role": "user", "content": parts})
        earlier = {message.get("tool_call_id") for message in said}
        called = [call for call in draw(st.lists(ids, unique=True, max_size=3)) if call not in earlier]
        if called:
            calls = [
                {
                    "id": call,
                    "type": "function",
                    "function": {"name": "f", "arguments": _compact(draw(objects))},
                }
                for call in called
            ]
            said.append({"role": "assistant", "content": draw(st.none() | words), "tool_calls": calls})
            said += [{"role": "tool", "tool_call_id": call, "content": draw(words)} for call in called]
        if draw(st.booleans()) or called:
            said.append({"role": "assistant", "content": draw(words).rstrip()})  # it may be the last one
        else:
            break
    return said


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _loaded(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Arguments as objects: how they are spelt is no part of what they say."""
    messages = copy.deepcopy(messages)
    for message in messages:
        for call in message.get("tool_calls", ()):
            call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    return messages


@given(turns())
def test_a_conversation_comes_back_from_the_other_dialect_as_it_was(said: list[dict[str, Any]]) -> None:
    body = json.dumps({"model": "m", "messages": said, "max_tokens": 10}).encode()
    there = new("chat_to_messages").translate_request(body)
    back = json.loads(new("messages_to_chat").translate_request(there))
    assert _loaded(back["messages"]) == _loaded(said)


@given(
    st.fixed_dictionaries(
        {"max_tokens": st.integers(1, 10**6)},
        optional={
            "temperature": st.floats(0, 1, exclude_max=True),
            "top_p": st.floats(0, 1, exclude_max=True),
            "stop": st.lists(words, min_size=1, max_size=3),
            "user": words,
            "service_tier": st.sampled_from(["auto", "default"]),
            "tools": st.just([{"type": "function", "function": FUNCTION}]),
            "tool_choice": st.sampled_from(["auto", "none", "required", NAMED]),
            "parallel_tool_calls": st.just(False),
        },
    )
)
def test_fields_of_both_apis_survive_a_round_trip(fields: dict[str, Any]) -> None:
    if "tools" not in fields:
        fields.pop("tool_choice", None)
        fields.pop("parallel_tool_calls", None)
    if fields.get("tool_choice") == "none":
        fields.pop("parallel_tool_calls", None)
    if "temperature" in fields:
        fields.pop("top_p", None)  # Claude accepts one of them
    request = {"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields}
    there = new("chat_to_messages").translate_request(json.dumps(request).encode())
    back = json.loads(new("messages_to_chat").translate_request(there))
    if "parallel_tool_calls" in fields:
        fields.setdefault("tool_choice", "auto")
    assert back == {**request, **fields, "model": "gpt-x"}


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("chat_to_messages")])
def test_two_gateways_in_a_row_preserve_anthropics_stream(name: str) -> None:
    """Signatures and all: the first speaks chat to the second, which has Anthropic behind it."""
    first = Fed(new("messages_to_chat"))
    said = first.feed(recorded(name, "stream.txt")) + first.end()
    sent = recorded(name, "upstream_stream.txt")
    assert joined(events(said)) == joined(events(sent))


def joined(stream: list[Any]) -> list[dict[str, Any]]:
    """The blocks of a Messages stream, each with its pieces joined."""
    blocks: list[dict[str, Any]] = []
    for event in stream:
        if event["type"] == "content_block_start":
            blocks.append({**event["content_block"], "input": ""})
        elif event["type"] == "content_block_delta":
            for member, piece in event["delta"].items():
                if member != "type":
                    blocks[-1]["input" if member == "partial_json" else member] += piece
    for block in blocks:
        block["input"] = json.loads(block["input"] or "{}")
    return blocks


# Hostile bodies


OPAQUE = {
    "parameters", "input_schema", "input", "schema", "cache_control", "seed", "detail", "model", "reasoning_details",
    "metadata", "web_search_options",
}  # fmt: skip
"""Members whose content nobody here reads, or that mean nothing to the other side."""


def paths(value: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Every place in a document: its path, and the container and key to change it."""
    members = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(members):
        if key in OPAQUE and not (key == "input" and isinstance(inner, list)):
            continue
        place = f"{path}[{key}]" if isinstance(value, list) else f"{path}.{key}".lstrip(".")
        yield place, value, key
        if isinstance(inner, dict | list):
            yield from paths(inner, place)


NOT_READ = {
    "chat_to_messages": {"reasoning_content", "index"},
    "messages_to_chat": {"top_k"},
    "chat_to_responses": {"reasoning_content"},
    "responses_to_chat": {"id", "status", "annotations", "k"},
}
"""What a request carries for other readers."""


@names
def test_a_wrong_type_anywhere_is_rejected_by_the_field_s_name(name: str) -> None:
    document = recorded_json(name, "request.json")
    for place, container, key in paths(document):
        if key in NOT_READ[pair_of(name)]:
            continue
        was, container[key] = container[key], [[]]
        with pytest.raises(InvalidRequest) as refused:
            new(name).translate_request(json.dumps(document).encode())
        container[key] = was
        assert refused.value.param is not None and refused.value.param.startswith(place), place


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(
        ["text", "tool_use", "thinking", "user", "system", "tool", "data:", "auto", "function", "{}", "{"]
    ),
    lambda inner: st.lists(inner, max_size=2)
    | st.dictionaries(st.sampled_from(["type", "text", "id", "content", "role", "name"]), inner, max_size=3),
    max_leaves=4,
)  # fmt: skip


def changed(data: st.DataObject, document: Any) -> Any:
    """A document with one to three of its values replaced or gone."""
    for _ in range(data.draw(st.integers(1, 3))):
        places = list(paths(document))
        if not places:
            return data.draw(anything)
        _, container, key = data.draw(st.sampled_from(places))
        if data.draw(st.booleans()):
            del container[key]
        else:
            container[key] = data.draw(anything)
    return document


def spelt(document: Any) -> bytes:
    return json.dumps(document).encode("utf-8", "surrogatepass")


@given(st.data(), st.sampled_from(NAMES))
@settings(max_examples=300)
def test_a_strange_request_is_translated_or_rejected(data: st.DataObject, name: str) -> None:
    document = changed(data, recorded_json(name, "request.json"))
    with suppress(InvalidRequest):
        json.loads(new(name).translate_request(spelt(document)))


@given(st.data(), st.sampled_from(NAMES))
@settings(max_examples=300)
def test_a_strange_response_is_translated_or_called_malformed(data: st.DataObject, name: str) -> None:
    document = changed(data, recorded_json(name, "upstream_answer.json"))
    with suppress(UpstreamFailed):
        json.loads(asked(name).translate_response(spelt(document)))


@given(st.data(), st.sampled_from(NAMES))
@settings(max_examples=300)
def test_a_strange_stream_stays_legal_as_far_as_it_goes(data: st.DataObject, name: str) -> None:
    """Events lost, doubled, moved or changed: the client reads a legal stream, or the beginning of one."""
    sent = recorded(name, "upstream_stream.txt").split(b"\n\n")[:-1]
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(sent) - 1))
        match data.draw(st.sampled_from(["lose", "double", "move", "change"])):
            case "lose" if len(sent) > 1:
                del sent[at]
            case "double":
                sent.insert(at, sent[at])
            case "move":
                sent.insert(data.draw(st.integers(0, len(sent) - 1)), sent.pop(at))
            case _:
                head, brace, rest = sent[at].partition(b"{")
                if brace:
                    try:
                        document = json.loads(b"{" + rest)
                    except ValueError:
                        continue
                    sent[at] = head + spelt(changed(data, document))
    exchange = Fed(asked(name))
    said = b""
    whole = False
    try:
        for event in sent:
            said += exchange.feed(event + b"\n\n")
        said += exchange.end()
        whole = True
    except UpstreamFailed:
        pass
    finished = looks_finished(pair_of(name), said)
    CHECKS[pair_of(name)](said, whole=finished)
    assert not (whole and not finished), "a proper end without a word about it"


def read(exchange: Translation, chunks: list[bytes]) -> bytes:
    fed = Fed(exchange)
    return b"".join(fed.feed(chunk) for chunk in chunks) + fed.end()


@given(st.lists(st.binary(max_size=20), max_size=10), st.sampled_from([*PAIRS]))
def test_bytes_that_are_no_stream_are_called_malformed_or_unfinished(chunks: list[bytes], pair: str) -> None:
    with pytest.raises((UpstreamMalformed, UpstreamClosed)):
        read(new(pair), [*chunks, b"\n\n"])


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize(
    "body",
    [
        b"", b"nonsense", b"[]", b"null", b'{"messages":NaN}', b'{"messages":"\xff"}', b"[" * 100_000,
        b'{"messages":[],"max_tokens":1}', b'{"messages":[{"role":"user","content":"\\ud800"}],"max_tokens":[]}',
    ],
)  # fmt: skip
def test_what_is_no_request_is_rejected_and_what_is_no_response_malformed(pair: str, body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        new(pair).translate_request(body)
    with pytest.raises(UpstreamMalformed):
        new(pair).translate_response(body)


WHOLE_ERRORS = [
    b'{"error":{"message":"boom","code":502}}',
    b'{"error":"boom"}',
    b'{"type":"error","error":{"type":"overloaded_error","message":"boom"}}',
]


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("body", WHOLE_ERRORS)
def test_an_error_in_place_of_a_response_is_raised_with_its_message(pair: str, body: bytes) -> None:
    for read_as in (new(pair).translate_response, new(pair).response_as_stream):
        with pytest.raises(UpstreamFailed, match="boom"):
            read_as(body)


@pytest.mark.parametrize("name", NAMES)
def test_a_complete_response_can_be_sent_as_a_stream(name: str) -> None:
    told = asked(name).response_as_stream(recorded(name, "upstream_answer.json"))
    CHECKS[pair_of(name)](told)


@pytest.mark.parametrize("streams", [True, False])
def test_two_gateways_in_a_row_return_signed_thinking_with_its_tool_call(streams: bool) -> None:
    """The client's turn gets back to Anthropic as it came, although chat completions are in between."""
    call = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}}
    content = [
        {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "c2VhbGVk"},
        call,
    ]
    message = {"id": "msg_1", "type": "message", "content": content, "stop_reason": "tool_use"}
    turns: list[dict[str, Any]] = [{"role": "user", "content": "hi"}]
    said = through_both(turns, message, streams=streams)
    results = [{"type": "tool_result", "tool_use_id": said[-1]["id"], "content": "ok"}]
    turns += [{"role": "assistant", "content": said}, {"role": "user", "content": results}]
    first, second = new("messages_to_chat"), new("chat_to_messages")
    there = second.translate_request(first.translate_request(asking(turns, streams=streams)))
    assert json.loads(there)["messages"][1]["content"] == content


def through_both(turns: list[Any], message: dict[str, Any], *, streams: bool) -> Any:
    """The content of Anthropic's message as it reaches a client."""
    first, second = new("messages_to_chat"), new("chat_to_messages")
    second.translate_request(first.translate_request(asking(turns, streams=streams)))
    upstream = json.dumps(message).encode()
    if not streams:
        return json.loads(first.translate_response(second.translate_response(upstream)))["content"]
    client, assembler = Fed(first), MessageAssembler()
    stream = client.feed(second.response_as_stream(upstream)) + client.end()
    for event in EventReader().feed(stream):
        assembler.feed(event)
    return json.loads(assembler.complete())["content"]


def asking(turns: list[Any], *, streams: bool) -> bytes:
    return json.dumps({"model": "m", "max_tokens": 9, "messages": turns, "stream": streams}).encode()
