"""Interface of a translation between two dialects, and the choice of the one for an exchange.

Between equal dialects nothing is translated: there bytes pass unchanged.
"""

from __future__ import annotations

from typing import Protocol

from clawgate.errors import InvalidRequest
from clawgate.wire.dialect import Dialect
from clawgate.wire.sse.reader import Event
from clawgate.wire.translate.anthropic_to_openai.translator import MessagesToChat
from clawgate.wire.translate.compat import NO_COMPAT, Compat
from clawgate.wire.translate.openai_to_anthropic.translator import ChatToMessages


class Translation(Protocol):
    """One exchange: made for it, fed in order, dropped behind it. Must not hold a clock, socket or logger."""

    @property
    def target(self) -> bytes:
        """The path upstream, such as ``b"/v1/messages"``."""

    @property
    def streams(self) -> bool:
        """Whether the client requested a stream, and the upstream therefore was; valid after `translate_request`."""

    @property
    def ignored(self) -> tuple[str, ...]:
        """The names of the request's fields that have no effect upstream; valid after `translate_request`."""

    def translate_request(self, body: bytes) -> bytes:
        """Return the upstream's JSON body for the client's, with the upstream's model id in it.

        Raises `InvalidRequest` with the field as ``param`` for what is malformed or cannot be translated.
        """

    def translate_response(self, body: bytes) -> bytes:
        """Return the client's body for the upstream's complete 2xx body; raises `UpstreamMalformed`.

        Raises `UpstreamFailed` with the upstream's message if the body is an error, whatever its status is.
        """

    def response_as_stream(self, body: bytes) -> bytes:
        """Return the client's complete stream for such a body, of an upstream that did not stream as requested.

        Raises as `translate_response`, and `UpstreamClosed` if the body does not show that it is finished.
        """

    def translate_error(self, status: int, body: bytes) -> bytes:
        """Return the client's error body for the upstream's, whatever bytes those are; never raises."""

    def feed(self, event: Event, out: list[bytes]) -> None:
        """Append the client's bytes for an event of the upstream's stream to ``out``, if there are any yet.

        Raises `UpstreamMalformed` for what makes no sense, and `UpstreamFailed` for an error event; nothing may be fed
        after either.
        """

    def end(self, out: list[bytes]) -> None:
        """Append the client's last bytes, once the upstream's stream has ended.

        Raises `UpstreamClosed` if the upstream had not finished.
        """

    @property
    def finished(self) -> bool:
        """Whether the client's stream has its end: nothing may follow."""

    def error_event(self) -> bytes:
        """Return the client's event for the error that `feed` raised; empty if the upstream's stream had none."""


def translation(
    client: Dialect,
    upstream: Dialect,
    *,
    requested_model: str,
    upstream_model: str,
    created: int,
    unique_id: str,
    max_tokens: int | None = None,
    max_tokens_field: str = "max_tokens",
    compat: Compat = NO_COMPAT,
    keeps_thinking: bool = False,
    provider: str = "",
) -> Translation:
    """Return the translation for one exchange; raises `InvalidRequest` for a pair that has none.

    Responses name ``requested_model``; ``created`` is in UNIX seconds. ``unique_id``, letters and digits, is of this
    exchange alone, for ids that the upstream leaves out: programs count usage by them. ``max_tokens`` is the model's
    configured limit, for upstreams that need one if the client has none. ``max_tokens_field`` is the chat upstream's
    name for it, unless ``compat`` has another. A model that cannot think (``compat.reasoning``) gets no effort,
    since it rejects the field. With ``keeps_thinking`` a chat upstream is sent the signed thinking of the conversation
    in `thinking_blocks`. ``provider`` is the upstream's id: what it signed returns to it alone.
    """
    match client, upstream:
        case Dialect.CHAT, Dialect.MESSAGES:
            return ChatToMessages(
                requested_model=requested_model,
                upstream_model=upstream_model,
                created=created,
                unique_id=unique_id,
                max_tokens=max_tokens,
                reasoning=compat.reasoning,
            )
        case Dialect.MESSAGES, Dialect.CHAT:
            return MessagesToChat(
                requested_model=requested_model,
                upstream_model=upstream_model,
                compat=compat,
                max_tokens_field=max_tokens_field,
                keeps_thinking=keeps_thinking,
                unique_id=unique_id,
                provider=provider,
            )
        case _:
            raise InvalidRequest(
                f"a request in {client.value} cannot be translated for this model, whose API is {upstream.value}; "
                f"send it to the endpoint of {upstream.value}",
                param="model",
            )
