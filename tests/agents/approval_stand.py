"""An agent with tools of a plugin whose calls need approval, and what its clients send for them."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clawgate.plugins.api import Tool, ToolCall
from clawgate.plugins.host.tools import RegisteredTool, register_tool
from tests.agents.agent_stand import AgentStand, serving_agents
from tests.agents.model_stand import DONE, call_of, chunk_of, usage_of
from tests.peers.faults import sse_response
from tests.peers.response import Response
from tests.peers.script import Script
from tests.peers.upstream import ScriptChoice

APPROVED = '{"approve": true}'
REFUSED = '{"approve": false}'
TEXT_OF_REFUSAL = "the caller did not approve this call, so it was not run"


def calls(*named: tuple[str, str], reason: str = "tool_calls", text: str = "") -> Script:
    """A model that calls these tools with these arguments, each under the id "1"."""
    events = [chunk_of({"content": text})] if text else []
    events += [call_of(name, arguments, index=n, id="1") for n, (name, arguments) in enumerate(named)]
    return sse_response([*events, chunk_of(reason=reason), usage_of(5, 1), DONE])


def decision(call_id: str, content: object = APPROVED, **more: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content, **more}


def messages(*sent: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"messages": sent, **more}).encode()


def message_of(response: Response) -> dict[str, Any]:
    """The agent's message in a response that succeeded."""
    assert response.status == 200, response.body
    made: dict[str, Any] = response.json()["choices"][0]["message"]
    return made


def rejected(response: Response) -> str:
    """What the error of a decision that decides nothing says."""
    error = response.json()["error"]
    assert (response.status, error["code"]) == (400, "approval_invalid"), response.body
    return str(error["message"])


@dataclass(slots=True)
class Shed:
    """The tools ``saw`` and ``peek`` of a plugin. ``cut`` are the arguments that the first was run with."""

    cut: list[dict[str, Any]] = field(default_factory=list)
    seen: list[str] = field(default_factory=lambda: ["a shed"])
    may_cut: asyncio.Event = field(default_factory=asyncio.Event)
    description: str = "Saws."

    async def saw(self, call: ToolCall) -> str:
        self.cut.append(dict(call.arguments))
        await self.may_cut.wait()
        return f"cut {call.arguments.get('at')}"

    async def peek(self, call: ToolCall) -> str:
        return self.seen.pop()

    def tools(self) -> tuple[RegisteredTool, ...]:
        saw = Tool(name="saw", description=self.description, parameters={"type": "object"}, run=self.saw)
        peek = Tool(name="peek", description="Looks.", parameters={"type": "object"}, run=self.peek)
        return register_tool("shed", saw), register_tool("shed", peek)


def approving(tools: object = ("saw",), **agents: Any) -> dict[str, Any]:
    """The block of a config by which calls of ``tools`` need approval, of all agents."""
    made = {"agents": {"defaults": {"approveTools": tools}, **agents}}
    return {"plugins": {"entries": {"clawgate": {"config": made}}}}


@contextlib.asynccontextmanager
async def serving_shed(
    folder: Path, *scripts: ScriptChoice, tools: object = ("saw",), **agents: Any
) -> AsyncIterator[tuple[AgentStand, Shed]]:
    async with serving_agents(folder, *scripts, config=approving(tools), **agents) as stand:
        shed = Shed()
        shed.may_cut.set()
        stand.gateway.role.agents._tools = shed.tools
        yield stand, shed
