"""The status command tells what is wrong, and succeeds only if a request would."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from clawgate.bundled.anthropic_claude_proxy.config import ID, ProxyConfig
from clawgate.bundled.anthropic_claude_proxy.status_command import status_command
from clawgate.plugins.api import CommandPlugin, FetchRequest, FetchResponse, ServiceStatus
from tests.bundled.anthropic_claude_proxy.host import fetch
from tests.bundled.anthropic_claude_proxy.test_provider import proxy
from tests.ports import free_port

READY = ServiceStatus(state="ready", ok=True, details={"pid": 42, "restarts": 2}, lines=("Meridian running",))


@dataclass
class Context:
    config: Any = None
    services: tuple[ServiceStatus, ...] = (READY,)
    problems: tuple[str, ...] = ()
    config_file: Any = None
    state_dir: Path = Path("/nonexistent")
    environment: dict[str, str] = field(default_factory=dict)
    gateway_url: str | None = "http://127.0.0.1:18789"
    instance: str | None = "i"
    request_error: str | None = None
    printed: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def out(self, line: str) -> None:
        self.printed.append(line)

    def err(self, line: str) -> None:
        self.complaints.append(line)

    async def restart_services(self) -> bool:
        return True

    async def fetch(self, plan: FetchRequest) -> FetchResponse:
        return await fetch(plan)


def configured(port: int, *models: str) -> dict[str, Any]:
    """A config file that leads requests to the proxy."""
    block = {"baseUrl": f"http://127.0.0.1:{port}", "models": [{"id": model} for model in models]}
    return {"models": {"providers": {ID: block}}}


def run(context: Context, *arguments: str) -> int:
    if context.config_file is None:
        port = context.config.port if isinstance(context.config, ProxyConfig) else 3456
        context.config_file = configured(port, "claude-opus-4.6")
    return asyncio.run(status_command().run(context, arguments))


def said(context: Context) -> str:
    return "\n".join(context.printed)


def test_it_is_a_command() -> None:
    assert isinstance(status_command(), CommandPlugin)


def test_all_is_well() -> None:
    with proxy() as running:
        context = Context(ProxyConfig.model_validate({"port": running.port}))
        assert run(context, "status") == 0
    text = said(context)
    assert "pid 42, 2 restarts" in text and "healthy, version 1.43.0" in text and "Meridian running" in text
    assert "would succeed" in text and text.replace("\n", "").isprintable()


def test_who_serves_in_place_of_a_child_is_named() -> None:
    adopted = ServiceStatus(state="adopted", ok=True, details={"holder": "node (pid 7)", "restarts": 0})
    with proxy() as running:
        context = Context(ProxyConfig.model_validate({"port": running.port}), services=(adopted,))
        assert run(context, "status") == 0
    assert "adopted, served by node (pid 7)" in said(context)


def test_the_same_for_programs() -> None:
    with proxy() as running:
        context = Context(ProxyConfig.model_validate({"port": running.port}))
        assert run(context, "status", "--json") == 0
    found = json.loads(said(context))
    assert found["ok"] is True and found["child"]["pid"] == 42
    assert found["proxy"] == {
        "url": f"http://127.0.0.1:{running.port}", "health": "ready", "reason": "", "version": "1.43.0",
        "loggedIn": True, "mode": "passthrough", "quota": {},
    }  # fmt: skip


def test_with_the_gateway_down_the_proxy_is_asked_all_the_same() -> None:
    with proxy() as running:
        context = Context(
            ProxyConfig.model_validate({"port": running.port}), services=(), gateway_url=None, instance=None
        )
        assert run(context, "status") == 1
    assert "not running" in said(context) and "healthy" in said(context) and "gateway run" in said(context)


@pytest.mark.parametrize(
    ("kinds", "words"),
    [
        ({"health": "unhealthy"}, "Not logged in"),
        ({"health": "degraded"}, "Could not verify"),
        ({"health": "html"}, "another program responds"),
        ({"kind": "openai"}, "openai-completions"),
        ({"kind": "oldest"}, "not known"),
    ],
)
def test_what_is_not_sure_to_work_is_no_success(kinds: dict[str, str], words: str) -> None:
    with proxy(**kinds) as running:
        context = Context(ProxyConfig.model_validate({"port": running.port}))
        assert run(context, "status") == 1
    assert words in said(context)


def test_nobody_listens() -> None:
    given_up = ServiceStatus(state="given_up", ok=False, reason="it exited", next_step="fix it")
    context = Context(ProxyConfig.model_validate({"port": free_port()}), services=(given_up,))
    assert run(context, "status") == 1
    assert "given_up" in said(context) and "fix it" in said(context) and "no response" in said(context)


def test_a_healthy_proxy_that_the_gateway_does_not_use_is_no_success() -> None:
    with proxy() as running:
        context = Context(ProxyConfig.model_validate({"port": running.port}), services=())
        assert run(context, "status") == 1
    assert "plugins inspect" in said(context)


def test_a_config_that_cannot_be_used_is_told() -> None:
    context = Context(problems=("port: must be a number",))
    assert run(context, "status", "--json") == 1
    found = json.loads(said(context))
    assert found["problems"] == ["port: must be a number"] and "config validate" in found["nextStep"]
    assert context.complaints == ["port: must be a number", f"next step: {found['nextStep']}"]


def test_unknown_words_print_the_usage() -> None:
    context = Context(ProxyConfig())
    assert run(context, "begin") == 2 and "Usage" in context.complaints[0]
    assert run(context, "--help") == 0 and "Usage" in said(context)


@pytest.mark.parametrize(
    ("config", "says", "step"),
    [
        ({}, "the config does not enable the plugin", "models auth login --provider"),
        (
            {"plugins": {"entries": {ID: {"enabled": False}}}},
            "the plugin is disabled",
            f"clawgate plugins enable {ID}",
        ),
        ({"plugins": {"enabled": False}}, "plugins.enabled is false", "config set plugins.enabled true"),
        (configured(1, "m"), "baseUrl: it leads to 127.0.0.1:1", "set it to http://127.0.0.1:"),
    ],
)
def test_a_proxy_that_no_request_comes_to_is_not_well(config: dict[str, Any], says: str, step: str) -> None:
    with proxy() as running:
        context = Context(ProxyConfig.model_validate({"port": running.port}), config_file=config)
        assert run(context, "status") == 1
        assert says in said(context) and step in said(context) and "would fail" in said(context)
        context.printed.clear()
        assert run(context, "status", "--json") == 1
    found = json.loads(said(context))
    assert says in found["provider"]["problem"] and step in found["nextStep"]


def test_a_provider_that_lists_no_models_is_told() -> None:
    """Its models can be asked for by name all the same."""
    with proxy() as running:
        config = ProxyConfig.model_validate({"port": running.port})
        context = Context(config, config_file=configured(running.port))
        assert run(context, "status") == 0
    assert "lists no models" in said(context) and "models auth edit" in said(context)
