"""Translates between two dialects by way of chat completions: one translation for the client, one for the upstream.

Between the two is what a chat server would stream, an event at a time: nothing of a stream is held here. What carries
signed reasoning in that form are `reasoning_details`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from clawgate.errors import GatewayError, InvalidRequest
from clawgate.wire.dialect import Dialect
from clawgate.wire.sse.reader import Event, EventReader
from clawgate.wire.translate.exchange import TranslatedStream, Translation

CLIENT_NAMES: Mapping[Dialect, Mapping[str, str]] = {
    Dialect.RESPONSES: {
        "max_completion_tokens": "max_output_tokens",
        "max_tokens": "max_output_tokens",
        "messages": "input",
        "reasoning_effort": "reasoning.effort",
        "response_format": "text.format",
        "verbosity": "text.verbosity",
    },
    Dialect.MESSAGES: {
        "max_completion_tokens": "max_tokens",
        "parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
        "reasoning_effort": "output_config.effort",
        "response_format": "output_config.format",
        "stop": "stop_sequences",
        "user": "metadata.user_id",
    },
}
"""By the client's dialect: its names of the fields of a chat request that have another one there."""


class Composed(Translation):
    """``outer`` is for the client, whose upstream speaks chat completions; ``inner`` is that one's client."""

    def __init__(self, outer: Translation, inner: Translation, client: Dialect) -> None:
        self._outer = outer
        self._inner = inner
        self._names = CLIENT_NAMES[client]
        self._stream = ComposedStream(outer, inner)
        self.target = inner.target

    def translate_request(self, body: bytes) -> bytes:
        chat_body = self._outer.translate_request(body)
        try:
            translated = self._inner.translate_request(chat_body)
        except InvalidRequest as error:
            raise self._named(error) from None
        self.streams = self._outer.streams
        ignored = map(self._name, self._inner.ignored)
        self.ignored = tuple(dict.fromkeys((*self._outer.ignored, *ignored)))
        return translated

    def translate_response(self, body: bytes) -> bytes:
        return self._outer.translate_response(self._inner.translate_response(body))

    def response_as_stream(self, body: bytes) -> bytes:
        return self._outer.response_as_stream(self._inner.translate_response(body))

    def translate_error(self, status: int, body: bytes) -> bytes:
        return self._outer.translate_error(status, body)

    def error_event(self) -> bytes:
        return self._outer.error_event()

    def failure_event(self, *, message: str, kind: str, code: str | None, param: str | None = None) -> bytes:
        return self._outer.failure_event(message=message, kind=kind, code=code, param=param)

    @property
    def _streamed(self) -> ComposedStream:
        return self._stream

    def _named(self, error: InvalidRequest) -> InvalidRequest:
        """Return the error of a chat request with the client's name of its field."""
        if error.param is None:
            return error
        name = self._name(error.param)
        return InvalidRequest(error.message.replace(f"'{error.param}'", f"'{name}'"), param=name)

    def _name(self, chat_name: str) -> str:
        """Return the client's name of a field; a place within a list is none of the client's."""
        top = chat_name.partition("[")[0]
        return self._names.get(top.partition(".")[0], top)


class ComposedStream(TranslatedStream):
    """One stream: the upstream's events through both translations."""

    __slots__ = ("_inner", "_outer", "_reader")

    def __init__(self, outer: Translation, inner: Translation) -> None:
        super().__init__()
        self._outer = outer
        self._inner = inner
        self._reader = EventReader()

    def feed(self, event: Event, out: list[bytes]) -> None:
        between: list[bytes] = []
        try:
            self._inner.feed(event, between)
        except GatewayError:
            self._pass_on(between, out)
            with suppress(GatewayError):  # so that the outer one knows the error
                self._pass_on([self._inner.error_event()], out)
            raise
        self._pass_on(between, out)

    def end(self, out: list[bytes]) -> None:
        between: list[bytes] = []
        self._inner.end(between)
        self._pass_on(between, out)
        self._outer.end(out)
        self._note()

    def _pass_on(self, between: list[bytes], out: list[bytes]) -> None:
        if between:
            for event in self._reader.feed(b"".join(between)):
                self._outer.feed(event, out)
        self._note()

    def _note(self) -> None:
        self.finished = self._outer.finished
        self.held_bytes = self._inner.held_bytes + self._outer.held_bytes
