"""How does a plugin's child program come under the supervisor? Two vocabularies, one mapping."""

from __future__ import annotations

import asyncio
import logging
import random

from clawgate.plugins.api import (
    ChildHandle,
    ChildSpec,
    Probe,
    ProbeResult,
    ServiceStatus,
    Unavailable,
)
from clawgate.processes.port_owner import port_owner
from clawgate.processes.supervision import spec as child_plan
from clawgate.processes.supervision.child_state import PortStatus
from clawgate.processes.supervision.status import ChildStatus
from clawgate.processes.supervision.supervisor import Supervisor


class SupervisedChild:
    """A `ChildHandle` of the plugin interface, with a supervisor behind it."""

    def __init__(self, plan: ChildSpec, probe: Probe, log: logging.Logger) -> None:
        self._plan = plan
        self._probe = probe
        self._log = log
        self._supervisor = Supervisor(
            child_plan.SupervisedSpec(
                name=plan.name,
                argv=plan.argv,
                environment=plan.environment,
                cwd=plan.cwd,
                host=plan.host,
                port=plan.port,
                auto_start=plan.auto_start,
                auto_restart=plan.auto_restart,
                restart_delay=plan.restart_delay,
                ready_timeout=plan.ready_timeout,
                grace=plan.grace,
            ),
            clock=asyncio.get_running_loop().time,
            probe=self._probe_port,
            random=random.random,
            on_change=self._changed,
            log=log,
        )

    async def _probe_port(self) -> PortStatus:
        result: ProbeResult = await self._probe()
        if result.health == "silent" and port_owner(self._plan.port) is None:
            return PortStatus("closed", result.reason)
        return PortStatus(result.health, result.reason)

    def _changed(self, snapshot: ChildStatus) -> None:
        self._log.debug("%s", snapshot)

    async def start(self) -> None:
        await self._supervisor.start()

    async def stop(self) -> None:
        await self._supervisor.stop()

    async def restart(self) -> None:
        await self._supervisor.restart()

    def status(self) -> ServiceStatus:
        now = self._supervisor.status()
        details = {
            "pid": now.pid,
            "restarts": now.restarts,
            "quickCrashes": now.quick_crashes,
            "nextTrySeconds": None if now.next_try is None else round(now.next_try, 1),
            "holder": now.port_owner,
            "exit": now.exit or None,
        }
        return ServiceStatus(
            state=now.phase,
            ok=now.serving,
            reason=now.reason,
            next_step=now.next_step,
            details={name: value for name, value in details.items() if value is not None},
            lines=now.last_lines,
        )

    def unavailable(self) -> Unavailable | None:
        found = self._supervisor.unavailable()
        if found is None:
            return None
        reason, retry_after = found
        return Unavailable(reason=reason, retry_after=retry_after)


def supervised(plan: ChildSpec, probe: Probe, log: logging.Logger) -> ChildHandle:
    """A child that has not been started yet. Only on a running loop."""
    return SupervisedChild(plan, probe, log)
