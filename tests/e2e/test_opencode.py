"""opencode, with its client of each dialect, runs a tool through the gateway with a provider of each dialect.

Skipped without it: `npm install opencode-ai` somewhere, and set CLAWGATE_TEST_OPENCODE to the program, in a
network namespace without routes: it looks for news of its own.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from tests.e2e.offline import why_not
from tests.e2e.test_codex import DIALECTS, SECONDS, calls, says
from tests.peers.connection import Request
from tests.peers.script import Script
from tests.peers.upstream import FakeUpstream, OfBody
from tests.routing.gateway_server import CLIENT_TOKEN, config_of, provider, serving_gateway

OPENCODE = Path(os.environ.get("CLAWGATE_TEST_OPENCODE", "/nonexistent"))
MISSING = why_not(OPENCODE, "CLAWGATE_TEST_OPENCODE does not name opencode")
pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)
CLIENTS = pytest.mark.parametrize(
    "client", ["@ai-sdk/openai", "@ai-sdk/openai-compatible", "@ai-sdk/anthropic"]
)
PRINTED = "from-the-tool"
ARGUMENTS = json.dumps({"command": f"echo {PRINTED} > made.txt; cat made.txt", "description": "make a file"})


def works(dialect: str) -> OfBody:
    """A model that calls the tool once, and names the conversation, for which there are no tools."""

    def choose(request: Request) -> Script:
        body = json.loads(request.body)
        last = json.dumps((body.get("messages") or body.get("input"))[-1])
        is_first = body.get("tools") and PRINTED not in last
        chosen = calls(dialect, "bash", ARGUMENTS) if is_first else says(dialect, "All done.")
        script = chosen.choose(request) if isinstance(chosen, OfBody) else chosen
        assert not callable(script)
        return script

    return OfBody(choose)


@CLIENTS
@DIALECTS
async def test_a_tool_runs_and_its_output_returns(tmp_path: Path, client: str, dialect: str) -> None:
    (tmp_path / "work").mkdir()
    model = {"id": "m", "name": "m", "reasoning": True}
    async with FakeUpstream(works(dialect)) as upstream:
        made = config_of({"p": provider(upstream.url, dialect, models=[model])})
        async with serving_gateway(tmp_path, made) as gateway:
            options = {"baseURL": f"{gateway.url}/v1", "apiKey": CLIENT_TOKEN}
            models = {"p/m": {"tool_call": True, "reasoning": True}}
            config = {
                "autoupdate": False,
                "share": "disabled",
                "permission": {"bash": "allow"},
                "provider": {"gateway": {"npm": client, "options": options, "models": models}},
            }
            (tmp_path / "work" / "opencode.json").write_text(json.dumps(config))
            program = await asyncio.create_subprocess_exec(
                str(OPENCODE), "run", "-m", "gateway/p/m", "make a file", cwd=tmp_path / "work",
                env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]}, stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            )  # fmt: skip
            async with asyncio.timeout(SECONDS):
                out, _ = await program.communicate()
    assert program.returncode == 0 and "All done." in out.decode(), out.decode()
    assert (tmp_path / "work" / "made.txt").read_text() == f"{PRINTED}\n"
