"""Shared by tests of the supervisor: a stand-in child, a probe of its port, and waiting for a condition."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from time import monotonic
from typing import Any

from clawgate.plugins.api import ChildSpec, Health, ProbeResult
from clawgate.processes.supervision import subreaper
from clawgate.processes.supervision.child_state import State, SupervisionLimits
from clawgate.processes.supervision.status import ChildStatus
from clawgate.processes.supervision.supervisor import Supervisor
from tests.peers.waiting import Condition

PATIENCE = 60.0
STAND_IN = Path(__file__).parent / "children" / "stand_in.py"
QUICK = SupervisionLimits(
    restart_delay=0.02,
    ready_timeout=PATIENCE,
    grace=5.0,
    kill_timeout=10.0,
    max_restart_delay=0.2,
    startup_probe_interval=0.01,
    probe_interval=0.05,
    unhealthy_after=0.1,
    hang_timeout=0.3,
    slow_retry_delay=0.3,
)


def command(what: str, *arguments: object) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", str(STAND_IN), what, *map(str, arguments))


def there() -> set[int]:
    """The processes that descend from this one, zombies included; without a PostgreSQL that other tests share."""
    found = subreaper.descendants(os.getpid(), subreaper.process_table())
    return {pid for pid in found if _name(pid) != b"postgres\n"}


def _name(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/comm").read_bytes()
    except OSError:
        return b""


def is_there(pid: int) -> bool:
    """Whether the process runs; of what is a zombie for another parent nothing is left to be ended."""
    try:
        return b") Z" not in Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False


def probe_of(port: int, seconds: float = 0.2) -> Callable[[], Any]:
    """A probe of the stand-in by its ``status``; another program on the port is a stranger."""

    async def probe() -> ProbeResult:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
                raw = await reader.read()
            finally:
                writer.close()
        try:
            status = json.loads(raw.partition(b"\r\n\r\n")[2])["status"]
        except ValueError:
            return ProbeResult("stranger", "another program")
        known: dict[str, Health] = {"healthy": "ready", "degraded": "degraded", "unhealthy": "unhealthy"}
        return ProbeResult(known[status])

    return probe


class AnnouncingSupervisor(Supervisor):
    """Calls ``note`` with each status that it publishes."""

    note: Callable[[ChildStatus], None]

    def _publish(self, old: State) -> None:
        super()._publish(old)
        self.note(self.child_status())


class Watched:
    """A supervisor, and all that it announced."""

    def __init__(self, plan: ChildSpec, limits: SupervisionLimits, probe: Callable[[], Any]) -> None:
        self.statuses: list[ChildStatus] = []
        self._pulse = Condition()
        self.supervisor = AnnouncingSupervisor(
            plan,
            clock=monotonic,
            probe=probe,
            random=lambda: 0.5,
            log=logging.getLogger("clawgate.test"),
            limits=limits,
        )
        self.supervisor.note = self._note

    def _note(self, shown: ChildStatus) -> None:
        self.statuses.append(shown)
        self._pulse.beat()

    async def until(self, ready: Callable[[ChildStatus], bool], within: float = PATIENCE) -> ChildStatus:
        """The first announcement for which ``ready`` holds; those before it are not looked at again."""
        seen = 0

        def found() -> bool:
            nonlocal seen
            while seen < len(self.statuses):
                if ready(self.statuses[seen]):
                    return True
                seen += 1
            return False

        await self._pulse.until(
            found, lambda: f"so far {[str(shown) for shown in self.statuses[-20:]]}", within
        )
        status = self.statuses[seen]
        del self.statuses[: seen + 1]
        return status

    async def phase(self, *phases: str) -> ChildStatus:
        return await self.until(lambda shown: shown.state.phase in phases)


@contextlib.asynccontextmanager
async def watched(
    argv: tuple[str, ...],
    port: int = 0,
    *,
    limits: SupervisionLimits = QUICK,
    probe: Callable[[], Any] | None = None,
    **more: Any,
) -> AsyncIterator[Watched]:
    """Supervise a command while the context lasts; afterwards nothing of it is left."""
    more.setdefault("environment", {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"})
    before = there()
    it = Watched(ChildSpec(name="stand-in", argv=argv, port=port, **more), limits, probe or probe_of(port))
    await it.supervisor.start()
    try:
        yield it
    finally:
        await it.supervisor.stop()
        assert it.supervisor.child_status().state.phase == "stopped"
    assert there() <= before
