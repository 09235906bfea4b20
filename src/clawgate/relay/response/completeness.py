"""Detects truncated streams of the Messages and Responses APIs: those are aborted, never terminated cleanly."""

from __future__ import annotations

from collections.abc import Iterator

from clawgate.errors import UpstreamClosed, UpstreamFailed
from clawgate.relay.response.redact import masked_error, masked_fully
from clawgate.wire.anthropic.stream_end import EventKind, MessagesStreamEnd
from clawgate.wire.responses import stream_end as responses
from clawgate.wire.sse.reader import Event
from clawgate.wire.translate.errors import error_of_event


class CompletenessFilter:
    """Passes the events of a Messages stream until it fails.

    ``origin`` names the upstream in errors, ``secrets`` must not be in an error event that passes.
    """

    failure: UpstreamFailed | None = None

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
                yield _masked(event, self._secrets)
            raise _failure(event, self._origin)

    def close(self) -> Iterator[Event]:
        """Raises `UpstreamClosed` for a stream that did not end normally."""
        if not self._end.finished:
            raise self._incomplete()
        yield from ()

    def _incomplete(self) -> UpstreamClosed:
        return UpstreamClosed(f"{self._origin} ended its stream without a stop_reason")


class ResponseCompletenessFilter:
    """Passes the events of a Responses stream until it fails; arguments as those of `CompletenessFilter`."""

    def __init__(self, *, origin: str, secrets: tuple[bytes, ...]) -> None:
        self._origin = origin
        self._secrets = secrets
        self._end = responses.ResponsesStreamEnd()
        self._has_begun = False
        self.failure: UpstreamFailed | None = None
        """What ``response.failed`` reports: a failure, in a stream that ends as it should."""

    def feed(self, event: Event) -> Iterator[Event]:
        """Raises `UpstreamFailed` in place of a failure that comes first, so that it can have a status.

        Otherwise behind an ``error`` event: no response comes behind that. Nothing passes behind ``response.failed``,
        so that a response which failed is not completed.
        """
        if self.failure is not None:
            return
        kind = self._end.feed(event)
        if kind is not responses.EventKind.FAILED:
            self._has_begun = self._has_begun or kind is not responses.EventKind.KEEPALIVE
            yield event
            return
        failure = _failure(event, self._origin)
        if not self._has_begun:
            raise failure
        yield _masked(event, self._secrets)
        if not responses.ends_response(event):
            raise failure
        masked = masked_error(failure, self._secrets)
        self.failure = masked if isinstance(masked, UpstreamFailed) else failure

    def close(self) -> Iterator[Event]:
        """Raises `UpstreamClosed` for a stream that was cut."""
        if not (self._end.has_last_event or self._end.failed):
            raise UpstreamClosed(f"{self._origin} ended its stream before its response was complete")
        yield from ()


def _masked(event: Event, secrets: tuple[bytes, ...]) -> Event:
    return Event(masked_fully(event.raw, secrets), event.name, event.data)


def _failure(event: Event, origin: str) -> UpstreamFailed:
    return error_of_event(event.data).as_failure(origin)
