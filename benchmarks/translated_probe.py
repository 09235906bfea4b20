"""Does a translator carry over what was said, in both directions, and nothing else? Asked before it is timed.

The upstream tells what reached it, as the text of an answer that is itself translated. Of a stream each event is
read strictly: order, kinds, one proper end, and every text that the upstream sent, once and in its order.
"""

from __future__ import annotations

import json
import re
from typing import Any

from benchmarks.client_dialects import CLIENT_DIALECTS, SYSTEM, texts
from benchmarks.payloads import CHUNKS
from benchmarks.probe import check_credentials, post
from benchmarks.roles import ENDS, MODEL, Role
from benchmarks.started import Failed
from benchmarks.upstream_dialects import OUTPUT_TOKENS

BODY_SIZE = 1024
_STAMPED = re.compile(r"\d{20} risk")
_RESPONSE_KINDS = re.compile(
    r"created( in_progress)? output_item\.added content_part\.added( output_text\.delta)+"
    r"( output_text\.done content_part\.done)? output_item\.done completed"
)
_UPSTREAM_PATHS = {
    "chat": "/v1/chat/completions",
    "messages": "/v1/messages",
    "responses": "/v1/responses",
}


def probe_translation(port: int, role: Role, token: str, *, streams: bool) -> None:
    """Raises Failed with the reason unless request, answer and stream are carried over as they must be."""
    ends = ENDS[role]
    dialect = CLIENT_DIALECTS[ends.client]
    read_answer, read_stream = _readers(ends.client)
    answer = post(port, role, token, dialect.body(BODY_SIZE, "probe", 7, ends.model))
    told = _checked(read_answer, answer)
    try:
        seen = json.loads(told)
    except ValueError:
        raise Failed(f"the text of the answer reached the client changed: {told[:200]!r}") from None
    check_credentials(seen["headers"], role, token)
    if seen["path"].partition("?")[0] != _UPSTREAM_PATHS[ends.upstream]:
        raise Failed(f"the upstream was asked for {seen['path']}")
    _checked(_check_request, json.loads(seen["body"]), ends.upstream)
    if not streams:
        return
    stream = post(port, role, token, dialect.body(BODY_SIZE, "stream", 0, ends.model))
    said = _checked(read_stream, stream)
    pieces = _STAMPED.findall("".join(said))
    if "".join(said) != "".join(pieces) or len(pieces) != CHUNKS or pieces != sorted(pieces):
        raise Failed(f"the stream's text reached the client changed: {len(pieces)} of {CHUNKS} chunks")


def _checked(read: Any, *given: Any) -> Any:
    """What is missing in JSON shows as an exception of the reader: the same as an expectation that is not met."""
    try:
        return read(*given)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise Failed(f"what was translated is malformed: {repr(error)[:300]}") from None


def _expect(fact: bool, what: str) -> None:
    if not fact:
        raise ValueError(what)


def _check_request(body: dict[str, Any], upstream: str) -> None:
    """The conversation as the client's, in the upstream's dialect."""
    given = body["input" if upstream == "responses" else "messages"]
    turns = [{"role": one["role"], "content": _plain(one["content"])} for one in given]
    turns = [one | {"role": "system"} if one["role"] == "developer" else one for one in turns]
    leading = {"messages": "system", "responses": "instructions"}.get(upstream)
    if leading in body:
        turns.insert(0, {"role": "system", "content": _plain(body[leading])})
    roles = ("system", "user", "assistant", "user")
    expected = [SYSTEM, *texts("probe", 7, BODY_SIZE - 300)]
    wanted = [{"role": role, "content": text} for role, text in zip(roles, expected, strict=True)]
    _expect(turns == wanted, "the conversation reached the upstream changed")
    _expect(body["model"] == MODEL, f"the upstream was asked for the model {body['model']!r}")
    _expect(not body.get("stream"), "the upstream was asked for a stream where the client asked for none")
    _expect(body["temperature"] == 0.2, "the temperature was lost")
    limits = ("max_tokens", "max_completion_tokens", "max_output_tokens")
    _expect(512 in map(body.get, limits), "the token limit was lost")


def _plain(content: str | list[dict[str, Any]]) -> str:
    """Both dialects let a text be a list of blocks as well."""
    return content if isinstance(content, str) else "".join(block["text"] for block in content)


def read_completion(answer: bytes) -> str:
    """The text of a chat completion that finished; raises ValueError, KeyError and the like."""
    completion = json.loads(answer)
    (choice,) = completion["choices"]
    _expect(completion["object"] == "chat.completion", "not a chat completion")
    _expect(choice["finish_reason"] == "stop", "a wrong finish_reason")
    _expect(completion["usage"]["completion_tokens"] == OUTPUT_TOKENS, "a wrong usage")
    return str(choice["message"]["content"])


def read_message(answer: bytes) -> str:
    """The text of a message that finished; raises ValueError, KeyError and the like."""
    message = json.loads(answer)
    (block,) = message["content"]
    _expect((message["type"], message["role"]) == ("message", "assistant"), "not a message")
    _expect(message["stop_reason"] == "end_turn", "a wrong stop_reason")
    _expect(message["usage"]["output_tokens"] == OUTPUT_TOKENS, "a wrong usage")
    return str(block["text"])


def _events(stream: bytes) -> list[tuple[str, str]]:
    """(event, data) of a stream that ends with a whole event; comments are left out."""
    _expect(stream.endswith(b"\n\n"), "the stream ends within an event")
    events = []
    for block in stream.decode().split("\n\n"):
        fields = [line.partition(": ")[::2] for line in block.split("\n") if line and line[0] != ":"]
        if fields:
            _expect({name for name, _ in fields} <= {"event", "data"}, f"a foreign field in {block!r}")
            found = dict(fields)
            events.append((found.get("event", ""), found["data"]))
    return events


def read_chat_stream(stream: bytes) -> list[str]:
    """Its texts; raises ValueError, KeyError and the like for what is not the whole stream of one choice."""
    *events, last = _events(stream)
    _expect(last == ("", "[DONE]"), "[DONE] is not the last event")
    chunks = [json.loads(data) for _, data in events]
    _expect(all(one["object"] == "chat.completion.chunk" for one in chunks), "not chat completion chunks")
    choices = [choice for one in chunks for choice in one["choices"]]
    _expect(choices[0]["delta"].get("role") == "assistant", "the first chunk names no role")
    finished = [choice["finish_reason"] for choice in choices if choice.get("finish_reason") is not None]
    _expect(finished == ["stop"], f"finish reasons {finished}")
    used = [one["usage"]["completion_tokens"] for one in chunks if one.get("usage")]
    _expect(used == [OUTPUT_TOKENS], f"usages {used}")
    return [text for choice in choices if (text := choice["delta"].get("content"))]


def read_messages_stream(stream: bytes) -> list[str]:
    """Its texts; raises ValueError, KeyError and the like for what is not the whole stream of one text block."""
    events = [(name, json.loads(data)) for name, data in _events(stream)]
    _expect(all(name == event["type"] for name, event in events), "an event's name is not its type")
    kinds = [name for name, _ in events if name != "ping"]
    frame = [*kinds[:2], *kinds[-3:]]
    wanted = ["message_start", "content_block_start", "content_block_stop", "message_delta", "message_stop"]
    _expect(frame == wanted and set(kinds[2:-3]) == {"content_block_delta"}, f"events {frame}")
    deltas = [event["delta"] for name, event in events if name == "content_block_delta"]
    _expect(all(delta["type"] == "text_delta" for delta in deltas), "a delta that is no text")
    _expect(all(event["index"] == 0 for name, event in events if "block" in name), "more than one block")
    (end,) = (event for name, event in events if name == "message_delta")
    _expect(end["delta"]["stop_reason"] == "end_turn", "a wrong stop_reason")
    _expect(end["usage"]["output_tokens"] == OUTPUT_TOKENS, "a wrong usage")
    return [delta["text"] for delta in deltas]


def read_response(answer: bytes) -> str:
    """The text of a response that was completed; raises ValueError, KeyError and the like."""
    response = json.loads(answer)
    _check_completed(response)
    (item,) = response["output"]
    (part,) = item["content"]
    return str(part["text"])


def _check_completed(response: dict[str, Any]) -> None:
    _expect((response["object"], response["status"]) == ("response", "completed"), "not a complete response")
    _expect(response["usage"]["output_tokens"] == OUTPUT_TOKENS, "a wrong usage")


def read_responses_stream(stream: bytes) -> list[str]:
    """Its texts; raises ValueError, KeyError and the like for what is not the whole stream of one message."""
    events = [(name, json.loads(data)) for name, data in _events(stream)]
    _expect(all(name == event["type"] for name, event in events), "an event's name is not its type")
    kinds = " ".join(name.removeprefix("response.") for name, _ in events)
    _expect(_RESPONSE_KINDS.fullmatch(kinds) is not None, f"events {kinds[:300]}")
    _check_completed(events[-1][1]["response"])
    return [event["delta"] for name, event in events if name == "response.output_text.delta"]


def _readers(client: str) -> tuple[Any, Any]:
    """What reads an answer and a stream in the client's dialect."""
    if client == "responses":
        return read_response, read_responses_stream
    return (
        (read_message, read_messages_stream) if client == "messages" else (read_completion, read_chat_stream)
    )
