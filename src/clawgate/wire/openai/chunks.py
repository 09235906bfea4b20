"""Encodes the chunks of a chat completion's stream: what all of them have is encoded once for each stream."""

from __future__ import annotations

from collections.abc import Mapping

from clawgate.wire.json import strict

DONE = b"data: [DONE]\n\n"
"""Ends each stream."""


class ChunkEncoder:
    """``created`` is in UNIX seconds. With ``logprobs`` each chunk has that member, as OpenAI's have."""

    __slots__ = ("_behind", "_delta", "_head")

    def __init__(self, response_id: str, created: int, model: str, *, logprobs: bool = True) -> None:
        head = {"id": response_id, "object": "chat.completion.chunk", "created": created, "model": model}
        self._head = b'data: %b,"choices":[' % strict.encode_response(head)[:-1]
        self._delta = self._head + b'{"index":0,"delta":'
        self._behind = b',"logprobs":null,"finish_reason":' if logprobs else b',"finish_reason":'

    def chunk(self, delta: bytes, *, finish: bytes = b"null", logprobs: bytes | None = None) -> bytes:
        """Return the event for a piece of the response; all three are JSON."""
        behind = self._behind if logprobs is None else b',"logprobs":%b,"finish_reason":' % logprobs
        return b"%b%b%b%b}]}\n\n" % (self._delta, delta, behind, finish)

    def last(self, members: Mapping[str, object]) -> bytes:
        """Return the event behind the finish, with the usage."""
        return b"%b],%b\n\n" % (self._head, strict.encode_response(members)[1:])
