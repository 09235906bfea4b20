"""The built-in model satisfies the real OpenAI SDK, and refuses in OpenAI's shape."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

from demo.models import openai_server as model
from demo.models.openai_chat import reply_text, split
from tests.peers.client import RawClient
from tests.peers.response import Response

KEY = "sk-test-of-the-model"
SAID = "tell me about lobsters"
ASK: list[ChatCompletionMessageParam] = [
    {"role": "system", "content": "be brief"},
    {"role": "user", "content": SAID},
]
TOOL: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "unit": {"type": "string", "enum": ["C", "F"]},
                "days": {"type": "integer"},
                "more": {"type": "array"},
            },
            "required": ["city", "unit", "days"],
        },
    },
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with model.running(model.build_model(api_key=KEY)) as url:
        yield url


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=KEY, base_url=f"{url}/v1", max_retries=0, timeout=60) as client:
        yield client


def test_whole_answer(client: openai.OpenAI) -> None:
    """The answer is a function of the last user message, with consistent usage."""
    answer = client.chat.completions.create(model="m", messages=ASK)
    choice = answer.choices[0]
    assert (choice.message.role, choice.message.content) == ("assistant", reply_text(SAID))
    assert choice.finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == len(split(reply_text(SAID)))
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.usage.prompt_tokens == 2 + 4


def test_the_text_is_worth_relaying() -> None:
    """The text quotes what was said, has many words, and characters of 2, 3 and 4 bytes."""
    text = reply_text(SAID)
    assert SAID in text
    assert len(split(text)) > 10
    assert "".join(split(text)) == text
    assert {len(character.encode()) for character in text} == {1, 2, 3, 4}
    assert len(reply_text("x" * 10_000)) < 300


def test_stream_is_the_whole_answer_in_words(client: openai.OpenAI) -> None:
    """A stream has the role, a chunk a word, the finish reason, and no usage that was not asked for."""
    chunks = list(client.chat.completions.create(model="m", messages=ASK, stream=True))
    assert chunks[0].choices[0].delta.role == "assistant"
    words = [chunk.choices[0].delta.content or "" for chunk in chunks]
    assert [word for word in words if word] == list(split(reply_text(SAID)))
    assert [chunk.choices[0].finish_reason for chunk in chunks[-2:]] == [None, "stop"]
    assert len({chunk.id for chunk in chunks}) == 1
    assert all(chunk.usage is None for chunk in chunks)


def test_stream_usage_is_a_chunk_without_choices(client: openai.OpenAI) -> None:
    """With include_usage the last chunk has the same usage as the whole answer, and no choices."""
    whole = client.chat.completions.create(model="m", messages=ASK)
    options: Any = {"include_usage": True}
    chunks = list(
        client.chat.completions.create(model="m", messages=ASK, stream=True, stream_options=options)
    )
    assert [len(chunk.choices) for chunk in chunks[-2:]] == [1, 0]
    assert chunks[-1].usage == whole.usage


def test_max_tokens_cuts_in_words(client: openai.OpenAI) -> None:
    """Fewer tokens than words give that many words and finish `length`."""
    answer = client.chat.completions.create(model="m", messages=ASK, max_completion_tokens=3)
    assert answer.choices[0].message.content == "".join(split(reply_text(SAID))[:3])
    assert answer.choices[0].finish_reason == "length"


def test_text_parts_count_as_text(client: openai.OpenAI) -> None:
    """A message in parts is answered by its text; an image in it does no harm."""
    parts: list[ChatCompletionMessageParam] = [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": SAID},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
            ],
        }
    ]
    answer = client.chat.completions.create(model="m", messages=parts)
    assert answer.choices[0].message.content == reply_text(SAID)


def test_tool_call_and_its_result(client: openai.OpenAI) -> None:
    """With tools the first is called with arguments that fit its schema; after the result comes text."""
    answer = client.chat.completions.create(model="m", messages=ASK, tools=[TOOL])
    message = answer.choices[0].message
    assert answer.choices[0].finish_reason == "tool_calls"
    assert message.content is None
    assert message.tool_calls is not None
    call = message.tool_calls[0]
    assert call.type == "function"
    assert call.function.name == "get_weather"
    assert json.loads(call.function.arguments) == {"city": "Zürich", "unit": "C", "days": 1}
    follow_up: Any = [*ASK, message, {"role": "tool", "tool_call_id": call.id, "content": "12 C"}]
    answer = client.chat.completions.create(model="m", messages=follow_up, tools=[TOOL])
    assert (answer.choices[0].finish_reason, answer.choices[0].message.content) == ("stop", reply_text(SAID))


def test_streamed_tool_call_adds_up(client: openai.OpenAI) -> None:
    """The SDK's own accumulation of the stream gives the same call as the whole answer."""
    whole = client.chat.completions.create(model="m", messages=ASK, tools=[TOOL])
    with client.chat.completions.stream(model="m", messages=ASK, tools=[TOOL]) as stream:
        final = stream.get_final_completion()
    assert whole.choices[0].message.tool_calls is not None
    assert final.choices[0].message.tool_calls is not None
    ours, theirs = whole.choices[0].message.tool_calls[0], final.choices[0].message.tool_calls[0]
    assert ours.type == "function"
    assert (theirs.id[:5], theirs.function.name) == ("call_", ours.function.name)
    assert theirs.function.arguments == ours.function.arguments
    assert final.choices[0].finish_reason == "tool_calls"


def test_tool_choice(client: openai.OpenAI) -> None:
    """`none` calls nothing, and a named function is the one that is called."""
    other: Any = {"type": "function", "function": {"name": "other"}}
    none = client.chat.completions.create(model="m", messages=ASK, tools=[TOOL], tool_choice="none")
    assert none.choices[0].finish_reason == "stop"
    pinned = client.chat.completions.create(model="m", messages=ASK, tools=[TOOL, other], tool_choice=other)
    calls = pinned.choices[0].message.tool_calls
    assert calls is not None
    assert calls[0].type == "function"
    assert calls[0].function.name == "other"


async def test_async_client(url: str) -> None:
    """The async SDK gets the same, whole and streamed, twenty at a time."""
    async with openai.AsyncOpenAI(api_key=KEY, base_url=f"{url}/v1", max_retries=0, timeout=60) as client:

        async def streamed(number: int) -> str:
            said: list[ChatCompletionMessageParam] = [{"role": "user", "content": f"number {number}"}]
            stream = await client.chat.completions.create(model="m", messages=said, stream=True)
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

        texts = await asyncio.gather(*(streamed(number) for number in range(20)))
        assert texts == [reply_text(f"number {number}") for number in range(20)]


def test_responses(client: openai.OpenAI) -> None:
    """The Responses API answers with the same text, whole and as events that the SDK accumulates."""
    whole = client.responses.create(model="m", input=SAID)
    assert whole.output_text == reply_text(SAID)
    assert whole.usage is not None
    assert whole.usage.total_tokens == whole.usage.input_tokens + whole.usage.output_tokens
    with client.responses.stream(model="m", input=[{"role": "user", "content": SAID}]) as stream:
        events = list(stream)
        assert stream.get_final_response().output_text == reply_text(SAID)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[-1].type == "response.completed"


def test_embeddings(client: openai.OpenAI) -> None:
    """A vector an input, the same each time, other for other inputs, and the same as floats and as base64."""
    packed = client.embeddings.create(model="m", input=["a", "b"], encoding_format="base64")
    plain = client.embeddings.create(model="m", input=["a", "b"], encoding_format="float")
    first, second = (item.embedding for item in plain.data)
    assert len(first) == model.EMBEDDING_SIZE
    assert first != second
    assert all(-1 <= value <= 1 for value in first)
    default = client.embeddings.create(model="m", input="a")
    assert default.data[0].embedding == pytest.approx(first, abs=1e-6)
    value: object = packed.data[0].embedding
    assert isinstance(value, str)


def test_old_completions(client: openai.OpenAI) -> None:
    """The old completions endpoint answers, whole and streamed, with the same text."""
    whole = client.completions.create(model="m", prompt=SAID)
    parts = list(client.completions.create(model="m", prompt=SAID, stream=True))
    assert whole.choices[0].text == reply_text(SAID)
    assert "".join(part.choices[0].text for part in parts) == reply_text(SAID)
    assert parts[-1].choices[0].finish_reason == "stop"


def test_models(client: openai.OpenAI) -> None:
    """The listed models can be fetched, and an unknown one is 404 model_not_found."""
    listed = [card.id for card in client.models.list()]
    assert listed == list(model.MODELS)
    assert client.models.retrieve(listed[0]).id == listed[0]
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("no/such")
    assert caught.value.code == "model_not_found"


def test_wrong_key(url: str) -> None:
    """Another key is 401 invalid_api_key, on every route, and is not repeated in the answer."""
    with openai.OpenAI(api_key="sk-wrong", base_url=f"{url}/v1", max_retries=0) as client:
        for call in (lambda: client.chat.completions.create(model="m", messages=ASK), client.models.list):
            with pytest.raises(openai.AuthenticationError) as caught:
                call()
            assert caught.value.code == "invalid_api_key"
            assert "sk-wrong" not in caught.value.response.text


def test_rate_limit(client: openai.OpenAI) -> None:
    """`error-429` has Retry-After and the rate limit fields."""
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="error-429", messages=ASK, stream=True)
    headers = caught.value.response.headers
    assert headers["retry-after"] == "7"
    assert headers["x-ratelimit-remaining-requests"] == "0"
    assert caught.value.code == "rate_limit_exceeded"


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("error-400", openai.BadRequestError),
        ("error-403", openai.PermissionDeniedError),
        ("error-500", openai.InternalServerError),
        ("error-503", openai.InternalServerError),
        ("error-520", openai.InternalServerError),
    ],
)
def test_errors_by_model_id(client: openai.OpenAI, name: str, error: type[openai.APIStatusError]) -> None:
    """A model id `error-<status>` fails with that status, in OpenAI's shape."""
    with pytest.raises(error) as caught:
        client.chat.completions.create(model=name, messages=ASK)
    assert caught.value.status_code == int(name[6:])
    assert caught.value.type in {"server_error", "invalid_request_error"}


def raw(
    url: str, body: bytes | None, target: str = "/v1/chat/completions", method: str | None = None
) -> Response:
    async def run() -> Response:
        async with await RawClient.open(url) as client:
            await client.request(target, body, method=method, fields=(("Authorization", f"Bearer {KEY}"),))
            return await client.response()

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b'{"model":"m"}', "messages"),
        (b'{"model":"m","messages":[]}', "messages"),
        (b'{"model":"m","messages":"hi"}', "messages"),
        (b'{"messages":[{"role":"user","content":"hi"}]}', "model"),
        (b"[]", None),
        (b"{", None),
        (b"[" * 100_000, None),
        (b"\xff", None),
    ],
)
def test_bad_bodies(url: str, body: bytes, param: str | None) -> None:
    """What is missing or is no JSON object is 400, naming the parameter."""
    response = raw(url, body)
    assert response.status == 400
    error = response.json()["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param)


@pytest.mark.parametrize(
    "odd",
    [
        b'{"model":"m","messages":[1,null]}',
        b'{"model":"m","messages":[{"role":"user","content":"\\ud800"}]}',
        b'{"model":"m","messages":[{"role":"user"}],"tools":7,"tool_choice":[]}',
        b'{"model":"m","messages":[{"role":"user"}],"tools":[{"function":[]}],"stream_options":1}',
        b'{"model":"m","messages":[{"role":"user"}],"tools":[{"function":{"name":"f","parameters":1}}]}',
    ],
)
def test_odd_bodies_do_no_harm(url: str, odd: bytes) -> None:
    """Odd values in a readable request are ignored; the model never fails with a 500 of its own."""
    assert raw(url, odd).status == 200


@pytest.mark.parametrize(
    ("target", "method", "status"), [("/v1/no", "GET", 404), ("/v1/models", "POST", 405)]
)
def test_unknown_routes(url: str, target: str, method: str, status: int) -> None:
    """Unknown paths and methods are refused in OpenAI's shape too."""
    response = raw(url, b"{}", target, method)
    assert response.status == status
    assert response.json()["error"]["code"] == "unknown_url"


def test_the_bytes_are_deterministic_and_correct(url: str) -> None:
    """Two equal streamed requests give equal bytes in correct HTTP, as UTF-8, with one `[DONE]`."""
    body = json.dumps({"model": "m", "messages": ASK, "stream": True}).encode()
    first, second = raw(url, body), raw(url, body)
    assert first.complete
    assert first.anomalies == ()
    assert first.body == second.body
    assert "🦞".encode() in first.body
    assert first.events().count("[DONE]") == 1
    assert first.header("content-type") == "text/event-stream; charset=utf-8"


def test_what_arrived_can_be_asked() -> None:
    """`app.state.seen` has the credential and body of each request."""
    app = model.build_model()
    with model.running(app) as url:
        raw(url, b'{"model":"m"}')
    assert app.state.seen[-1].body == b'{"model":"m"}'
    assert dict(app.state.seen[-1].headers)["authorization"] == f"Bearer {KEY}"


def test_as_a_program() -> None:
    """The program prints its address first, answers there, and ends with its stdin."""
    command = [sys.executable, "-m", "demo.models.openai_server", "--port", "0", "--exit-on-stdin-eof"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("listening on http://127.0.0.1:")
        assert raw(line.split()[-1], None, "/health").json() == {"ok": True}
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(120) == 0


def test_a_taken_port_is_one_line() -> None:
    """A port in use ends the program with one line that names it."""
    with model.listen() as sock:
        port = str(sock.getsockname()[1])
        command = [sys.executable, "-m", "demo.models.openai_server", "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr == f"cannot listen on 127.0.0.1:{port}: Address already in use\n"
