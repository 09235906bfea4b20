from __future__ import annotations

import asyncio

from clawgate.agents.run.step import Usage
from clawgate.agents.run.tool_uses import ModelUse, collected, report

USE = ModelUse(None, Usage(1, 2))


async def test_what_a_tool_reports_is_collected_from_its_tasks_too() -> None:
    async def tool() -> None:
        report(USE)

    with collected() as uses:
        await asyncio.gather(tool(), tool())
    assert uses == [USE, USE]


async def test_tools_side_by_side_have_each_their_own() -> None:
    async def call(count: int) -> int:
        with collected() as uses:
            for _ in range(count):
                report(USE)
                await asyncio.sleep(0)
        return len(uses)

    assert list(await asyncio.gather(call(1), call(3))) == [1, 3]


def test_outside_of_a_run_nothing_is_collected() -> None:
    report(USE)
    with collected() as uses:
        pass
    assert uses == []
