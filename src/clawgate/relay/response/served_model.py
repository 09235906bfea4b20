"""Finds the model that a Messages or Responses response names, and corrects the header that names it to the client.

A proxy may serve another model than was sent to it (measured: ``claude-opus-4-7`` for ``claude-opus-4-6``).
A release date behind a name, a dot for a dash, or a marker of the context window is no other model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import msgspec

from clawgate.errors import UpstreamFailed
from clawgate.wire.sse.reader import Event

_VARIANT = re.compile(r"-\d{8}\Z|-latest\Z|\[\w+\]\Z")
_LONGEST_NAME = 200


class _Named(msgspec.Struct):
    model: str | None = None
    message: _Named | None = None
    response: _Named | None = None


_named = msgspec.json.Decoder(_Named)


class ServedModelFilter:
    """Reads the name from the first event that has one, or from a body.

    ``header_line`` makes the header line of a model's name; ``on_other`` is called with the name of another model.
    """

    failure: UpstreamFailed | None = None

    def __init__(
        self, sent: str, named: str, header_line: Callable[[str], bytes], on_other: Callable[[str], None]
    ) -> None:
        self._sent = sent
        self._line = header_line(named)
        self._header_line = header_line
        self._on_other = on_other
        self._other = ""
        self._is_known = False

    def feed(self, event: Event) -> Iterator[Event]:
        if not self._is_known and event.data is not None:
            self.read(event.data)
        yield event

    def close(self) -> Iterator[Event]:
        yield from ()

    def read(self, data: bytes) -> None:
        """Read the name in ``data``, an event's or a whole body."""
        try:
            found = _named.decode(data)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            return
        named = (found, found.message, found.response)
        name = next((one.model for one in named if one is not None and one.model), None)
        if not name:
            return
        self._is_known = True
        if len(name) <= _LONGEST_NAME and name[0].isalnum() and _plain(name) != _plain(self._sent):
            self._other = name
            self._on_other(name)

    def corrected(self, lines: bytes) -> bytes:
        """Return header ``lines`` with the name of the model that was read."""
        return lines.replace(self._line, self._header_line(self._other)) if self._other else lines


def _plain(name: str) -> str:
    return _VARIANT.sub("", name.lower().replace(".", "-"))
