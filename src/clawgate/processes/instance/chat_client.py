"""Sends a chat request to the gateway of this machine, and reads the events of its response as they come.

It blocks, and closing it ends the run: a command is interrupted by Ctrl-C, wherever it waits. Only an address that a
gateway of this state folder announced is dialed, so no egress policy applies.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
from collections.abc import Iterator, Mapping
from typing import Any

import httptools

from clawgate.errors import UpstreamMalformed
from clawgate.policy.local_hosts import connectable
from clawgate.policy.printable import escape_controls
from clawgate.wire.sse.reader import EventReader

PATH = "/v1/chat/completions"
CONNECT_SECONDS = 5.0
SILENT_SECONDS = 60.0
"""A gateway that works sends a comment at least every 10 s."""
_DONE = b"[DONE]"
_TOOL = re.compile(r"^: tool ([\w-]+)$", re.MULTILINE)
"""The comment by which agents name a tool of their own that runs now."""
_MAX_ERROR_BYTES = 1_000_000


class ChatFailed(Exception):
    """There is no response, or it ended with an error. ``code`` is the gateway's, "" where it has none."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class ChatResponse:
    """Callbacks of httptools, and what they collect."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._parser = httptools.HttpResponseParser(self)
        self._body = bytearray()
        self._is_complete = False
        self.headers: dict[str, str] = {}
        self.has_head = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self.has_head = True

    def on_body(self, data: bytes) -> None:
        self._body += data

    def on_message_complete(self) -> None:
        self._is_complete = True

    @property
    def status(self) -> int:
        return self._parser.get_status_code()

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield each event of the stream, and ``{"tool": name}`` for a tool of the agent's own that begins to run.

        Raises `ChatFailed`, also for a stream that ends without its regular end.
        """
        reader = EventReader()
        while True:
            try:
                events = reader.feed(self._take())
            except UpstreamMalformed as error:
                raise ChatFailed(error.message) from None
            for event in events:
                if event.data == _DONE:
                    return
                if event.data is not None:
                    yield _checked(_parse(event.data))
                else:
                    yield from (
                        {"tool": name} for name in _TOOL.findall(event.raw.decode("ascii", "replace"))
                    )
            if self._is_complete:
                raise ChatFailed("the response ended before it was complete; see: clawgate logs")
            self.read()

    def body(self) -> bytes:
        while not self._is_complete and len(self._body) < _MAX_ERROR_BYTES:
            self.read()
        return self._take()

    def read(self) -> None:
        """Wait for more of the response. Raises `ChatFailed`."""
        try:
            data = self._sock.recv(65_536)
            if not data:
                raise ChatFailed("the gateway closed the connection; see: clawgate gateway status")
            self._parser.feed_data(data)
        except TimeoutError:
            raise ChatFailed(
                f"the gateway sent nothing for {SILENT_SECONDS:g} s; see: clawgate gateway status"
            ) from None
        except OSError as error:
            raise ChatFailed(f"the connection failed: {error.strerror}; see: clawgate logs") from None
        except httptools.HttpParserError:
            raise ChatFailed("the response is not HTTP; see: clawgate gateway status") from None

    def _take(self) -> bytes:
        data = bytes(self._body)
        self._body.clear()
        return data


@contextlib.contextmanager
def post_chat(
    host: str, port: int, body: Mapping[str, Any], headers: Mapping[str, str]
) -> Iterator[ChatResponse]:
    """Yield the response, once its head says that it is a stream. Raises `ChatFailed`."""
    host = connectable(host)
    content = json.dumps(body).encode()
    name = f"[{host}]" if ":" in host else host
    lines = [
        f"POST {PATH} HTTP/1.1",
        f"Host: {name}:{port}",
        "Connection: close",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
        *(f"{key}: {value}" for key, value in headers.items()),
    ]
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.settimeout(CONNECT_SECONDS)
        try:
            sock.connect((host, port))
            sock.settimeout(SILENT_SECONDS)
            sock.sendall("\r\n".join((*lines, "", "")).encode("utf-8") + content)
        except OSError as error:
            reason = error.strerror or "it did not respond in time"
            raise ChatFailed(
                f"the gateway cannot be reached: {reason}; see: clawgate gateway status"
            ) from None
        response = ChatResponse(sock)
        while not response.has_head:
            response.read()
        if response.status != 200:
            raise _failure(response)
        yield response


def _failure(response: ChatResponse) -> ChatFailed:
    try:
        _checked(_parse(response.body()))
    except ChatFailed as failure:
        if failure.code:
            return failure
    return ChatFailed(f"the gateway responded with status {response.status}; see: clawgate logs")


def _parse(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ChatFailed("the response is not JSON; see: clawgate gateway status")
    return found


def _checked(event: dict[str, Any]) -> dict[str, Any]:
    """Return the event. Raises `ChatFailed` if it is an error."""
    error = event.get("error")
    if isinstance(error, dict):
        message = escape_controls(str(error.get("message", "it failed")))
        raise ChatFailed(message, str(error.get("code") or ""))
    return event
