"""A model that is asked to go wrong does so where its model id says, in both dialects, streamed or not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette

from demo.models import anthropic_server, openai_server, stream_faults
from tests.peers.client import RawClient
from tests.peers.response import Response

FIELDS = (("x-api-key", "k"), ("anthropic-version", "2023-06-01"))
TARGETS = {"chat": "/v1/chat/completions", "messages": "/v1/messages"}
DIALECTS = pytest.mark.parametrize("dialect", list(TARGETS))


@pytest.fixture(scope="module")
def urls() -> Iterator[dict[str, str]]:
    apps: dict[str, Starlette] = {
        "chat": openai_server.build_model(),
        "messages": anthropic_server.build_messages_model(),
    }
    with openai_server.running(apps["chat"]) as chat, openai_server.running(apps["messages"]) as messages:
        yield {"chat": chat, "messages": messages}


def asked(name: str, *, streamed: bool) -> bytes:
    body = {
        "model": name,
        "max_tokens": 99,
        "messages": [{"role": "user", "content": "hi"}],
        "stream": streamed,
    }
    return json.dumps(body).encode()


def answer(url: str, target: str, name: str, *, streamed: bool = True) -> Response:
    """What comes, whole or not."""

    async def run() -> Response:
        async with await RawClient.open(url) as client:
            await client.request(target, asked(name, streamed=streamed), fields=FIELDS)
            return await client.response()

    return asyncio.run(run())


@DIALECTS
def test_a_cut_stream_has_some_frames_and_no_end(urls: dict[str, str], dialect: str) -> None:
    response = answer(urls[dialect], TARGETS[dialect], "cut-in-stream")
    assert not response.complete
    assert len(response.events()) == stream_faults.FRAMES_BEFORE
    assert not {"[DONE]", '{"type":"message_stop"}'} & set(response.events())


@DIALECTS
def test_an_error_in_the_stream_is_its_last_event(urls: dict[str, str], dialect: str) -> None:
    """The HTTP is whole, the answer is not."""
    response = answer(urls[dialect], TARGETS[dialect], "error-in-stream")
    assert response.complete
    assert len(response.events()) == stream_faults.FRAMES_BEFORE + 1
    assert json.loads(response.events()[-1])["error"]["message"] == stream_faults.ERROR_MESSAGE


@DIALECTS
def test_pings_say_nothing(urls: dict[str, str], dialect: str) -> None:
    """Without them the bytes are those of any other answer, but for the model's name and the id."""
    pings = answer(urls[dialect], TARGETS[dialect], "pings")
    plain = answer(urls[dialect], TARGETS[dialect], "other")
    assert pings.complete
    mark = b": ping\n\n" if dialect == "chat" else anthropic_server.PING
    assert pings.body.count(mark) >= len(plain.events())
    extra = 0 if dialect == "chat" else len(plain.events())
    assert len(pings.events()) == len(plain.events()) + extra


@DIALECTS
@pytest.mark.parametrize(
    ("name", "complete"), [("cut-in-stream", False), ("error-in-stream", True), ("pings", True)]
)
def test_without_a_stream_only_a_cut_is_felt(
    urls: dict[str, str], dialect: str, name: str, complete: bool
) -> None:
    assert answer(urls[dialect], TARGETS[dialect], name, streamed=False).complete == complete


@DIALECTS
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("name", ["hang", "hang-in-stream"])
async def test_a_hanging_answer_is_given_up_with_its_client(
    urls: dict[str, str], dialect: str, name: str, streamed: bool
) -> None:
    """As far as it goes it comes; then nothing, until the client leaves; the next one is served."""
    async with await RawClient.open(urls[dialect]) as client:
        await client.request(TARGETS[dialect], asked(name, streamed=streamed), fields=FIELDS)
        if name == "hang-in-stream":
            await client.saw(b"data:" if streamed else b'"id"')
    async with await RawClient.open(urls[dialect]) as client:
        await client.request(TARGETS[dialect], asked("m", streamed=streamed), fields=FIELDS)
        assert (await client.response()).complete
