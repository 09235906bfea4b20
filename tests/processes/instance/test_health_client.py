"""Who answers on an address, and is it the gateway that is meant? Every other answer says what it was instead."""

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
    """A listener that gives one answer and keeps the request; silent if it has none to give."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []
    release = threading.Event()

    def start(answer: bytes | None, heard: list[bytes] | None = None) -> int:
        def run() -> None:
            connection, _ = listener.accept()
            with connection:
                request = connection.recv(4096)
                if heard is not None:
                    heard.append(request)
                if answer is None:
                    release.wait(30)
                else:
                    connection.sendall(answer)

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


def test_the_one_that_is_meant_is_well(serve: Serve) -> None:
    heard: list[bytes] = []
    port = serve(http(WELL), heard)
    found = check_health("127.0.0.1", port, seconds=10, instance="abc")
    assert found.ok and found.error == "" and found.body == WELL and found.milliseconds >= 0
    assert (
        heard[0].startswith(b"GET /health HTTP/1.1\r\n")
        and f"Host: 127.0.0.1:{port}\r\n".encode() in heard[0]
    )


@pytest.mark.parametrize("host", ["0.0.0.0", ""])
def test_one_that_listens_everywhere_is_asked_on_loopback(serve: Serve, host: str) -> None:
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
    "JSON of somebody else": (http({"status": "ok"}), "another program than clawgate"),
    "a list": (http([1]), "another program than clawgate"),
    "no HTTP": (b"SSH-2.0-x\r\n", "Expected HTTP/"),
    "nothing": (b"", "closed without a response"),
    "without an end": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 90_000,
        "another program than clawgate",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_any_other_answer_says_what_it_is(serve: Serve, case: str) -> None:
    answer, why = CASES[case]
    found = check_health("127.0.0.1", serve(answer), seconds=10, instance="abc")
    assert not found.ok and why in found.error


def test_where_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert check_health("127.0.0.1", port, seconds=10).error == "nothing listens there"


def test_silence_has_a_limit(serve: Serve) -> None:
    assert check_health("127.0.0.1", serve(None), seconds=0.05).error == "no response within 0.05 s"


def test_no_time_at_all() -> None:
    assert check_health("127.0.0.1", 1, seconds=0).error == "no response within 0 s"
