"""What does a client get for a failure that an upstream tells in its stream, where somebody knows what it really is?

The head waits for the first event: a stream that begins with a failure is answered with a status, like every other
failure. One that has begun keeps its status; there the event says what the failure is. What ends a message waits for
what comes behind it: some proxies end one properly and tell of the failure then (read: opencode-claude-max-proxy), when
clients do not listen any more. How the answer looks otherwise is settled by the writer behind this one.
"""

from __future__ import annotations

from collections.abc import Callable

from clawgate.errors import GatewayError, UpstreamClosed, UpstreamFailed
from clawgate.relay.interfaces import ResponseWriter
from clawgate.relay.response.error_mapping import Judgement
from clawgate.wire.anthropic.stream_end import ends_message, error_in, keeps_warm
from clawgate.wire.openai.stream_end import ChatStreamEnd
from clawgate.wire.sse.splitter import EventSplitter, is_complete

MOST_COMMENTS = 16
"""How often a stream may be kept warm before the client is told that there is one. Claude proxies do it every 15 s, and
some clients wait 5 minutes for a head (read: Node's fetch)."""


class StreamErrorMappingWriter:
    """One stream. ``inner`` writes it; ``judge`` is asked about events that tell an error, whose status is 200.

    With ``chat`` the upstream streams chat completions: there an answer without a word is a failure, too.
    """

    extra_headers: bytes | None = None
    failure: GatewayError | None = None
    defers_status = False

    def __init__(
        self,
        inner: ResponseWriter,
        judge: Callable[[int, bytes], Judgement | None],
        *,
        secrets: tuple[bytes, ...],
        chat: bool = False,
    ) -> None:
        self._inner = inner
        self._judge = judge
        self._secrets = secrets
        self._events = EventSplitter()
        self._chat_end = ChatStreamEnd() if chat else None
        self._comments = 0
        self._last: list[bytes] = []
        self.status = inner.status
        self.until_close = inner.until_close
        self.content_started = False
        self.headers_pending = True

    def feed(self, body: bytes) -> None:
        """Raises `UpstreamFailed` in place of an event that tells an error."""
        for event, is_whole in self._events.feed(body):
            self._pass(event, is_whole=is_whole)

    def flush(self, *, ended: bool) -> bytes:
        """Nothing before the stream has begun; raises as the writer does."""
        if ended:
            rest, is_whole = self._events.rest()
            if not is_whole or is_complete(rest):
                self._pass(rest, is_whole=is_whole)
            self._add_last()
            if self._chat_end is not None and not self._chat_end.finished:
                raise UpstreamClosed("the upstream ended its stream without a finish_reason")
        elif not self.content_started and self._comments < MOST_COMMENTS:
            return b""
        out = self._inner.flush(ended=ended)
        self.headers_pending = False
        return out

    def passthrough(self, write: Callable[[bytes], None]) -> None:
        """None: each event is looked at."""

    def _pass(self, event: bytes, *, is_whole: bool) -> None:
        if is_whole:
            if (error := self._told(event)) is not None:
                raise self._failure(error)
            if self._chat_end is None and ends_message(event):
                self._last.append(event)
                self.content_started = True
                return
            if not self.content_started and keeps_warm(event):
                self._comments += 1
                self._inner.feed(event)
                return
        self.content_started = True
        self._add_last()
        self._inner.feed(event)

    def _add_last(self) -> None:
        """What had waited for what comes behind it."""
        for event in self._last:
            self._inner.feed(event)
        self._last.clear()

    def abort_message(self, error: GatewayError) -> bytes:
        return self._inner.abort_message(error)

    def _told(self, event: bytes) -> bytes | None:
        """The data of an event that tells of a failure, in so many words or in none."""
        error = error_in(event)
        if error is None and self._chat_end is not None:
            error = self._chat_end.failed(event)
        return error

    def _failure(self, data: bytes) -> UpstreamFailed:
        found = self._judge(200, data)
        if found is None:  # whoever should know has failed
            return UpstreamFailed("the upstream broke off, and how could not be read")
        said = found.message
        for secret in self._secrets:
            said = said.replace(secret.decode("utf-8", "replace"), "*" * len(secret))
        return UpstreamFailed(said, retry_after=found.retry_after, status=found.status)
