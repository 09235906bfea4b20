"""What does a plugin say about requests for its provider? Asked by the planner, for each request.

It may say that its provider cannot be asked now, shape a request that is about to leave, and say what a failure really
is. Of the conversation it sees nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from clawgate.errors import InvalidRequest, ProviderUnavailable
from clawgate.plugins.api import MappedError, UpstreamRequest
from clawgate.providers.credential import HeaderToken
from clawgate.routing.session_ids import SessionTracker
from clawgate.wire.json.surrogates import whole

_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_CONVERSATION = ("messages", "system", "tools")
_conversations = SessionTracker()
"""Of this process."""
_OURS = frozenset(
    {
        "accept-encoding", "authorization", "connection", "content-length", "content-type", "cookie", "expect", "host",
        "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "user-agent", "via", "x-api-key",
    }
)  # fmt: skip
"""What a plugin may not set: framing, credentials, and what the gateway says itself."""

MapError = Callable[[int, bytes], MappedError | None]
TransformRequest = Callable[[UpstreamRequest], UpstreamRequest]


class ProviderHooks(Protocol):
    """What plugins bring for providers, by the provider's id."""

    def unavailable(self, provider: str) -> ProviderUnavailable | None:
        """Why it cannot be asked now; None while it can."""
        ...

    def request_transformer(self, provider: str) -> TransformRequest | None:
        """What it makes of requests; raises `ProviderUnavailable`. None where it takes them as they are."""
        ...

    def error_mapper(self, provider: str) -> MapError | None: ...


class NoHooks:
    """No plugin says anything."""

    def unavailable(self, provider: str) -> ProviderUnavailable | None:
        return None

    def request_transformer(self, provider: str) -> TransformRequest | None:
        return None

    def error_mapper(self, provider: str) -> MapError | None:
        return None


def transform_request(
    transform: TransformRequest, provider: str, body: bytes, *, dialect: str = ""
) -> tuple[bytes, bytes]:
    """``body`` as it should leave, and the head lines that are added to it. What is said in it stays as it came.

    Raises `InvalidRequest` for a body that cannot be read, and `ProviderUnavailable` where the plugin fails: then
    nothing may leave.
    """
    try:
        try:
            members = _members.decode(body)
        except msgspec.MsgspecError:
            members = _members.decode(whole(body))
        kept = {name: members[name] for name in _CONVERSATION if name in members}
        fields = {name: msgspec.json.decode(raw) for name, raw in members.items() if name not in kept}
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"the body cannot be read: {error}") from None
    model = str(fields.pop("model", ""))
    conversation = _conversations.name(provider, members)
    found = transform(UpstreamRequest(model=model, fields=fields, session_id=conversation, dialect=dialect))
    try:
        fields = {name: value for name, value in found.fields.items() if name not in kept and name != "model"}
        return msgspec.json.encode({"model": found.model} | fields | kept), _lines(found.headers)
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ProviderUnavailable(
            f"the plugin of the provider '{provider}' made a request that cannot be sent: {error}"
        ) from error


def _lines(headers: Mapping[str, str]) -> bytes:
    """Raises ValueError for what may not stand in a head, or is the gateway's own to say."""
    lines = b""
    for name, value in headers.items():
        if name.lower() in _OURS or name.lower().startswith("proxy-"):
            raise ValueError(f"the header {name!a} may not be set")
        lines += HeaderToken(name, value).line()
    return lines
