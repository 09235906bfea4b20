"""Whatever conversation one vendor's API takes, its translation is one that the other vendor's API takes."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from clawgate.errors import InvalidRequest
from clawgate.wire.dialect import Dialect
from clawgate.wire.translate.translator import translation
from demo.models.anthropic_errors import MessagesError
from demo.models.anthropic_messages import sealed, signature_of
from demo.models.anthropic_validation import check

PNG = "iVBORw0KGgo="
TEXTS = st.sampled_from(["hi", "", " ", "\n", "Grüße 🦞", " before", "after ", "two\nlines"])
SAID = st.sampled_from(["hi", "Grüße 🦞", "two\nlines"])
NAMES = st.sampled_from(["weather", "clock"])
INPUTS = st.dictionaries(
    st.sampled_from(["city", "x"]), st.one_of(st.integers(), st.text(max_size=5)), max_size=2
)
MARK = st.sampled_from([{}, {"cache_control": {"type": "ephemeral"}}])
SCHEMAS = st.sampled_from(
    [
        {},
        {"type": "object"},
        {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    ]
)
STRICT = st.sampled_from([None, False, True])
FORMATS = st.sampled_from(
    [
        {"type": "text"},
        {"type": "json_object"},
        {"type": "json_schema", "json_schema": {"name": "n", "schema": {
            "type": "object", "properties": {"n": {"type": ["integer", "null"], "minimum": 1}, "any": {}}}}},
    ]
)  # fmt: skip
EFFORTS = st.sampled_from(["none", "minimal", "low", "medium", "high", "xhigh"])
MODELS = st.sampled_from(
    ["claude-demo", "claude-haiku-4-5", "claude-sonnet-4-5", "claude-opus-4-7", "local-model"]
)


def asked(client: Dialect, upstream: Dialect, model: str, body: object) -> dict[str, Any]:
    """The body that goes upstream."""
    exchange = translation(
        client, upstream, requested_model="asked/for", upstream_model=model, created=1, unique_id="u1"
    )
    told = json.loads(exchange.translate_request(json.dumps(body).encode()))
    assert isinstance(told, dict)
    return told


@st.composite
def chat_parts(draw: st.DrawFn) -> Any:
    """The content of a user's message."""
    if draw(st.booleans()):
        return draw(TEXTS)
    text = st.builds(lambda said, mark: {"type": "text", "text": said, **mark}, TEXTS, MARK)
    image = st.just(
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "low"}}
    )
    return draw(st.lists(st.one_of(text, image), min_size=1, max_size=3))


@st.composite
def chat_conversations(draw: st.DrawFn) -> dict[str, Any]:
    """A request that OpenAI's chat completions would take: every call answered, in any order, then a user."""
    messages: list[dict[str, Any]] = []
    for number in range(draw(st.integers(0, 4))):
        kind = draw(st.sampled_from(["system", "developer", "user", "assistant", "tools"]))
        if kind in ("system", "developer"):
            messages.append({"role": kind, "content": draw(TEXTS)})
        elif kind == "user":
            messages.append({"role": "user", "content": draw(chat_parts()), "name": "ada"})
        elif kind == "assistant":
            messages.append({"role": "assistant", "content": draw(TEXTS)})
        else:
            messages += draw(chat_tool_turn(number))
    ends = draw(st.one_of(st.just([]), chat_tool_turn(9)))
    messages += ends or [{"role": "user", "content": draw(SAID)}]
    tools = [
        {"type": "function", "function": {"name": name, "parameters": draw(SCHEMAS), "strict": draw(STRICT)}}
        for name in ("weather", "clock")
    ]
    body: dict[str, Any] = {"model": "asked/for", "messages": messages, "tools": tools}
    options = {
        "temperature": st.floats(0, 2), "top_p": st.floats(0, 1), "stop": st.sampled_from(["x", ["x", "\n"], "", None]),
        "max_tokens": st.integers(1, 9000), "max_completion_tokens": st.integers(1, 9000), "user": st.just("u-1"),
        "tool_choice": st.sampled_from(
            ["auto", "none", "required", {"type": "function", "function": {"name": "clock"}}]
        ),
        "parallel_tool_calls": st.booleans(), "reasoning_effort": EFFORTS, "seed": st.integers(0, 9),
        "stream": st.booleans(), "n": st.just(1), "frequency_penalty": st.just(0.5), "store": st.booleans(),
        "service_tier": st.sampled_from(["auto", "default", "flex", "priority"]), "logprobs": st.just(False),
        "response_format": FORMATS, "metadata": st.just({"team": "x"}),
    }  # fmt: skip
    return body | draw(st.fixed_dictionaries({}, optional=options))


@st.composite
def chat_tool_turn(draw: st.DrawFn, number: int) -> list[dict[str, Any]]:
    """An assistant's calls and all their results."""
    calls = [
        {
            "id": f"call_{number}_{index}",
            "type": "function",
            "function": {"name": draw(NAMES), "arguments": json.dumps(draw(INPUTS))},
        }
        for index in range(draw(st.integers(1, 3)))
    ]
    said: dict[str, Any] = {
        "role": "assistant",
        "content": draw(st.one_of(st.none(), TEXTS)),
        "tool_calls": calls,
    }
    thoughts = draw(st.sampled_from(["", "signed", "sealed"]))
    if thoughts == "signed":
        thought = {"type": "thinking", "thinking": "hm", "signature": signature_of("hm")}
        said |= {"reasoning_content": "hm", "thinking_blocks": [thought]}
    elif thoughts == "sealed":
        said["thinking_blocks"] = [{"type": "redacted_thinking", "data": sealed("hm")}]
    answered = draw(st.permutations(calls))
    return [
        said,
        *({"role": "tool", "tool_call_id": call["id"], "content": draw(TEXTS)} for call in answered),
    ]


def test_a_remark_behind_a_result_asks_for_no_budget() -> None:
    """The result and the remark become one turn, behind a call without its thinking, which Anthropic refuses."""
    call = {"id": "call_1", "type": "function", "function": {"name": "clock", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "noon"},
        {"role": "user", "content": "and?"},
    ]
    tools = [{"type": "function", "function": {"name": "clock"}}]
    body = {"model": "asked/for", "messages": messages, "tools": tools, "reasoning_effort": "low"}
    check(asked(Dialect.CHAT, Dialect.MESSAGES, "claude-haiku-4-5", body))


@given(chat_conversations(), MODELS)
def test_openais_conversations_are_taken_by_anthropic(body: dict[str, Any], model: str) -> None:
    """By its own rules: nothing empty, every call answered in the next turn, thoughts signed, no foreign field."""
    told = asked(Dialect.CHAT, Dialect.MESSAGES, model, body)
    try:
        check(told)
    except MessagesError as error:
        raise AssertionError(f"{error.message}: {json.dumps(told)}") from None


@st.composite
def claude_conversations(draw: st.DrawFn) -> dict[str, Any]:
    """A request that Anthropic's Messages would take."""
    turns: list[dict[str, Any]] = []
    for number in range(draw(st.integers(0, 3))):
        blocks: list[dict[str, Any]] = [{"type": "text", "text": draw(SAID), **draw(MARK)}]
        if draw(st.booleans()):
            source = {"type": "base64", "media_type": "image/png", "data": PNG}
            blocks.insert(draw(st.integers(0, 1)), {"type": "image", "source": source})
        turns.append({"role": "user", "content": draw(st.sampled_from([blocks, "plain"]))})
        turns += draw(claude_tool_turn(number))
    turns = turns or [{"role": "user", "content": draw(SAID)}]
    tools = [{"name": name, "input_schema": {"type": "object"}} for name in ("weather", "clock")]
    body: dict[str, Any] = {"model": "asked/for", "max_tokens": 5000, "messages": turns, "tools": tools}
    options = {
        "system": st.one_of(SAID, st.just([{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}])),
        "temperature": st.floats(0, 1), "top_k": st.integers(0, 9), "stop_sequences": st.just(["x"]),
        "tool_choice": st.sampled_from(
            [{"type": "auto", "disable_parallel_tool_use": True}, {"type": "none"}, {"type": "any"},
             {"type": "tool", "name": "clock"}]
        ),
        "metadata": st.just({"user_id": "u-1"}), "stream": st.booleans(),
        "service_tier": st.sampled_from(["auto", "standard_only"]),
    }  # fmt: skip
    return body | draw(st.fixed_dictionaries({}, optional=options))


@st.composite
def claude_tool_turn(draw: st.DrawFn, number: int) -> list[dict[str, Any]]:
    """A model's turn: text, or calls with all their results in any order, and perhaps more words behind them."""
    text = {"type": "text", "text": draw(SAID)}
    if draw(st.booleans()):
        return [{"role": "assistant", "content": draw(st.sampled_from(["plain", [text]]))}]
    thought = {"type": "thinking", "thinking": "hm", "signature": signature_of("hm")}
    calls = [
        {"type": "tool_use", "id": f"toolu_{number}_{index}", "name": draw(NAMES), "input": draw(INPUTS)}
        for index in range(draw(st.integers(1, 3)))
    ]
    inside = st.sampled_from(["12 C", "", [], [text], [{"type": "image", "source": {
        "type": "base64", "media_type": "image/png", "data": PNG}}]])  # fmt: skip
    results: list[dict[str, Any]] = []
    for call in draw(st.permutations(calls)):
        result: dict[str, Any] = {"type": "tool_result", "tool_use_id": call["id"]}
        if draw(st.booleans()):
            result["content"] = draw(inside)
        if draw(st.booleans()):
            result["is_error"] = draw(st.booleans())
        results.append(result)
    more = [text] if draw(st.booleans()) else []
    return [
        {"role": "assistant", "content": [*([thought] if draw(st.booleans()) else []), *more, *calls]},
        {"role": "user", "content": [*results, *more]},
    ]


def complaints(body: dict[str, Any]) -> list[str]:
    """What OpenAI's chat completions would not take of a request, as far as the reference says it."""
    found = []
    open_calls: list[str] = []
    known = {"model", "messages", "max_tokens", "max_completion_tokens", "temperature", "top_p", "stop", "user",
             "service_tier", "tools", "tool_choice", "parallel_tool_calls", "reasoning_effort", "response_format",
             "stream", "stream_options"}  # fmt: skip
    found += [f"unknown field {name}" for name in body.keys() - known]
    for turn in body["messages"]:
        if open_calls and turn["role"] != "tool":
            found.append(f"calls without a result: {open_calls}")
            open_calls = []
        match turn["role"]:
            case "tool":
                if turn["tool_call_id"] not in open_calls:
                    found.append(f"a result of nothing: {turn['tool_call_id']}")
                else:
                    open_calls.remove(turn["tool_call_id"])
                if not isinstance(turn.get("content"), str | list):
                    found.append("a result without content")
                if isinstance(turn["content"], list) and any(
                    part["type"] != "text" for part in turn["content"]
                ):
                    found.append("a result that is not text")
            case "assistant":
                open_calls = [call["id"] for call in turn.get("tool_calls") or ()]
                if not turn.get("content") and not open_calls:
                    found.append("an assistant who says nothing")
                for call in turn.get("tool_calls") or ():
                    if not isinstance(json.loads(call["function"]["arguments"]), dict):
                        found.append("arguments that are no object")
            case "user" | "system" | "developer":
                if not turn.get("content"):
                    found.append(f"an empty {turn['role']}")
            case role:
                found.append(f"an unknown role {role}")
    if open_calls:
        found.append(f"calls without a result: {open_calls}")
    return found


@given(claude_conversations())
def test_anthropics_conversations_are_taken_by_openai(body: dict[str, Any]) -> None:
    """Each result behind its call and as text, arguments as JSON in a string, nothing that OpenAI does not know."""
    check(body)
    told = asked(Dialect.MESSAGES, Dialect.CHAT, "gpt-4o-mini", body)
    assert complaints(told) == [], json.dumps(told)


@given(chat_conversations())
def test_there_and_back_calls_keep_their_ids(body: dict[str, Any]) -> None:
    """OpenAI to Anthropic to OpenAI: the same calls with the same results, in an order that both take."""
    there = asked(Dialect.CHAT, Dialect.MESSAGES, "local-model", body)
    try:
        back = asked(Dialect.MESSAGES, Dialect.CHAT, "gpt-4o-mini", there)
    except InvalidRequest as error:
        raise AssertionError(f"{error.message}: {json.dumps(there)}") from None
    assert complaints(back) == [], json.dumps(back)

    def calls_of(request: dict[str, Any]) -> list[tuple[str, str, Any]]:
        return [
            (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
            for turn in request["messages"]
            for call in turn.get("tool_calls") or ()
        ]

    assert calls_of(back) == calls_of(body)
