"""Recognises a body that was made for another endpoint than the one it was sent to, by the names of its fields.

Law: only what the endpoint could not serve anyway is recognised, so that no request fails for a field too many.
"""

from __future__ import annotations

from collections.abc import Set

from clawgate.errors import InvalidRequest

CHAT, MESSAGES, RESPONSES = b"/v1/chat/completions", b"/v1/messages", b"/v1/responses"
COMPLETIONS, EMBEDDINGS = b"/v1/completions", b"/v1/embeddings"

_NEEDED: dict[bytes, frozenset[str]] = {
    CHAT: frozenset({"messages"}),
    MESSAGES: frozenset({"messages"}),
    RESPONSES: frozenset({"input", "prompt", "previous_response_id", "conversation"}),
    COMPLETIONS: frozenset({"prompt"}),
}
"""What a request of each endpoint has, at least one of them. Embeddings are made of messages, too (vLLM)."""
_OF_CHAT_ALONE = frozenset(
    {"max_completion_tokens", "response_format", "stream_options", "frequency_penalty", "presence_penalty", "n", "seed"}
)  # fmt: skip


def check_body_kind(path: bytes, names: Set[str]) -> None:
    """Raises `InvalidRequest` with the right path for a body of another endpoint; ``names`` are its fields."""
    needed = _NEEDED.get(path)
    if needed is None:
        return
    if names & needed:
        found = _other_dialect(path, names)
    else:
        found = next((one for one in _made_for(names) if one != path), None)
    if found is not None:
        shown, meant = path.decode("ascii"), found.decode("ascii")
        raise InvalidRequest(
            f"this body is a request of {meant}, and {shown} cannot serve it; send it to {meant}"
        )


def _made_for(names: Set[str]) -> list[bytes]:
    if "messages" in names:
        return [MESSAGES if names >= {"system", "max_tokens"} else CHAT]
    if "input" in names:
        return [EMBEDDINGS if names & {"encoding_format", "dimensions"} else RESPONSES]
    return [COMPLETIONS] if "prompt" in names else []


def _other_dialect(path: bytes, names: Set[str]) -> bytes | None:
    """Return the other endpoint of conversations, for a body with fields that this one does not have."""
    if path == CHAT and names >= {"system", "max_tokens"} and not names & _OF_CHAT_ALONE:
        return MESSAGES
    if path == MESSAGES and "max_tokens" not in names and names & _OF_CHAT_ALONE:
        return CHAT
    return None
