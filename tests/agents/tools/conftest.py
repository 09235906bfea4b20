from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from clawgate.agents.tools.sandbox import Sandbox

JOBS = """
import os, socket, sys, time

def prepare():
    pass

def work(job, body):
    what = job["kind"]
    if what == "echo":
        return body
    if what == "environment":
        return repr(sorted(os.environ)).encode()
    if what == "descriptors":
        open_ones = []
        for fd in range(0, 300):
            try:
                os.fstat(fd)
            except OSError:
                continue
            open_ones.append(fd)
        return repr(open_ones).encode()
    if what == "pid":
        return b"%d" % os.getppid()
    if what == "spin":
        while True:
            pass
    if what == "memory":
        return b"%d" % len(b"x" * 400_000_000)
    if what == "half":
        os.write(0, b"\\0\\0\\0\\x09half")
        os._exit(0)
    try:
        {"file": lambda: open("/etc/passwd"), "socket": lambda: socket.socket()}[what]()
    except OSError as error:
        return error.strerror.encode()
    return b"opened"
"""
"""What stands in for `jobs` in the process: the things that a page must not be able to have done."""


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    made = Sandbox()
    yield made
    await made.close()


@pytest.fixture
async def trying(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    package = tmp_path
    for name in ("clawgate", "agents", "tools"):
        package = package / name
        package.mkdir()
        (package / "__init__.py").touch()
    (package / "jobs.py").write_text(JOBS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("OWL_API_KEY", "a-secret-of-the-gateway")
    return sandbox
