"""Calls the hooks that plugins bring for their providers, for each request.

A hook may report its provider as unavailable, change the fields of a request that is about to leave, and map an error
response to what it really is. Must not show a hook the conversation: messages, system prompt and tools pass it by.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from clawgate.errors import InvalidRequest, ProviderUnavailable
from clawgate.plugins.api import MappedError, UpstreamRequest
from clawgate.providers.credential import HeaderToken
from clawgate.routing.session_ids import SessionTracker
from clawgate.wire.json import strict

_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_CONVERSATION = ("messages", "system", "tools")
_MAX_FIELD_BYTES = 1_048_576
"""The most bytes outside of the conversation: they become objects for the plugin, which take many times that."""
_sessions = SessionTracker()  # one for the process: providers of several listeners may be the same
_RESERVED = frozenset(
    {
        "accept-encoding", "authorization", "connection", "content-length", "content-type", "cookie", "expect", "host",
        "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "user-agent", "via", "x-api-key",
    }
)  # fmt: skip
"""Headers that a plugin must not set: framing, credentials, and the gateway's own."""

MapError = Callable[[int, bytes], MappedError | None]
TransformRequest = Callable[[UpstreamRequest], UpstreamRequest]


class ProviderHooks(Protocol):
    """The hooks of plugins, by the provider's id."""

    def unavailable(self, provider: str) -> ProviderUnavailable | None:
        """Return why no request may be sent to the provider now; None if it may."""
        ...

    def request_transformer(self, provider: str) -> TransformRequest | None:
        """Return the hook that changes requests, which raises `ProviderUnavailable`; None where there is none."""
        ...

    def error_mapper(self, provider: str) -> MapError | None:
        """Return the hook that maps error responses; None where there is none."""
        ...


class NoHooks:
    def unavailable(self, provider: str) -> ProviderUnavailable | None:
        return None

    def request_transformer(self, provider: str) -> TransformRequest | None:
        return None

    def error_mapper(self, provider: str) -> MapError | None:
        return None


class HookRequest(msgspec.Struct, frozen=True, eq=False):
    """A request as read for a hook. ``conversation`` are the members that it does not see."""

    shown: UpstreamRequest
    conversation: dict[str, msgspec.Raw]


def read_for_hook(provider: str, body: bytes, *, dialect: str = "") -> HookRequest:
    """Split a body into what a hook is shown and the conversation. May run in a thread.

    Raises `InvalidRequest` for a body that cannot be read, or with over a megabyte outside of the conversation.
    """
    try:
        members = strict.decode(body, _members)
        conversation = {name: members[name] for name in _CONVERSATION if name in members}
        others = {name: raw for name, raw in members.items() if name not in conversation}
        if sum(map(len, others.values())) > _MAX_FIELD_BYTES:
            raise InvalidRequest(
                f"the fields besides {', '.join(_CONVERSATION)} are over {_MAX_FIELD_BYTES} bytes, "
                f"the most for the provider '{provider}'"
            )
        fields: dict[str, Any] = {name: msgspec.json.decode(raw) for name, raw in others.items()}
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"the body cannot be read: {error}") from None
    model = str(fields.pop("model", ""))
    session_id = _sessions.session_id(provider, members)
    shown = UpstreamRequest(model=model, fields=fields, session_id=session_id, dialect=dialect)
    return HookRequest(shown, conversation)


def transform_request(
    transform: TransformRequest, provider: str, request: HookRequest
) -> tuple[bytes, bytes]:
    """Return the body that leaves, and the header lines that the hook adds; the conversation stays as it came.

    Raises `ProviderUnavailable` where the hook fails: then nothing may leave.
    """
    kept = request.conversation
    changed = transform(request.shown)
    try:
        fields = {
            name: value for name, value in changed.fields.items() if name not in kept and name != "model"
        }
        return msgspec.json.encode({"model": changed.model} | fields | kept), _lines(changed.headers)
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ProviderUnavailable(
            f"the plugin of the provider '{provider}' made a request that cannot be sent: {error}"
        ) from error


def _lines(headers: Mapping[str, str]) -> bytes:
    """Raises ValueError for a header that is reserved, or that is not one line."""
    lines = b""
    for name, value in headers.items():
        if name.lower() in _RESERVED or name.lower().startswith("proxy-"):
            raise ValueError(f"the header {name!a} may not be set")
        lines += HeaderToken(name, value).line()
    return lines
