"""What servers of one's own do that OpenAI's does not: each row of the page's table, through a gateway."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.peers import faults
from tests.peers.faults import SSE_FIELDS
from tests.peers.script import Close, ReadBody, Send
from tests.peers.upstream import FakeUpstream
from tests.routing.gateway_server import (
    CHAT,
    MESSAGES,
    GatewayStand,
    config_of,
    provider,
    question,
    serving_gateway,
)


def frame(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return faults.sse(
        {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    )


FRAMES = (
    frame({"role": "assistant", "content": ""}),
    frame({"reasoning_content": "hm"}),
    frame({"content": "hi"}),
    frame({}, "stop"),
)
"""A stream that reasons, has no usage, and ends without [DONE]."""


def stream(*frames: bytes) -> Any:
    head = faults.head(200, [*SSE_FIELDS, ("Connection", "close")])
    return ReadBody(), Send(head + b"".join(frames)), Close()


@contextlib.asynccontextmanager
async def served(folder: Path, script: Any) -> AsyncIterator[GatewayStand]:
    async with FakeUpstream(script) as upstream:
        async with serving_gateway(folder, config_of({"a": provider(upstream.url)})) as stand:
            yield stand
            await stand.quiet()
        assert upstream.anomalies == []


async def test_a_stream_without_done_and_usage_arrives_whole_in_each_dialect(tmp_path: Path) -> None:
    async with served(tmp_path, stream(*FRAMES)) as stand:
        chat = await stand.ask(question("a/m", stream=True))
        assert chat.status == 200 and chat.complete
        assert b'"reasoning_content":"hm"' in chat.body and b"[DONE]" not in chat.body
        messages = await stand.ask(question("a/m", stream=True), target=MESSAGES)
        assert messages.complete and b'"thinking":"hm"' in messages.body and b"message_stop" in messages.body


async def test_a_stream_that_breaks_off_does_not_look_finished(tmp_path: Path) -> None:
    async with served(tmp_path, stream(*FRAMES[:3])) as stand:
        for target in (CHAT, MESSAGES):
            found = await stand.ask(question("a/m", stream=True), target=target)
            assert b'"finish_reason":"stop"' not in found.body and b"message_stop" not in found.body


@pytest.mark.parametrize(
    ("status", "says"), [(502, "it does not reach the model server"), (413, "client_max_body_size")]
)
async def test_a_web_page_as_an_error_is_json_with_its_cause(tmp_path: Path, status: int, says: str) -> None:
    page = ReadBody(), Send(faults.response(b"<html>nginx</html>", status, content_type="text/html"))
    async with served(tmp_path, page) as stand:
        for target in (CHAT, MESSAGES):
            found = await stand.ask(question("a/m"), target=target)
            assert found.status == status and says in found.json()["error"]["message"]


async def test_a_server_that_takes_strings_alone_gets_them_with_its_setting(tmp_path: Path) -> None:
    def strict(request: Any) -> Any:
        if any(isinstance(one["content"], list) for one in json.loads(request.body)["messages"]):
            return faults.json_response({"detail": "messages.0.content: Input should be a valid string"}, 422)
        return faults.json_response({"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]})

    parts = [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]
    compat: dict[str, Any] = {}
    async with FakeUpstream(strict) as upstream:
        config = config_of({"a": provider(upstream.url, models=[{"id": "m", "compat": compat}])})
        async with serving_gateway(tmp_path, config) as stand:
            found = await stand.ask(question("a/m", messages=parts))
            assert (
                found.status == 422
                and "compat.requiresStringContent to true" in found.json()["error"]["message"]
            )
            compat["requiresStringContent"] = True
            stand.rewrite(config)
            assert (await stand.ask(question("a/m", messages=parts))).status == 200
            await stand.quiet()
