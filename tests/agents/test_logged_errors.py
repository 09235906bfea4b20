"""An upstream's error may repeat the prompt: its text goes to the caller, and not into the log."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from tests.agents.agent_stand import serving_agents, session, user
from tests.agents.model_stand import chunk_of
from tests.peers import faults
from tests.peers.faults import sse_response
from tests.peers.script import Script

CANARY = "canary-of-a-prompt"
ERROR = b"data: " + json.dumps({"error": {"message": CANARY, "type": "server_error"}}).encode() + b"\n\n"
EVENT = b"event: error\ndata: " + CANARY.encode() + b"\n\n"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", ["openclaw", "up/m"])
@pytest.mark.parametrize(
    "script",
    [
        faults.error_response(400, CANARY),
        faults.error_response(401, CANARY),
        faults.error_response(503, CANARY),
        sse_response([chunk_of({"content": "half"}), ERROR]),
        sse_response([chunk_of({"content": "half"}), EVENT]),
    ],
    ids=["400", "401", "503", "event", "named event"],
)
async def test_the_text_of_an_upstreams_error_is_not_logged(
    tmp_path: Path, script: Script, model: str, stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        async with serving_agents(tmp_path, script) as stand:
            headers = (session("s"),) if model == "openclaw" else ()
            response = await stand.ask(user("hi", model=model, stream=stream), *headers)
    assert CANARY.encode() in response.body
    logged = "\n".join(record.getMessage() for record in caplog.records)
    assert CANARY not in logged
    assert "failed" in logged or ": 4" in logged or ": 5" in logged
