"""A plugin that was written from docs/writing-a-plugin.md alone: installed, agreed to on a terminal, run, and removed.

With real processes: the commands, a pseudo-terminal, a server for the plugin to look at.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clawgate.plugins.api import Answers, FetchResponse, ProviderPlugin
from clawgate.plugins.host.isolation import IsolatedService
from clawgate.plugins.host.loader import plugin_settings
from clawgate.plugins.host.registry import load_plugins
from clawgate.settings.schema.openclaw import OpenClawConfig
from clawgate.testing.plugins.fake_host import FakeHost, FakeSetup
from clawgate.testing.plugins.provider_conformance import document_with
from tests.cli.command import command
from tests.plugins.samples import docs_plugin, imports_undone

ANSWERS = Answers(
    {"base_url": "http://127.0.0.1:9/v1", "api_key": "house-key-0a1b2c", "models": "qwen, llama"}
)
URL = "http://127.0.0.1:9/v1/models"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / ".openclaw").mkdir(mode=0o700)
    docs_plugin(tmp_path)
    with imports_undone():
        yield tmp_path


def plugins(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = command("plugins", *arguments, folder=home)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    return done


def on_a_terminal(home: Path, answer: str, *arguments: str) -> tuple[int, str]:
    """The command on a pseudo-terminal; ``answer`` is typed when it asks [y/N]."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(home)
        environment = {"PATH": os.environ["PATH"], "HOME": str(home), "TERM": "dumb"}
        os.execve(sys.executable, [sys.executable, "-m", "clawgate", "plugins", *arguments], environment)
    shown, answered = "", False
    while True:  # as long as the time limit of the test allows
        try:
            part = os.read(terminal, 65_536)
        except OSError:  # how Linux tells that nobody has the other end any more
            break
        if not part:
            break
        shown += part.decode().replace("\r\n", "\n")
        if "[y/N]" in shown and not answered:
            os.write(terminal, answer.encode())
            answered = True
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(terminal)  # only now: before its end, this would be a hang-up
    return status, shown


@pytest.mark.parametrize("answer", ["n\n", "\n", "\x03", "\x04"])
def test_a_person_who_does_not_agree_gets_nothing(home: Path, answer: str) -> None:
    status, shown = on_a_terminal(home, answer, "install", "./house-model")
    assert status == (130 if answer in "\x03\x04" else 1) and "Nothing was installed." in shown
    assert "Providers : house-model" in shown and "Install it? [y/N]" in shown
    assert list((home / ".openclaw" / "clawgate" / "plugins").iterdir()) == [] and "Traceback" not in shown


def test_from_the_docs_to_a_gateway_and_out_again(home: Path) -> None:
    status, shown = on_a_terminal(home, "y\n", "install", "./house-model", "--enable")
    assert status == 0 and "Installed plugin: house-model" in shown, shown
    inspected = json.loads(plugins(home, "inspect", "house-model", "--runtime", "--json").stdout)
    assert (inspected["imported"], inspected["providerIds"]) == (True, ["house-model"])

    path = home / ".openclaw" / "openclaw.json"
    enabled = OpenClawConfig.model_validate({"plugins": {"entries": {"house-model": {"enabled": True}}}})
    registry = load_plugins(enabled, home / ".openclaw", bundled=home / "none")
    assert registry.failures == ()
    (loaded,) = registry.loaded
    provider = loaded.providers[0]
    assert isinstance(provider, ProviderPlugin)

    host = FakeHost(
        state_dir=home, responses={URL: FetchResponse(status=200, body=b'{"data": [{"id": "qwen"}]}')}
    )
    checked = asyncio.run(provider.check_connection(ANSWERS, FakeSetup(host)))
    assert checked.ok and checked.models == ("qwen",)
    document = document_with(loaded.plugin, provider, provider.config_change(ANSWERS))
    path.write_text(json.dumps(document))
    config = plugin_settings(loaded, document["plugins"]["entries"]["house-model"]["config"], {})

    async def gateway() -> list[str]:
        seen = []
        host.config = config
        service = IsolatedService("house-model", loaded.services[0])
        assert await service.start(host) and service.unavailable() is None
        seen.append(service.status().state)
        await service.stop()
        host.responses = {}
        assert await service.start(host)
        why = service.unavailable()
        assert why is not None and "nothing listens" in why.reason
        await service.stop()
        return seen

    assert asyncio.run(gateway()) == ["up"]

    gone = plugins(home, "uninstall", "house-model", "--yes")
    assert "agents.defaults.model.primary" in gone.stdout
    left = json.loads(path.read_text())
    assert "house-model" not in json.dumps(left) and left["agents"]["defaults"]["model"] == {"fallbacks": []}
    assert list((home / ".openclaw" / "clawgate" / "plugins").iterdir()) == []


MISBEHAVIOUR = {
    "raises at import": "raise RuntimeError('boom')\n",
    "exits at import": "import sys\nsys.exit(0)\n",
    "floods standard output": "print('x' * 1_000_000)\nraise ValueError('x' * 1_000_000)\n",
    "is a lie": "plugin = object()\n",
}


@pytest.mark.parametrize("code", MISBEHAVIOUR.values(), ids=MISBEHAVIOUR)
def test_one_that_misbehaves_keeps_no_other_out(
    home: Path, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    bad = home / "bad"
    bad.mkdir()
    manifest = (home / "house-model" / "clawgate-plugin.toml").read_text().replace("house-model", "bad")
    (bad / "clawgate-plugin.toml").write_text(manifest.replace("house_model", "sample_bad"))
    (bad / "sample_bad.py").write_text(code)
    plugins(home, "install", "./bad", "--yes")
    plugins(home, "install", "./house-model", "--yes")
    wanted = {"bad": {"enabled": True}, "house-model": {"enabled": True}}
    config = OpenClawConfig.model_validate({"plugins": {"entries": wanted}})
    registry = load_plugins(config, home / ".openclaw", bundled=home / "none")
    assert [one.id for one in registry.loaded] == ["house-model"]
    assert [one.plugin for one in registry.failures] == ["bad"] and len(str(registry.failures[0])) < 400
    assert registry.failure_of("bad") is not None
