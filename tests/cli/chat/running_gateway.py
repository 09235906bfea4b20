"""A state folder in which this process is the gateway, and a server that responds in its name."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from clawgate.cli.main import clawgate
from clawgate.processes.instance.instance_lock import Instance
from tests.cli.catalogs import CONFIG, alone, config_file
from tests.processes.instance.fake_gateway import FakeGateway, Frames

TOKEN = "canary-9f8e7d6c5b4a39281706f5e4d3c2b1a0"


class ChatHome:
    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        alone(folder, monkeypatch)
        for name in ("OPENCLAW_GATEWAY_TOKEN", "OPENCLAW_GATEWAY_PASSWORD"):
            monkeypatch.delenv(name, raising=False)
        self.state = folder / ".openclaw"
        self.state.mkdir(mode=0o700)
        self.config = config_file(
            self.state, CONFIG.replace("gateway: { ", f'gateway: {{ auth: {{ token: "{TOKEN}" }}, ')
        )

    @contextlib.contextmanager
    def running(self, *replies: Frames, **more: Any) -> Iterator[FakeGateway]:
        instance = Instance.claim(self.state / "clawgate")
        try:
            with FakeGateway(*replies, **more) as gateway:
                url = f"http://127.0.0.1:{gateway.port}"
                instance.announce(url, gateway.port, self.config, None)
                yield gateway
        finally:
            instance.release()

    def run(self, *arguments: str, typed: str | bytes = "") -> Result:
        found = CliRunner().invoke(clawgate, arguments, input=typed)
        assert "canary" not in found.output and "Traceback" not in found.output
        return found
