"""What translations for chat clients have in common: errors, and one stream of chunks for each exchange."""

from __future__ import annotations

from abc import abstractmethod
from typing import Generic, TypeVar

from clawgate.wire.openai import types as chat
from clawgate.wire.translate import errors as upstream_errors
from clawgate.wire.translate.exchange import TranslatedStream, Translation

_Stream = TypeVar("_Stream", bound=TranslatedStream)


class ChatClientTranslation(Translation, Generic[_Stream]):
    _stream: _Stream | None = None

    @abstractmethod
    def _new_stream(self, *, include_usage: bool) -> _Stream: ...

    def _begin_stream(self, request: chat.ChatRequest) -> None:
        """Note whether the client requested a stream, and what it is to contain."""
        self.streams = bool(request.stream)
        if self.streams:
            options = request.stream_options
            self._stream = self._new_stream(include_usage=options is not None and bool(options.include_usage))

    @property
    def _streamed(self) -> _Stream:
        if self._stream is None:  # none was requested: a complete response is assembled of it, with its usage
            self._stream = self._new_stream(include_usage=True)
        return self._stream

    def translate_error(self, status: int, body: bytes) -> bytes:
        return upstream_errors.chat_body(upstream_errors.parse_error(body, status), status)

    def error_event(self) -> bytes:
        return upstream_errors.chat_event(self._streamed.error) if self._streamed.error is not None else b""
