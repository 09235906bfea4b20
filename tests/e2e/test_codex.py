"""Codex CLI works with a provider of each dialect behind the gateway: it runs its tools, continues, shows failures.

Skipped without it: `npm install @openai/codex@0.171.0` somewhere, and set CLAWGATE_TEST_CODEX to the program, in a
network namespace without routes: it looks for news of its own.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.dialect_stand import event_bytes, streamed
from tests.e2e.offline import why_not
from tests.peers import responses_api as api
from tests.peers.upstream import FakeUpstream, ScriptChoice
from tests.routing.gateway_server import (
    ANTHROPIC,
    CLIENT_TOKEN,
    OPENAI,
    GatewayStand,
    config_of,
    provider,
    serving_gateway,
)

CODEX = Path(os.environ.get("CLAWGATE_TEST_CODEX", "/nonexistent"))
MISSING = why_not(CODEX, "CLAWGATE_TEST_CODEX does not name Codex CLI")
pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)
RESPONSES = "openai-responses"
DIALECTS = pytest.mark.parametrize("dialect", [ANTHROPIC, OPENAI, RESPONSES])
TRANSLATED = pytest.mark.parametrize("dialect", [ANTHROPIC, OPENAI])
SECONDS = 60.0
KNOWN_MODEL = "gpt-5.5"
"""Of those that Codex gives its custom tool `apply_patch`; here a name for ours."""
PATCH = "*** Begin Patch\n*** Add File: made.txt\n+from-the-patch\n*** End Patch\n"
COMMAND = json.dumps({"cmd": "echo from-the-shell > made.txt; cat made.txt"})


def chat(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"id": "c1", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def message(*blocks: dict[str, Any], stop: str | None = "end_turn") -> list[dict[str, Any]]:
    """The events of a Messages stream with these blocks, whose deltas are their member ``deltas``."""
    begun = {"id": "m1", "type": "message", "role": "assistant", "content": [], "usage": {"input_tokens": 1}}
    sent: list[dict[str, Any]] = [{"type": "message_start", "message": begun}]
    for index, block in enumerate(blocks):
        deltas = block.pop("deltas")
        sent.append({"type": "content_block_start", "index": index, "content_block": block})
        sent += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        sent.append({"type": "content_block_stop", "index": index})
    if stop is not None:
        sent.append({"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": 1}})
        sent.append({"type": "message_stop"})
    return sent


def calls(dialect: str, name: str = "exec_command", arguments: str = COMMAND) -> ScriptChoice:
    """A model that thinks, then calls a tool."""
    if dialect == RESPONSES and name == "apply_patch":
        return api.responds(api.reasoning("Look."), api.custom_tool_call(name, PATCH))
    if dialect == RESPONSES:
        return api.responds(api.reasoning("Look."), api.function_call(name, arguments))
    if dialect == OPENAI:
        function = {"name": name, "arguments": arguments}
        call = {"index": 0, "id": "call_1", "type": "function", "function": function}
        events = [chat({"reasoning_content": "Look."}), chat({"tool_calls": [call]}), chat({}, "tool_calls")]
        return streamed(event_bytes([*events, "[DONE]"]))
    thoughts = [
        {"type": "thinking_delta", "thinking": "Look."},
        {"type": "signature_delta", "signature": "c2ln"},
    ]
    deltas = [{"type": "input_json_delta", "partial_json": arguments}]
    tool = {"type": "tool_use", "id": "toolu_1", "name": name, "input": {}, "deltas": deltas}
    thinking = {"type": "thinking", "thinking": "", "signature": "", "deltas": thoughts}
    return streamed(event_bytes(message(thinking, tool, stop="tool_use")))


def says(dialect: str, text: str, *, whole: bool = True) -> ScriptChoice:
    """A model that writes ``text``, in a stream that ends behind it unless it is ``whole``."""
    if dialect == RESPONSES:
        return api.responds(api.message(text)) if whole else api.cut_after(6, api.message(text))
    if dialect == OPENAI:
        ends = [chat({}, "stop"), "[DONE]"] if whole else []
        return streamed(event_bytes([chat({"content": text}), *ends]))
    words = {"type": "text", "text": "", "deltas": [{"type": "text_delta", "text": text}]}
    return streamed(event_bytes(message(words, stop="end_turn" if whole else None)))


@dataclass(frozen=True, slots=True)
class CodexStand:
    gateway: GatewayStand
    upstream: FakeUpstream
    home: Path

    async def run(self, *arguments: str) -> tuple[int, str]:
        """Run `codex exec` in the folder `work`."""
        name = "model_providers.gateway"
        base = f'{{name="gateway", base_url="{self.gateway.url}/v1", env_key="KEY", wire_api="responses", '
        given = {name: base + "request_max_retries=0, stream_max_retries=0}", "model_provider": '"gateway"',
                 "model": '"p/m"', "model_reasoning_effort": '"high"'}  # fmt: skip
        options = [part for key, value in given.items() for part in ("-c", f"{key}={value}")]
        program = await asyncio.create_subprocess_exec(
            str(CODEX), "exec", *options, "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox",
            *arguments, cwd=self.home / "work", stdin=asyncio.subprocess.DEVNULL,
            env={"HOME": str(self.home), "CODEX_HOME": str(self.home), "PATH": os.environ["PATH"], "KEY": CLIENT_TOKEN},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        async with asyncio.timeout(SECONDS):
            out, _ = await program.communicate()
        return program.returncode or 0, out.decode()

    def sent(self) -> list[Any]:
        """The bodies that the provider was sent."""
        return [json.loads(one.body) for one in self.upstream.requests if one.body]


@asynccontextmanager
async def codex(folder: Path, dialect: str, *scripts: ScriptChoice) -> AsyncIterator[CodexStand]:
    (folder / "work").mkdir()
    model = {"id": "m", "name": "m", "reasoning": True}
    async with FakeUpstream(*scripts) as upstream:
        providers = {"p": provider(upstream.url, dialect, models=[model])}
        made = config_of(providers, aliases={KNOWN_MODEL: "p/m"})
        async with serving_gateway(folder, made) as gateway:
            yield CodexStand(gateway, upstream, folder)


@DIALECTS
async def test_a_command_runs_and_its_output_and_the_thoughts_return(tmp_path: Path, dialect: str) -> None:
    async with codex(tmp_path, dialect, calls(dialect), says(dialect, "All done.")) as stand:
        status, printed = await stand.run("make a file")
        sent = json.dumps(stand.sent()[-1])
    assert (status, "All done." in printed) == (0, True), printed
    assert (tmp_path / "work" / "made.txt").read_text() == "from-the-shell\n"
    assert (
        "from-the-shell" in sent
        and {ANTHROPIC: "c2ln", OPENAI: "Look.", RESPONSES: "gAAAA-sealed"}[dialect] in sent
    )
    assert sent.count('"cache_control"') == (4 if dialect == ANTHROPIC else 0)


@DIALECTS
async def test_a_patch_is_applied(tmp_path: Path, dialect: str) -> None:
    patch = calls(dialect, "apply_patch", json.dumps({"input": PATCH}))
    async with codex(tmp_path, dialect, patch, says(dialect, "All done.")) as stand:
        status, printed = await stand.run("-m", KNOWN_MODEL, "make a file")
        sent = json.dumps(stand.sent()[-1])
    assert (status, "All done." in printed) == (0, True), printed
    assert (tmp_path / "work" / "made.txt").read_text() == "from-the-patch\n" and "Success." in sent


@DIALECTS
async def test_a_conversation_is_resumed(tmp_path: Path, dialect: str) -> None:
    async with codex(tmp_path, dialect, says(dialect, "One."), says(dialect, "Two.")) as stand:
        await stand.run("first words")
        status, printed = await stand.run("resume", "--last", "second words")
        sent = json.dumps(stand.sent()[-1])
    assert (status, "Two." in printed) == (0, True), printed
    assert sent.index("first words") < sent.index("One.") < sent.index("second words")


@TRANSLATED
async def test_a_stream_that_is_cut_is_a_failure_in_our_words(tmp_path: Path, dialect: str) -> None:
    async with codex(tmp_path, dialect, says(dialect, "Half", whole=False)) as stand:
        status, printed = await stand.run("hi")
    assert status != 0 and "the upstream's stream ended before" in printed, printed
