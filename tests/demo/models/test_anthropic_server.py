"""The stand-in for Anthropic satisfies Anthropic's own client, and refuses in Anthropic's shape."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

from demo.models import anthropic_server, openai_server
from demo.models.anthropic_messages import signature_of
from demo.models.openai_chat import reply_text, split
from tests.peers.client import RawClient
from tests.peers.response import Response

KEY = "sk-ant-test-of-the-model"
ASK: Any = [{"role": "user", "content": "tell me about lobsters"}]
TEXT = reply_text("tell me about lobsters")
TOOLS: Any = [{"name": "weather", "input_schema": {"type": "object"}}]
FIELDS = (("x-api-key", KEY), ("anthropic-version", "2023-06-01"))
BODY = json.dumps({"model": "m", "max_tokens": 99, "messages": ASK}).encode()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with openai_server.running(anthropic_server.build_messages_model(api_key=KEY)) as url:
        yield url


@pytest.fixture
def client(url: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key=KEY, base_url=url, max_retries=0, timeout=60) as client:
        yield client


def raw(
    url: str,
    body: bytes | None = BODY,
    fields: tuple[tuple[str, str], ...] = FIELDS,
    target: str = "/v1/messages",
    method: str | None = None,
) -> Response:
    async def run() -> Response:
        async with await RawClient.open(url) as client:
            await client.request(target, body, method=method, fields=fields)
            return await client.response()

    return asyncio.run(run())


def test_whole_and_streamed(client: anthropic.Anthropic) -> None:
    """The same text, reason and usage; word by word in the stream."""
    whole = client.messages.create(model="m", max_tokens=99, messages=ASK)
    assert whole.content[0].type == "text" and whole.content[0].text == TEXT
    assert (whole.stop_reason, whole.usage.output_tokens) == ("end_turn", len(split(TEXT)))
    assert (whole._request_id or "").startswith("req_")
    with client.messages.stream(model="m", max_tokens=99, messages=ASK) as stream:
        assert list(stream.text_stream) == list(split(TEXT))
        final = stream.get_final_message()
    assert (final.stop_reason, final.usage.output_tokens) == (whole.stop_reason, whole.usage.output_tokens)


def test_a_tool_and_its_result(client: anthropic.Anthropic) -> None:
    """With a thought in front that goes back with its signature."""
    more: Any = {"model": "m", "max_tokens": 4000, "tools": TOOLS}
    more["thinking"] = {"type": "enabled", "budget_tokens": 1024}
    turns: Any = [{"role": "user", "content": "ask the weather"}]
    with client.messages.stream(messages=turns, **more) as stream:
        message = stream.get_final_message()
    assert [block.type for block in message.content] == ["thinking", "text", "tool_use"]
    assert message.stop_reason == "tool_use"
    thought, call = message.content[0], message.content[2]
    assert thought.type == "thinking" and thought.signature == signature_of(thought.thinking)
    assert call.type == "tool_use" and (call.name, call.input) == ("weather", {})
    names = {"type", "text", "id", "name", "input", "thinking", "signature"}
    turns.append(
        {"role": "assistant", "content": [block.model_dump(include=names) for block in message.content]}
    )
    turns.append(
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "wet"}]}
    )
    after = client.messages.create(messages=turns, **more)
    assert after.content[0].type == "text" and after.content[0].text.endswith("The tools said: wet.")


def test_counting_and_models(client: anthropic.Anthropic) -> None:
    assert client.messages.count_tokens(model="m", messages=ASK).input_tokens == 4
    listed = [card.id for card in client.models.list()]
    assert listed == list(anthropic_server.MODELS)
    assert client.models.retrieve(listed[0]).id == listed[0]
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("no/such")


def test_errors_and_what_is_wrong(client: anthropic.Anthropic) -> None:
    """By the model's id, and by the rules."""
    with pytest.raises(anthropic.InternalServerError) as caught:
        client.messages.create(model="error-529", max_tokens=9, messages=ASK)
    body: Any = caught.value.body
    assert (caught.value.status_code, body["error"]["type"]) == (529, "overloaded_error")
    assert body["request_id"] == caught.value.request_id
    lost: Any = [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "x"}]}]
    with pytest.raises(anthropic.BadRequestError, match="unexpected `tool_use_id`"):
        client.messages.create(model="m", max_tokens=9, messages=lost)


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        (FIELDS[1:], 401, "x-api-key header is required"),
        ((("x-api-key", "another"), FIELDS[1]), 401, "invalid x-api-key"),
        ((("Authorization", "Bearer another"), FIELDS[1]), 401, "invalid x-api-key"),
        ((("Authorization", f"Bearer {KEY}"), FIELDS[1]), 200, ""),
        (FIELDS[:1], 400, "anthropic-version"),
        ((FIELDS[0], ("anthropic-version", "2022-01-01")), 400, "anthropic-version"),
        ((FIELDS[0], ("anthropic-version", "2026-10-21")), 200, ""),
        (FIELDS, 200, ""),
    ],
)
def test_key_and_version_are_required(
    url: str, fields: tuple[tuple[str, str], ...], status: int, said: str
) -> None:
    response = raw(url, fields=fields)
    assert response.status == status
    if said:
        assert said in response.json()["error"]["message"]
        assert "another" not in response.body.decode()


def test_the_version_decides_on_sampling(url: str) -> None:
    """Known before 2026-10-21, refused since."""
    warm = json.dumps({"model": "m", "max_tokens": 9, "messages": ASK, "temperature": 1}).encode()
    assert raw(url, warm).status == 200
    later = raw(url, warm, (FIELDS[0], ("anthropic-version", "2026-10-21")))
    assert (later.status, later.json()["error"]["type"]) == (400, "invalid_request_error")


def test_the_bytes_are_deterministic(url: str) -> None:
    """Two equal streamed requests give equal bytes in correct HTTP, each event with its name."""
    body = BODY[:-1] + b',"stream":true}'
    first, second = raw(url, body), raw(url, body)
    assert first.complete and first.anomalies == ()
    assert first.body == second.body
    names = [line[7:] for line in first.body.decode().split("\n") if line.startswith("event: ")]
    assert names == [json.loads(data)["type"] for data in first.events()]
    assert first.header("content-type") == "text/event-stream; charset=utf-8"


@pytest.mark.parametrize(
    ("target", "method", "status"), [("/v1/no", "GET", 404), ("/v1/messages", "GET", 405)]
)
def test_unknown_routes(url: str, target: str, method: str, status: int) -> None:
    response = raw(url, None, target=target, method=method)
    assert (response.status, response.json()["type"]) == (status, "error")


def test_what_arrived_can_be_asked() -> None:
    """`app.state.seen` has the credential and body of each request."""
    app = anthropic_server.build_messages_model()
    with openai_server.running(app) as url:
        raw(url)
    assert app.state.seen[-1].body == BODY
    assert dict(app.state.seen[-1].headers)["x-api-key"] == KEY


def test_as_a_program() -> None:
    """The program prints its address first, answers there, and ends with its stdin."""
    command = [sys.executable, "-m", "demo.models.anthropic_server", "--port", "0", "--exit-on-stdin-eof"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("listening on http://127.0.0.1:")
        assert raw(line.split()[-1], None, target="/health").json() == {"ok": True}
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(120) == 0
