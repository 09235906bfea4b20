"""Whatever a plugin does, the caller gets a reason and goes on; and nobody is dialled for a plugin that failed."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path
from typing import Any, cast

import pytest
import uvloop

from clawgate.plugins.api import (
    PluginError,
    Service,
    ServiceContext,
    ServiceStatus,
    Unavailable,
)
from clawgate.plugins.host import isolation
from clawgate.plugins.host.isolation import (
    IsolatedService,
    PluginFailed,
    reason_of,
    run_with_timeout,
)
from clawgate.plugins.host.watchdog import EventLoopBlocked
from clawgate.testing.plugins.fake_host import FakeHost


class Sample:
    """A service that does what it is told to."""

    def __init__(self, **does: Any) -> None:
        self.does = does
        self.calls: list[str] = []

    async def _do(self, name: str) -> None:
        self.calls.append(name)
        does = self.does.get(name)
        if does == "hang":
            await asyncio.Event().wait()
        if does == "hang on":
            for _ in range(3):
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    continue
        if isinstance(does, BaseException):
            raise does

    async def start(self, context: ServiceContext) -> None:
        await self._do("start")

    async def stop(self) -> None:
        await self._do("stop")

    def _plain(self, name: str, usual: Any) -> Any:
        found = self.does.get(name, usual)
        if isinstance(found, BaseException):
            raise found
        return found

    def status(self) -> ServiceStatus:
        return cast(ServiceStatus, self._plain("status", ServiceStatus(state="up", ok=True)))

    def unavailable(self) -> Unavailable | None:
        return cast("Unavailable | None", self._plain("unavailable", None))


def guarded(sample: Service, **more: Any) -> IsolatedService:
    service = IsolatedService("sample", sample, **more)
    service._start_seconds = service._stop_seconds = 0.05
    return service


def started(folder: Path, sample: Service, **more: Any) -> IsolatedService:
    service = guarded(sample, **more)
    asyncio.run(service.start(FakeHost(state_dir=folder)))
    return service


def test_a_service_that_works_is_asked_itself(tmp_path: Path) -> None:
    sample = Sample()
    service = started(tmp_path, sample)
    assert service.failure is None and service.unavailable() is None and service.status().state == "up"
    assert asyncio.run(service.stop()) and sample.calls == ["start", "stop"]
    assert asyncio.run(service.stop()) and sample.calls == ["start", "stop"]


@pytest.mark.parametrize(
    ("does", "reason"),
    [
        (RuntimeError("no luck"), "RuntimeError: no luck"),
        (PluginError("the port is taken", next_step="choose another"), "the port is taken: choose another"),
        (SystemExit(3), "it called sys.exit"),
        (asyncio.CancelledError(), "its start was cancelled"),
        ("hang", "its start took longer than 0.05 s"),
    ],
)
def test_a_start_that_fails_makes_its_providers_unavailable(
    tmp_path: Path, does: Any, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    service = started(tmp_path, Sample(start=does))
    assert service.failure == reason
    why = service.unavailable()
    assert why is not None and reason in why.reason and "'sample'" in why.reason
    assert service.status().state == "failed" and not service.status().ok
    assert [one.message for one in caplog.records if one.levelno >= logging.WARNING] == [
        f"[plugins] sample: start failed: {reason}"
    ]


def test_a_service_that_was_not_started_is_unavailable() -> None:
    service = guarded(Sample())
    assert service.unavailable() is not None and service.status().state == "stopped"


def test_a_start_that_will_not_even_be_cancelled_keeps_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clawgate.plugins.host.isolation._CANCEL_SECONDS", 0.01)

    async def run() -> bool:
        service = guarded(Sample(start="hang on"))
        found = await service.start(FakeHost(state_dir=tmp_path))
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        return found

    assert asyncio.run(run()) is False


@pytest.mark.parametrize("does", [RuntimeError("no"), SystemExit(1), "hang"])
def test_a_stop_that_fails_is_told_and_over(
    tmp_path: Path, does: Any, caplog: pytest.LogCaptureFixture
) -> None:
    service = started(tmp_path, Sample(stop=does))
    assert asyncio.run(service.stop()) is False
    assert "[plugins] sample: stop failed" in caplog.text and service.unavailable() is not None


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_a_task_of_a_plugin_that_exits_does_not_end_the_gateway(tmp_path: Path, run: Any) -> None:
    class Exits(Sample):
        async def start(self, context: ServiceContext) -> None:
            self.task = asyncio.get_running_loop().create_task(self._exit())

        async def _exit(self) -> None:
            await asyncio.sleep(0)
            sys.exit(3)

    async def gateway() -> str:
        sample = Exits()
        service = guarded(sample)
        assert await service.start(FakeHost(state_dir=tmp_path))
        await asyncio.wait({sample.task})
        assert isinstance(sample.task.exception(), PluginFailed)
        return service.status().state

    assert run(gateway()) == "up"


@pytest.mark.timeout(280, method="thread")  # the other method has the alarm for itself
@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_a_task_of_a_plugin_that_blocks_is_ended_and_named(
    tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Everything else goes on, and the log says whose it was."""
    monkeypatch.setattr(isolation, "STEP_SECONDS", 0.1)

    class Blocks(Sample):
        async def start(self, context: ServiceContext) -> None:
            self.task = asyncio.get_running_loop().create_task(self._block())

        async def _block(self) -> None:
            await asyncio.sleep(0)
            while True:
                pass

    async def gateway() -> str:
        sample = Blocks()
        service = guarded(sample)
        assert await service.start(FakeHost(state_dir=tmp_path))
        await asyncio.wait({sample.task})
        assert isinstance(sample.task.exception(), EventLoopBlocked)
        return service.status().state

    assert run(gateway()) == "up"
    assert "[plugins] sample: a background task was ended" in caplog.text


def test_a_start_that_failed_half_way_is_stopped_too(tmp_path: Path) -> None:
    sample = Sample(start=RuntimeError("half"))
    assert asyncio.run(started(tmp_path, sample).stop()) and sample.calls == ["start", "stop"]


def test_a_gateway_that_is_told_to_end_is_not_kept_by_a_start(tmp_path: Path) -> None:
    async def run() -> None:
        service = IsolatedService("sample", Sample(start="hang"))
        async with asyncio.timeout(0.02):
            await service.start(FakeHost(state_dir=tmp_path))

    with pytest.raises(TimeoutError):
        asyncio.run(run())


@pytest.mark.parametrize("nonsense", [RuntimeError("no"), SystemExit(1), True, "fine", 0])
def test_what_is_no_answer_counts_as_unavailable(tmp_path: Path, nonsense: Any) -> None:
    service = started(tmp_path, Sample(unavailable=nonsense, status=nonsense))
    why = service.unavailable()
    assert isinstance(why, Unavailable) and "the plugin 'sample' failed" in why.reason
    assert service.status().state == "failed" and not service.status().ok


def test_secrets_do_not_get_into_reasons(tmp_path: Path) -> None:
    service = started(
        tmp_path, Sample(start=ValueError("bad key canary")), clean=lambda text: text.replace("canary", "***")
    )
    assert service.failure == "ValueError: bad key ***"


def test_a_reason_is_one_short_printable_line() -> None:
    assert reason_of(ValueError("a\nb")) == "ValueError: a"
    assert reason_of(ValueError("\x1b[2J")).isprintable()
    assert len(reason_of(ValueError("x" * 10_000))) <= 300
    assert reason_of(TimeoutError()) == "it took too long"
    assert reason_of(PluginError("")) == "it failed"


def test_in_time_gives_what_the_call_gives_none_included() -> None:
    assert run_with_timeout(20, "it", lambda: None) is None
    with pytest.raises(PluginFailed, match="ZeroDivisionError"):
        run_with_timeout(20, "it", lambda: 1 / 0)
