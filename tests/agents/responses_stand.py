"""Requests of the Responses API to an agent, and what comes of them."""

from __future__ import annotations

import json
from typing import Any

from tests.agents.agent_stand import AgentStand
from tests.peers.response import Response
from tests.routing.gateway_server import CLIENT_TOKEN

RESPONSES = "/v1/responses"
TOOL = {"type": "function", "name": "look", "parameters": {"type": "object"}}


def asked(given: Any, **more: Any) -> bytes:
    return json.dumps({"model": "openclaw", **more, "input": given}).encode()


async def create(stand: AgentStand, given: Any, *headers: tuple[str, str], **more: Any) -> Response:
    return await stand.gateway.ask(asked(given, **more), *headers, target=RESPONSES)


async def made(stand: AgentStand, given: Any, *headers: tuple[str, str], **more: Any) -> Any:
    """The response object."""
    response = await create(stand, given, *headers, **more)
    assert response.status == 200, response.body
    return response.json()


async def call(
    stand: AgentStand, method: str, path: str, *headers: tuple[str, str], token: str = CLIENT_TOKEN
) -> Response:
    fields = (("Authorization", f"Bearer {token}"), *headers)
    async with await stand.client() as client:
        await client.request(
            f"{RESPONSES}/{path}", b"" if method == "POST" else None, method=method, fields=fields
        )
        return await client.response(to_method=method)


def text(response: Any) -> str:
    return "".join(
        part["text"] for item in response["output"] if item["type"] == "message" for part in item["content"]
    )


def events(response: Response) -> list[Any]:
    """The events of a stream, whose numbers have to be in order."""
    parts = [part for part in response.body.decode().split("\n\n") if "data: {" in part]
    found = [json.loads(part.partition("data: ")[2]) for part in parts]
    first = found[0]["sequence_number"]
    assert [one["sequence_number"] for one in found] == list(range(first, first + len(found)))
    return found
