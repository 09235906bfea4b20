"""Agents of a gateway use tools of MCP servers, which follow the config; without any nothing is imported."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from clawgate.settings.extras import install_command
from tests.agents.agent_stand import AgentStand, agent_config, says, serving_agents, user
from tests.agents.model_stand import DONE, call_of, chunk_of, usage_of
from tests.agents.tools.mcp.mcp_stand import eventually, scripted
from tests.agents.tools.pictures import announced, picture
from tests.peers.faults import sse_response
from tests.processes.supervised import there
from tests.routing.gateway_server import agents_on, write

IMPORTED = """
import asyncio, sys, tempfile
from pathlib import Path
from tests.agents.agent_stand import serving_agents, user
async def main():
    with tempfile.TemporaryDirectory() as folder:
        async with serving_agents(Path(folder)) as stand:
            await stand.text(user("hi"))
    return [name for name in sys.modules if name.split(".")[0] in ("mcp", "mcp_types", "httpcore2")]
found = asyncio.run(main())
own = {name.rpartition(".")[2] for name in sys.modules if name.startswith("clawgate.agents.tools.mcp.")}
sys.exit(f"imported: {found} {own}" if found or own - {"definitions", "logins", "pins"} else 0)
"""


_OF_A_SERVER = 2
"""Processes: it, and its subreaper."""


def asks_for(name: str, arguments: str = "{}") -> Any:
    return sse_response([call_of(name, arguments), chunk_of(reason="tool_calls"), DONE])


def tools_of(stand: AgentStand) -> list[str]:
    assert stand.gateway.role.agents._service is not None
    return sorted(tool.name for tool in stand.gateway.role.agents._tools())


def test_agents_without_servers_import_nothing_of_the_sdk() -> None:
    subprocess.run([sys.executable, "-c", IMPORTED], check=True, timeout=120)


async def test_an_agent_uses_the_tool_of_a_server(tmp_path: Path) -> None:
    """From a client's request to its response; the model is offered the tool by the name of its server."""
    config = {"mcp": {"servers": {"docs": scripted("plain")}}}
    scripts = asks_for("docs__echo", '{"text": "x"}'), says("done")
    async with serving_agents(tmp_path, *scripts, config=config) as stand:
        await eventually(lambda: tools_of(stand) == ["docs__echo"])
        assert await stand.text(user("echo x")) == "done"
        first, second = (json.loads(request.body) for request in stand.model.requests)
    assert [tool["function"]["name"] for tool in first["tools"]] == ["docs__echo"]
    assert second["messages"][-1]["content"] == 'echo: {"text": "x"}'


async def test_the_rules_of_tools_are_those_of_every_agent(tmp_path: Path) -> None:
    config = {"mcp": {"servers": {"docs": scripted("plain")}}, "tools": {"deny": ["docs__*"]}}
    async with serving_agents(tmp_path, says("hi"), config=config) as stand:
        await eventually(lambda: tools_of(stand) == ["docs__echo"])
        assert await stand.text(user("hi")) == "hi"
        (request,) = stand.model.requests
    assert "tools" not in json.loads(request.body)


async def test_servers_follow_the_config(tmp_path: Path) -> None:
    """A server that is not changed keeps its child; one that is removed ends, and all end where agents are off."""
    config = {"mcp": {"servers": {"docs": scripted("plain"), "other": scripted("plain")}}}
    before = there()
    async with serving_agents(tmp_path, config=config) as stand:
        await eventually(lambda: tools_of(stand) == ["docs__echo", "other__echo"])
        gateway, url = stand.gateway, stand.model.url
        (reload,) = (
            task for _, task in gateway.role.periodic_tasks if "reload" in getattr(task, "__name__", "")
        )

        async def use(made: dict[str, Any], *names: str) -> None:
            write(gateway.config, made)
            reload()
            await eventually(lambda: tools_of(stand) == list(names))

        docs = {"mcp": {"servers": {"docs": config["mcp"]["servers"]["docs"]}}}
        await use(agent_config(url) | docs, "docs__echo")
        await eventually(lambda: len(there() - before) == _OF_A_SERVER)
        kept = there()
        renamed = {"mcp": {"servers": {"docs": docs["mcp"]["servers"]["docs"], "new": scripted("plain")}}}
        await use(agent_config(url) | renamed, "docs__echo", "new__echo")
        await eventually(lambda: kept < there() and len(there() - kept) == _OF_A_SERVER)
        await use(agents_on(agent_config(url) | renamed, on=False))
        await eventually(lambda: there() == before)


async def test_without_the_sdk_the_gateway_serves_and_says_what_to_install(
    tmp_path: Path, monkeypatch: Any, caplog: Any
) -> None:
    monkeypatch.setitem(sys.modules, "mcp.client", None)
    for name in [name for name in sys.modules if name.startswith("clawgate.agents.tools.mcp.s")]:
        monkeypatch.delitem(sys.modules, name)
    config = {"mcp": {"servers": {"docs": scripted("plain")}}}
    async with serving_agents(tmp_path, says("hi"), config=config) as stand:
        assert await stand.text(user("hi")) == "hi"
        await eventually(lambda: install_command("mcp") in caplog.text)
        assert tools_of(stand) == []


async def test_a_model_looks_at_the_images_of_a_server(tmp_path: Path) -> None:
    """Through the sandbox of the tool image, and what it uses counts for the run; two of a result are enough."""
    (tmp_path / "image.txt").write_text(base64.b64encode(picture("PNG", (400, 200))).decode())
    scripts = (
        sse_response([call_of("docs__echo", "{}"), chunk_of(reason="tool_calls"), usage_of(7, 1), DONE]),
        says("red", prompt=100, completion=5),
        says("still red", prompt=100, completion=5),
        says("it is red", prompt=20, completion=3),
    )
    config = {"mcp": {"servers": {"docs": scripted("pictures", tmp_path / "image.txt")}}}
    defaults = {"imageModel": "up/other", "imageMaxDimensionPx": 50, "model": {"primary": "up/m"}}
    async with serving_agents(tmp_path, *scripts, config=config, defaults=defaults) as stand:
        await eventually(lambda: "docs__echo" in tools_of(stand))
        response = (await stand.ask(user("which colour?"))).json()
        assert response["choices"][0]["message"]["content"] == "it is red"
        assert response["usage"]["prompt_tokens"] == 227
        looked = json.loads(stand.model.requests[1].body)
        result = stand.sent[-1][-1]["content"]
    assert looked["model"] == "other"
    text, image = looked["messages"][0]["content"]
    assert "which the tool docs__echo returned" in text["text"]
    sent = base64.b64decode(image["image_url"]["url"].partition(",")[2])
    assert Image.open(io.BytesIO(sent)).size == (50, 25)
    assert result.startswith("here\n[image: image/png, ") and result.endswith("; it is not shown here]")
    assert result.count("<<<EXTERNAL_UNTRUSTED_CONTENT id=") == 2 and "still red" in result


@pytest.mark.parametrize(
    ("image", "defaults", "tools", "reason"),
    [
        (b"picture", {}, {}, "agents.defaults.imageModel has a model look at images"),
        (b"picture", {"imageModel": "up/m"}, {"deny": ["image"]}, "this agent may not use the tool image"),
        (b"", {"imageModel": "up/m"}, {}, "it is none of PNG, JPEG, GIF, WEBP"),
        (announced(60_000, 60_000), {"imageModel": "up/m"}, {}, "60000 x 60000 pixels"),
    ],
)
async def test_why_no_model_looked_at_an_image_is_said(
    tmp_path: Path, image: bytes, defaults: dict[str, Any], tools: dict[str, Any], reason: str
) -> None:
    (tmp_path / "image.txt").write_text(base64.b64encode(image or b"no image").decode())
    config = {"mcp": {"servers": {"docs": scripted("pictures", tmp_path / "image.txt")}}, "tools": tools}
    scripts = asks_for("docs__echo"), says("a pity")
    model = {"model": {"primary": "up/m"}}
    async with serving_agents(tmp_path, *scripts, config=config, defaults={**model, **defaults}) as stand:
        await eventually(lambda: "docs__echo" in tools_of(stand))
        assert await stand.text(user("which colour?")) == "a pity"
        assert reason in stand.sent[-1][-1]["content"]
        assert len(stand.model.requests) == 2, "nobody was paid for it"
