"""The client of the gateway protocol: every failure says what to do, and no secret leaves the `connect` frame."""

from __future__ import annotations

import contextlib
import dis
import itertools
import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from clawgate.processes.instance.gateway_client import (
    GatewayAddress,
    GatewayCallFailed,
    GatewayLost,
    connect,
    socket_url,
    url_problem,
)
from tests.e2e.certificates import Authority
from tests.processes.instance.fake_gateway import HELLO, FakeGateway, closes, failure, ok

SECRET = "canary-9f8e7d6c5b4a39281706f5e4d3c2b1a0"


def call(url: str, seconds: float = 10.0) -> dict[str, Any]:
    with connect(GatewayAddress(url, {"token": SECRET}), seconds=seconds) as gateway:
        return gateway.request("health", {}, seconds=seconds)


def failure_of(url: str, seconds: float = 10.0) -> GatewayCallFailed:
    with pytest.raises(GatewayCallFailed) as failed:
        call(url, seconds)
    assert SECRET not in repr(failed.value)
    return failed.value


@contextlib.contextmanager
def server(response: bytes) -> Iterator[str]:
    """A program that reads a request, sends ``response`` and closes; None of it is a gateway."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(response)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"ws://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(120)


def test_a_response_is_that_of_its_request_whatever_comes_between() -> None:
    tick = {"type": "event", "event": "tick", "payload": {"ts": 1}}
    other = {"type": "res", "id": "another", "ok": True, "payload": {"wrong": True}}
    seen: list[str] = []
    with FakeGateway(others=lambda method, params: [tick, other, ok({"method": method, **params})]) as fake:
        with connect(GatewayAddress(fake.url)) as gateway:
            found = gateway.request("status", {"a": 1}, on_event=lambda name, payload: seen.append(name))
        assert (found, seen, gateway.version) == ({"method": "status", "a": 1}, ["tick"], "9.9")


def test_the_secret_is_in_the_connect_frame_alone() -> None:
    with FakeGateway() as fake:
        call(fake.url)
        (connected,), paths = fake.params("connect"), fake.paths
    assert connected["auth"] == {"token": SECRET} and paths == ["/"]
    assert connected["scopes"] == ["operator.read"]
    assert (connected["minProtocol"], connected["maxProtocol"]) == (4, 4)
    assert SECRET not in repr(GatewayAddress("ws://127.0.0.1:1", {"token": SECRET}))


def test_a_proxy_of_the_environment_is_not_used_for_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "ws_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
        monkeypatch.setenv(name.upper(), "http://127.0.0.1:1")
    with FakeGateway() as fake:
        assert call(fake.url) == {}


def test_frames_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with FakeGateway() as fake:
        call(fake.url)
    assert {record.name for record in caplog.records} <= {"websockets.server"}


def test_an_error_of_a_request_has_its_code_and_steers_no_terminal() -> None:
    error = failure("no\x1b[31m\nsuch thing", "UNAVAILABLE", code="SESSION_BUSY")
    with FakeGateway(others=lambda *_: [error]) as fake:
        failed = failure_of(fake.url)
    assert (failed.message, failed.code) == ("no\\x1b[31m\\nsuch thing", "session_busy")


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (
            failure("unauthorized: gateway token mismatch", code="AUTH_TOKEN_MISMATCH"),
            "auth_token_mismatch",
            "unauthorized: gateway token mismatch",
        ),
        (failure("device identity required", "NOT_PAIRED"), "not_paired", "device identity required"),
        (
            failure("protocol mismatch", code="PROTOCOL_MISMATCH", expectedProtocol=7),
            "protocol_mismatch",
            "it speaks version 7 of the gateway protocol, not 4",
        ),
    ],
)
def test_a_connect_that_is_refused_says_why(error: dict[str, Any], code: str, message: str) -> None:
    with FakeGateway(welcome=error) as fake:
        failed = failure_of(fake.url)
    assert (failed.message, failed.code) == (message, code)


@pytest.mark.parametrize(
    "first", ["hello", "[]", "[" * 100_000, '{"type":"event","event":"tick"}', '{"type":"res","id":"x"}']
)
def test_what_speaks_another_protocol_is_no_gateway(first: str) -> None:
    with FakeGateway(first=first) as fake:
        assert "another program than a gateway responded" in failure_of(fake.url).message
        assert fake.requests == [], "it was shown the secret"


def test_a_welcome_of_another_kind_is_no_gateway() -> None:
    with FakeGateway(welcome=ok({"type": "hi"})) as fake:
        assert "another program than a gateway responded" in failure_of(fake.url).message


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "opens no WebSocket (status 200)"),
        (b"HTTP/1.1 426 Upgrade\r\nContent-Length: 0\r\n\r\n", "opens no WebSocket (status 426)"),
        (b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", "refuses this address or name (status 403)"),
        (b"HTTP/1.1 429 No\r\nContent-Length: 0\r\n\r\n", "too many connections"),
        (b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", "is stopping or overloaded"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "another program than a gateway responded"),
        (b"", "another program than a gateway responded"),
    ],
)
def test_what_opens_no_websocket_is_named(response: bytes, message: str) -> None:
    with server(response) as url:
        assert message in failure_of(url).message


@pytest.mark.parametrize(
    ("path", "message"), [("/v1/", "leave '/v1' out"), ("/", "another program than a gateway may listen")]
)
def test_a_path_in_the_address_is_named_as_the_mistake(path: str, message: str) -> None:
    with server(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n") as url:
        assert message in failure_of(f"{url}{path}").message


def test_tls_with_a_gateway_that_has_none_names_the_other_address() -> None:
    with server(b"HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n") as url:
        assert "an address without TLS begins with ws://" in failure_of(url.replace("ws:", "wss:")).message


def test_what_may_speak_tls_names_the_other_address() -> None:
    with server(b"\x15\x03\x01\x00\x02\x02\x46") as url:
        assert "begin it with wss:// if it has TLS" in failure_of(url).message


def test_a_redirect_is_not_followed() -> None:
    with FakeGateway() as fake:
        location = b"Location: %s\r\n" % fake.url.encode()
        with server(b"HTTP/1.1 307 Go\r\n" + location + b"Content-Length: 0\r\n\r\n") as url:
            assert "it redirects (status 307), which is not followed" in failure_of(url).message
        assert fake.paths == []


def test_nothing_that_listens_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    failed = failure_of(f"ws://127.0.0.1:{port}")
    assert f"ws://127.0.0.1:{port}: nothing listens there; start a gateway" in failed.message


def test_what_accepts_and_is_silent_ends_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        failed = failure_of(f"ws://127.0.0.1:{listener.getsockname()[1]}", seconds=0.1)
    assert "no response within 0.1 s" in failed.message


def test_a_gateway_that_is_silent_behind_its_upgrade_ends_in_time() -> None:
    with FakeGateway(others=lambda *_: []) as fake:
        assert "no response in time" in failure_of(fake.url, seconds=0.5).message


def test_a_gateway_without_its_ticks_counts_as_lost() -> None:
    hello = {**HELLO, "policy": {"tickIntervalMs": 50}}
    with (
        FakeGateway(others=lambda *_: [], welcome=ok(hello)) as fake,
        connect(GatewayAddress(fake.url)) as gateway,
        pytest.raises(GatewayLost, match=r"sent nothing for 0\.1 s"),
    ):
        gateway.request("health", {})


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (closes(1012, "service restart"), "the gateway closed the connection (1012: service restart)"),
        (closes(1012), "the gateway closed the connection (1012: the gateway restarts)"),
        (closes(4001), "the gateway closed the connection (4001: its token was changed)"),
        (closes(1011), "the gateway closed the connection (1011)"),
    ],
)
def test_a_connection_that_is_closed_is_lost_with_its_code(frame: dict[str, Any], message: str) -> None:
    with FakeGateway(others=lambda *_: [frame]) as fake:
        failed = failure_of(fake.url)
    assert isinstance(failed, GatewayLost) and failed.message == message


def test_a_certificate_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path, "authority")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.issue("127.0.0.1").file)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with FakeGateway(tls=context) as fake:
        failed = failure_of(fake.url)
        assert "its certificate is not valid here" in failed.message and fake.requests == []
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        assert call(fake.url) == {}
        assert (
            "its certificate is not valid here"
            in failure_of(fake.url.replace("127.0.0.1", "localhost")).message
        )


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("ws://127.0.0.1:18789", None),
        ("ws://localhost", None),
        ("ws://[::1]:18789/", None),
        ("wss://gateway.example.com/gw", None),
        ("ws://gateway.example.com", "gateway.example.com is not this machine, and ws:// is not encrypted"),
        ("ws://192.168.1.2:18789", "is not encrypted; use wss://, a tunnel to 127.0.0.1, or --allow-plain"),
        ("ws://localhost.example.com", "is not this machine"),
        ("ws://127.0.0.1@example.com", "a secret does not belong into an address"),
        ("wss://user:pass@example.com", "a secret does not belong into an address"),
        ("wss://example.com/?token=x", "a secret does not belong into an address"),
        ("wss://example.com/#x", "a secret does not belong into an address"),
        ("http://127.0.0.1:18789", "use ws://HOST:PORT or wss://HOST:PORT"),
        ("127.0.0.1:18789", "use ws://HOST:PORT or wss://HOST:PORT"),
        ("ws://", "use ws://HOST:PORT or wss://HOST:PORT"),
        ("ws://127.0.0.1:70000", "use ws://HOST:PORT or wss://HOST:PORT"),
        ("ws://[::1", "use ws://HOST:PORT or wss://HOST:PORT"),
    ],
)
def test_where_a_secret_may_go(url: str, problem: str | None) -> None:
    found = url_problem(url)
    assert found is None if problem is None else found is not None and problem in found


def test_plain_is_possible_where_it_is_allowed() -> None:
    assert url_problem("ws://192.168.1.2:18789", allow_plain=True) is None


@pytest.mark.parametrize(
    ("announced", "expected"),
    [
        ("http://127.0.0.1:18789", "ws://127.0.0.1:18789"),
        ("http://0.0.0.0:1", "ws://127.0.0.1:1"),
        ("http://[::]:1", "ws://[::1]:1"),
        ("https://gw:2/x", "wss://gw:2"),
    ],
)
def test_the_address_that_a_gateway_announced_is_its_websocket_too(announced: str, expected: str) -> None:
    assert socket_url(announced) == expected


class Interrupt:
    """Raises KeyboardInterrupt at the ``at``-th place of this client or its library where CPython looks at signals."""

    def __init__(self, at: int) -> None:
        self.left = at
        self._looks = False

    def __call__(self, frame: FrameType, event: str, _arg: object) -> Interrupt | None:
        path = frame.f_code.co_filename
        if not path.endswith("gateway_client.py") and "/websockets/sync/" not in path:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            if self._looks:
                if self.left == 0:
                    sys.settrace(None)
                    raise KeyboardInterrupt
                self.left -= 1
            # It does so behind a call, and behind a jump back.
            self._looks = dis.opname[frame.f_code.co_code[frame.f_lasti]].startswith(("CALL", "JUMP_BACK"))
        return self


def test_it_can_be_interrupted_anywhere_and_still_stop_its_run() -> None:
    """The connection stays usable, or `chat` could not cancel."""
    before = sys.gettrace()
    with FakeGateway([ok({"n": 1})], others=lambda method, params: [ok({"method": method})]) as gateway:
        for at in itertools.count():
            with connect(GatewayAddress(gateway.url, {"token": SECRET})) as client:
                interrupt = Interrupt(at)
                try:
                    sys.settrace(interrupt)
                    client.request("agent", {})
                except KeyboardInterrupt:
                    pass
                finally:
                    sys.settrace(before)
                assert client.request("chat.abort", {}, seconds=10) == {"method": "chat.abort"}
                if interrupt.left:
                    break
    assert at > 20
