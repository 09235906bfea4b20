"""The built-in model's responses as OpenAI's chat completions and (old) completions.

Pure: the same request gives the same bytes, so that a response through a gateway can be compared
with one that came directly. Ids are a hash of the request and `created` is a constant. It knows no HTTP.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

CREATED = 1_700_000_000
"""The `created` of everything, in seconds since the epoch."""

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """One response: `words` joined are the text; or the call of `tool`, and of `more`."""

    key: str
    words: tuple[str, ...]
    finish: str
    prompt_tokens: int
    tool: str = ""
    arguments: str = ""
    more: tuple[tuple[str, str], ...] = ()
    """Further calls, name and arguments each, that go along with the first one."""

    @property
    def calls(self) -> tuple[tuple[str, str], ...]:
        """Every call, name and arguments each."""
        return ((self.tool, self.arguments), *self.more) if self.tool else ()

    @property
    def text(self) -> str:
        return "".join(self.words)

    @property
    def usage(self) -> dict[str, Any]:
        """Counts in words, which is all that a fake needs to be consistent."""
        completion = len(self.words) or sum(len(split(arguments)) for _, arguments in self.calls)
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": completion,
            "total_tokens": self.prompt_tokens + completion,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        }


def reply_text(said: str) -> str:
    """Return the model's complete text for a user's message: several words, some not ASCII, under 300 characters."""
    said = " ".join(said.split())
    quoted = said if len(said) <= 200 else said[:199] + "…"
    return f"🦞 You said: “{quoted}”. Das ist naïve, but every word arrived: 你好, мир, done ✓"


def split(text: str) -> tuple[str, ...]:
    """The text in words with the space behind each; joined they are the text."""
    return tuple(re.findall(r"\s*\S+\s*|\s+", text))


def text_of(content: object) -> str:
    """The text of a message's content: a string, or a list of parts of which the text ones count."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return " ".join(str(part["text"]) for part in parts if isinstance(part, dict) and "text" in part)


def requests_tools(said: str, names: list[str]) -> bool:
    """Whether a text wants a tool to be called: it says "tool", or names one."""
    return "tool" in said or any(name in said for name in names)


def reply_to_chat(body: Body, *, eager: bool = True) -> Reply:
    """Return the response to a chat completion whose `messages` is a list that is not empty.

    A tool that is offered is called: each time if `eager`, otherwise where `tool_choice` or the text requests it.
    A text that says "parallel" gets a call of every tool, of the only one two. With a JSON schema as `response_format`
    the text is an example of it.
    """
    messages = [message for message in body["messages"] if isinstance(message, dict)]
    users = [message for message in messages if message.get("role") == "user"]
    prompt = sum(len(split(text_of(message.get("content")))) for message in messages)
    said = text_of(users[-1].get("content")) if users else ""
    answered = any(message.get("role") == "tool" for message in messages)
    tools = [] if answered else _tools_of(body, said, eager=eager)
    if tools:
        calls = [
            (str(tool["name"]), json.dumps(example(tool.get("parameters")), ensure_ascii=False))
            for tool in tools
        ]
        return Reply(_key(body), (), "tool_calls", prompt, *calls[0], tuple(calls[1:]))
    return _limited(body, split(_structured(body) or reply_text(said)), prompt)


def reply_to_prompt(body: Body) -> Reply:
    """Return the response to an old completion's `prompt` (a string or a list of which the last counts)."""
    prompt = body["prompt"]
    said = str(prompt[-1] if isinstance(prompt, list) and prompt else prompt)
    return _limited(body, split(reply_text(said)), len(split(said)))


def completion(body: Body, reply: Reply) -> dict[str, Any]:
    """A chat completion that is not streamed."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.text, "refusal": None}
    if reply.tool:
        calls = [_call(reply, number, arguments) for number, (_, arguments) in enumerate(reply.calls)]
        message |= {"content": None, "tool_calls": calls}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reply.finish}
    return {**_start(body, reply, "chat.completion"), "choices": [choice], "usage": reply.usage}


def chunks(body: Body, reply: Reply) -> Iterator[dict[str, Any]]:
    """A streamed chat completion: role, a chunk a word (or the tool call in two), finish, usage on request."""
    start = _start(body, reply, "chat.completion.chunk")

    def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return {**start, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]}

    if reply.tool:
        opening: dict[str, Any] = {"role": "assistant", "content": None}
        for number, (_, arguments) in enumerate(reply.calls):
            yield chunk({**opening, "tool_calls": [{"index": number, **_call(reply, number, "")}]})
            yield chunk({"tool_calls": [{"index": number, "function": {"arguments": arguments}}]})
            opening = {}
    else:
        yield chunk({"role": "assistant", "content": "", "refusal": None})
        for word in reply.words:
            yield chunk({"content": word})
    yield chunk({}, reply.finish)
    if wants_usage(body):
        yield {**start, "choices": [], "usage": reply.usage}


def old_completion(body: Body, reply: Reply) -> dict[str, Any]:
    """An (old) completion that is not streamed."""
    choice = {"index": 0, "text": reply.text, "logprobs": None, "finish_reason": reply.finish}
    return {**_start(body, reply, "text_completion"), "choices": [choice], "usage": reply.usage}


def old_chunks(body: Body, reply: Reply) -> Iterator[dict[str, Any]]:
    """A streamed (old) completion."""
    start = _start(body, reply, "text_completion")
    for number, word in enumerate(reply.words, 1):
        finish = reply.finish if number == len(reply.words) else None
        yield {**start, "choices": [{"index": 0, "text": word, "logprobs": None, "finish_reason": finish}]}
    if wants_usage(body):
        yield {**start, "choices": [], "usage": reply.usage}


def wants_usage(body: Body) -> bool:
    """Whether `stream_options.include_usage` is on."""
    options = body.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def _start(body: Body, reply: Reply, kind: str) -> dict[str, Any]:
    prefix = "chatcmpl" if kind.startswith("chat") else "cmpl"
    return {"id": f"{prefix}-{reply.key}", "object": kind, "created": CREATED, "model": body["model"]}


def _call(reply: Reply, number: int, arguments: str) -> dict[str, Any]:
    function = {"name": reply.calls[number][0], "arguments": arguments}
    suffix = f"_{number}" if number else ""
    return {"id": f"call_{reply.key}{suffix}", "type": "function", "function": function}


def _structured(body: Body) -> str:
    """JSON that fits the schema of `response_format`, "" where there is none."""
    form = body.get("response_format")
    schema = form.get("json_schema") if isinstance(form, dict) else None
    return json.dumps(example(schema.get("schema")), ensure_ascii=False) if isinstance(schema, dict) else ""


def _key(body: Body) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:24]


def _limited(body: Body, words: tuple[str, ...], prompt: int) -> Reply:
    words = _before_stop(words, body.get("stop"))
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    cut = isinstance(limit, int) and 0 < limit < len(words)
    return Reply(_key(body), words[:limit] if cut else words, "length" if cut else "stop", prompt)


def _before_stop(words: tuple[str, ...], stop: object) -> tuple[str, ...]:
    """The words up to the first of the texts that `stop` (one, or a list) has; never the text itself."""
    given = stop if isinstance(stop, list) else [stop]
    text = "".join(words)
    found = [text.index(one) for one in given if isinstance(one, str) and one and one in text]
    return split(text[: min(found)]) if found else words


def _tools_of(body: Body, said: str, *, eager: bool) -> list[dict[str, Any]]:
    """The functions to call: the one that `tool_choice` names, or the text, otherwise the first one; or all of them."""
    choice = body.get("tool_choice")
    tools = body.get("tools")
    listed = [_function(tool) for tool in tools] if isinstance(tools, list) else []
    functions = [function for function in listed if function.get("name")]
    if choice == "none" or not functions:
        return []
    pinned = _function(choice).get("name")
    names = [str(function["name"]) for function in functions]
    if not (eager or pinned or choice == "required" or requests_tools(said, names)):
        return []
    named = [function for function in functions if str(function["name"]) in said]
    called = [function for function in functions if function["name"] == pinned] or (named or functions)[:1]
    if "parallel" in said and not pinned and body.get("parallel_tool_calls") is not False:
        called = functions if len(functions) > 1 else functions * 2
    return called


def _function(of: object) -> dict[str, Any]:
    function = of.get("function") if isinstance(of, dict) else None
    return function if isinstance(function, dict) else {}


def example(schema: object) -> Any:
    """The simplest value that fits a JSON schema, with every required property."""
    if not isinstance(schema, dict):
        return {}
    if schema.get("enum"):
        return schema["enum"][0]
    match schema.get("type", "object"):
        case "string":
            return "Zürich"
        case "integer" | "number":
            return 1
        case "boolean":
            return True
        case "array":
            return []
        case "null":
            return None
    properties = schema.get("properties") or {}
    return {name: example(properties.get(name)) for name in schema.get("required") or ()}
