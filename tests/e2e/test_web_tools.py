"""Agents with the tools that come with clawgate: a real gateway between a client, a scripted model and a site."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clawgate.settings.schema.web_tools import WebTools
from tests.agents.agent_stand import AgentStand, says, serving_agents, user
from tests.agents.model_stand import DONE, call_of, chunk_of, usage_of
from tests.agents.tools.pictures import picture
from tests.e2e.stand import until
from tests.peers import faults
from tests.peers.faults import sse_response
from tests.peers.script import ReadBody, Script, Send, SetEvent, Wait
from tests.peers.upstream import FakeUpstream

PAGE = faults.response(
    b"<title>Hours</title><main><h1>Hours</h1><p>From 9 to 5.</p></main>", content_type="text/html"
)
ALLOWED = {"web": {"fetch": {"allowPrivateNetwork": True}}}


def fetches(url: str, **arguments: Any) -> Script:
    return sse_response(
        [call_of("web_fetch", json.dumps({"url": url, **arguments})), chunk_of(reason="tool_calls"), DONE]
    )


def result_of(stand: AgentStand) -> str:
    text: str = stand.sent[-1][-1]["content"]
    return text


async def test_an_agent_reads_a_page(tmp_path: Path) -> None:
    async with FakeUpstream((ReadBody(), Send(PAGE))) as site:
        scripts = (fetches(f"{site.url}/hours"), says("it is open"))
        async with serving_agents(tmp_path, *scripts, config={"tools": ALLOWED}) as stand:
            assert await stand.text(user("is it open?")) == "it is open"
            first = json.loads(stand.model.requests[0].body)
            assert [tool["function"]["name"] for tool in first["tools"]] == ["web_fetch"]
            assert "From 9 to 5." in result_of(stand)
            assert "<<<EXTERNAL_UNTRUSTED_CONTENT id=" in result_of(stand)
        assert [request.target for request in site.requests] == ["/hours"]
        assert site.requests[0].header_all("authorization") == []


async def test_a_private_address_is_refused_and_the_model_reads_what_allows_it(tmp_path: Path) -> None:
    async with FakeUpstream((ReadBody(), Send(PAGE))) as site:
        scripts = (fetches(site.url), says("it was refused"))
        async with serving_agents(tmp_path, *scripts, config={"tools": {"web": {"fetch": {}}}}) as stand:
            assert await stand.text(user("is it open?")) == "it was refused"
            assert "tools.web.fetch.allowPrivateNetwork" in result_of(stand)
        assert site.requests == []


async def test_a_redirect_to_the_metadata_address_is_refused_whatever_is_allowed(tmp_path: Path) -> None:
    to = (("Location", "http://169.254.169.254/latest/meta-data/"),)
    async with FakeUpstream((ReadBody(), Send(faults.response(b"", 302, to)))) as site:
        scripts = (fetches(site.url), says("it was refused"))
        async with serving_agents(tmp_path, *scripts, config={"tools": ALLOWED}) as stand:
            assert await stand.text(user("is it open?")) == "it was refused"
            assert "169.254.169.254" in result_of(stand) and "was not fetched" in result_of(stand)


async def test_an_agent_for_which_it_is_denied_is_not_offered_it(tmp_path: Path) -> None:
    async with serving_agents(
        tmp_path, says("no tools"), config={"tools": {**ALLOWED, "deny": ["group:web"]}}
    ) as stand:
        assert await stand.text(user("is it open?")) == "no tools"
        assert "tools" not in json.loads(stand.model.requests[0].body)


@pytest.mark.parametrize("web", [{}, {"web": {"search": {"enabled": True}}}])
async def test_without_its_block_there_is_no_tool(tmp_path: Path, web: dict[str, Any]) -> None:
    async with serving_agents(tmp_path, says("no tools"), config={"tools": web}) as stand:
        assert await stand.text(user("is it open?")) == "no tools"
        assert "tools" not in json.loads(stand.model.requests[0].body)


async def test_an_agent_has_a_model_look_at_a_file_and_pays_for_it(tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    (tmp_path / "workspace" / "a.png").write_bytes(picture("PNG", (400, 200)))
    arguments = json.dumps({"image": "a.png", "prompt": "which colour?"})
    scripts = (
        sse_response([call_of("image", arguments), chunk_of(reason="tool_calls"), usage_of(7, 1), DONE]),
        says("red", prompt=100, completion=5),
        says("it is red", prompt=20, completion=3),
    )
    defaults = {"imageModel": "up/other", "imageMaxDimensionPx": 50, "model": {"primary": "up/m"}}
    async with serving_agents(tmp_path, *scripts, defaults=defaults) as stand:
        response = (await stand.ask(user("which colour is a.png?"))).json()
        assert response["choices"][0]["message"]["content"] == "it is red"
        assert "red" in result_of(stand) and "Source: Image" in result_of(stand)
        usage = response["usage"]
        assert (usage["prompt_tokens"], usage["completion_tokens"]) == (127, 9)
        looked = json.loads(stand.model.requests[1].body)
        assert looked["model"] == "other"
        text, image = looked["messages"][0]["content"]
        assert text["text"] == "which colour?"
        assert image["image_url"]["url"].startswith("data:image/jpeg;base64,")


@pytest.mark.parametrize("chosen", ["mistyped", {"primary": "up/other", "fallbacks": ["mistyped"]}])
async def test_no_other_model_than_those_of_the_config_looks_at_an_image(tmp_path: Path, chosen: Any) -> None:
    (tmp_path / "workspace").mkdir()
    (tmp_path / "workspace" / "a.png").write_bytes(picture("PNG", (4, 2)))
    calls = call_of("image", json.dumps({"image": "a.png"}))
    scripts = (sse_response([calls, chunk_of(reason="tool_calls"), usage_of(7, 1), DONE]), says("a pity"))
    defaults = {"imageModel": chosen, "model": {"primary": "up/m"}}
    async with serving_agents(tmp_path, *scripts, defaults=defaults) as stand:
        await stand.ask(user("which colour is a.png?"))
        assert "agents.defaults.imageModel" in result_of(stand) and len(stand.model.requests) == 2


def test_no_library_of_the_tools_is_imported_in_the_gateway() -> None:
    code = (
        "import sys, clawgate.app.gateway, clawgate.app.agents\nfrom clawgate.agents.tools import built_in\n"
        "print([name for name in ('trafilatura', 'lxml', 'PIL') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"[]\n"


async def test_a_client_that_leaves_frees_the_site_and_ends_the_run(tmp_path: Path) -> None:
    reached = asyncio.Event()
    slow = (
        ReadBody(),
        Send(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"),
        SetEvent(reached),
        Wait(asyncio.Event()),
    )
    async with FakeUpstream(slow) as site:
        scripts = (fetches(site.url), says("too late"))
        async with serving_agents(tmp_path, *scripts, config={"tools": ALLOWED}) as stand:
            async with await stand.client() as client:
                await stand.gateway.send(client, user("is it open?", stream=True))
                await reached.wait()
            await site.saw_close(0)
            await until(lambda: not stand.gateway.role.agents.running_count, "the end of the run")
            assert len(stand.model.requests) == 1


async def test_a_changed_config_counts_for_the_next_run(tmp_path: Path) -> None:
    async with FakeUpstream((ReadBody(), Send(PAGE))) as site:
        scripts = (fetches(site.url), says("open"), says("no tools"))
        async with serving_agents(tmp_path, *scripts, config={"tools": ALLOWED}) as stand:
            assert await stand.text(user("is it open?")) == "open"
            agents, file = stand.gateway.role.agents, stand.gateway.role.agents._file
            assert file is not None
            tools = file.config.tools.model_copy(update={"web": WebTools()})
            agents.router(replace(file, config=file.config.model_copy(update={"tools": tools})))
            assert await stand.text(user("is it open?")) == "no tools"
            assert "tools" not in json.loads(stand.model.requests[-1].body)
