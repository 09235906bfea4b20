"""What the translations between two dialects have in common: their interface, and how a stream of theirs fails."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import NoReturn, TypeVar

import msgspec

from clawgate.errors import InvalidRequest, UpstreamMalformed
from clawgate.wire.json import strict
from clawgate.wire.json.surrogates import SurrogateJoiner
from clawgate.wire.sse.reader import Event
from clawgate.wire.translate import errors as upstream_errors

_T = TypeVar("_T")


class Translation(ABC):
    """One exchange: made for it, fed in order, dropped behind it. Must not hold a clock, socket or logger."""

    target: bytes
    """The path upstream, such as ``b"/v1/messages"``."""
    streams = False
    """Whether the client requested a stream, and the upstream therefore was; valid after `translate_request`."""
    ignored: tuple[str, ...] = ()
    """The names of the request's fields that have no effect upstream; valid after `translate_request`."""

    @abstractmethod
    def translate_request(self, body: bytes) -> bytes:
        """Return the upstream's JSON body for the client's, with the upstream's model id in it.

        Raises `InvalidRequest` with the field as ``param`` for what is malformed or cannot be translated.
        """

    @abstractmethod
    def translate_response(self, body: bytes) -> bytes:
        """Return the client's body for the upstream's complete 2xx body; raises `UpstreamMalformed`.

        Raises `UpstreamFailed` with the upstream's message if the body is an error, whatever its status is.
        """

    @abstractmethod
    def response_as_stream(self, body: bytes) -> bytes:
        """Return the client's complete stream for such a body, of an upstream that did not stream as requested.

        Raises as `translate_response`, and `UpstreamClosed` if the body does not show that it is finished.
        """

    @abstractmethod
    def translate_error(self, status: int, body: bytes) -> bytes:
        """Return the client's error body for the upstream's, whatever bytes those are; never raises."""

    @abstractmethod
    def error_event(self) -> bytes:
        """Return the client's event for the error that `feed` raised; empty if the upstream's stream had none."""

    def failure_event(self, *, message: str, kind: str, code: str | None, param: str | None = None) -> bytes:
        """Return the client's last events for a failure of ours that breaks the stream.

        Empty where the dialect's error event, which needs nothing of the stream, is all of it.
        """
        return b""

    @property
    @abstractmethod
    def _streamed(self) -> TranslatedStream: ...

    def feed(self, event: Event, out: list[bytes]) -> None:
        """Append the client's bytes for an event of the upstream's stream to ``out``, if there are any yet.

        Raises `UpstreamMalformed` for what makes no sense, and `UpstreamFailed` for an error event; nothing may be fed
        after either.
        """
        self._streamed.feed(event, out)

    def end(self, out: list[bytes]) -> None:
        """Append the client's last bytes, once the upstream's stream has ended.

        Raises `UpstreamClosed` if the upstream had not finished.
        """
        self._streamed.end(out)

    @property
    def finished(self) -> bool:
        """Whether the client's stream has its end: nothing may follow."""
        return self._streamed.finished

    @property
    def held_bytes(self) -> int:
        """How much of the upstream's stream is held."""
        return self._streamed.held_bytes

    def _as_stream(self, events: Iterable[object]) -> bytes:
        """Return the client's stream for all ``events`` of a stream."""
        out: list[bytes] = []
        for event in events:
            self.feed(Event(b"", b"", strict.encode_response(event)), out)
        self.end(out)
        return b"".join(out)


class TranslatedStream(ABC):
    """One stream: the upstream's events in, the client's bytes out."""

    __slots__ = ("_halves", "_over", "_usage", "error", "finished", "held_bytes")

    def __init__(self) -> None:
        self._halves = SurrogateJoiner()
        self._usage: dict[object, object] = {}
        self._over = False  # finished or failed
        self.finished = False
        """Whether the client's stream has its end."""
        self.held_bytes = 0
        """About how much of the upstream's stream is needed later."""
        self.error: upstream_errors.UpstreamError | None = None
        """The error that the upstream's stream reported."""

    @abstractmethod
    def feed(self, event: Event, out: list[bytes]) -> None:
        """As `Translation.feed`. An error event counts behind the end, too."""

    @abstractmethod
    def end(self, out: list[bytes]) -> None:
        """As `Translation.end`; appends what the upstream left out."""

    def _fail_if_error(self, data: bytes) -> None:
        """Fail with the error that an event reports, if it does."""
        if (error := upstream_errors.find_error(data)) is not None:
            self._fail(error)

    def _fail(self, error: upstream_errors.UpstreamError) -> NoReturn:
        self._over = True
        self.error = error
        raise error.as_failure()


def read_response(body: bytes, shape: msgspec.json.Decoder[_T]) -> _T:
    """Return a complete response; raises `UpstreamFailed` with the upstream's message if it is an error instead."""
    try:
        return strict.parse_response(body, shape)
    except UpstreamMalformed:
        if (error := upstream_errors.find_error(body)) is not None:
            raise error.as_failure() from None
        raise


def reject(path: str, problem: str) -> NoReturn:
    """Raise `InvalidRequest` for the field at ``path``."""
    raise InvalidRequest(f"'{path}' {problem}", param=path)
