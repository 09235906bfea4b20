"""Assembles the text messages of a WebSocket from its frames, and makes the frames that are sent.

Frames are parsed by `websockets`, without extensions. Must not do I/O. Invariants: messages come out in the order of
their frames, none behind a close frame or a fault; what a fault or a close calls for is written once.
"""

from __future__ import annotations

import codecs
import logging
from collections.abc import Iterator

from websockets.frames import Close, Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

UNSUPPORTED_DATA, INVALID_TEXT = 1003, 1007
ABNORMAL_CLOSURE = 1006
_REASON_BYTES = 123
"""What a close frame can hold beside its code (RFC 6455 section 5.5)."""

_frame_log = logging.getLogger("clawgate.relay.frames")
_frame_log.setLevel(logging.ERROR)  # at a lower level `websockets` writes payloads into the log


class WebSocketMessages:
    """One WebSocket from its upgrade on."""

    __slots__ = ("_decoder", "_fault", "_parts", "_protocol")

    def __init__(self, max_bytes: int) -> None:
        self._protocol = ServerProtocol(state=OPEN, max_size=max_bytes, logger=_frame_log)
        self._decoder: codecs.IncrementalDecoder | None = None  # of the message that has begun
        self._parts: list[str] = []
        self._fault: Close | None = None

    def allow(self, max_bytes: int) -> None:
        """A message may have so many bytes from now on."""
        self._protocol.max_message_size = max_bytes

    @property
    def is_open(self) -> bool:
        """Whether no side has begun to close, as far as frames were parsed."""
        return self._protocol.state is OPEN

    @property
    def closing(self) -> tuple[int, str] | None:
        """Code and reason of the close frame that came first, received or sent; None before there is one."""
        protocol = self._protocol
        first = self._fault or (protocol.close_rcvd if self.closed_by_client else protocol.close_sent)
        if first is None:
            return None if protocol.state is OPEN else (ABNORMAL_CLOSURE, "")
        return int(first.code), first.reason

    @property
    def closed_by_client(self) -> bool:
        """Whether the close frame that came first was the client's."""
        return self._fault is None and self._protocol.close_rcvd_then_sent is True

    def feed(self, data: bytes) -> Iterator[str]:
        """Yield the messages that ``data`` completes. Take what is `pending` behind them."""
        self._protocol.receive_data(data)
        return self._messages()

    def feed_eof(self) -> None:
        """The client sends nothing more."""
        self._protocol.receive_eof()

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake, unless it has begun."""
        if self.is_open:
            encoded = reason.encode()[:_REASON_BYTES]
            self._protocol.send_close(code, encoded.decode(errors="ignore"))

    def ping(self) -> None:
        if self.is_open:
            self._protocol.send_ping(b"")

    def pending(self) -> list[bytes]:
        """Take what has to be written; an empty one is the end of the stream."""
        written = self._protocol.data_to_send()
        if self._fault is None or not written:
            return written
        return [Frame(Opcode.CLOSE, self._fault.serialize()).serialize(mask=False), b""]

    @staticmethod
    def frame(text: bytes) -> bytes:
        """Return ``text`` as one message."""
        return Frame(Opcode.TEXT, text).serialize(mask=False)

    def _messages(self) -> Iterator[str]:
        for frame in self._protocol.events_received():
            assert isinstance(frame, Frame)
            if frame.opcode is Opcode.BINARY:
                self._fail(UNSUPPORTED_DATA, "send text messages")
                return
            if frame.opcode is Opcode.TEXT or frame.opcode is Opcode.CONT:
                try:
                    text = self._assemble(frame)
                except UnicodeDecodeError:
                    self._fail(INVALID_TEXT, "a text message is not UTF-8")
                    return
                if text is not None:
                    yield text

    def _assemble(self, frame: Frame) -> str | None:
        """Return the message that ``frame`` completes. Raises UnicodeDecodeError."""
        if self._decoder is None:
            if frame.fin:
                return str(frame.data, "utf-8")
            self._decoder = codecs.getincrementaldecoder("utf-8")()
        part = self._decoder.decode(frame.data, frame.fin)
        if part:
            self._parts.append(part)
        if not frame.fin:
            return None
        text = "".join(self._parts)
        self._decoder = None
        self._parts = []
        return text

    def _fail(self, code: int, reason: str) -> None:
        """End the connection for a fault in a message, in place of what frames behind it called for."""
        self._fault = Close(code, reason)
        self._protocol.fail(code, reason)
