from __future__ import annotations

import os
import subprocess
import sys

import pytest

from clawgate.agents.tools.sandbox import JobStopped, Sandbox
from tests.agents.tools.processes import children_of, exists, until


async def test_the_process_has_no_variable_of_the_environment(trying: Sandbox) -> None:
    assert b"OWL_API_KEY" not in await trying.run({"kind": "environment"})


async def test_the_process_has_no_descriptor_but_its_socket_and_the_null_device(trying: Sandbox) -> None:
    ours, theirs = os.pipe()
    os.set_inheritable(theirs, True)
    assert await trying.run({"kind": "descriptors"}) == b"[0, 1, 2]"
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize("kind", ["file", "socket"])
async def test_the_process_can_open_nothing(trying: Sandbox, kind: str) -> None:
    assert await trying.run({"kind": kind}) == b"Too many open files"


@pytest.mark.skipif(sys.platform != "linux", reason="macOS has no limit of memory")
async def test_a_job_that_takes_more_memory_than_it_may_was_stopped(trying: Sandbox) -> None:
    with pytest.raises(JobStopped):
        await trying.run({"kind": "memory"})


JOB = {"kind": "html", "mode": "markdown", "url": "http://a.example/", "max_chars": 20_000}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_nothing_is_left_when_the_gateway_is_killed() -> None:
    code = (
        "import asyncio\nfrom clawgate.agents.tools.sandbox import Sandbox\n"
        "from tests.agents.tools.hostile_pages import PAGES\n"
        "async def main():\n"
        "    sandbox = Sandbox()\n    sandbox.start()\n    print(sandbox._process.pid, flush=True)\n"
        f"    await sandbox.run({JOB!r}, PAGES['open paragraphs with text'].encode())\n"
        "asyncio.run(main())\n"
    )
    gateway = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)  # noqa: ASYNC220  # a moment
    assert gateway.stdout is not None
    with gateway.stdout as output:
        process = int(output.readline())
    await until(lambda: bool(children_of(process)))
    jobs = children_of(process)
    gateway.kill()
    gateway.wait()
    await until(lambda: not any(map(exists, (process, *jobs))))
