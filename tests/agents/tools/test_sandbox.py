from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from pathlib import Path

import pytest

from clawgate.agents.tools.sandbox import JobStopped, Sandbox
from tests.agents.tools.hostile_pages import PAGES
from tests.agents.tools.processes import children_of, cpu_of, exists, until


def page_job(*, plain: bool = False) -> dict[str, object]:
    return {
        "kind": "html",
        "mode": "markdown",
        "url": "http://a.example/",
        "max_chars": 20_000,
        "plain": plain,
    }


async def test_a_large_body_and_a_large_result_arrive_whole(trying: Sandbox) -> None:
    body = os.urandom(3_000_000)
    assert await trying.run({"kind": "echo"}, body) == body


@pytest.mark.parametrize("kind", ["spin", "half"])
async def test_a_job_without_a_whole_result_was_stopped(trying: Sandbox, kind: str) -> None:
    with pytest.raises(JobStopped, match="2 s of CPU time and 256 MB"):
        await trying.run({"kind": kind})
    assert await trying.run({"kind": "echo"}, b"next") == b"next"


async def test_a_cancelled_job_is_killed_in_whatever_code_it_is(trying: Sandbox) -> None:
    process = int(await trying.run({"kind": "pid"}))
    job = asyncio.get_running_loop().create_task(trying.run({"kind": "spin"}))
    await until(lambda: any(cpu_of(child) > 0.1 for child in children_of(process)))
    [child] = children_of(process)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    used: list[float] = []

    def has_ended() -> bool:
        used.append(cpu_of(child))
        return not exists(child)

    await until(has_ended)
    assert max(used) < 1.5, "it did not end by itself: it may use 2 s"


async def test_a_killed_process_is_replaced(trying: Sandbox) -> None:
    process = int(await trying.run({"kind": "pid"}))
    os.kill(process, signal.SIGKILL)
    await until(lambda: Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z")
    assert int(await trying.run({"kind": "pid"})) != process


async def test_close_leaves_no_process(trying: Sandbox) -> None:
    process = int(await trying.run({"kind": "pid"}))
    await trying.close()
    assert not exists(process)


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("name", PAGES)
async def test_no_page_keeps_the_loop_for_20_ms(sandbox: Sandbox, name: str, plain: bool) -> None:
    await sandbox.run(page_job(), b"<p>the process has been started</p>")
    body = PAGES[name].encode()
    began = time.thread_time()
    try:
        result = json.loads(await sandbox.run(page_job(plain=plain), body))
        assert len(result["text"]) <= 20_000
    except JobStopped:
        assert not plain, "all text of a page is found in linear time"
    assert time.thread_time() - began < 0.02
