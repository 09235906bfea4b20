"""Scripted event streams through a real gateway, and the promises that every response has to keep.

A script is what an upstream sends, in segments of their own. What the client has to see follows from the script: it is
read here with the tests' own readers, which know nothing of the product's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from clawgate.bundled.anthropic_claude_proxy.error_mapping import map_error as judge
from clawgate.routing.plugin_hooks import MapError
from tests.peers.client import RawClient
from tests.peers.faults import LAST_CHUNK, SSE_FIELDS, chunk, head
from tests.peers.message_reader import MessageReader
from tests.peers.response import Response
from tests.peers.script import Close, ReadBody, Reset, Send, Step, Wait
from tests.routing.gateway_server import (
    ANTHROPIC,
    CLIENT_TOKEN,
    OPENAI,
    GatewayStand,
    config_of,
    provider,
    question,
)
from tests.routing.no_hooks import NoHooks
from tests.wire.event_stream import dispatched

FOLDER = Path(__file__).with_name("stream_scripts")
PATHS = {"m": "/v1/messages", "o": "/v1/chat/completions", "r": "/v1/responses"}
APIS = {"m": ANTHROPIC, "o": OPENAI, "r": "openai-responses"}
SECRET = "sk-upstream-Zq8RtY3uW0pLk5mN7bVc2xHd9sFg1j"
SHORT_SECRET = "local-key"
"""A credential that could be a word of a model's."""

Dialect = Literal["m", "o", "r"]
Lane = Literal["plain", "short", "judged"]
"""A provider with a real credential, with a short one, and one whose plugin maps failures."""
LANES: tuple[Lane, ...] = ("plain", "short", "judged")


@dataclass(frozen=True, slots=True)
class StreamScript:
    """What one upstream sends, the dialects of both sides, and how its connection ends."""

    name: str
    client: Dialect
    upstream: Dialect
    segments: tuple[bytes, ...]
    end: str = "keep"
    http: str = "1.1"

    @property
    def wire(self) -> bytes:
        return b"".join(self.segments)

    def steps(self) -> tuple[Step, ...]:
        """The script for a `FakeUpstream`: each segment is read before the next one is sent."""
        sent: list[Step] = []
        for segment in self.segments:
            sent += [Send(segment), *[Wait(0.0)] * 3]
        ends: dict[str, tuple[Step, ...]] = {"keep": (), "fin": (Close(),), "reset": (Reset(),)}
        return (ReadBody(), *sent, *ends[self.end])


def recorded() -> list[StreamScript]:
    """The scripts of `FOLDER`; those of time limits are not among them."""
    found = []
    for path in sorted(FOLDER.glob("*.json")):
        case = json.loads(path.read_text())
        if any(act == "repeat" for act, _ in case["script"]):
            continue
        segments = tuple(data.encode("latin-1") for act, data in case["script"] if act == "send")
        client = next(dialect for dialect in get_args(Dialect) if PATHS[dialect] == case["path"])
        found.append(StreamScript(case["id"], client, case["upstream"], segments, case["end"], case["http"]))
    return found


def keepalives(name: str) -> tuple[bytes, bytes]:
    """What a script about time limits sends first, and what it repeats then."""
    (_, first), (_, (repeated, _, _)) = json.loads((FOLDER / f"{name}.json").read_text())["script"]
    return first.encode("latin-1"), repeated.encode("latin-1")


Framing = Literal["chunked", "length", "close"]


def scripted(
    name: str,
    client: Dialect,
    upstream: Dialect,
    body: Sequence[bytes],
    *,
    framing: Framing = "chunked",
    cut: bool = False,
    http: str = "1.1",
) -> StreamScript:
    """A script of these pieces of a body, each in a segment; ``cut``: the connection ends without the proper end."""
    if framing == "chunked":
        start = head(200, [*SSE_FIELDS, ("Transfer-Encoding", "chunked")])
        segments = [start, *map(chunk, body)]
        if not cut:
            segments.append(LAST_CHUNK)
        return StreamScript(name, client, upstream, tuple(segments), "fin" if cut else "keep", http)
    if framing == "length":
        length = sum(map(len, body)) + (7 if cut else 0)
        start = head(200, [*SSE_FIELDS, ("Content-Length", str(length))])
        return StreamScript(name, client, upstream, (start, *body), "fin" if cut else "keep", http)
    start = head(200, [*SSE_FIELDS, ("Connection", "close")])
    return StreamScript(name, client, upstream, (start, *body), "reset" if cut else "fin", http)


class JudgedHooks(NoHooks):
    """Maps the failures of the provider ``judged`` as the plugin for Claude proxies does."""

    def further_apis(self, provider: str) -> tuple[str, ...]:
        return ()

    def error_mapper(self, provider: str) -> MapError | None:
        return judge if provider.startswith("judged") else None


def config(urls: Mapping[Dialect, str]) -> dict[str, Any]:
    """A provider for each lane and dialect."""
    made: dict[str, Any] = {}
    for dialect, url in urls.items():
        for lane in LANES:
            block = provider(url, APIS[dialect])
            block["apiKey"] = SHORT_SECRET if lane == "short" else SECRET
            made[f"{lane}-{dialect}"] = block
    return config_of(made)


_FAILED = b"event: response.failed\n"


async def ask(stand: GatewayStand, script: StreamScript, lane: Lane) -> tuple[Response, str | None, bytes]:
    """The client's response, how its connection ended (None: it did not), and what came behind the response."""
    body = asking(script.client, f"{lane}-{script.upstream}/m")
    lines = [
        f"POST {PATHS[script.client]} HTTP/{script.http}",
        f"Host: {stand.url.removeprefix('http://')}",
        f"Authorization: Bearer {CLIENT_TOKEN}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    async with await stand.client() as client:
        await client.send("".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + body)
        found = await client.response()
        return found, *await _rest(stand, client, found)


def asking(client: Dialect, model: str) -> bytes:
    if client == "r":
        return json.dumps({"model": model, "input": "hi", "stream": True}).encode()
    return question(model, stream=True, **options(client))


def options(client: Dialect) -> dict[str, Any]:
    return {"stream_options": {"include_usage": True}} if client == "o" else {}


async def _rest(stand: GatewayStand, client: RawClient, found: Response) -> tuple[str | None, bytes]:
    """What follows a response: another request shows that the connection is still in step.

    One of the Responses API that failed ends in order, and its connection may end behind it, without another byte.
    """
    if not found.complete or found.framing == "close" or found.header("connection") == "close":
        ended = await client.ended()
        return ended.how, ended.trailing
    await client.request("/healthz")
    follower = await client.response()
    if not follower.status and _FAILED in found.body:
        ended = await client.ended()
        return None, ended.trailing
    assert follower.status, f"nothing that is a response follows: {client.state()}"
    return None, b""


@dataclass(slots=True)
class Truth:
    """What a stream's bytes say."""

    finished: bool = False
    """A reason to stop was given."""
    terminated: bool = False
    """``message_stop``, ``[DONE]`` or the last event of a response came."""
    errors: list[str] = field(default_factory=list)
    behind_end: bool = False
    """An error event stands behind the terminator."""
    begun: bool = False
    """A response of the Responses API began."""
    failed: bool = False
    """It ended as failed, which is an end of the dialect's own."""
    goes_on: bool = False
    """Chunks of the response follow an error event."""
    text: str = ""
    thinking: str = ""
    calls: dict[int, list[str]] = field(default_factory=dict)
    """Id, name and arguments, by the index that the dialect gives a call."""
    stop: str = ""
    """Why the model stopped, in OpenAI's word."""
    usage: dict[str, int] = field(default_factory=dict)
    """``prompt``, ``cached`` and ``output`` tokens, the largest of each."""

    def is_part_of(self, whole: Truth) -> bool:
        """Whether nothing stands here that does not stand in ``whole``, in the same order."""
        pairs = zip(self.calls.values(), whole.calls.values(), strict=False)
        return (
            whole.text.startswith(self.text)
            and whole.thinking.startswith(self.thinking)
            and len(self.calls) <= len(whole.calls)
            and all(
                _named(some) == _named(other)
                and (other[2].startswith(some[2]) or _parsed(some[2]) == _parsed(other[2]))
                for some, other in pairs
            )
        )

    def says(self) -> object:
        """What a user gets of it."""
        return self.text, self.thinking, [(*_named(call), _parsed(call[2])) for call in self.calls.values()]


def _named(call: list[str]) -> tuple[str, str]:
    """Id and name; the id without the state that it carries."""
    return call[0].partition("__clawgate_")[0], call[1]


def _parsed(arguments: str) -> object:
    """The value of a call's arguments; what is no JSON (yet) is the text itself."""
    try:
        return json.loads(arguments or "{}")
    except ValueError:
        return arguments


STOPS = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "tool_use": "tool_calls"}


def read(body: bytes) -> Truth:
    """Read an event stream of either dialect as a client would."""
    truth = Truth()
    for data in dispatched(body):
        if data.strip() == "[DONE]":
            truth.terminated = True
            continue
        try:
            event = json.loads(data)
        except ValueError:
            continue
        if not isinstance(event, dict):
            continue
        if event.get("type") == "error" or (not event.get("type") and event.get("error")):
            truth.errors.append(json.dumps(event.get("error")))
            truth.behind_end = truth.behind_end or truth.terminated
        truth.goes_on = truth.goes_on or bool(truth.errors and "choices" in event)
        if str(event.get("type")).startswith("response."):
            _read_response(event, truth)
            continue
        _read_messages(event, truth)
        _read_chat(event, truth)
    return truth


def _read_messages(event: dict[str, Any], truth: Truth) -> None:
    delta: dict[str, Any] = event.get("delta") or {}
    index = event.get("index", 0)
    match event.get("type"):
        case "message_start":
            _count(truth, event["message"].get("usage") or {})
        case "content_block_start":
            block = event["content_block"]
            truth.text += block.get("text", "")
            if block["type"] == "tool_use":
                complete = json.dumps(block["input"]) if block.get("input") else ""
                truth.calls[index] = [block["id"], block["name"], complete]
        case "content_block_delta":
            truth.text += delta.get("text", "")
            truth.thinking += delta.get("thinking", "")
            if index in truth.calls:
                truth.calls[index][2] += delta.get("partial_json", "")
        case "message_delta":
            _count(truth, event.get("usage") or {})
            if delta.get("stop_reason"):
                truth.finished = True
                truth.stop = STOPS.get(delta["stop_reason"], delta["stop_reason"])
        case "message_stop":
            truth.terminated = True


def _read_chat(event: dict[str, Any], truth: Truth) -> None:
    _count(truth, (event.get("usage") if "choices" in event else None) or {})
    for choice in event.get("choices") or ():
        if choice.get("finish_reason") is not None:
            truth.finished, truth.stop = True, choice["finish_reason"]
        delta = choice.get("delta") or {}
        truth.text += delta.get("content") or ""
        truth.thinking += delta.get("reasoning_content") or delta.get("reasoning") or ""
        for call in delta.get("tool_calls") or ():
            index = call.get("index", len(truth.calls))
            known = truth.calls.setdefault(index, ["", "", ""])
            known[0] = call.get("id") or known[0]
            known[1] = call["function"].get("name") or known[1]
            known[2] += call["function"].get("arguments") or ""


def _read_response(event: dict[str, Any], truth: Truth) -> None:
    item: dict[str, Any] = event.get("item") or {}
    index = event.get("output_index", 0)
    match event["type"].removeprefix("response."):
        case "created":
            truth.begun = True
        case "output_text.delta":
            truth.text += event["delta"]
        case "reasoning_summary_text.delta" | "reasoning_text.delta":
            truth.thinking += event["delta"]
        case "output_item.added" if item["type"] == "function_call":
            truth.calls[index] = [item["call_id"], item["name"], item.get("arguments") or ""]
        case "function_call_arguments.delta":
            truth.calls[index][2] += event["delta"]
        case "output_item.done" if item["type"] == "function_call":
            truth.calls[index] = [item["call_id"], item["name"], item["arguments"]]
        case "failed":
            truth.failed = truth.begun and not truth.errors
            if not truth.errors:
                truth.errors.append(json.dumps(event["response"].get("error")))
            truth.behind_end = truth.behind_end or truth.terminated
        case "completed" | "incomplete":
            truth.finished = truth.terminated = True
            reason = (event["response"].get("incomplete_details") or {}).get("reason")
            stop = "tool_calls" if truth.calls else "stop"
            named = {"max_output_tokens": "length", "content_filter": "content_filter"}
            truth.stop = named.get(str(reason), stop)
            usage = event["response"].get("usage") or {}
            details = usage.get("input_tokens_details") or {}
            counted: dict[str, Any] = {
                "prompt_tokens": usage.get("input_tokens"),
                "completion_tokens": usage.get("output_tokens"),
            }
            _count(truth, counted | {"prompt_tokens_details": details})


def _count(truth: Truth, usage: dict[str, Any]) -> None:
    cached = usage.get("cache_read_input_tokens") or 0
    details = usage.get("prompt_tokens_details") or {}
    counts = {
        "prompt": (usage.get("prompt_tokens") or usage.get("input_tokens") or 0) + cached,
        "cached": cached or details.get("cached_tokens") or 0,
        "output": usage.get("completion_tokens") or usage.get("output_tokens") or 0,
    }
    for name, count in counts.items():
        truth.usage[name] = max(truth.usage.get(name, 0), count)


def sent_by(script: StreamScript) -> tuple[bytes, bool]:
    """The body that the upstream sent, and whether its transfer was complete."""
    reader = MessageReader("response", to_method="POST")
    reader.feed(script.wire)
    if script.end != "keep":
        reader.feed_eof(reset=script.end == "reset")
    partial = b"" if reader.complete or reader.framing == "chunked" else reader.unread
    return bytes(reader.body) + partial, reader.complete


def broken_promises(
    script: StreamScript, lane: Lane, found: Response, how: str | None, trailing: bytes
) -> Iterator[str]:
    """What the client was promised and did not get."""
    body, transferred = sent_by(script)
    upstream = read(body)
    whole = transferred and upstream.finished and not upstream.errors
    got_bytes = found.body + found.partial
    got = read(got_bytes)
    secret = SHORT_SECRET if lane == "short" else SECRET
    if lane != "short" and secret.encode() in got_bytes:
        yield "our credential is in the body"
    if found.anomalies and found.complete:
        yield f"not correct HTTP: {found.anomalies}"
    if trailing:
        yield f"bytes follow the response: {trailing[:200]!r}"
    if got.behind_end and not upstream.behind_end:
        yield "an error event of ours stands behind the end of the message"
    if len(got.errors) > 1:
        yield f"more than one error event: {got.errors}"
    if whole:
        yield from _whole(script, found, _masked(body, lane), upstream, got)
    elif found.status == 200:
        yield from _cut(script, lane, found, how, _masked(body, lane), transferred, upstream, got)
    elif not found.complete:
        yield "an error response is broken"


def _whole(script: StreamScript, found: Response, body: bytes, upstream: Truth, got: Truth) -> Iterator[str]:
    if found.status != 200 or not found.complete:
        yield f"a whole response is {found.status}, complete: {found.complete}, {found.anomalies}"
        return
    if script.client == script.upstream and found.body != body:
        yield f"the bytes differ: {found.body[-300:]!r}"
    if got.says() != read(body).says():
        yield f"the words differ: {got}"
    if not got.finished or got.errors or (script.client != script.upstream and not got.terminated):
        yield f"it does not look finished: {got}"


def _cut(
    script: StreamScript,
    lane: Lane,
    found: Response,
    how: str | None,
    body: bytes,
    transferred: bool,
    upstream: Truth,
    got: Truth,
) -> Iterator[str]:
    if not upstream.terminated and got.terminated:
        yield "an end of the message that the upstream never sent"
    if script.client == "m" and got.terminated and not upstream.finished:
        yield "message_stop reached the client although no stop_reason did"
    if not got.is_part_of(
        read(body + b"\n\n")
    ):  # an error event of ours ends an event that lacks its blank line
        yield f"words that the upstream never sent: {got}"
    passes = script.client == script.upstream == "o" and lane != "judged"
    if passes and transferred and (not upstream.errors or upstream.goes_on):
        return  # what makes such a stream whole is the transfer; the client reads the error itself
    if script.client == script.upstream == "r" and lane != "judged" and transferred and upstream.failed:
        if not (found.complete and body.startswith(found.body) and got.failed):
            yield f"the bytes of a response that failed differ: {found.body[-300:]!r}"
        return
    says_so = script.client == "r" and _FAILED in found.body  # decision 0035
    if found.complete and not says_so and not (found.framing == "close" and got.errors):
        yield "a response that was cut ends in order"
    closed = got.terminated or (found.framing == "close" and how == "reset")
    # Behind a whole [DONE] no event is read, though it lacks its blank line.
    closed = closed or found.body.rstrip(b"\r\n").endswith(b"\ndata: [DONE]")
    # A line that an event behind it could make a [DONE] of.
    closed = closed or b"data: [DONE]".startswith(found.body.rpartition(b"\n")[2] or b"-")
    if not got.errors and not closed:
        yield f"no error event: {found.body[-200:]!r}"


def _masked(body: bytes, lane: Lane) -> bytes:
    return body if lane == "short" else body.replace(SECRET.encode(), b"*" * len(SECRET))


async def problems(stand: GatewayStand, script: StreamScript, lane: Lane) -> list[str]:
    """Run one script and return the promises that were broken."""
    return list(broken_promises(script, lane, *await ask(stand, script, lane)))
