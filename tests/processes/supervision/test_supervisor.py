"""The owner of a child: asked by others, waited for by nobody, and not to be put out of step by what it calls."""

from __future__ import annotations

import asyncio
import logging
import sys
from dataclasses import replace

import pytest
import uvloop

from clawgate.plugins.api import ChildHandle, ChildSpec, Health, ProbeResult, TrustedUser
from clawgate.processes.supervision import supervisor
from clawgate.processes.supervision.supervisor import limits_of, secrets_of
from tests.other_user import NOBODY, listening_as, needs_another_user
from tests.ports import free_port
from tests.processes.supervised import QUICK, command, watched

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for descendants in /proc")


async def healthy() -> ProbeResult:
    return ProbeResult("ready")


async def closed() -> ProbeResult:
    raise ConnectionRefusedError


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
async def test_a_child_starts_serves_restarts_and_stops_on_every_loop(run: object) -> None:
    assert callable(run)
    port = free_port()
    async with watched(command("healthy", port), port) as it:
        first = await it.until(lambda shown: shown.state.healthy)
        await it.supervisor.restart()
        await it.phase("stopping")
        assert it.supervisor.unavailable() is not None
        second = await it.until(lambda shown: shown.state.healthy)
        assert first.state.pid != second.state.pid and second.state.quick_crashes == 0
    why = it.supervisor.unavailable()
    assert why is not None and "not running" in why.reason and why.retry_after > 0


async def test_stopping_twice_or_before_the_start_does_nothing() -> None:
    async with watched(command("wait"), probe=closed) as it:
        await it.supervisor.stop()
        await it.supervisor.stop()
        await it.supervisor.start()
        await it.until(lambda shown: shown.state.pid is not None)


async def test_without_auto_start_no_child_is_spawned_until_a_restart_request() -> None:
    port = free_port()
    async with watched(command("healthy", port), port, auto_start=False) as it:
        assert (await it.phase("stopped")).state.pid is None
        await it.supervisor.restart()
        assert (await it.until(lambda shown: shown.state.healthy)).state.phase == "ready"


@pytest.mark.parametrize("error", [RuntimeError("the probe broke"), OSError(113, "No route"), TimeoutError()])
async def test_a_failing_probe_counts_as_silence(error: Exception) -> None:
    async def broken() -> ProbeResult:
        raise error

    async with watched(command("wait"), probe=broken, limits=replace(QUICK, ready_timeout=0.2)) as it:
        assert "not ready" in (await it.phase("stopping")).state.reason
        await it.phase("backing_off")


def test_secrets_are_neither_shown_nor_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        script = 'echo "key is $SOME_KEY and $OTHER"; exit 1'
        environment = {"PATH": "/bin", "SOME_KEY": "canary-key-5512", "OTHER": "canary-other-5512"}
        async with watched(
            ("/bin/sh", "-c", script), free_port(), environment=environment, secrets=("canary-other-5512",)
        ) as it:
            shown = await it.phase("given_up")
            assert shown.last_lines == ("key is *** and ***",)
            assert "canary" not in repr(shown) + str(it.supervisor.unavailable())

    with caplog.at_level("DEBUG"):
        asyncio.run(work())
    assert "key is ***" in caplog.text and "canary" not in caplog.text


def test_unknown_keys_are_neither_shown_nor_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Neither where the child prints them nor where what answers on its port says them."""
    key = "sk-ant-oat01-canary0123456789"

    async def unwell() -> ProbeResult:
        return ProbeResult("unhealthy", f"the token {key} has expired")

    async def work() -> None:
        script = ("/bin/sh", "-c", f"echo login with {key} failed; exit 1")
        async with watched(script, free_port(), environment={"PATH": "/bin"}) as it:
            shown = await it.phase("given_up")
            assert shown.last_lines == ("login with *** failed",)
            assert "canary" not in repr(shown) + str(it.supervisor.unavailable())
        async with watched(("/bin/true",), probe=unwell) as it:
            shown = await it.phase("adopted")
            assert shown.state.reason == "the token *** has expired"
            assert "canary" not in str(it.supervisor.unavailable())

    with caplog.at_level("DEBUG"):
        asyncio.run(work())
    assert "canary" not in caplog.text


async def test_a_response_of_another_process_makes_no_child_ready() -> None:
    """The port is answered healthily, by this very process: the child, which only waits, is not believed."""
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    asked = 0

    async def at_first_nobody() -> ProbeResult:
        nonlocal asked
        asked += 1
        return await (closed() if asked == 1 else healthy())

    limits = replace(QUICK, ready_timeout=2.0)
    async with server, watched(command("wait"), port, probe=at_first_nobody, limits=limits) as it:
        stopping = await it.phase("stopping")
        assert "has its port" in stopping.state.reason and not stopping.state.healthy
        assert (await it.until(lambda shown: shown.state.healthy)).state.phase == "adopted"


async def test_it_is_a_child_handle_of_the_plugin_interface() -> None:
    """Its pid is in the details while there is one, and nothing that is not known."""
    port = free_port()
    async with watched(command("healthy", port), port) as it:
        handle: ChildHandle = it.supervisor
        await it.until(lambda shown: shown.state.healthy)
        status = handle.status()
        assert status.ok and status.state == "ready" and isinstance(status.details["pid"], int)
        assert None not in status.details.values() and handle.unavailable() is None
    assert "pid" not in handle.status().details and handle.status().state == "stopped"


async def test_a_program_that_does_not_exist_is_a_reason_with_a_next_step() -> None:
    async with watched(("/no/such/program",), free_port()) as it:
        await it.phase("given_up")
        status, why = it.supervisor.status(), it.supervisor.unavailable()
        assert not status.ok and "/no/such/program" in status.reason and status.next_step
        assert why is not None and why.reason and why.retry_after >= 1


@pytest.mark.parametrize("health", ["unhealthy", "degraded", "ready"])
async def test_the_next_step_of_a_child_is_its_probes(health: Health) -> None:
    """What to do depends on the program: the supervisor knows of no login."""

    async def probe() -> ProbeResult:
        return ProbeResult(
            health, "it says so", next_step="run: house login --key sk-ant-oat01-canary0123456789"
        )

    async with watched(("/bin/true",), probe=probe) as it:
        await it.phase("adopted")
        assert it.supervisor.status().next_step == "run: house login --key ***"
        assert "claude" not in str(it.supervisor.unavailable())


async def test_silence_on_a_port_without_a_listener_is_a_closed_port() -> None:
    async def silent() -> ProbeResult:
        return ProbeResult("silent", "no response")

    async with watched(command("wait"), free_port(), probe=silent) as it:
        assert (await it.until(lambda shown: shown.state.pid is not None)).state.phase == "starting"


@needs_another_user
@pytest.mark.parametrize("auto_start", [True, False])
def test_a_process_of_another_user_is_not_adopted_unless_the_spec_names_the_user(auto_start: bool) -> None:
    """It responds as the expected program does; so could any user of this machine."""

    async def work(port: int) -> None:
        async with watched(command("wait"), port, probe=healthy, auto_start=auto_start) as it:
            taken = await it.phase("port_taken")
            assert not taken.state.healthy and f"(uid {NOBODY})" in taken.state.reason
            assert "name that user" in taken.next_step and it.supervisor.unavailable() is not None
        named: TrustedUser = NOBODY
        async with watched(command("wait"), port, probe=healthy, trusted_user=named) as it:
            assert (await it.phase("adopted")).state.healthy

    with listening_as(NOBODY) as (port, _):
        asyncio.run(work(port))


@needs_another_user
async def test_a_process_of_another_user_does_not_stand_in_for_a_child_that_still_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Between the spawn and the first response, as while a package is downloaded, any user may take the port.

    Who is not root sees the user of the process, and not its pid.
    """
    monkeypatch.setattr(supervisor, "port_owner", lambda port: f"a process of uid {NOBODY}")
    is_taken = False

    async def probe() -> ProbeResult:
        return await (healthy() if is_taken else closed())

    port = free_port()
    async with watched(command("wait"), port, probe=probe, limits=replace(QUICK, ready_timeout=1.0)) as it:
        await it.until(lambda shown: shown.state.pid is not None)
        with listening_as(NOBODY, port):
            is_taken = True
            stopping = await it.phase("stopping")
            assert not stopping.state.healthy and f"(uid {NOBODY})" in stopping.state.reason
            is_taken = False


async def test_the_output_of_a_child_is_in_the_log_but_not_all_of_a_flood(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    now = 0.0
    it = supervisor.Supervisor(
        ChildSpec(name="child", argv=("x",), secrets=("canary-secret",)),
        clock=lambda: now,
        probe=healthy,
        random=lambda: 0.5,
        log=logging.getLogger("clawgate.test"),
    )
    for number in range(60):
        it._output.feed(b"canary-secret line %d\n" % number)
    lines = [one for one in caplog.messages if one.startswith("child: | ")]
    assert len(lines) == 50 and lines[0].endswith("line 0") and "canary-secret" not in caplog.text
    now = 1.0
    it._output.feed(b"later\n")
    assert caplog.messages[-2:] == ["child: 10 lines of output were not logged", "child: | later"]


def test_a_spec_shows_no_secret_and_its_secrets_are_known() -> None:
    environment = {"MERIDIAN_API_KEY": "canary-key-1", "PORT_TOKEN": "short", "HOME": "/home/user"}
    spec = ChildSpec(name="p", argv=("x",), environment=environment, secrets=("canary-secret-2",))
    assert secrets_of(spec) == ["canary-secret-2", "canary-key-1"] and "canary" not in repr(spec)


def test_the_limits_are_those_of_the_spec() -> None:
    spec = ChildSpec(name="p", argv=("x",), auto_restart=False, restart_delay=1, ready_timeout=2, grace=3)
    limits = limits_of(spec)
    assert (limits.auto_restart, limits.restart_delay, limits.ready_timeout, limits.grace) == (False, 1, 2, 3)
