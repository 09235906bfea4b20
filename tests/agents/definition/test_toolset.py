"""An agent has the tools that its rules permit, and each call of the model has a result that it can read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clawgate.agents.definition.tool_policy import KnownTools, ToolPolicy
from clawgate.agents.definition.toolset import ToolSet, opaque_session
from clawgate.agents.request.chat_request import check_tool_names
from clawgate.agents.run.step import Call
from clawgate.errors import InvalidRequest
from clawgate.plugins.api import Tool, ToolCall, ToolFailed, ToolResult
from clawgate.plugins.host.tools import RegisteredTool, register_tool
from clawgate.settings.schema.agents import ToolRules
from tests.app.plugins.test_host import config, host_in
from tests.e2e.stand import until
from tests.plugins.host.test_discovery import installed
from tests.plugins.samples import docs_tool_plugin, imports_undone


async def shows(call: ToolCall) -> str:
    return json.dumps([call.id, call.name, call.arguments, call.agent, call.session])


def tool(name: str, run: Callable[[ToolCall], Awaitable[Any]] = shows, plugin: str = "sky") -> RegisteredTool:
    made = Tool(name=name, description="A tool.", parameters={"type": "object"}, run=run)
    return register_tool(plugin, made)


def toolset(*tools: RegisteredTool, **more: Any) -> ToolSet:
    rules = ToolRules.model_validate(more.pop("rules", {}))
    return ToolSet(
        tools, ToolPolicy(of_all=rules, approve=more.pop("approve", ())), agent="main", session="abc", **more
    )


def call(name: str = "find", arguments: str = "{}") -> Call:
    return Call("call_1", name, arguments)


def test_the_tools_that_need_approval_are_those_that_the_agent_has() -> None:
    made = toolset(tool("find"), tool("look"), approve=("*",), rules={"deny": ["look"]})
    assert made.needed == {"find"} and toolset(tool("find")).needed == frozenset()


@pytest.mark.parametrize(
    "entry", ["fnid", "", " ", "find_*", "group:invented", "srv__fnid", "skies", "docs__fnid"]
)
def test_where_a_name_to_approve_means_nothing_every_call_waits(entry: str) -> None:
    tools = [tool("find"), tool("look", plugin=""), tool("docs__find", plugin="docs")]
    made = toolset(*tools, approve=("look", entry), known=KnownTools(servers={"docs": ()}))
    assert made.needed == {"find", "look", "docs__find"}


@pytest.mark.parametrize(
    "entry", ["look", "LOOK", "web_fetch", "group:fs", "absent_*", "lost", "down__any", "bundle-mcp"]
)
def test_a_name_to_approve_of_what_cannot_be_called_now_makes_no_other_call_wait(entry: str) -> None:
    known = KnownTools(plugins={"lost": ("absent_tool",)}, servers={"down": ()})
    assert toolset(tool("find"), tool("look"), approve=("look", entry), known=known).needed == {"look"}


def test_a_digest_changes_with_all_that_a_model_reads_of_a_tool_and_with_who_has_it() -> None:
    def digest(plugin: str = "sky", **changed: Any) -> str:
        given: dict[str, Any] = {"description": "A tool.", "parameters": {"type": "object"}, "run": shows}
        return toolset(register_tool(plugin, Tool(name="find", **given | changed))).digests()["find"]

    other = {"type": "object", "properties": {"a": {}}}
    found = [digest(), digest("disk"), digest(description="B"), digest(parameters=other), digest(strict=True)]
    assert len(set(found)) == len(found) and digest() == digest()


async def returned(value: Any, **more: Any) -> str:
    async def run(call: ToolCall) -> Any:
        return value

    return (await toolset(tool("find", run), **more).run(call())).result


def test_an_agent_has_the_tools_that_its_rules_permit() -> None:
    found = toolset(tool("find"), tool("forecast"), tool("delete", plugin="disk"), rules={"deny": ["disk"]})
    assert found.names == {"find", "forecast"}
    assert [one["function"]["name"] for one in found.definitions()] == ["find", "forecast"]
    assert found.definitions()[0]["type"] == "function"


def test_a_clients_tool_cannot_take_the_name_of_one_of_the_agents() -> None:
    found = toolset(tool("find"))
    check_tool_names([{"function": {"name": "other"}}], found.names)
    with pytest.raises(InvalidRequest, match="the agent has a tool of that name"):
        check_tool_names(found.definitions(), found.names)


async def test_a_tool_gets_its_call_and_nothing_else() -> None:
    outcome = await toolset(tool("find")).run(call(arguments='{"city": "Ulm"}'))
    assert not outcome.failed
    assert json.loads(outcome.result) == ["call_1", "find", {"city": "Ulm"}, "main", "abc"]


@pytest.mark.parametrize("arguments", ["", " ", "null", "{}"])
async def test_no_arguments_are_an_empty_object(arguments: str) -> None:
    outcome = await toolset(tool("find")).run(call(arguments=arguments))
    assert json.loads(outcome.result)[2] == {}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("{", "the JSON of its arguments cannot be read: Input data was truncated"),
        ('{"city": Ulm}', "the JSON of its arguments cannot be read: JSON is malformed"),
        ('{"city": "Ulm"} {}', "cannot be read"),
        ('{"x": NaN}', "cannot be read"),
        ('{"city": "Ulm", "city": "Bonn"}', "gives 'city' more than once in one object"),
        ("[" * 5000, "cannot be read"),
        ('{"a":' * 150 + "1" + "}" * 150, "is nested more than 100 levels deep"),
        ('{"a": "\ud800"}', "cannot be read"),
        ('["Ulm"]', "its arguments must be a JSON object"),
        ('"Ulm"', "its arguments must be a JSON object"),
        ("0", "its arguments must be a JSON object"),
        ("false", "its arguments must be a JSON object"),
    ],
)
async def test_arguments_that_are_no_object_do_not_reach_the_tool(arguments: str, says: str) -> None:
    """The model reads why, and can write them again."""
    calls: list[ToolCall] = []

    async def run(call: ToolCall) -> str:
        calls.append(call)
        return ""

    outcome = await toolset(tool("find", run)).run(call(arguments=arguments))
    assert (
        outcome.failed and outcome.result.startswith("the tool was not called: ") and says in outcome.result
    )
    assert calls == [] and len(outcome.result) < 300


async def test_arguments_that_its_schema_excludes_do_not_reach_a_tool() -> None:
    calls: list[ToolCall] = []

    async def run(call: ToolCall) -> str:
        calls.append(call)
        return ""

    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    found = toolset(
        register_tool("sky", Tool(name="find", description="Finds.", parameters=parameters, run=run))
    )
    outcome = await found.run(call(arguments='{"city": 1}'))
    assert outcome.failed and outcome.result == (
        "the tool was not called: its argument 'city' must be of the type string"
    )
    assert not calls and not (await found.run(call(arguments='{"city": "Bern"}'))).failed and len(calls) == 1


async def test_a_tool_that_is_not_there_is_a_result_with_those_that_are() -> None:
    found = toolset(tool("find"), tool("delete"), rules={"deny": ["delete"]})
    outcome = await found.run(call("delete"))
    assert outcome.failed and outcome.result == "there is no tool 'delete'; use one of: find"
    assert (await found.run(call("x" * 5000))).result.endswith("...'; use one of: find")
    assert (await toolset().run(call())).result == "there is no tool 'find'; there are none"


async def test_a_failure_is_a_result() -> None:
    async def refuses(call: ToolCall) -> str:
        raise ToolFailed("pass a city")

    async def breaks(call: ToolCall) -> str:
        raise OSError("/etc/passwd")

    async def says_so(call: ToolCall) -> ToolResult:
        return ToolResult("no such city", is_error=True)

    results = []
    for run in (refuses, breaks, says_so):
        outcome = await toolset(tool("find", run)).run(call())
        assert outcome.failed
        results.append(outcome.result)
    assert results == ["pass a city", "the tool failed: OSError", "no such city"]


async def test_a_long_result_is_cut_with_a_note() -> None:
    assert await returned("x" * 100_000) == "x" * 100_000
    note = "\n[cut here: the result is longer than 100000 bytes]"
    assert await returned("x" * 100_001) == "x" * 100_000 + note
    assert await returned("x" * 10_000_000) == "x" * 100_000 + note
    cut = "\n[cut here: the result is longer than 5 bytes]"
    assert await returned("ééé", max_result_bytes=5) == f"éé{cut}"
    assert await returned(ToolResult("é" * 9), max_result_bytes=5) == f"éé{cut}"


async def test_a_result_is_valid_unicode() -> None:
    assert (await returned("a\ud800b")).encode() == b"a?b"


async def test_a_cancelled_run_cancels_the_tool() -> None:
    begun, was_cancelled = asyncio.Event(), asyncio.Event()

    async def run(call: ToolCall) -> str:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            was_cancelled.set()
        return ""

    task = asyncio.ensure_future(toolset(tool("find", run)).run(call()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert was_cancelled.is_set()


def test_a_session_of_another_caller_has_another_id() -> None:
    ids = {opaque_session(caller, key) for caller in ("ann", "bob") for key in ("k", "l", "")}
    assert len(ids) == 6 and opaque_session("ann", "k") == opaque_session("ann", "k")
    assert opaque_session("a", "bc") != opaque_session("ab", "c")
    assert not any("ann" in one or "k" in one for one in ids)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    with imports_undone():
        yield tmp_path


async def test_an_agent_uses_the_tool_of_a_plugin_that_was_installed(state: Path) -> None:
    """The one of the docs, in a plugin host; what changes there concerns the next run."""
    installed(state, docs_tool_plugin(state))
    host, _ = host_in(state)
    host.load(config(state, **{"house-calendar": {}}))
    task = asyncio.ensure_future(host.run())
    await until(lambda: bool(host.tools), host.statuses)
    run = toolset(*host.tools)
    (definition,) = run.definitions()
    assert set(definition["function"]["parameters"]["properties"]) == {"first", "last"}
    arguments = '{"first": "2024-02-28", "last": "2024-03-01"}'
    assert (await run.run(call("days_between", arguments))).result == "2"
    wrong = await run.run(call("days_between", '{"first": "2024-02-30", "from": "x"}'))
    assert wrong.failed and "its arguments lack last" in wrong.result
    host.reload(config(state, **{"house-calendar": None}))
    await until(lambda: not host.tools, host.statuses)
    assert toolset(*host.tools).names == frozenset()
    assert (await run.run(call("days_between", arguments))).result == "2"
    task.cancel()
    await asyncio.wait({task})
