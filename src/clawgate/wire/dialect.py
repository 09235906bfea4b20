"""Names the APIs that clients and providers speak, as OpenClaw's config does under `api`."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Dialect(StrEnum):
    CHAT = "openai-completions"
    """OpenAI Chat Completions, POST /v1/chat/completions."""
    RESPONSES = "openai-responses"
    """OpenAI Responses, POST /v1/responses."""
    MESSAGES = "anthropic-messages"
    """Anthropic Messages, POST /v1/messages."""


def dialect_of(path: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> Dialect:
    """Return the dialect of a client that requests ``path``; OpenAI's for errors of unknown routes.

    `/v1/models` is a path of both APIs: there the header decides in which Anthropic's clients name a version.
    """
    if path.startswith(b"/v1/messages"):
        return Dialect.MESSAGES
    if path.startswith(b"/v1/models") and any(name == b"anthropic-version" for name, _ in headers):
        return Dialect.MESSAGES
    return Dialect.RESPONSES if path.startswith((b"/v1/responses", b"/v1/conversations")) else Dialect.CHAT
