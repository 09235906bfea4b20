"""Detects truncated Messages streams: one without a ``stop_reason`` is aborted, never terminated cleanly."""

from __future__ import annotations

from collections.abc import Iterator

from clawgate.errors import UpstreamClosed
from clawgate.relay.response.redact import masked_fully
from clawgate.wire.anthropic.stream_end import EventKind, MessagesStreamEnd
from clawgate.wire.sse.reader import Event
from clawgate.wire.translate.errors import error_of_event


class CompletenessFilter:
    """Passes the events of a Messages stream until it fails.

    ``origin`` names the upstream in errors, ``secrets`` must not be in an error event that passes.
    """

    def __init__(self, *, origin: str, secrets: tuple[bytes, ...]) -> None:
        self._origin = origin
        self._secrets = secrets
        self._end = MessagesStreamEnd()
        self._has_content = False

    def feed(self, event: Event) -> Iterator[Event]:
        """Raises `UpstreamClosed` in place of a premature ``message_stop``: clients stop reading there.

        Raises `UpstreamFailed` behind an error event, since nothing that follows one is part of the message; in its
        place if there was no content, so that the failure can have a status.
        """
        kind = self._end.feed(event)
        if kind is EventKind.MESSAGE_STOP and not self._end.has_stop_reason:
            raise self._incomplete()
        if kind is not EventKind.ERROR:
            self._has_content = self._has_content or kind is not EventKind.KEEPALIVE
            yield event
        else:
            if self._has_content:
                yield Event(masked_fully(event.raw, self._secrets), event.name, event.data)
            raise error_of_event(event.data).as_failure(self._origin)

    def close(self) -> Iterator[Event]:
        """Raises `UpstreamClosed` for a stream that did not end normally."""
        if not self._end.finished:
            raise self._incomplete()
        yield from ()

    def _incomplete(self) -> UpstreamClosed:
        return UpstreamClosed(f"{self._origin} ended its stream without a stop_reason")
