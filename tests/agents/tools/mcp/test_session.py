"""A hostile server gets nothing of us, and what it does is a result for the model or the end of its connection."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from pathlib import Path

import pytest
from mcp_types import ListToolsResult
from pydantic import ValidationError

from clawgate.agents.tools.mcp.session import why_lost
from tests.agents.tools.mcp.mcp_stand import call, connected, eventually, failure_of, scripted, tools_of


async def test_a_server_that_asks_us_is_answered_that_we_do_not(tmp_path: Path) -> None:
    """Sampling spends the operator's money, roots show folders; what a user is to confirm is declined for them."""
    async with connected(tmp_path, {"docs": scripted("asks", tmp_path / "t")}) as host:
        answers = json.loads((await call(host, "docs__echo")).text)
    assert [answer["id"] for answer in answers] == ["ask-0", "ask-1", "ask-2"]
    sampling, elicitation, roots = answers
    assert all("not supported" in one["error"]["message"].lower() for one in (sampling, roots))
    assert elicitation["result"] == {"action": "decline"}
    initialize = next(
        json.loads(line) for line in (tmp_path / "t.log").read_text().splitlines() if "initialize" in line
    )
    assert initialize["params"]["capabilities"] == {"elicitation": {"form": {}, "url": {}}}
    assert initialize["params"]["clientInfo"]["name"] == "clawgate"


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("endless", "its list of tools has more than 64 pages"),
        ("repeating", "its list of tools repeats itself"),
        ("many", "a result with more than 256 tools"),
    ],
)
async def test_a_list_that_does_not_end_is_no_list(tmp_path: Path, mode: str, reason: str) -> None:
    async with connected(tmp_path, {"docs": scripted(mode)}) as host:
        assert reason in await failure_of(host, "docs")
        assert host.tools() == []


@pytest.mark.parametrize(
    ("mode", "text", "is_error"),
    [
        ("wrong-id", "right", False),
        ("flood", "done", False),
        ("progress", "done", False),
        ("pattern", "done", False),  # that its output schema has takes for ever
        ("wrong-result", "the server sent a wrong result: ", True),
        ("error", "the server failed: no[31m luck", True),
        ("half", "echo: {}\ufffd", False),
    ],
)
async def test_what_a_server_does_wrong_is_told_to_the_model(
    tmp_path: Path, mode: str, text: str, is_error: bool
) -> None:
    async with connected(tmp_path, {"docs": scripted(mode)}) as host:
        result = await call(host, "docs__echo")
        assert (result.is_error, result.text[: len(text)]) == (is_error, text)
        assert not (await call(host, "docs__echo")).is_error or is_error  # the session goes on


@pytest.mark.parametrize(
    ("mode", "reason"), [("values", "more than 20000 values"), ("blocks", "more than 256 content")]
)
async def test_a_result_that_is_too_much_ends_the_connection(tmp_path: Path, mode: str, reason: str) -> None:
    async with connected(tmp_path, {"docs": scripted(mode)}) as host:
        assert (await call(host, "docs__echo")).is_error
        assert reason in await failure_of(host, "docs")


async def test_a_call_that_takes_too_long_is_cancelled_at_the_server(tmp_path: Path) -> None:
    server = scripted("silent-call", tmp_path / "t", requestTimeoutMs=200)
    async with connected(tmp_path, {"docs": server}) as host:
        result = await call(host, "docs__echo")
        assert result.is_error and "did not respond within 0.2 s and was cancelled" in result.text
        await eventually(lambda: "notifications/cancelled" in (tmp_path / "t.log").read_text())


async def test_a_call_whose_run_is_cancelled_is_cancelled_at_the_server(tmp_path: Path) -> None:
    log = tmp_path / "t.log"
    async with connected(tmp_path, {"docs": scripted("silent-call", tmp_path / "t")}) as host:
        await tools_of(host, "docs__echo")
        running = asyncio.get_running_loop().create_task(call(host, "docs__echo"))
        await eventually(lambda: "tools/call" in log.read_text())
        running.cancel()
        await asyncio.wait([running])
        assert running.cancelled()
        await eventually(lambda: "notifications/cancelled" in log.read_text())
    sent = [json.loads(line) for line in log.read_text().splitlines()]
    (called,) = (one["id"] for one in sent if one.get("method") == "tools/call")
    (cancelled,) = (
        one["params"]["requestId"] for one in sent if one.get("method") == "notifications/cancelled"
    )
    assert cancelled == called


def test_no_logger_of_the_sdk_writes_what_servers_send() -> None:
    """Its session logs each notification that is wrong, with the server's text and a traceback, in the event loop."""
    modules = [
        module
        for name, module in sys.modules.items()
        if name.startswith(("mcp.client", "httpx2", "httpcore2"))
    ]
    loggers = {
        one.name: one
        for module in modules
        for one in vars(module).values()
        if isinstance(one, logging.Logger)
    }
    assert len(loggers) > 5
    assert [name for name, logger in loggers.items() if logger.isEnabledFor(logging.ERROR)] == []


def test_of_many_mistakes_only_the_number_is_said() -> None:
    """Pydantic would make a text of each."""
    for count, text in (
        (1, "ListToolsResult: tools.0.name: "),
        (500, "ListToolsResult: 500 things are wrong"),
    ):
        with pytest.raises(ValidationError) as caught:
            ListToolsResult.model_validate({"tools": [{"inputSchema": {}}] * count})
        assert why_lost(caught.value).startswith(text)
