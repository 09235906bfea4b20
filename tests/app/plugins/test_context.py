"""What a service gets from the gateway; what it leaves running is stopped for it."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest

from clawgate.app.plugins.context import HostEnvironment, PluginContext, plugin_logger
from clawgate.plugins.api import ChildSpec, PluginConfig, ProbeResult, ServiceContext
from clawgate.relay.upstream.dial import Dialer
from tests.e2e.stand import until


def context_of(state: Path) -> PluginContext:
    environment = HostEnvironment(
        state=state,
        dialer=Dialer(),
        instance="i",
        gateway_url="http://127.0.0.1:1",
        add_secrets=lambda found: None,
    )
    return PluginContext("sample", PluginConfig(), {"A": "b"}, environment)


def test_it_is_a_service_context_with_a_private_folder(tmp_path: Path) -> None:
    context: ServiceContext = context_of(tmp_path)
    assert (context.instance, context.gateway_url, context.environment) == (
        "i",
        "http://127.0.0.1:1",
        {"A": "b"},
    )
    assert tmp_path in context.state_dir.parents and context.state_dir.stat().st_mode & 0o777 == 0o700


async def test_a_child_that_the_service_left_running_is_stopped(tmp_path: Path) -> None:
    async def silent() -> ProbeResult:
        return ProbeResult("silent", "no response")

    context = context_of(tmp_path)
    spec = ChildSpec(name="c", argv=(sys.executable, "-c", "import time; time.sleep(99)"), grace=0.5)
    child = context.supervise(spec, silent)
    await child.start()
    await until(lambda: "pid" in child.status().details, child.status)
    await context.close()
    assert child.status().state == "stopped" and "pid" not in child.status().details


def test_a_plugins_log_lines_begin_with_its_id(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(2):
        plugin_logger("sample-x").info("hello %s", "you")
    assert [record.getMessage() for record in caplog.records] == ["sample-x: hello you"] * 2
