"""What do the parts around an exchange owe each other? The values they pass and the calls they may make, no more.

An exchange stands between a client's side and an upstream's; each knows the other only by what is written here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from clawgate.errors import GatewayError
from clawgate.policy.headers import Headers

Buffer = bytes | memoryview
"""Bytes of a message on their way, not copied where they are many."""


@dataclass(slots=True)
class RequestHead:
    """The head of one request as it was parsed. Header names are in lower case.

    ``wants_socket`` is True for an upgrade to WebSocket.
    """

    method: bytes
    target: bytes
    version: str
    fields: list[tuple[bytes, bytes]]
    wants_socket: bool = False


@dataclass(slots=True)
class ResponseHead:
    """The head of a final answer. ``length`` is None where the body is chunked or ends with the connection."""

    status: int
    headers: Headers
    length: int | None
    chunked: bool
    content_type: bytes
    encoded: bool


class ChunkPassthrough:
    """Leave for the chunks of one stream to pass as they were read, see `relay.response.chunk_passthrough`.

    Who passes one writes it, adds to ``sent`` and leaves it in ``latest``.
    """

    __slots__ = ("latest", "screens", "sent", "write")

    def __init__(self, write: Callable[[bytes], None], screens: tuple[bytes, ...]) -> None:
        self.write = write
        self.screens = screens
        """What must not be in a chunk that passes."""
        self.sent = 0
        self.latest = b""
        """The last chunk that passed. The events before it can no longer matter to how the stream may end."""

    def take_latest(self) -> bytes:
        """The content of the last chunk, once; empty where none has passed since."""
        framed, self.latest = self.latest, b""
        return framed[framed.find(b"\r\n") + 2 : -2] if framed else b""


class ResponseHandler(Protocol):
    """Whoever waits for an answer. Calls come in this order: answers, sends, flush (again and again), ends or fails;
    or, for a consumer that takes it, one call for a whole answer."""

    def upstream_whole(self, status: int, head: bytes, body: bytes) -> bool:
        """A whole answer, with the head as the client gets it. False if it has to be told in pieces."""
        ...

    def upstream_answers(self, head: ResponseHead) -> bytes | None:
        """The answer begins. What comes back are the lines that are added to it for the client, where an answer that
        looks like this one may be handed over whole."""
        ...

    def upstream_sends(self, body: bytes) -> None: ...
    def upstream_flush(self) -> None:
        """Everything of one read has been handed over."""
        ...

    def upstream_passage(self) -> ChunkPassthrough | None:
        """Asked between two chunks: leave for the next ones to pass without a word, until one is told again."""
        ...

    def upstream_ends(self) -> None: ...
    def upstream_fails(self, error: GatewayError, *, silent: bool, unheard: bool) -> None:
        """``silent``: not a byte of an answer came; ``unheard``: the upstream cannot have received the request."""
        ...

    def upstream_pauses(self) -> None:
        """The upstream does not read as fast as the request is written."""
        ...

    def upstream_resumes(self) -> None: ...


class ResponseWriter(Protocol):
    """An answer on its way to one client: what arrives is added, what can be sent is taken."""

    status: int
    begun: bool
    """Whether anything but comments that keep a stream warm has come."""
    until_close: bool
    judges: bool
    """Whether the status is known only at the end, when all of the answer is sent."""
    own_lines: bytes | None
    unsent: bool
    """Whether the client has seen nothing yet, so that a failure can still have a status of its own."""

    def add(self, body: bytes) -> None:
        """Bytes of the upstream's body. Raises `UpstreamFailed` where they cannot be understood."""
        ...

    def take(self, *, ended: bool) -> bytes:
        """What is to be sent now; raises as `add`."""
        ...

    def passage(self, write: Callable[[bytes], None]) -> ChunkPassthrough | None:
        """Leave for the chunks that come next to be sent on by ``write``, not told; None where all have to be told."""
        ...

    def last_words(self, error: GatewayError) -> bytes:
        """What an answer that cannot be finished may still say."""
        ...


class ClientConnection(Protocol):
    """The connection to the client, as far as an exchange needs it."""

    http10: bool

    def write(self, data: bytes) -> None: ...
    def hold_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def must_close(self) -> bool:
        """Whether the answer has to announce the end of the connection."""
        ...

    def answer_error(self, error: GatewayError, names: bytes = b"") -> int:
        """Nothing of an answer was sent yet: send this instead, with the lines of who was asked, and end the
        exchange. How many bytes that took."""
        ...

    def finish(self) -> None:
        """The answer is whole."""
        ...

    def cut(self, *, at_once: bool) -> None:
        """End the connection so that the answer is seen to be broken; ``at_once`` without sending what waits."""
        ...
