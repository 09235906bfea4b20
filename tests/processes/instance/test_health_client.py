"""Only a healthy response of the expected gateway is ok; every other result has its reason."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clawgate.processes.instance.health_client import check_health
from tests.e2e.certificates import Authority

Serve = Callable[..., int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A listener that sends one response, keeps the request and is gone then; silent without a response."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []
    release = threading.Event()

    def start(response: bytes | None, requests: list[bytes] | None = None) -> int:
        def run() -> None:
            connection, _ = listener.accept()
            listener.close()
            with connection:
                request = connection.recv(4096)
                if requests is not None:
                    requests.append(request)
                if response is None:
                    release.wait(120)
                else:
                    connection.sendall(response)

        port = int(listener.getsockname()[1])
        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return port

    yield start
    release.set()
    for thread in threads:
        thread.join(120)
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


Reaction = Callable[[socket.socket], None]


def closes(connection: socket.socket) -> None:
    """As OpenSSL does with what is no TLS."""


def resets(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def alerts(connection: socket.socket) -> None:
    connection.sendall(b"\x15\x03\x03\x00\x02\x02\x46")


def rejects(connection: socket.socket) -> None:
    """As Go and nginx do."""
    connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return Authority(tmp_path, "authority").issue("clawgate.example").file


@pytest.mark.parametrize("react", [closes, resets, alerts, rejects])
def test_what_speaks_tls_is_named_as_such(react: Reaction, certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def run(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            react(connection)
        connection, _ = listener.accept()
        with context.wrap_socket(connection, server_side=True) as encrypted:
            encrypted.recv(4096)
            encrypted.sendall(http(WELL))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=run, args=(listener,))
        thread.start()
        found = check_health("127.0.0.1", listener.getsockname()[1], seconds=10)
        thread.join(120)
    assert not found.ok and found.tls is True and found.error == "it speaks TLS, not plain HTTP"


def test_what_speaks_plain_http_is_named_as_such() -> None:
    def run(listener: socket.socket) -> None:
        for _ in range(2):
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(http(WELL))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=run, args=(listener,))
        thread.start()
        found = check_health("127.0.0.1", listener.getsockname()[1], seconds=10, tls=True)
        thread.join(120)
    assert not found.ok and found.tls is False and found.error == "it speaks plain HTTP, not TLS"
