"""The official clients of OpenAI and Anthropic, through the gateway, see what they would see at either vendor."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from demo.models.anthropic_messages import LOOKS_UP, signature_of
from demo.models.openai_chat import reply_text, split
from tests.e2e.gateway_stand import CHAT, CLAUDE, Stand, whole_stand

SAID = "Grüße aus dem Test 🦞"
TEXT = reply_text(SAID)
WORDS = len(split(TEXT))
ASK: Any = [{"role": "user", "content": SAID}]
MODELS = {CHAT: f"{CHAT}/gpt-4o-mini", CLAUDE: f"{CLAUDE}/claude-demo"}
PROVIDERS = pytest.mark.parametrize("provider", [CHAT, CLAUDE])
STREAMED = pytest.mark.parametrize("streamed", [False, True])

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
NAMES = ("weather", "clock")
CHAT_TOOLS: Any = [
    {"type": "function", "function": {"name": name, "description": "tells", "parameters": PARAMETERS}}
    for name in NAMES
]
CLAUDE_TOOLS: Any = [{"name": name, "description": "tells", "input_schema": PARAMETERS} for name in NAMES]
BOTH: Any = [{"role": "user", "content": "use both tools, in parallel"}]
ARGUMENTS = {"city": "Zürich"}

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
IMAGE = base64.b64encode(PNG).decode()


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with whole_stand(tmp_path_factory.mktemp("gateway")) as stand:
        yield stand


def chat(stand: Stand, provider: str, messages: Any, *, streamed: bool, **more: Any) -> Any:
    """The first choice of OpenAI's client, and the usage; of a stream as the client adds it up."""
    with stand.gateway.openai() as client:
        if not streamed:
            whole = client.chat.completions.create(model=MODELS[provider], messages=messages, **more)
            return whole.choices[0], whole.usage
        options: Any = {"include_usage": True}
        with client.chat.completions.stream(
            model=MODELS[provider], messages=messages, stream_options=options, **more
        ) as stream:
            final = stream.get_final_completion()
            return final.choices[0], final.usage


def ask(stand: Stand, provider: str, messages: Any, *, streamed: bool, **more: Any) -> Any:
    """The message of Anthropic's client; of a stream as the client adds it up."""
    given = {"model": MODELS[provider], "messages": messages, "max_tokens": 4000, **more}
    with stand.gateway.anthropic() as client:
        if not streamed:
            return client.messages.create(**given)
        with client.messages.stream(**given) as stream:
            return stream.get_final_message()


@PROVIDERS
@STREAMED
def test_openai_text_and_usage(stand: Stand, provider: str, streamed: bool) -> None:
    choice, usage = chat(stand, provider, ASK, streamed=streamed)
    assert (choice.message.role, choice.message.content) == ("assistant", TEXT)
    assert choice.finish_reason == "stop"
    assert usage.completion_tokens == WORDS
    assert (usage.prompt_tokens, usage.total_tokens) == (len(split(SAID)), len(split(SAID)) + WORDS)


@PROVIDERS
@STREAMED
def test_anthropic_text_and_usage(stand: Stand, provider: str, streamed: bool) -> None:
    message = ask(stand, provider, ASK, streamed=streamed)
    assert [(block.type, block.text) for block in message.content] == [("text", TEXT)]
    assert (message.role, message.stop_reason, message.stop_sequence) == ("assistant", "end_turn", None)
    assert (message.usage.input_tokens, message.usage.output_tokens) == (len(split(SAID)), WORDS)


@PROVIDERS
def test_words_arrive_one_by_one(stand: Stand, provider: str) -> None:
    """A word of the model is a piece of the client's stream, in both dialects."""
    with stand.gateway.openai() as client:
        stream = client.chat.completions.create(model=MODELS[provider], messages=ASK, stream=True)
        pieces = [chunk.choices[0].delta.content for chunk in stream]
    assert [piece for piece in pieces if piece] == list(split(TEXT))
    with (
        stand.gateway.anthropic() as anthropic,
        anthropic.messages.stream(model=MODELS[provider], messages=ASK, max_tokens=99) as words,
    ):
        assert list(words.text_stream) == list(split(TEXT))


@PROVIDERS
def test_pings_and_comments_are_no_words(stand: Stand, provider: str) -> None:
    with stand.gateway.openai() as client:
        stream = client.chat.completions.create(model=f"{provider}/pings", messages=ASK, stream=True)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == TEXT
    with (
        stand.gateway.anthropic() as anthropic,
        anthropic.messages.stream(model=f"{provider}/pings", messages=ASK, max_tokens=99) as words,
    ):
        assert words.get_final_text() == TEXT


@PROVIDERS
async def test_many_at_once_over_one_client(stand: Stand, provider: str) -> None:
    """Twenty streams of each asynchronous client, each with its own words."""
    async with stand.gateway.async_openai() as openai, stand.gateway.async_anthropic() as anthropic:

        async def one(number: int) -> None:
            said: Any = [{"role": "user", "content": f"number {number}"}]
            stream = await openai.chat.completions.create(model=MODELS[provider], messages=said, stream=True)
            text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
            assert text == reply_text(f"number {number}")
            async with anthropic.messages.stream(
                model=MODELS[provider], messages=said, max_tokens=99
            ) as words:
                assert await words.get_final_text() == text

        async with asyncio.TaskGroup() as group:
            for number in range(20):
                group.create_task(one(number))


@PROVIDERS
@STREAMED
def test_openai_parallel_tools_there_and_back(stand: Stand, provider: str, streamed: bool) -> None:
    """Both calls with their arguments; both results reach the model under their calls' ids, in one go."""
    choice, _ = chat(stand, provider, BOTH, streamed=streamed, tools=CHAT_TOOLS)
    calls = choice.message.tool_calls
    assert choice.finish_reason == "tool_calls"
    assert [call.function.name for call in calls] == list(NAMES)
    assert [json.loads(call.function.arguments) for call in calls] == [ARGUMENTS, ARGUMENTS]
    assert len({call.id for call in calls}) == 2
    assert choice.message.content == (LOOKS_UP if provider == CLAUDE else None)

    said = choice.message.model_dump(exclude_none=True)
    for call in said["tool_calls"]:
        call.pop("index", None)
        call["function"].pop("parsed_arguments", None)
    results = [
        {"role": "tool", "tool_call_id": calls[0].id, "content": "12 C"},
        {"role": "tool", "tool_call_id": calls[1].id, "content": [{"type": "text", "text": "noon"}]},
    ]
    choice, _ = chat(stand, provider, [*BOTH, said, *results], streamed=streamed, tools=CHAT_TOOLS)
    assert choice.finish_reason == "stop"
    if provider == CLAUDE:
        assert choice.message.content.endswith(" The tools said: 12 C | noon.")
        assert [turn["role"] for turn in stand.last_body(CLAUDE)["messages"]] == ["user", "assistant", "user"]
    else:
        sent = stand.last_body(CHAT)["messages"]
        assert [turn.get("tool_call_id") for turn in sent] == [None, None, calls[0].id, calls[1].id]


@PROVIDERS
@STREAMED
def test_anthropic_parallel_tools_there_and_back(stand: Stand, provider: str, streamed: bool) -> None:
    message = ask(stand, provider, BOTH, streamed=streamed, tools=CLAUDE_TOOLS)
    calls = [block for block in message.content if block.type == "tool_use"]
    assert message.stop_reason == "tool_use"
    assert [(call.name, call.input) for call in calls] == [(name, ARGUMENTS) for name in NAMES]

    said = {"role": "assistant", "content": [block.model_dump(include=_SENT) for block in message.content]}
    results = [
        {"type": "tool_result", "tool_use_id": calls[0].id, "content": "12 C"},
        {"type": "tool_result", "tool_use_id": calls[1].id, "content": "no clock", "is_error": True},
    ]
    turns = [*BOTH, said, {"role": "user", "content": results}]
    message = ask(stand, provider, turns, streamed=streamed, tools=CLAUDE_TOOLS)
    assert message.stop_reason == "end_turn"
    if provider == CLAUDE:
        assert message.content[0].text.endswith(" The tools said: 12 C | error no clock.")
    else:
        sent = [turn for turn in stand.last_body(CHAT)["messages"] if turn["role"] == "tool"]
        assert [turn["tool_call_id"] for turn in sent] == [call.id for call in calls]
        assert sent[0]["content"] == "12 C" and "no clock" in sent[1]["content"]


_SENT = {"type", "text", "id", "name", "input"}


@PROVIDERS
def test_a_tool_by_its_name_none_and_one_at_a_time(stand: Stand, provider: str) -> None:
    """`tool_choice` and the limit to one call mean the same on both sides."""
    named: Any = {"type": "function", "function": {"name": "clock"}}
    choice, _ = chat(stand, provider, ASK, streamed=False, tools=CHAT_TOOLS, tool_choice=named)
    assert [call.function.name for call in choice.message.tool_calls] == ["clock"]
    choice, _ = chat(stand, provider, BOTH, streamed=False, tools=CHAT_TOOLS, tool_choice="none")
    assert choice.message.tool_calls is None
    choice, _ = chat(
        stand, provider, BOTH, streamed=False, tools=CHAT_TOOLS, parallel_tool_calls=False, tool_choice="required"
    )  # fmt: skip
    assert len(choice.message.tool_calls) == 1

    forced: Any = {"type": "tool", "name": "clock"}
    message = ask(stand, provider, ASK, streamed=False, tools=CLAUDE_TOOLS, tool_choice=forced)
    assert [block.name for block in message.content] == ["clock"]
    one: Any = {"type": "any", "disable_parallel_tool_use": True}
    message = ask(stand, provider, BOTH, streamed=False, tools=CLAUDE_TOOLS, tool_choice=one)
    assert [block.type for block in message.content] == ["tool_use"]


@PROVIDERS
def test_images_arrive_byte_for_byte(stand: Stand, provider: str) -> None:
    parts = [
        {"type": "text", "text": SAID},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{IMAGE}"}},
    ]
    choice, _ = chat(stand, provider, [{"role": "user", "content": parts}], streamed=False)
    if provider == CLAUDE:
        assert choice.message.content == f"{TEXT} I saw image/png of {len(PNG)} bytes."
    assert stand.seen(provider)[-1].body.count(IMAGE.encode()) == 1
    source = {"type": "base64", "media_type": "image/png", "data": IMAGE}
    blocks = [{"type": "image", "source": source}, {"type": "text", "text": SAID}]
    message = ask(stand, provider, [{"role": "user", "content": blocks}], streamed=False)
    if provider == CHAT:
        sent = stand.last_body(CHAT)["messages"][0]["content"]
        assert {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{IMAGE}"}} in sent
    else:
        assert message.content[0].text == f"{TEXT} I saw image/png of {len(PNG)} bytes."


def test_system_and_developer_messages_become_the_system_prompt(stand: Stand) -> None:
    """Wherever they stand; and the other way round the system prompt becomes the first message."""
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": "Be kind."},
        *ASK,
        {"role": "assistant", "content": "Yes?"},
        {"role": "user", "content": "Go on."},
    ]
    chat(stand, CLAUDE, turns, streamed=False)
    body = stand.last_body(CLAUDE)
    assert [block["text"] for block in body["system"]] == ["Be brief.", "Be kind."]
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]
    ask(stand, CHAT, ASK, streamed=False, system="Be brief.")
    first = stand.last_body(CHAT)["messages"][0]
    assert first == {"role": "system", "content": "Be brief."}


@PROVIDERS
@STREAMED
def test_stop_sequences_and_limits(stand: Stand, provider: str, streamed: bool) -> None:
    before = TEXT[: TEXT.index("naïve")]
    choice, _ = chat(stand, provider, ASK, streamed=streamed, stop=["naïve", "nowhere"])
    assert (choice.message.content, choice.finish_reason) == (before, "stop")
    message = ask(stand, provider, ASK, streamed=streamed, stop_sequences=["nowhere", "naïve"])
    assert message.content[0].text == before
    if provider == CLAUDE:
        assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "naïve")

    three = "".join(split(TEXT)[:3])
    with stand.gateway.openai() as client:
        cut = client.chat.completions.create(model=MODELS[provider], messages=ASK, max_completion_tokens=3)
        assert (cut.choices[0].message.content, cut.choices[0].finish_reason) == (three, "length")
    message = ask(stand, provider, ASK, streamed=streamed, max_tokens=3)
    assert (message.content[0].text, message.stop_reason) == (three, "max_tokens")


@STREAMED
def test_anthropic_thinking_is_signed_and_taken_back(stand: Stand, streamed: bool) -> None:
    """The model refuses a thought whose signature is not its own: so it came through whole, both ways."""
    thinking: Any = {"type": "enabled", "budget_tokens": 1024}
    more: Any = {"thinking": thinking, "tools": CLAUDE_TOOLS}
    message = ask(stand, CLAUDE, BOTH, streamed=streamed, **more)
    thought = message.content[0]
    assert thought.type == "thinking" and thought.signature == signature_of(thought.thinking)
    said = [block.model_dump(include={*_SENT, "thinking", "signature"}) for block in message.content]
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": "ok"}
        for block in message.content
        if block.type == "tool_use"
    ]
    turns = [*BOTH, {"role": "assistant", "content": said}, {"role": "user", "content": results}]
    assert ask(stand, CLAUDE, turns, streamed=streamed, **more).stop_reason == "end_turn"


@STREAMED
@pytest.mark.parametrize("words", ["use both tools, in parallel", "use the tools, parallel and redacted"])
def test_openai_thinking_is_signed_and_taken_back(stand: Stand, streamed: bool, words: str) -> None:
    """OpenAI's client carries it in `thinking_blocks`, which it does not know; redacted thoughts too."""
    turns: Any = [{"role": "user", "content": words}]
    more: Any = {"reasoning_effort": "low", "tools": CHAT_TOOLS}
    if streamed:
        said = _added_up(stand, turns, more)
    else:
        choice, _ = chat(stand, CLAUDE, turns, streamed=False, **more)
        said = choice.message.model_dump(exclude_none=True)
    kinds = [block["type"] for block in said["thinking_blocks"]]
    assert kinds == ["redacted_thinking" if "redacted" in words else "thinking"]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "ok"} for call in said["tool_calls"]]
    choice, _ = chat(stand, CLAUDE, [*turns, said, *results], streamed=False, **more)
    assert choice.message.content.endswith("The tools said: ok | ok.")
    sent = stand.last_body(CLAUDE)
    assert sent["thinking"]["type"] in ("adaptive", "enabled")
    assert sent["messages"][1]["content"][0]["type"] == kinds[0]


def _added_up(stand: Stand, turns: Any, more: Any) -> dict[str, Any]:
    """What a program adds up of the pieces of a stream."""
    blocks: list[dict[str, Any]] = []
    calls: dict[int, dict[str, Any]] = {}
    text = ""
    with stand.gateway.openai() as client:
        for chunk in client.chat.completions.create(
            model=MODELS[CLAUDE], messages=turns, stream=True, **more
        ):
            delta = chunk.choices[0].delta.model_dump(exclude_none=True)
            text += delta.get("content") or ""
            for block in delta.get("thinking_blocks") or ():
                if blocks and block["type"] == "thinking" and "signature" not in blocks[-1]:
                    told = blocks[-1].get("thinking", "")
                    whole = block.get("thinking", "") if "signature" in block else ""
                    blocks[-1] |= block
                    blocks[-1]["thinking"] = whole or told + (block.get("thinking") or "")
                else:
                    blocks.append(dict(block))
            for call in delta.get("tool_calls") or ():
                known = calls.setdefault(call["index"], {"id": "", "type": "function", "function": {}})
                known["id"] = call.get("id") or known["id"]
                for name, value in (call.get("function") or {}).items():
                    known["function"][name] = known["function"].get(name, "") + value
    return {
        "role": "assistant",
        "content": text,
        "thinking_blocks": blocks,
        "tool_calls": [calls[index] for index in sorted(calls)],
    }


@STREAMED
def test_cached_tokens_are_counted_for_both_clients(stand: Stand, streamed: bool) -> None:
    """OpenAI counts them within the prompt, Anthropic beside the rest."""
    marked = {"type": "text", "text": "one two three", "cache_control": {"type": "ephemeral"}}
    turns = [{"role": "system", "content": [marked]}, *ASK]
    _, usage = chat(stand, CLAUDE, turns, streamed=streamed)
    assert usage.prompt_tokens == 3 + len(split(SAID))
    assert usage.prompt_tokens_details.cached_tokens == 3
    message = ask(stand, CLAUDE, ASK, streamed=streamed, system=[marked])
    assert message.usage.input_tokens == len(split(SAID))
    assert message.usage.cache_read_input_tokens == 3


def test_temperatures_are_carried_over(stand: Stand) -> None:
    """OpenAI's range is twice Anthropic's: what is too hot there is as hot as it goes."""
    for given, sent in ((0.3, 0.3), (1.7, 1)):
        chat(stand, CLAUDE, ASK, streamed=False, temperature=given)
        assert stand.last_body(CLAUDE)["temperature"] == sent


def test_the_other_routes(stand: Stand) -> None:
    """The Responses API and embeddings at a provider of OpenAI's kind, counting at each."""
    with stand.gateway.openai() as client:
        assert client.responses.create(model=MODELS[CHAT], input=SAID).output_text == TEXT
        count = client.responses.input_tokens.count
        assert count(model=MODELS[CLAUDE], input=SAID).input_tokens == len(split(SAID))
        assert count(model=MODELS[CHAT], input=SAID).input_tokens > len(split(SAID))  # an estimate
        assert len(client.embeddings.create(model=f"{CHAT}/e", input=["a", "b"]).data) == 2
    with stand.gateway.anthropic() as anthropic:
        counted = anthropic.messages.count_tokens(model=MODELS[CLAUDE], messages=ASK)
        assert counted.input_tokens == len(split(SAID))
        estimated = anthropic.messages.count_tokens(model=MODELS[CHAT], messages=ASK, system=SAID)
        assert estimated.input_tokens > len(split(SAID))


@PROVIDERS
def test_betas_go_to_anthropic_alone(stand: Stand, provider: str) -> None:
    """The client's beta features, which it asks for in a header: kept where they are known, dropped elsewhere."""
    with stand.gateway.anthropic() as anthropic:
        message = anthropic.beta.messages.create(
            model=MODELS[provider], messages=ASK, max_tokens=99, betas=["context-1m-2025-08-07"]
        )
        assert message.content[0].type == "text" and message.content[0].text == TEXT
    sent = dict(stand.seen(provider)[-1].headers).get("anthropic-beta")
    assert sent == ("context-1m-2025-08-07" if provider == CLAUDE else None)


def test_both_clients_list_the_models(stand: Stand) -> None:
    with stand.gateway.openai() as client:
        assert [model.id for model in client.models.list()] == list(MODELS.values())
        assert client.models.retrieve(MODELS[CLAUDE]).id == MODELS[CLAUDE]
    with stand.gateway.anthropic() as anthropic:
        assert [model.id for model in anthropic.models.list()] == list(MODELS.values())
        assert anthropic.models.retrieve(MODELS[CHAT]).id == MODELS[CHAT]


@PROVIDERS
def test_the_answer_says_who_served_it(stand: Stand, provider: str) -> None:
    """In its head, for both clients, streamed or not, and with the request's id where each client looks for it."""
    name = MODELS[provider].partition("/")[2]
    with stand.gateway.openai() as client:
        for streamed in (False, True):
            raw = client.chat.completions.with_raw_response.create(
                model=MODELS[provider], messages=ASK, stream=streamed
            )
            assert raw.headers["x-clawgate-provider"] == provider
            assert raw.headers["x-clawgate-model"] == name
            assert "x-clawgate-attempts" not in raw.headers
            assert (raw.request_id or "").startswith("req_")
            raw.http_response.close()
    with stand.gateway.anthropic() as anthropic:
        answer = anthropic.messages.with_raw_response.create(
            model=MODELS[provider], messages=ASK, max_tokens=9
        )
        assert answer.headers["x-clawgate-provider"] == provider
        assert (answer.request_id or "").startswith("req_")
