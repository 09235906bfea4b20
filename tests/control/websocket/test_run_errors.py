"""No error of a run names a header or a place of a body: a WebSocket has neither."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clawgate.control.websocket.run_errors import in_words_of_the_protocol
from clawgate.errors import IdempotencyMismatch, InvalidRequest, Overloaded
from tests.agents.agent_stand import serving_agents
from tests.control.websocket.methods.test_chat import PNG
from tests.control.websocket.socket_stand import connected


def test_an_error_keeps_its_kind_and_loses_its_place() -> None:
    given = IdempotencyMismatch("Idempotency-Key 'k': it was used", param="idempotency-key")
    found = in_words_of_the_protocol(given)
    assert (type(found), found.message, found.param) == (
        IdempotencyMismatch, "idempotencyKey 'k': it was used", None,
    )  # fmt: skip
    busy = Overloaded("too many", retry_after=3)
    assert in_words_of_the_protocol(busy).retry_after == 3
    image = InvalidRequest(
        "Invalid image_url content in `messages`. `messages[1].content[2].image_url` is no base64.",
        param="messages[1].content[2].image_url",
    )
    assert in_words_of_the_protocol(image).message == "Invalid image content. An image is no base64."


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"model": "\n"}, "model must not contain characters that cannot be printed."),
        ({"model": "agent:main"}, "Invalid model: 'agent:main' names an agent"),
        ({"idempotencyKey": "k" * 300}, "idempotencyKey: it must have at most 255 characters"),
        ({"sessionKey": ":"}, "the session key must be"),
        ({"sessionKey": "x" * 512}, "the session key must have at most 512 characters"),
        ({"agentId": "nobody"}, "Unknown agent 'nobody'"),
        ({"message": " \n"}, "message or attachment required"),
        ({"attachments": [{"content": "!!!", "mimeType": "image/png"}]}, "An image is no base64."),
        ({"attachments": [{"content": PNG, "mimeType": "image/png"}] * 30}, "A message has over 8 images."),
    ],
)
async def test_what_is_refused_has_the_names_of_the_protocol(
    tmp_path: Path, given: dict[str, Any], text: str
) -> None:
    async with serving_agents(tmp_path) as stand, connected(stand.gateway.url) as client:
        error = await client.error("agent", {"message": "hi", "idempotencyKey": "k", **given})
        assert text in error["message"]
        for foreign in ("x-openclaw", "messages", "idempotency-key"):
            assert foreign not in str(error)
        assert stand.model.requests == []
