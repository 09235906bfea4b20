"""Which translation stands between a client of one dialect and an upstream of another, and what does it promise?

The relay knows this page only. Between equal dialects nothing is translated: there bytes pass untouched.
"""

from __future__ import annotations

from typing import Protocol

from clawgate.errors import InvalidRequest
from clawgate.wire.dialect import Dialect
from clawgate.wire.translate.anthropic_to_openai.translator import MessagesToChat
from clawgate.wire.translate.openai_to_anthropic.translator import ChatToMessages


class Translation(Protocol):
    """One exchange: made for it, fed in order, thrown away behind it. Holds no clock, socket or logger."""

    @property
    def target(self) -> bytes:
        """The path upstream, such as ``b"/v1/messages"``."""

    @property
    def streams(self) -> bool:
        """Whether the client asked for a stream, and the upstream therefore was; valid after `request`."""

    def request(self, body: bytes) -> bytes:
        """The upstream's whole JSON body for the client's, with the upstream's model id in it.

        Raises `InvalidRequest` with the field as ``param`` for what is malformed or cannot be carried.
        """

    def answer(self, body: bytes) -> bytes:
        """The client's body for the upstream's whole 2xx body that is no stream; raises `UpstreamMalformed`.

        Raises `UpstreamFailed` with the upstream's words where the body is an error, whatever its status says.
        """

    def answer_as_stream(self, body: bytes) -> bytes:
        """The client's whole stream for such a body, of an upstream that did not stream as it was asked to.

        Raises as `answer`, and `UpstreamClosed` where the body does not say that it is finished.
        """

    def refusal(self, status: int, body: bytes) -> bytes:
        """The client's error body for the upstream's, whatever bytes those are; never raises."""

    def feed(self, chunk: bytes) -> bytes:
        """The client's bytes for a chunk of the upstream's event stream, empty if nothing can be said yet.

        Raises `UpstreamMalformed` on what makes no sense. An error that the upstream tells in its stream comes out
        as an error in the client's stream; after it nothing more comes out, from `end` neither. Where nothing had come
        out before, it is raised as `UpstreamFailed` instead, since the client can still be answered with a status.
        """

    def unsaid(self) -> bytes:
        """What `feed` had of a chunk before it raised for what came later in it: empty where nothing was."""

    def end(self) -> bytes:
        """The client's last bytes, once the upstream's stream has ended.

        Raises `UpstreamClosed` where the upstream had not said that it was finished.
        """


def translation(
    client: Dialect,
    upstream: Dialect,
    *,
    requested_model: str,
    upstream_model: str,
    created: int,
    max_tokens: int | None = None,
    max_tokens_field: str = "max_tokens",
    reasoning: bool = True,
    keeps_thinking: bool = False,
) -> Translation:
    """The translation for one exchange; raises `InvalidRequest` for a pair that has none.

    Answers name ``requested_model``; ``created`` is in UNIX seconds. ``max_tokens`` is the model's configured limit,
    for upstreams that need one where the client gave none. ``max_tokens_field`` is the chat upstream's name for it.
    Without ``reasoning`` no effort is asked for, since models that cannot think refuse the field. With
    ``keeps_thinking`` a chat upstream is sent the signed thinking of the conversation in `thinking_blocks`.
    """
    match client, upstream:
        case Dialect.CHAT, Dialect.MESSAGES:
            return ChatToMessages(
                requested_model=requested_model,
                upstream_model=upstream_model,
                created=created,
                max_tokens=max_tokens,
                reasoning=reasoning,
            )
        case Dialect.MESSAGES, Dialect.CHAT:
            return MessagesToChat(
                requested_model=requested_model,
                upstream_model=upstream_model,
                max_tokens_field=max_tokens_field,
                reasoning=reasoning,
                keeps_thinking=keeps_thinking,
            )
        case _:
            raise InvalidRequest(
                f"the model speaks {upstream.value}, and a request in {client.value} cannot be translated to it: "
                f"send it to the endpoint of {upstream.value}",
                param="model",
            )
