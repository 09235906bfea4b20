"""Frames as a client sends and reads them (RFC 6455 section 5), written by hand, and a handler that echoes."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from clawgate.relay.websocket import Socket

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
MASK = b"\x37\xfa\x21\x3d"
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""The key of RFC 6455 section 1.3, and what accepts it."""


def upgrade(*lines: bytes, target: bytes = b"/", host: bytes = b"127.0.0.1") -> bytes:
    """The head of an upgrade; each of ``lines`` takes the place of the one that begins alike."""
    usual = [
        b"Host: " + host,
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Key: " + KEY,
        b"Sec-WebSocket-Version: 13",
    ]
    names = {line.partition(b":")[0].lower() for line in lines}
    kept = [line for line in usual if line.partition(b":")[0].lower() not in names]
    written = [line for line in (*kept, *lines) if not line.endswith(b": -")]
    return b"GET %b HTTP/1.1\r\n" % target + b"".join(line + b"\r\n" for line in written) + b"\r\n"


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    reserved: int = 0,
    masked: bool = True,
    length: int | None = None,
    wide: int = 0,
) -> bytes:
    """One frame. ``length`` is announced in place of the real one; ``wide`` are the bytes that it is written in."""
    size = len(payload) if length is None else length
    wide = wide or (0 if size < 126 else 2 if size < 65_536 else 8)
    mark = {0: size, 2: 126, 8: 127}[wide]
    head = bytes([fin << 7 | reserved << 4 | opcode, masked << 7 | mark])
    head += {0: b"", 2: struct.pack("!H", size & 0xFFFF), 8: struct.pack("!Q", size)}[wide]
    if not masked:
        return head + payload
    return head + MASK + bytes(byte ^ MASK[index % 4] for index, byte in enumerate(payload))


def close(code: int | None = None, reason: bytes = b"") -> bytes:
    return frame(CLOSE, b"" if code is None else struct.pack("!H", code) + reason)


def frames_of(data: bytes) -> list[tuple[int, bytes]]:
    """Read frames of a server: opcode and payload of each. None is fragmented, masked, reserved or cut."""
    found = []
    while data:
        first, size = data[0], data[1]
        assert first & 0xF0 == 0x80 and size < 128, (
            "a server sends whole frames, unmasked, without extensions"
        )
        at = 2
        if size >= 126:
            wide = 2 if size == 126 else 8
            size = int.from_bytes(data[2 : 2 + wide], "big")
            at += wide
        assert len(data) >= at + size
        found.append((first & 0x0F, data[at : at + size]))
        data = data[at + size :]
    return found


@dataclass
class Echo:
    """A handler that sends each message back, and keeps what it was called with."""

    log: list[str] = field(default_factory=list)
    authenticates: bool = False
    is_busy: bool = False
    socket: Socket = field(init=False)

    def opened(self, socket: Socket) -> None:
        self.socket = socket
        self.log.append("opened")
        if self.authenticates:
            socket.authenticated("alice")

    def message(self, text: str) -> None:
        self.log.append(f"message {text[:40]}")
        self.socket.send(text.encode())

    def stopping(self) -> None:
        self.log.append("stopping")

    def stopped(self) -> None:
        self.log.append("stopped")
        self.socket.send(b"the last")

    def closed(self, code: int, reason: str) -> None:
        self.log.append(f"closed {code} {reason}")
