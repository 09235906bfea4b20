"""`gateway health --url` and `gateway status --url`: of a real gateway, of one that reports no models, and of none."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from clawgate import __version__
from clawgate.cli.gateway.remote_status import check_remote
from clawgate.cli.main import clawgate
from clawgate.cli.remote import Remote
from clawgate.processes.instance.gateway_client import GatewayAddress
from tests.cli.gateway_home import TOKEN, Home
from tests.processes.instance.fake_gateway import FakeGateway, failure, ok


def check(fake: FakeGateway) -> tuple[str, dict[str, Any]]:
    found = check_remote(Remote(GatewayAddress(fake.url), 10.0))
    return found.error, found.body


def test_one_of_openclaw_reports_no_models_and_is_healthy() -> None:
    with FakeGateway(others=lambda *_: [ok({"ok": True})]) as fake:
        assert check(fake) == ("", {"ok": True}) and fake.requests[1][0] == "health"


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (ok({"ok": False}), "the gateway is not healthy"),
        (ok({}), "the gateway is not healthy"),
        (failure("it is ill"), "it is ill"),
    ],
)
def test_one_that_is_not_healthy_says_so(response: dict[str, Any], error: str) -> None:
    with FakeGateway(others=lambda *_: [response]) as fake:
        assert check(fake)[0] == error


def test_models_that_are_not_reported_are_not_called_ok() -> None:
    with FakeGateway(others=lambda *_: [ok({"ok": True})]) as fake:
        found = CliRunner().invoke(clawgate, ["gateway", "status", "--url", fake.url, "--token", "t"])
    assert found.exit_code == 0 and "Models: not reported" in found.stdout


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path)
    yield made
    made.close()


def test_a_real_gateway_is_checked_with_what_was_given(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as model:
        home.configure(upstream=model.getsockname()[1])
        assert home.gateway("start").returncode == 0
        url = f"ws://127.0.0.1:{home.running().port}"
        healthy = home.gateway("health", "--url", url, "--token", TOKEN)
        assert (healthy.returncode, healthy.stderr) == (0, "") and "OK (" in healthy.stdout
        status = home.gateway("status", "--url", url, "--require-ok", OPENCLAW_GATEWAY_TOKEN=TOKEN)
        wrong = home.gateway("health", "--url", url, "--json")
    assert status.returncode == 0 and TOKEN not in status.stdout
    for line in (
        f"Gateway: {url}",
        f"Gateway version: {__version__}",
        "Connectivity probe: ok (",
        "Models: ok",
    ):
        assert line in status.stdout
    found = json.loads(wrong.stdout)
    assert wrong.returncode == 1 and found["ok"] is False, "the token of this machine's config is not used"
    assert "give that gateway's secret with --token or --password" in found["error"]
    lost = home.gateway("health", "--url", url, "--token", TOKEN)
    text = "Not healthy" in lost.stdout and "the provider 'local'" in lost.stdout
    assert lost.returncode == 1, lost.stdout
    assert text or "unavailable" in lost.stdout or "refused" in lost.stdout, (
        "it names what requests would fail with"
    )


def test_status_of_one_that_is_not_there_ends_with_0(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}"
    done = home.gateway("status", "--url", url, "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 0 and "nothing listens there" in found["probe"]["error"]
    assert (found["gateway"], found["models"]["ok"]) == ({"url": url, "version": None}, False)
    assert home.gateway("status", "--url", url, "--require-ok").returncode == 1
