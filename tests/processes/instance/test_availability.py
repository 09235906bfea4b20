"""The running gateway is contacted where it uses the config in question; otherwise the config has to do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from clawgate.errors import GatewayUnavailable, ProviderUnavailable
from clawgate.processes.instance.availability import known_availability
from clawgate.processes.instance.health_client import KEY_HEADER
from clawgate.processes.instance.instance_lock import Instance
from clawgate.providers.catalog import Catalog
from clawgate.providers.provider import Provider

PROVIDER = Provider(id="a", api="openai-completions", origin=None, problem="no key in this shell")
CATALOG = Catalog({"a": PROVIDER}, {}, None, ())
REPORT = b'"providers": {"a": {"code": "provider_unavailable", "message": "down", "retryAfter": 3}}'


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    claimed = Instance.claim(tmp_path / "clawgate", environment={})
    yield claimed
    claimed.release()


@pytest.fixture
def port(instance: Instance) -> Iterator[int]:
    """A gateway that reports its providers to those who have its key."""

    class Gateway(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            more = b", " + REPORT if self.headers[KEY_HEADER] == instance.key else b""
            body = b'{"ok": true, "status": "live", "version": "1", "instance": "%b"%b}'
            body %= (instance.id.encode(), more)
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Gateway) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_without_a_gateway_the_config_has_to_do(tmp_path: Path) -> None:
    known = known_availability(CATALOG, tmp_path / "clawgate", tmp_path / "c.json")
    assert (known.based_on, known.source) == ("config", "the config alone; no gateway is running")
    assert "no key in this shell" in str(known.availability.error_of(PROVIDER))


def test_a_running_gateway_knows_better(tmp_path: Path, instance: Instance, port: int) -> None:
    instance.announce(f"http://127.0.0.1:{port}", port, tmp_path / "c.json", None)
    known = known_availability(CATALOG, tmp_path / "clawgate", tmp_path / "c.json")
    error = known.availability.error_of(PROVIDER)
    assert known.based_on == "gateway" and "the running gateway (pid " in known.source
    assert isinstance(error, ProviderUnavailable) and (error.message, error.retry_after) == ("down", 3)


def test_a_gateway_with_another_config_is_not_contacted(
    tmp_path: Path, instance: Instance, port: int
) -> None:
    instance.announce(f"http://127.0.0.1:{port}", port, tmp_path / "other.json", None)
    known = known_availability(CATALOG, tmp_path / "clawgate", tmp_path / "c.json")
    assert known.based_on == "config" and "uses another one" in known.source


def test_nothing_is_available_at_a_gateway_that_does_not_respond(tmp_path: Path, instance: Instance) -> None:
    """One that is still starting has no address yet."""
    known = known_availability(CATALOG, tmp_path / "clawgate", tmp_path / "c.json")
    error = known.availability.error_of(PROVIDER)
    assert isinstance(error, GatewayUnavailable) and error.message.endswith("it does not serve yet")
