"""The official client, through bridge and server as real processes, sees what it would see at OpenAI."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from demo.models.openai_chat import reply_text
from demo.models.openai_server import MODELS
from tests.e2e.processes import Process, model_process, role_process
from tests.e2e.stand import CLIENT_TOKEN, OPENAI_KEY, PATIENCE
from tests.e2e.waiting import poll

MESSAGES: Any = [{"role": "user", "content": "Grüße aus dem Test 🦞"}]
SAID = reply_text("Grüße aus dem Test 🦞")
TOOLS: Any = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        },
    }
]


@dataclass(frozen=True)
class Chain:
    """client -> bridge -> server -> model. The bridge's token is one of the server's."""

    bridge: Process
    server: Process
    model: Process

    def client(self, *, retries: int = 0, timeout: float = PATIENCE, key: str = "any key at all") -> Any:
        return OpenAI(base_url=f"{self.bridge.url}/v1", api_key=key, max_retries=retries, timeout=timeout)

    def asynchronous(self, *, retries: int = 0, timeout: float = PATIENCE) -> AsyncOpenAI:
        return AsyncOpenAI(
            base_url=f"{self.bridge.url}/v1", api_key="x", max_retries=retries, timeout=timeout
        )


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    folder = tmp_path_factory.mktemp("chain")
    with (
        model_process(folder / "model") as model,
        role_process("server", model.url, folder / "server") as server,
        role_process("bridge", server.url, folder / "bridge", PROXY_BRIDGE_TOKEN=CLIENT_TOKEN) as bridge,
    ):
        yield Chain(bridge, server, model)


def chat(client: Any, model: str = "gpt-4o-mini", **more: object) -> object:
    return client.chat.completions.create(model=model, messages=MESSAGES, **more)


def test_a_chat_completion(chain: Chain) -> None:
    """Text, usage and the request's id."""
    with chain.client() as client:
        completion = client.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES)
        assert completion.choices[0].message.content == SAID
        assert completion.usage is not None and completion.usage.total_tokens > 0
        assert completion._request_id is not None


def test_a_streamed_chat_completion(chain: Chain) -> None:
    """Every word, the finish reason, and the usage chunk."""
    with chain.client() as client:
        stream = client.chat.completions.create(
            model="gpt-4o-mini", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        )  # fmt: skip
        chunks = list(stream)
        assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == SAID
        assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
        assert chunks[-1].usage is not None


def test_a_tool_call_streamed_and_whole(chain: Chain) -> None:
    """The arguments come together, and the answer to the tool's result is text."""
    with chain.client() as client:
        whole = client.chat.completions.create(model="m", messages=MESSAGES, tools=TOOLS)
        calls = whole.choices[0].message.tool_calls
        assert calls is not None and calls[0].type == "function" and calls[0].function.name == "weather"
        stream = client.chat.completions.create(model="m", messages=MESSAGES, tools=TOOLS, stream=True)
        parts = [call for c in stream if c.choices for call in c.choices[0].delta.tool_calls or []]
        arguments = "".join(part.function.arguments or "" for part in parts if part.function)
        assert arguments == calls[0].function.arguments


def test_the_other_routes(chain: Chain) -> None:
    """Models, embeddings, old completions, and the Responses API, streamed too."""
    with chain.client() as client:
        assert [model.id for model in client.models.list()] == list(MODELS)
        assert client.models.retrieve(MODELS[0]).id == MODELS[0]
        vectors = client.embeddings.create(model="text-embedding-3-small", input=["a", "b"])
        assert len(vectors.data) == 2 and len(vectors.data[0].embedding) == 16
        assert "one" in client.completions.create(model="m", prompt="one").choices[0].text
        assert "two" in client.responses.create(model="m", input="two").output_text
        events = [event.type for event in client.responses.create(model="m", input="three", stream=True)]
        assert events[0] == "response.created" and events[-1] == "response.completed"


async def test_async_calls_and_streams_at_once(chain: Chain) -> None:
    """Thirty streams over one client, each with its own words."""

    async def one(client: AsyncOpenAI, number: int) -> None:
        text = ""
        async for part in await client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": f"number {number}"}], stream=True
        ):
            text += part.choices[0].delta.content or "" if part.choices else ""
        assert text == reply_text(f"number {number}")

    async with chain.asynchronous() as client, asyncio.TaskGroup() as group:
        for number in range(30):
            group.create_task(one(client, number))


@pytest.mark.parametrize(
    ("model", "error", "status"),
    [
        ("error-400", openai.BadRequestError, 400),
        ("error-401", openai.AuthenticationError, 401),
        ("error-403", openai.PermissionDeniedError, 403),
        ("error-404", openai.NotFoundError, 404),
        ("error-409", openai.ConflictError, 409),
        ("error-422", openai.UnprocessableEntityError, 422),
        ("error-429", openai.RateLimitError, 429),
        ("error-500", openai.InternalServerError, 500),
        ("error-503", openai.InternalServerError, 503),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_errors_are_the_ones_that_the_client_knows(
    model: str, error: type[openai.APIStatusError], status: int, stream: bool, chain: Chain
) -> None:
    """The exception, the status, the body and Retry-After of the model."""
    with chain.client() as client:
        with pytest.raises(error) as caught:
            chat(client, model, stream=stream)
        assert caught.value.status_code == status
        assert isinstance(caught.value.body, dict) and caught.value.body["message"]
        if status == 429:
            assert caught.value.response.headers["retry-after"] == "7"
            assert caught.value.response.headers["x-ratelimit-limit-requests"] == "60"


def test_our_own_errors_are_told_apart_by_their_code(chain: Chain, tmp_path: Path) -> None:
    """A wrong token of the bridge is a 401 of the server, which names it, and not the client's token."""
    with (
        role_process("bridge", chain.server.url, tmp_path / "b", PROXY_BRIDGE_TOKEN="wrong-token-12345") as bridge,
        OpenAI(base_url=f"{bridge.url}/v1", api_key="x", max_retries=0) as client,
    ):  # fmt: skip
        with pytest.raises(openai.AuthenticationError) as caught:
            chat(client)
        assert caught.value.code == "upstream_unauthorized" and "--proxy-token" in caught.value.message
    with chain.client() as client, pytest.raises(openai.NotFoundError) as missing:
        client.files.list()
    assert missing.value.code == "unknown_route"


def test_the_clients_own_retries_work(chain: Chain) -> None:
    """Two tries for one retry, each counted once."""
    # A model of its own: the log's lines come a little later, also those of the test before this one.
    with chain.client(retries=1) as client, pytest.raises(openai.InternalServerError):
        chat(client, "error-507")
    poll(lambda: chain.server.out.count("model=error-507 ") >= 2, "both tries in the log")
    assert chain.server.out.count("model=error-507 ") == 2


def test_an_upstream_that_is_gone_is_a_502_that_the_client_would_retry(tmp_path: Path) -> None:
    """`InternalServerError` with our code and Retry-After."""
    with (
        role_process("bridge", "http://127.0.0.1:9", tmp_path / "bridge") as bridge,
        OpenAI(base_url=f"{bridge.url}/v1", api_key="x", max_retries=0) as client,
    ):
        with pytest.raises(openai.InternalServerError) as caught:
            chat(client)
        assert caught.value.status_code == 502 and caught.value.code == "upstream_unreachable"
        assert caught.value.response.headers["retry-after"] == "1"


def test_a_client_that_times_out_frees_the_whole_chain(chain: Chain) -> None:
    """`APITimeoutError`, and the last hop logs that its client left, far before the answer would have ended."""
    with chain.client(timeout=0.4) as client, pytest.raises(openai.APITimeoutError):
        for _ in client.chat.completions.create(model="delay-5000", messages=MESSAGES, stream=True):
            pass
    poll(lambda: "model=delay-5000 status=499 error=client_left" in chain.server.out, "the line of the log")


def test_a_stream_that_is_cut_raises_and_never_ends_quietly(chain: Chain, tmp_path: Path) -> None:
    """kill -9 of the model in mid-stream: an exception in the loop of the client."""
    with (
        model_process(tmp_path / "model") as model,
        role_process("server", model.url, tmp_path / "server") as server,
        role_process("bridge", server.url, tmp_path / "bridge", PROXY_BRIDGE_TOKEN=CLIENT_TOKEN) as bridge,
        OpenAI(base_url=f"{bridge.url}/v1", api_key="x", max_retries=0) as client,
    ):
        stream = client.chat.completions.create(model="delay-100", messages=MESSAGES, stream=True)
        next(stream)
        model.popen.kill()
        with pytest.raises(openai.APIError) as caught:
            list(stream)
        assert caught.value.code == "upstream_closed"


def test_nothing_secret_was_logged(chain: Chain) -> None:
    """Runs last: output of all three processes after everything above."""
    for process in (chain.bridge, chain.server):
        for secret in (OPENAI_KEY, CLIENT_TOKEN, "Grüße"):
            assert secret not in process.out + process.err
        assert "Traceback" not in process.err
