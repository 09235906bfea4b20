"""Only a healthy response of the expected gateway is ok; every other result has its reason."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from clawgate.processes.instance.health_client import check_health

Serve = Callable[..., int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A listener that sends one response and keeps the request; silent without a response."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []
    release = threading.Event()

    def start(response: bytes | None, requests: list[bytes] | None = None) -> int:
        def run() -> None:
            connection, _ = listener.accept()
            with connection:
                request = connection.recv(4096)
                if requests is not None:
                    requests.append(request)
                if response is None:
                    release.wait(30)
                else:
                    connection.sendall(response)

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return int(listener.getsockname()[1])

    yield start
    release.set()
    for thread in threads:
        thread.join(30)
    listener.close()


def http(body: object, status: int = 200) -> bytes:
    text = json.dumps(body).encode()
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(text)) + text


WELL = {"ok": True, "status": "live", "version": "1", "instance": "abc"}


def test_the_expected_instance_is_healthy(serve: Serve) -> None:
    requests: list[bytes] = []
    port = serve(http(WELL), requests)
    found = check_health("127.0.0.1", port, seconds=10, instance="abc")
    assert found.ok and found.error == "" and found.body == WELL and found.milliseconds >= 0
    assert (
        requests[0].startswith(b"GET /health HTTP/1.1\r\n")
        and f"Host: 127.0.0.1:{port}\r\n".encode() in requests[0]
    )


@pytest.mark.parametrize("host", ["0.0.0.0", ""])
def test_a_wildcard_listener_is_checked_on_loopback(serve: Serve, host: str) -> None:
    assert check_health(host, serve(http(WELL)), seconds=10).ok


CASES = {
    "another one has the port": (http(WELL | {"instance": "other"}), "another clawgate responded"),
    "it does not say which it is": (
        http({"ok": True, "status": "live", "version": "1"}),
        "another clawgate responded",
    ),
    "it is not well": (http(WELL | {"ok": False}, 503), "not healthy (status 503)"),
    "it says so with 200": (http(WELL | {"ok": False}), "not healthy"),
    "a web page": (b"HTTP/1.1 200 OK\r\n\r\n<html>", "another program than clawgate"),
    "JSON of another program": (http({"status": "ok"}), "another program than clawgate"),
    "a list": (http([1]), "another program than clawgate"),
    "no HTTP": (b"SSH-2.0-x\r\n", "Expected HTTP/"),
    "nothing": (b"", "closed without a response"),
    "without an end": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 90_000,
        "another program than clawgate",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_any_other_response_is_an_error(serve: Serve, case: str) -> None:
    response, why = CASES[case]
    found = check_health("127.0.0.1", serve(response), seconds=10, instance="abc")
    assert not found.ok and why in found.error


def test_a_port_without_a_listener_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert check_health("127.0.0.1", port, seconds=10).error == "nothing listens there"


def test_no_response_times_out(serve: Serve) -> None:
    assert check_health("127.0.0.1", serve(None), seconds=0.05).error == "no response within 0.05 s"


def test_zero_seconds_time_out_at_once() -> None:
    assert check_health("127.0.0.1", 1, seconds=0).error == "no response within 0 s"
