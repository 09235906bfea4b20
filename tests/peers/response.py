"""Values that a raw client returns: a response, complete or truncated, and the end of a connection.

Must not read or check anything: `message_reader` reads, the test checks.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from tests.peers.message_reader import Framing, Head, WithFields


@dataclass(frozen=True, slots=True)
class Response(WithFields):
    """One response, as far as it has come.

    `complete` means that its framing says so: a length reached, the last chunk seen, or a FIN where the
    close is the delimiter. `body` has only whole chunks; `partial` is what came of an unfinished one.
    """

    head: Head | None
    interim: tuple[Head, ...]
    framing: Framing
    body: bytes
    chunks: tuple[bytes, ...]
    partial: bytes
    complete: bool
    anomalies: tuple[str, ...]

    @property
    def status(self) -> int:
        """The status code, 0 if there is no head."""
        return int(self.head.start[1]) if self.head else 0

    def json(self) -> Any:
        """The body as JSON; ValueError if it is not."""
        return json.loads(self.body)

    def events(self) -> list[str]:
        """The data of each SSE event; a last one without its empty line is dropped, as WHATWG says."""
        text = (self.body + self.partial).decode(errors="replace").replace("\r\n", "\n").replace("\r", "\n")
        events = []
        for block in text.split("\n\n")[:-1]:
            lines = [line[5:].removeprefix(" ") for line in block.split("\n") if line.startswith("data:")]
            if lines:
                events.append("\n".join(lines))
        return events


@dataclass(frozen=True, slots=True)
class ConnectionClosed:
    """How the server ended the connection, and what it had sent that belongs to no response."""

    how: Literal["fin", "reset"]
    trailing: bytes
