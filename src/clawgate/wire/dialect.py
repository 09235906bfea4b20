"""Which API does somebody speak? The names are OpenClaw's, as they stand in its config under `api`."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Dialect(StrEnum):
    """A request and answer format of a model API."""

    CHAT = "openai-completions"
    """OpenAI Chat Completions, POST /v1/chat/completions."""
    RESPONSES = "openai-responses"
    """OpenAI Responses, POST /v1/responses."""
    MESSAGES = "anthropic-messages"
    """Anthropic Messages, POST /v1/messages."""


def dialect_of(path: bytes, fields: Iterable[tuple[bytes, bytes]] = ()) -> Dialect:
    """The dialect of a client that asks for ``path``; errors of routes that are nobody's look like OpenAI's.

    `/v1/models` is everybody's: there ``fields`` tell, in which Anthropic's clients name a version of their API.
    """
    if path.startswith(b"/v1/messages"):
        return Dialect.MESSAGES
    if path.startswith(b"/v1/models") and any(name == b"anthropic-version" for name, _ in fields):
        return Dialect.MESSAGES
    return Dialect.RESPONSES if path.startswith(b"/v1/responses") else Dialect.CHAT
