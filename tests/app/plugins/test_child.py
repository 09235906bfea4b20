"""A plugin's child under the supervisor: what it says of itself, and what a probe's words become."""

from __future__ import annotations

import asyncio
import logging
from typing import get_args

import pytest

from clawgate.app.plugins.child import SupervisedChild, supervised
from clawgate.plugins.api import ChildSpec, Health, ProbeResult
from tests.e2e.stand import run, until
from tests.ports import free_port
from tests.processes.supervised import command

LOG = logging.getLogger("test.children")


def plan(*argv: str, port: int | None = None) -> ChildSpec:
    return ChildSpec(name="sample", argv=argv, port=port or free_port(), restart_delay=30.0, grace=0.5)


def test_a_program_that_is_not_there_is_a_reason_and_nobody_can_be_asked() -> None:
    """With words for a person; before it was started nobody can be asked either."""

    async def probe() -> ProbeResult:
        return ProbeResult("silent", "nobody")

    async def work() -> None:
        child = supervised(plan("/no/such/program"), probe, LOG)
        assert child.status().state == "stopped" and child.unavailable() is not None
        await child.start()
        await until(lambda: child.status().state in ("backing_off", "given_up"), child.status)
        found, why = child.status(), child.unavailable()
        assert not found.ok and "/no/such/program" in found.reason and found.next_step
        assert why is not None and why.reason and why.retry_after >= 1
        await child.stop()
        assert child.status().state == "stopped"

    run(work())


@pytest.mark.parametrize("health", get_args(Health))
def test_every_word_of_a_probe_has_a_counterpart(health: Health) -> None:
    """Silence on a port that nobody has is a closed port; what answers is what the probe says."""

    async def probe() -> ProbeResult:
        return ProbeResult(health, "its reason")

    async def work() -> None:
        child = SupervisedChild(plan("x"), probe, LOG)
        found = await child._probe_port()
        expected = "closed" if health == "silent" else health
        assert (found.health, found.detail) == (expected, "its reason")

    run(work())


def test_it_is_ready_when_the_probe_says_so_and_gone_when_it_is_stopped() -> None:
    """Its pid is told while there is one, and nothing that is not known."""
    port = free_port()

    async def probe() -> ProbeResult:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return ProbeResult("silent", "nobody listens")
        writer.close()
        return ProbeResult("ready")

    async def work() -> None:
        child = supervised(plan(*command("serve", port), port=port), probe, LOG)
        await child.start()
        await until(lambda: child.status().ok, child.status)
        assert child.unavailable() is None and isinstance(child.status().details["pid"], int)
        assert None not in child.status().details.values()
        await child.stop()
        assert child.unavailable() is not None and "pid" not in child.status().details

    run(work())
