"""Plugins within a gateway: started, followed and stopped with the config, and none takes another one down."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from clawgate.app.plugins.context import HostEnvironment, PluginContext
from clawgate.app.plugins.host import PluginHost
from clawgate.app.plugins.restart_request import request_restart, restart_requested
from clawgate.app.plugins.status_file import read_statuses
from clawgate.plugins.host.tools import run_tool
from clawgate.relay.upstream.dial import Dialer
from clawgate.settings.openclaw.config_file import ConfigFile, read_config
from clawgate.testing.plugins.fake_host import tool_call
from tests.e2e.stand import until
from tests.plugins.samples import imports_undone, manifest, unique, write_files
from tests.routing.gateway_server import config_of, write

CODE = """\
import asyncio
from pathlib import Path
from clawgate.plugins.api import (
    Diagnostic, PluginConfig, PluginError, Secret, ServiceStatus, Tool, Unavailable
)

class Config(PluginConfig):
    word: str = "one"
    key: Secret | None = None
    other: str = ""

class Service:
    runs = None
    def reconfigure(self, config):
        return config.word == self.runs.config.word and config.key == self.runs.config.key
    async def start(self, context):
        with open({mark!r}, "a") as mark:
            mark.write("start " + context.config.word + chr(10))
        if context.config.word == "fail":
            raise PluginError("it will not", next_step="do something")
        if context.config.word == "leak":
            raise ValueError("rejected: " + context.config.key.get_secret_value())
        self.runs = context
    async def stop(self):
        with open({mark!r}, "a") as mark:
            mark.write("stop" + chr(10))
        while self.runs and self.runs.config.other and "stop" not in Path(self.runs.config.other).read_text():
            await asyncio.sleep(0)
    def status(self):
        return ServiceStatus(state="up", ok=True, details=dict(url=self.runs.gateway_url))
    def unavailable(self):
        if self.runs.config.word == "busy":
            return Unavailable(reason="it is busy", retry_after=3, lines=("last", "words"))
    async def find(self, call):
        config = self.runs.config
        return config.word + " " + (config.key.get_secret_value() if config.key else "")

class Provider:
    id = "{id}"
    label = "Sample"
    dialect = "openai-completions"
    def previous_answers(self, config): ...
    def questions(self, previous, environment): return ()
    async def check_connection(self, answers, context): ...
    def config_change(self, answers): ...
    def owned_paths(self, config): return ()
    def check_config(self, config, settings):
        if settings.word == "odd":
            return [Diagnostic(path=("models", "x"), message="it leads elsewhere", fix="do this")]
        if settings.word == "astray":
            path = ("models", "providers", self.id, "baseUrl")
            return [Diagnostic(path=path, message="it leads astray", fix="do this")]
        return [] if settings.word != "wild" else 1 / 0

class Plugin:
    id = "{id}"
    name = "Sample"
    version = "1.0"
    description = "A sample."
    config_class = Config
    def register(self, registrar):
        service = Service()
        registrar.add_service(service)
        registrar.add_provider(Provider())
        schema = {"type": "object"}
        registrar.add_tool(Tool(name="{id}_find", description="Finds.", parameters=schema, run=service.find))

plugin = Plugin()
"""
LEAK = {"word": "leak", "key": "canary-key-1"}
"""Of a plugin whose start fails with its secret in the message."""


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    with imports_undone():
        yield


def installed(state: Path, plugin: str) -> Path:
    """A plugin that was installed; the file gets a line for each start and stop."""
    package, mark = unique(), state / f"{plugin}.mark"
    code = CODE.replace("{id}", plugin).replace("{mark!r}", repr(str(mark)))
    more = {
        "registers": '["service", "provider", "tool"]',
        "providers": f'["{plugin}"]',
        "tools": f'["{plugin}_find"]',
    }
    folder = state / "clawgate" / "plugins" / plugin
    files = {
        "installed.json": json.dumps({"tree": "tree", "source": "here"}),
        "tree/clawgate-plugin.toml": manifest(plugin, package, **more),
        f"tree/{package}/__init__.py": code,
    }
    write_files(folder, files)
    return mark


def said(mark: Path) -> list[str]:
    return mark.read_text().splitlines() if mark.exists() else []


def config(state: Path, **plugins: Mapping[str, Any] | None) -> ConfigFile:
    """The file with these plugins enabled, each with its config; None: not enabled."""
    entries = {name: {"enabled": its is not None, "config": its or {}} for name, its in plugins.items()}
    path = write(state / "openclaw.json", {**config_of({}), "plugins": {"entries": entries}})
    own = {"HOME": str(state), "OPENCLAW_STATE_DIR": str(state)}
    return read_config(path, own, required=True)


def host_in(
    state: Path, status_seconds: float = 30.0, drain_seconds: float = 30.0
) -> tuple[PluginHost, list[str]]:
    learned: list[str] = []
    around = HostEnvironment(
        state=state, dialer=Dialer(), instance="i", gateway_url="http://g", add_secrets=learned.extend
    )
    return PluginHost(around, status_seconds=status_seconds, drain_seconds=drain_seconds), learned


async def test_at_the_end_no_plugin_waits_for_another(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each of these stops once the other has begun to: one that hangs costs its own time, and nobody else's."""
    a, b = installed(tmp_path, "a"), installed(tmp_path, "b")
    host, _ = host_in(tmp_path)
    host.load(config(tmp_path, a={"other": str(b)}, b={"other": str(a)}))
    task = asyncio.ensure_future(host.run())
    await until(lambda: len(said(a) + said(b)) == 2, "both started")
    task.cancel()
    await asyncio.wait({task})
    assert (said(a), said(b)) == (["start one", "stop"], ["start one", "stop"])
    assert "took longer" not in caplog.text


async def test_a_change_that_the_service_can_use_restarts_nothing(tmp_path: Path) -> None:
    a = installed(tmp_path, "a")
    host, _ = host_in(tmp_path)
    host.load(config(tmp_path, a={}))
    task = asyncio.ensure_future(host.run())
    await until(lambda: host.unavailable("a") is None, host.statuses)
    host.reload(config(tmp_path, a={"other": str(a)}))
    host.reload(config(tmp_path, a={"other": str(a), "word": "two"}))
    await until(lambda: said(a)[-1] == "start two", lambda: said(a))
    assert said(a) == ["start one", "stop", "start two"]
    host.reload(config(tmp_path, a={"word": "two", "other": "elsewhere"}))
    host.reload(config(tmp_path, a={"word": "two", "other": str(a)}))
    await asyncio.to_thread(lambda: None)
    task.cancel()
    await asyncio.wait({task})
    assert said(a) == ["start one", "stop", "start two", "stop"]


@pytest.mark.parametrize("requests_end", [True, False], ids=["they end", "they take too long"])
async def test_services_stop_behind_the_running_requests_to_their_providers(
    requests_end: bool, tmp_path: Path
) -> None:
    """Meanwhile new requests are refused with a time to try again; after the limit nothing is waited for."""
    a = installed(tmp_path, "a")
    host, _ = host_in(tmp_path, drain_seconds=1e9 if requests_end else 0.0)
    host.load(config(tmp_path, a={}))
    task = asyncio.ensure_future(host.run())
    await until(lambda: host.unavailable("a") is None, host.statuses)
    running = {"a": 1}
    host.running_requests = running.__getitem__
    host.reload(config(tmp_path, a={"word": "two"}))
    if requests_end:
        await until(lambda: host.unavailable("a") is not None, host.statuses)
        refused = host.unavailable("a")
        assert refused is not None and "running requests" in refused.message and refused.retry_after
        assert said(a) == ["start one"]
        running["a"] = 0
    await until(lambda: said(a) == ["start one", "stop", "start two"], lambda: said(a))
    await until(lambda: host.unavailable("a") is None, host.statuses)
    running["a"] = 0
    task.cancel()
    await asyncio.wait({task})


async def test_a_base_url_that_leads_elsewhere_gets_no_request(tmp_path: Path) -> None:
    """What listens there was not checked by the plugin."""
    installed(tmp_path, "a")
    host, _ = host_in(tmp_path)
    host.load(config(tmp_path, a={"word": "astray"}))
    task = asyncio.ensure_future(host.run())
    await until(lambda: bool(host.statuses()) and host.statuses()["a"][0].ok, host.statuses)
    refused = host.unavailable("a")
    assert refused is not None and "it leads astray; do this" in refused.message
    host.reload(config(tmp_path, a={}))
    await until(lambda: host.unavailable("a") is None, host.statuses)
    task.cancel()
    await asyncio.wait({task})


async def test_a_requested_restart_restarts_this_plugin_and_no_other(tmp_path: Path) -> None:
    a, b = installed(tmp_path, "a"), installed(tmp_path, "b")
    host, _ = host_in(tmp_path, status_seconds=0.01)
    host.load(config(tmp_path, a={}, b={}))
    task = asyncio.ensure_future(host.run())
    await until(lambda: host.unavailable("a") is None and host.unavailable("b") is None, host.statuses)
    folder = tmp_path / "clawgate" / "plugin-state" / "a"
    request_restart(folder, "another instance")
    await until(lambda: bool(read_statuses(folder, "i")), "a status")
    assert said(a) == ["start one"]
    request_restart(folder, "i")
    await until(lambda: not restart_requested(folder, "i"), "the restart")
    assert (said(a), said(b)) == (["start one", "stop", "start one"], ["start one"])
    task.cancel()
    await asyncio.wait({task})


async def test_the_end_of_the_gateway_leaves_nothing_of_a_plugin_that_was_being_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = installed(tmp_path, "a")
    never = tmp_path / "never"
    never.write_text("")
    closed: list[str] = []

    async def close(context: PluginContext) -> None:
        closed.append(context.config.model_dump()["word"])

    monkeypatch.setattr(PluginContext, "close", close)
    host, _ = host_in(tmp_path)
    host.load(config(tmp_path, a={"other": str(never)}))
    task = asyncio.ensure_future(host.run())
    await until(lambda: host.unavailable("a") is None, host.statuses)
    host.reload(config(tmp_path, a={"word": "two"}))
    await until(lambda: said(a) == ["start one", "stop"], lambda: said(a))
    task.cancel()
    await asyncio.wait({task})
    assert closed == ["one"] and not host.statuses()


async def test_what_changes_while_requests_end_is_what_starts(tmp_path: Path) -> None:
    a = installed(tmp_path, "a")
    host, _ = host_in(tmp_path)

    def running_requests(provider: str) -> int:
        host.running_requests = lambda provider: 0
        host.reload(config(tmp_path, a={"word": "three"}))
        return 1

    host.load(config(tmp_path, a={}))
    task = asyncio.ensure_future(host.run())
    await until(lambda: host.unavailable("a") is None, host.statuses)
    host.running_requests = running_requests
    host.reload(config(tmp_path, a={"word": "two"}))
    await until(lambda: said(a)[-1] == "start three" and host.unavailable("a") is None, host.statuses)
    assert said(a) == ["start one", "stop", "start three"]
    task.cancel()
    await asyncio.wait({task})


async def test_a_requested_restart_that_waits_for_running_requests_happens_once(tmp_path: Path) -> None:
    """However often the request, which is there until the restart is done, is seen meanwhile."""
    a, b = installed(tmp_path, "a"), installed(tmp_path, "b")
    host, _ = host_in(tmp_path, status_seconds=0.001)
    asked = 0

    def running_requests(provider: str) -> int:
        nonlocal asked
        asked += provider == "a"
        return int(provider == "a" and asked < 5)

    host.running_requests = running_requests
    host.load(config(tmp_path, a={}, b={}))
    task = asyncio.ensure_future(host.run())
    await until(lambda: host.unavailable("a") is None, host.statuses)
    folder = tmp_path / "clawgate" / "plugin-state" / "a"
    request_restart(folder, "i")
    await until(lambda: not restart_requested(folder, "i"), "the restart")
    assert asked == 5
    host.reload(config(tmp_path, a={}, b={"word": "next"}))  # what it does after that
    await until(lambda: said(b)[-1] == "start next" and host.unavailable("a") is None, "the next config")
    assert said(a) == ["start one", "stop", "start one"]
    task.cancel()
    await asyncio.wait({task})


async def test_what_does_not_fit_is_told_once_for_as_long_as_it_stands(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A plugin that fails to say it runs all the same."""
    a = installed(tmp_path, "a")

    steps = [
        {"word": "odd"},
        {"word": "odd", "key": "canary-key-1"},
        {"word": "one"},
        {"word": "odd"},
        {"word": "wild"},
    ]
    host, _ = host_in(tmp_path)
    host.load(config(tmp_path, a=steps[0]))
    task = asyncio.ensure_future(host.run())
    for number, step in enumerate(steps, 1):
        host.reload(config(tmp_path, a=step))
        starts = ["start"] * number
        await until(lambda: [one[:5] for one in said(a) if one != "stop"] == starts, lambda: said(a))  # noqa: B023  # awaited here
    await until(lambda: host.unavailable("a") is None, host.statuses)
    task.cancel()
    await asyncio.wait({task})
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert told == [
        "[plugins] a: models.x: it leads elsewhere; do this",
        "[plugins] a: models.x: it leads elsewhere; do this",
        "[plugins] a: its check_config failed: ZeroDivisionError: division by zero",
    ]


async def test_a_plugin_whose_files_were_replaced_goes_on(tmp_path: Path) -> None:
    """As `plugins install --upgrade` says: until the gateway is restarted, whatever else changes meanwhile."""
    a, b = installed(tmp_path, "a"), installed(tmp_path, "b")
    host, _ = host_in(tmp_path)
    host.load(config(tmp_path, a={}, b={}))
    task = asyncio.ensure_future(host.run())
    await until(lambda: host.unavailable("a") is None and host.unavailable("b") is None, host.statuses)
    home = tmp_path / "clawgate" / "plugins" / "a"
    (home / "tree").rename(home / "tree2")
    (home / "installed.json").write_text(json.dumps({"tree": "tree2", "source": "here"}))
    host.reload(config(tmp_path, a={}, b={"word": "two"}))
    await until(lambda: said(b)[-1] == "start two", lambda: said(b))
    assert host.unavailable("a") is None and said(a) == ["start one"]
    task.cancel()
    await asyncio.wait({task})


async def test_a_plugin_whose_secrets_are_revoked_stops_until_the_config_counts_again(tmp_path: Path) -> None:
    """Its provider is refused at once, and the others go on."""
    a, b = installed(tmp_path, "a"), installed(tmp_path, "b")
    host, _ = host_in(tmp_path)
    host.load(config(tmp_path, a={"key": "canary-key-1"}, b={}))
    task = asyncio.ensure_future(host.run())
    await until(lambda: host.unavailable("a") is None and host.unavailable("b") is None, host.statuses)
    host.revoke({"a": "its secrets are gone"})
    refused = host.unavailable("a")
    assert refused is not None and "its secrets are gone" in refused.message
    await until(lambda: said(a) == ["start one", "stop"], lambda: said(a))
    assert host.unavailable("a") is not None
    assert host.unavailable("b") is None and said(b) == ["start one"]
    host.reload(config(tmp_path, a={"key": "canary-key-1"}, b={}))
    await until(lambda: host.unavailable("a") is None, host.statuses)
    assert said(a) == ["start one", "stop", "start one"]
    task.cancel()
    await asyncio.wait({task})


async def test_services_start_follow_their_config_and_stop(tmp_path: Path) -> None:
    """Only what changed is started anew; secrets are learnt; until a service runs its provider cannot be asked."""
    a, b = installed(tmp_path, "a"), installed(tmp_path, "b")
    host, learned = host_in(tmp_path)
    host.load(config(tmp_path, a={"key": "canary-key-1"}, b={}))
    before = host.unavailable("a")
    assert before is not None and "is starting" in before.message and said(a) == []
    task = asyncio.ensure_future(host.run())
    await until(lambda: host.unavailable("a") is None and host.unavailable("b") is None, host.statuses)
    assert "canary-key-1" in learned
    assert host.statuses()["b"][0].details == {"url": "http://g"}

    assert host.reload(config(tmp_path, a={"word": "two"}, b={})) == ["a"]
    await until(lambda: said(a) == ["start one", "stop", "start two"], lambda: said(a))
    assert said(b) == ["start one"]
    assert host.reload(config(tmp_path, a=None, b={"word": "busy"})) == ["a", "b"]
    await until(
        lambda: said(b)[-1] == "start busy" and host.statuses()["b"][0].state == "up", lambda: said(b)
    )
    await until(lambda: said(a)[-1] == "stop" and "a" not in host.statuses(), lambda: said(a))
    busy = host.unavailable("b")
    assert busy is not None and busy.retry_after == 3
    assert busy.message == "the provider 'b' is not available: it is busy; its last lines: last | words"
    task.cancel()
    await asyncio.wait({task})
    assert said(b) == ["start one", "stop", "start busy", "stop"] and host.statuses() == {}


def tool_names(host: PluginHost) -> list[str]:
    return [tool.name for tool in host.tools]


async def test_tools_are_there_while_the_services_of_their_plugin_run(tmp_path: Path) -> None:
    """A run that has a tool keeps it."""
    for name in ("a", "b", "c"):
        installed(tmp_path, name)
    host, _ = host_in(tmp_path)
    host.load(config(tmp_path, a={}, b={"word": "fail"}, c={"nonsense": 1}))
    assert tool_names(host) == []
    task = asyncio.ensure_future(host.run())
    await until(lambda: host.unavailable("a") is None, host.statuses)
    await until(lambda: "it will not" in str(host.unavailable("b")), host.statuses)
    assert tool_names(host) == ["a_find"]
    (kept,) = host.tools
    host.reload(config(tmp_path, a=None, b={}))
    await until(lambda: tool_names(host) == ["b_find"] and not host.statuses().get("a"), host.statuses)
    assert (await run_tool(kept, tool_call("a_find"))).text == "one "
    host.revoke({"b": "its secrets are gone"})
    assert tool_names(host) == []
    task.cancel()
    await asyncio.wait({task})
    assert tool_names(host) == []


async def test_tools_of_a_disabled_plugin_are_gone_while_its_last_requests_run(tmp_path: Path) -> None:
    installed(tmp_path, "a")
    host, _ = host_in(tmp_path, drain_seconds=1e9)
    host.load(config(tmp_path, a={}))
    task = asyncio.ensure_future(host.run())
    await until(lambda: tool_names(host) == ["a_find"], host.statuses)
    waits = asyncio.Event()

    def running_requests(provider: str) -> int:
        waits.set()
        return 1

    host.running_requests = running_requests
    host.reload(config(tmp_path, a=None))
    await waits.wait()
    offered, still_runs = tool_names(host), host.statuses()["a"][0].ok
    task.cancel()
    await asyncio.wait({task})
    assert still_runs and offered == []


async def test_no_result_of_a_tool_has_a_secret_of_its_plugin(tmp_path: Path) -> None:
    """What only looks like a secret is content."""
    installed(tmp_path, "a")
    host, _ = host_in(tmp_path)
    host.load(config(tmp_path, a={"key": "canary-key-1", "word": "sk-ant-0123456789abcdef"}))
    task = asyncio.ensure_future(host.run())
    await until(lambda: host.unavailable("a") is None, host.statuses)
    (tool,) = host.tools
    assert (await run_tool(tool, tool_call("a_find"))).text == "sk-ant-0123456789abcdef ***"
    task.cancel()
    await asyncio.wait({task})


async def test_one_that_fails_leaves_the_others_alone(tmp_path: Path) -> None:
    """At its start, or for its config; its provider is refused with the reason, and mended by the config."""
    for name in ("a", "b", "c", "d"):
        installed(tmp_path, name)
    host, _ = host_in(tmp_path)
    host.load(config(tmp_path, a={"word": "fail"}, b={"nonsense": 1}, c={}, d=LEAK))
    task = asyncio.ensure_future(host.run())
    await until(lambda: "c" in host.statuses() and host.unavailable("c") is None, host.statuses)
    await until(lambda: "rejected" in str(host.unavailable("d")), host.statuses)
    assert "canary" not in f"{host.unavailable('d')}{host.statuses()}"
    failed, wrong = host.unavailable("a"), host.unavailable("b")
    assert failed is not None and "it will not: do something" in failed.message
    assert wrong is not None and "nonsense" in wrong.message
    host.reload(config(tmp_path, a={}, b={}, c={}))
    await until(
        lambda: all(host.unavailable(name) is None for name in ("a", "b", "c")),
        lambda: [str(host.unavailable(name)) for name in ("a", "b", "c")],
    )
    assert host.unavailable("somebody-else") is None
    assert (host.request_transformer("a"), host.error_mapper("a")) == (None, None)
    task.cancel()
    await asyncio.wait({task})


async def test_the_status_of_a_service_is_written_for_commands_and_removed_with_its_end(
    tmp_path: Path,
) -> None:
    """The gateway may run without the plugin later: an old status would be taken for the present one."""
    installed(tmp_path, "a")
    folder = tmp_path / "clawgate" / "plugin-state" / "a"
    host, _ = host_in(tmp_path, status_seconds=0.0)
    host.load(config(tmp_path, a={}))
    task = asyncio.get_running_loop().create_task(host.run())
    await until(lambda: [one.state for one in read_statuses(folder, "i")] == ["up"], host.statuses)
    assert read_statuses(folder, "i")[0].ok and read_statuses(folder, "other") == ()
    host.reload(config(tmp_path, a=None))
    await until(lambda: not (folder / "status.json").exists(), host.statuses)
    task.cancel()
    await asyncio.wait({task})
    assert list(folder.glob("*status*")) == []
