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

    __slots__ = ("_data", "_decoder", "_due", "_later", "_protocol", "closed_by_client", "end")

    def __init__(self, max_bytes: int) -> None:
        self._protocol = ServerProtocol(state=OPEN, max_size=max_bytes, logger=_frame_log)
        self._decoder: codecs.IncrementalDecoder | None = None  # of the message that has begun
        self._data = bytearray()  # of that one; a text for each fragment could take thirty times as much
        self._due: list[bytes] = []
        self._later: list[bytes] = []  # what frames behind the present message call for
        self.end: tuple[int, str] | None = None
        """Code and reason of the close frame that came first, received or sent."""
        self.closed_by_client = False

    def allow(self, max_bytes: int) -> None:
        """A message may have so many bytes from now on."""
        self._protocol.max_message_size = max_bytes

    @property
    def held_bytes(self) -> int:
        """How much of an unfinished message is here."""
        return len(self._protocol.reader.buffer) + (self._protocol.current_size or 0)

    def feed(self, data: bytes) -> Iterator[str]:
        """Yield the messages that ``data`` completes. With each, and behind the last, take what is `pending`."""
        self._protocol.receive_data(data)
        self._later += self._protocol.data_to_send()
        return self._messages()

    def feed_eof(self) -> None:
        """The client sends nothing more."""
        self._protocol.receive_eof()
        self._note_end()

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake, unless it has begun."""
        if self.end is None:
            reason = reason.encode()[:_REASON_BYTES].decode(errors="ignore")
            if self._protocol.state is OPEN:
                self._protocol.send_close(code, reason)
            self.end = code, reason

    def ping(self) -> None:
        if self.end is None:
            self._protocol.send_ping(b"")

    def pending(self) -> list[bytes]:
        """Take what has to be written; an empty one is the end of the stream."""
        due, self._due = self._due, []
        if self.end is not None:
            due += self._later
            self._later = []
        return due + self._protocol.data_to_send()

    @staticmethod
    def frame(text: bytes) -> bytes:
        """Return ``text`` as one message."""
        return Frame(Opcode.TEXT, text).serialize(mask=False)

    def _messages(self) -> Iterator[str]:
        for frame in self._protocol.events_received():
            assert isinstance(frame, Frame)
            if frame.opcode is Opcode.PING:
                self._due.append(self._later.pop(0))
            elif frame.opcode is Opcode.BINARY:
                self._fail(UNSUPPORTED_DATA, "send text messages")
                return
            elif frame.opcode is Opcode.TEXT or frame.opcode is Opcode.CONT:
                try:
                    text = self._assemble(frame)
                except UnicodeDecodeError:
                    self._fail(INVALID_TEXT, "a text message is not UTF-8")
                    return
                if text is not None:
                    yield text
        self._due += self._later
        self._later = []
        self._note_end()

    def _assemble(self, frame: Frame) -> str | None:
        """Return the message that ``frame`` completes. Raises UnicodeDecodeError."""
        if self._decoder is None:
            if frame.fin:
                return str(frame.data, "utf-8")
            self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._decoder.decode(frame.data, frame.fin)  # only to fail at once
        self._data += frame.data
        if not frame.fin:
            return None
        data, self._decoder, self._data = self._data, None, bytearray()
        return str(data, "utf-8")

    def _fail(self, code: int, reason: str) -> None:
        """End the connection for a fault in a message, in place of what frames behind it call for."""
        self._protocol.fail(code, reason)
        self._protocol.data_to_send()
        self._later = [Frame(Opcode.CLOSE, Close(code, reason).serialize()).serialize(mask=False), b""]
        self.end = code, reason

    def _note_end(self) -> None:
        protocol = self._protocol
        if self.end is None and protocol.state is not OPEN:
            self.closed_by_client = protocol.close_rcvd_then_sent is True
            first = protocol.close_rcvd if self.closed_by_client else protocol.close_sent
            self.end = (ABNORMAL_CLOSURE, "") if first is None else (int(first.code), first.reason)
