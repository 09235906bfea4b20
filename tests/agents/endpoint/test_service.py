"""What a request may choose, and what the config decides about its run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.agents.agent_stand import AgentStand, echoes, serving_agents, user
from tests.peers import faults

AGENTS: dict[str, Any] = {
    "entries": {
        "main": {"default": True},
        "coder": {"model": {"primary": "up/other"}, "thinkingDefault": "high"},
        "bound": {"modelPolicy": {"allow": ["up/m"]}},
    }
}


def own(**agents: Any) -> dict[str, Any]:
    return {"plugins": {"entries": {"clawgate": {"config": {"agents": agents}}}}}


async def sent(stand: AgentStand, body: bytes, *headers: tuple[str, str]) -> Any:
    """The request that the model got."""
    response = await stand.ask(body, *headers)
    assert response.status == 200, response.body
    return json.loads(stand.model.requests[-1].body)


async def error(stand: AgentStand, body: bytes, *headers: tuple[str, str]) -> tuple[int, str, str]:
    response = await stand.ask(body, *headers)
    found = response.json()["error"]
    assert not stand.model.requests
    return response.status, str(found["param"]), str(found["message"])


@pytest.mark.parametrize(
    ("name", "headers", "model"),
    [
        ("openclaw", (), "m"),
        ("", (), "m"),
        ("  openclaw/coder ", (), "other"),
        ("openclaw/coder", (), "other"),
        ("OpenClaw:CODER", (), "other"),
        ("agent:coder", (), "other"),
        ("openclaw", (("x-openclaw-agent-id", "coder"),), "other"),
        ("openclaw", (("x-openclaw-model", "up/other"),), "other"),
        ("openclaw", (("x-openclaw-model", "other"),), "other"),
        ("openclaw/coder", (("x-openclaw-model", "m"),), "m"),
    ],
)
async def test_the_model_is_the_agents_unless_the_request_names_one(
    tmp_path: Path, name: str, headers: tuple[tuple[str, str], ...], model: str
) -> None:
    async with serving_agents(tmp_path, **AGENTS) as stand:
        assert (await sent(stand, user("hi", model=name), *headers))["model"] == model


@pytest.mark.parametrize(
    ("name", "headers", "status", "param"),
    [
        ("openclaw/nope", (), 400, "model"),
        ("openclaw", (("x-openclaw-agent-id", "nope"),), 400, "x-openclaw-agent-id"),
        ("openclaw", (("x-openclaw-model", "nope/m"),), 404, "model"),
        ("openclaw", (("x-openclaw-model", "openclaw"),), 400, "x-openclaw-model"),
        ("openclaw", (("x-openclaw-model", "openclaw/coder"),), 400, "x-openclaw-model"),
        ("openclaw", (("x-openclaw-model", " Agent:main"),), 400, "x-openclaw-model"),
        ("openclaw", (("x-openclaw-model", "othr"),), 400, "x-openclaw-model"),
        ("openclaw/bound", (("x-openclaw-model", "up/other"),), 404, "model"),
        ("openclaw", (("x-openclaw-session-key", "cron:x"),), 400, "x-openclaw-session-key"),
        ("openclaw", (("x-clawgate-disconnect", "maybe"),), 400, "x-clawgate-disconnect"),
        ("openclaw", (("last-event-id", "nonsense"),), 400, "last-event-id"),
        ("openclaw", (("idempotency-key", "k" * 256),), 400, "idempotency-key"),
    ],
)
async def test_what_cannot_be_chosen_is_refused_before_anything_is_started(
    tmp_path: Path, name: str, headers: tuple[tuple[str, str], ...], status: int, param: str
) -> None:
    async with serving_agents(tmp_path, **AGENTS) as stand:
        found = await error(stand, user("hi", model=name), *headers)
    assert found[:2] == (status, param)


async def test_the_agents_thinking_is_that_of_requests_without_their_own(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, **AGENTS) as stand:
        assert (await sent(stand, user("hi", model="openclaw/coder")))["reasoning_effort"] == "high"
        body = user("hi", model="openclaw/coder", reasoning_effort="low")
        assert (await sent(stand, body))["reasoning_effort"] == "low"
        assert "reasoning_effort" not in await sent(stand, user("hi"))


async def test_a_model_that_does_not_think_is_sent_no_effort(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, entries={"main": {"thinkingDefault": "high"}}) as stand:
        assert "reasoning_effort" not in await sent(stand, user("hi"))


async def test_a_header_without_effect_is_named(tmp_path: Path) -> None:
    async with serving_agents(tmp_path) as stand:
        response = await stand.ask(user("hi"), ("x-openclaw-message-channel", "slack"))
    assert response.header("x-clawgate-ignored") == "x-openclaw-message-channel"


async def test_the_agents_prompt_comes_before_the_callers(tmp_path: Path) -> None:
    config = own(main={"systemPrompt": "You are a clerk."})
    body = json.dumps(
        {"messages": [{"role": "system", "content": "Be short."}, {"role": "user", "content": "hi"}]}
    ).encode()
    async with serving_agents(tmp_path, config=config) as stand:
        (prompt, *_) = (await sent(stand, body))["messages"]
    assert prompt == {"role": "system", "content": "You are a clerk.\n\nBe short."}


async def test_a_user_interfaces_own_tasks_leave_the_session_alone(tmp_path: Path) -> None:
    task = "### Task:\nSuggest a title.\n### Output:\nJSON\n### Chat History:\n<chat_history>\nhi\n</chat_history>"
    chat = ("x-openwebui-chat-id", "c1")
    async with serving_agents(tmp_path, echoes) as stand:
        await stand.text(user("hi"), chat)
        await stand.text(user(task), chat)
        assert await stand.text(user("more"), chat) == "more (3)"


async def test_a_time_limit_of_the_agent_ends_the_run(tmp_path: Path) -> None:
    config = own(main={"timeout": 0.2})
    async with serving_agents(tmp_path, faults.never_responds(), config=config) as stand:
        response = await stand.ask(user("hi"))
    assert response.status == 504 and "timeout" in response.json()["error"]["message"]


async def test_a_session_can_choose_a_model_where_the_agent_has_none(tmp_path: Path) -> None:
    key = ("x-openclaw-session-key", "s")
    async with serving_agents(tmp_path, defaults={"model": {}}) as stand:
        assert (await stand.ask(user("hi"), key)).status == 404
        assert "none is configured" in await stand.text(user("/status"), key)
        await stand.text(user("/model up/m"), key)
        assert await stand.text(user("hi"), key) == "hi (1)"
