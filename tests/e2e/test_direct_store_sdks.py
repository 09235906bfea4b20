"""Responses that the gateway stores for providers of other APIs, with the clients of OpenAI and of the AI SDK.

CLAWGATE_TEST_AI_SDK names a folder with `ai`, `@ai-sdk/openai` and `zod`; without it `npm` installs them.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.agents.agent_stand import agent_config, says, serving_agents
from tests.agents.model_stand import DONE, call_of, chunk_of, usage_of
from tests.e2e.dialect_stand import MESSAGE_END, event_bytes, streamed
from tests.e2e.test_openclaw_clients import output
from tests.peers.connection import Request
from tests.peers.faults import json_response, sse_response
from tests.peers.script import Script
from tests.peers.upstream import FakeUpstream
from tests.routing.gateway_server import ANTHROPIC, CLIENT_TOKEN, OPENAI, provider

STREAMED = pytest.mark.parametrize("stream", [False, True])
TOOL: Any = {
    "type": "function",
    "name": "look",
    "parameters": {"type": "object", "properties": {"at": {"type": "integer"}}},
}
PACKAGES = ("ai@7", "@ai-sdk/openai@4", "zod@4")
SCRIPT = """
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
const [folder, base, apiKey, streams] = process.argv.slice(1);
const find = createRequire(folder + "/package.json");
const load = (name) => import(pathToFileURL(find.resolve(name)).href);
const [{ createOpenAI }, ai, { z }] = await Promise.all(["@ai-sdk/openai", "ai", "zod"].map(load));
const options = {
  model: createOpenAI({ baseURL: base, apiKey })("up/m"),
  prompt: "look",
  tools: { look: ai.tool({ inputSchema: z.object({ at: z.number() }), execute: async ({ at }) => `saw ${at}` }) },
  stopWhen: ai.stepCountIs ? ai.stepCountIs(3) : ai.isStepCount(3),
};
const result = streams === "true" ? ai.streamText({ ...options, onError: ({ error }) => console.error(error) })
  : await ai.generateText(options);
console.log(JSON.stringify({ text: await result.text, steps: (await result.steps).length }));
"""


@functools.cache
def installed() -> Path:
    """The folder with the packages. Skips the test where they cannot be had."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    if named := os.environ.get("CLAWGATE_TEST_AI_SDK"):
        return Path(named)
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed, and CLAWGATE_TEST_AI_SDK names no folder with the AI SDK")
    folder = Path(tempfile.gettempdir()) / f"clawgate-ai-sdk-{os.getuid()}"
    if not folder.exists():
        made = Path(tempfile.mkdtemp(prefix=f"{folder.name}."))
        command = [npm, "install", "--prefix", str(made), "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run([*command, *PACKAGES], check=False, capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            shutil.rmtree(made)
            pytest.skip(f"npm cannot install the AI SDK: {done.stderr.strip().splitlines()[-1:]}")
        try:
            made.rename(folder)
        except OSError:  # another process of this run was first
            shutil.rmtree(made)
    assert folder.stat().st_uid == os.getuid(), f"{folder}: it belongs to another user"
    return folder


CALLS = sse_response(
    [call_of("look", '{"at":1}', id="call_1"), chunk_of(reason="tool_calls"), usage_of(5, 1), DONE]
)


def claude(*blocks: dict[str, Any], reason: str = "end_turn") -> Any:
    """A Messages server that responds with these blocks, as it was requested."""
    usage = {"input_tokens": 1, "output_tokens": 1}
    head = {"id": "m1", "type": "message", "role": "assistant", "model": "m", "usage": usage}

    def deltas(block: dict[str, Any]) -> list[dict[str, Any]]:
        match block["type"]:
            case "thinking":
                return [
                    {"type": "thinking_delta", "thinking": block["thinking"]},
                    {"type": "signature_delta", "signature": block["signature"]},
                ]
            case "tool_use":
                return [{"type": "input_json_delta", "partial_json": json.dumps(block["input"])}]
        return [{"type": "text_delta", "text": block["text"]}]

    def respond(request: Request) -> Script:
        if not json.loads(request.body).get("stream"):
            return json_response({**head, "content": list(blocks), "stop_reason": reason})
        events: list[Any] = [{"type": "message_start", "message": {**head, "content": []}}]
        for index, block in enumerate(blocks):
            empty = block | {
                key: {} if key == "input" else "" for key in block if key not in ("type", "id", "name")
            }
            events.append({"type": "content_block_start", "index": index, "content_block": empty})
            events += [{"type": "content_block_delta", "index": index, "delta": one} for one in deltas(block)]
            events.append({"type": "content_block_stop", "index": index})
        end = {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 1}}
        return streamed(event_bytes([*events, end, MESSAGE_END[-1]]))

    return respond


THINKS = claude(
    {"type": "thinking", "thinking": "Look.", "signature": "c2lnbmVk"},
    {"type": "tool_use", "id": "call_1", "name": "look", "input": {"at": 1}},
    reason="tool_use",
)
MODELS = {
    OPENAI: (CALLS, says("seen"), says("done")),
    ANTHROPIC: (THINKS, claude({"type": "text", "text": "seen"}), claude({"type": "text", "text": "done"})),
}


def models_of(upstream: FakeUpstream, kind: str) -> dict[str, Any]:
    made = agent_config(upstream.url)
    model = {"id": "m", "reasoning": True, "maxTokens": 4000}
    made["models"]["providers"]["up"] = provider(upstream.url, kind, models=[model])
    return made


@STREAMED
@pytest.mark.parametrize("kind", [OPENAI, ANTHROPIC])
async def test_the_official_client_continues_a_chain_of_three(
    tmp_path: Path, kind: str, stream: bool
) -> None:
    async with (
        FakeUpstream(*MODELS[kind]) as upstream,
        serving_agents(tmp_path, config=models_of(upstream, kind)) as stand,
        openai.AsyncOpenAI(base_url=f"{stand.gateway.url}/v1", api_key=CLIENT_TOKEN, max_retries=0) as client,
    ):

        async def send(given: Any, **more: Any) -> Any:
            fields = {
                "model": "up/m",
                "input": given,
                "tools": [TOOL],
                "reasoning": {"effort": "low"},
                **more,
            }
            if not stream:
                return await client.responses.create(**fields)
            async with client.responses.stream(**fields) as events:
                return await events.get_final_response()

        one = await send("look")
        call = next(item for item in one.output if item.type == "function_call")
        result = {"type": "function_call_output", "call_id": call.call_id, "output": "saw 1"}
        two = await send([result], previous_response_id=one.id)
        three = await send("and?", previous_response_id=two.id)
        assert (two.output_text, three.output_text) == ("seen", "done")
        assert three.previous_response_id == two.id and (await client.responses.retrieve(two.id)).id == two.id
        await client.responses.delete(one.id)
        with pytest.raises(openai.NotFoundError):
            await client.responses.retrieve(one.id)
    last = json.loads(upstream.requests[2].body)["messages"]
    if kind == OPENAI:
        assert [message["role"] for message in last] == ["user", "assistant", "tool", "assistant", "user"]
    else:
        assert [block["type"] for block in last[1]["content"]] == ["thinking", "tool_use"]
        assert last[1]["content"][0]["signature"] == "c2lnbmVk"
        assert last[2]["content"][0]["type"] == "tool_result"
        assert [message["role"] for message in last] == ["user", "assistant", "user", "assistant", "user"]


@STREAMED
@pytest.mark.parametrize("kind", [OPENAI, ANTHROPIC])
async def test_the_ai_sdk_runs_a_tool_with_its_defaults(tmp_path: Path, kind: str, stream: bool) -> None:
    """It names the items of its first step in the second, since they are stored by default."""
    folder = installed()
    async with (
        FakeUpstream(*MODELS[kind]) as upstream,
        serving_agents(tmp_path, config=models_of(upstream, kind)) as stand,
    ):
        arguments = str(folder), f"{stand.gateway.url}/v1", CLIENT_TOKEN, str(stream).lower()
        status, printed = await output("node", "--input-type=module", "-e", SCRIPT, *arguments, home=tmp_path)
    assert status == 0, printed
    assert json.loads(printed.splitlines()[-1]) == {"text": "seen", "steps": 2}
    messages = json.loads(upstream.requests[1].body)["messages"]
    assert [message["role"] for message in messages][:2] == ["user", "assistant"] and len(messages) == 3
