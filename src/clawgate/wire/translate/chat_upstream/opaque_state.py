"""Carries what an upstream signed or encrypted through a client that has no field for it.

Gemini puts a signature into a tool call (`extra_content`), OpenRouter a list of signed reasoning into the message
(`reasoning_details`), and both reject a conversation in which it is missing. A Messages client returns two things
unchanged: the id of a tool call and the signature of a thinking block. The state is written into these, so that no
memory of the gateway is needed: after a restart, or in another worker, the conversation continues.

What one provider made means nothing to another and may be rejected there: it is returned to the provider that made it
alone. Ids keep to the letters that Anthropic accepts, in case the conversation continues there.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Struct

MARK = "__clawgate_"
"""What the state in an id or signature begins with."""
MAX_IN_ID = 65_536
"""Characters of state in an id. Agents store ids in many places; signatures may be longer."""
MAX_BYTES = 4_194_304
"""Bytes of a state that is read: the client wrote it, and it is compressed."""

CALL_MEMBERS = ("extra_content", "provider_specific_fields", "thought_signature")
"""Members of a tool call that are carried: Gemini's, LiteLLM's for the same, and that of others."""
MESSAGE_MEMBERS = ("reasoning_details", "extra_content")
"""Members of a message that are carried: OpenRouter's, and Gemini's for a text."""


class OpaqueState(Struct, omit_defaults=True):
    """What belongs to a tool call or to a message. ``calls`` are members of calls by their ids, where those are known
    too late to be in the id."""

    provider: str
    call: dict[str, Any] | None = None
    message: dict[str, Any] | None = None
    calls: dict[str, dict[str, Any]] | None = None


_decoder = msgspec.json.Decoder(OpaqueState)


@lru_cache(256)
def provider_tag(provider: str) -> str:
    """Return what identifies a provider in a state."""
    return hashlib.sha256(provider.encode()).hexdigest()[:12]


def pack(state: OpaqueState) -> str:
    """Return the state as text of the letters that an id may have; empty if there is none."""
    return seal(state) if state.call or state.message or state.calls else ""


def seal(state: OpaqueState) -> str:
    """Return the state as such a text even if nothing but the provider is in it."""
    packed = base64.urlsafe_b64encode(zlib.compress(msgspec.json.encode(state)))
    return MARK + packed.rstrip(b"=").decode()


def split(text: str) -> tuple[str, OpaqueState | None]:
    """Return an id or signature without its state, and the state; None if it has none that can be read."""
    plain, mark, packed = text.rpartition(MARK)
    if not mark:
        return text, None
    try:
        compressed = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
        reader = zlib.decompressobj()
        data = reader.decompress(compressed, MAX_BYTES)
        return (plain, _decoder.decode(data)) if reader.eof else (text, None)
    except (ValueError, zlib.error, msgspec.MsgspecError, RecursionError):
        return text, None


def only(members: dict[str, Any] | None, names: tuple[str, ...]) -> dict[str, Any]:
    """Return those members that an upstream may have sent: the client could have written others into a state."""
    return {name: value for name, value in (members or {}).items() if name in names}
