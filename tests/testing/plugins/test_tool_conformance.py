"""The kit finds what is wrong with a tool: each thing that it promises to find is done wrong once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clawgate.testing.plugins.conformance import check_folder
from tests.plugins.samples import imports_undone, plugin_folder, tool_code


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    with imports_undone():
        yield


def said(folder: Path, code: str = "", registers: str = '["tool"]', **fields: str) -> str:
    made = plugin_folder(
        folder, code=tool_code("find", code, **fields), registers=registers, tools='["find"]'
    )
    return "\n".join(map(str, check_folder(made)))


def run_of(body: str) -> str:
    return f"async def run(call):\n    {body}\n"


def test_a_good_tool_passes(tmp_path: Path) -> None:
    assert said(tmp_path / "a") == ""
    assert said(tmp_path / "b", run_of("raise ToolFailed('pass a city')")) == ""
    assert said(tmp_path / "c", run_of("return ToolResult('no', is_error=True)")) == ""


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("call.arguments['city']", "tool find: a call without arguments raised KeyError: 'city'; raise ToolFailed"),
        ("return 7", "a call returned int, not text or a ToolResult"),
        ("import asyncio; await asyncio.Event().wait()", "a call without arguments took longer than 0.05 s"),
    ],
)  # fmt: skip
def test_a_call_without_arguments_is_a_call(tmp_path: Path, code: str, says: str) -> None:
    assert says in said(tmp_path, run_of(code), timeout="0.05")


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ('"properties": {"city": {"type": "string"}}', "the parameter 'city' has no description"),
        ('"required": ["city"]', "'required' lists city, which 'properties' does not"),
        ('"properties": {}', "it is strict, so its schema needs 'additionalProperties': false"),
        ('"properties": {"city": {"description": "A city."}}', "it is strict, so 'required' must list city"),
    ],
)
def test_a_schema_that_models_or_openai_cannot_use_is_found(tmp_path: Path, schema: str, says: str) -> None:
    parameters = f'{{"type": "object", {schema}}}'
    assert says in said(tmp_path, parameters=parameters, strict="True")


def test_a_tool_is_called_while_the_services_of_its_plugin_run(tmp_path: Path) -> None:
    service = """
from clawgate.plugins.api import ServiceStatus
class Service:
    context = None
    async def start(self, context): self.context = context
    async def stop(self): self.context = None
    def status(self): return ServiceStatus(state="up", ok=True)
    def unavailable(self): return None
SERVICE = Service()
async def run(call): return SERVICE.context.instance
class Plugin(Plugin):
    def register(self, registrar):
        registrar.add_service(SERVICE)
        registrar.add_tool(TOOL)
plugin = Plugin()
"""
    assert said(tmp_path, service, registers='["service", "tool"]') == ""
