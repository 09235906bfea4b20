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
_CONVERSATION = ("messages", "system", "tools", "input", "instructions", "prompt")
_MAX_FIELD_BYTES = 1_048_576
"""The most bytes outside of the conversation: they become objects for the plugin, which take many times that."""
SESSION_HEADER = "x-claude-session-id"
"""The client's own name for its conversation. A session belongs to its caller: another one's is never reached by it."""
_LONGEST_SESSION = 200
_sessions = SessionTracker()  # one for the process: providers of several listeners may be the same
_RESERVED = frozenset(
    {
        "accept-encoding", "authorization", "connection", "content-length", "content-type", "cookie", "expect", "host",
        "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "user-agent", "via", "x-api-key",
    }
)  # fmt: skip
"""Headers that a plugin must not set: framing, credentials, and the gateway's own."""

LAST_LINES = "; its last lines: "
"""What separates the reason of an unavailable provider from the last output of its program."""

MapError = Callable[[int, bytes], MappedError | None]
TransformRequest = Callable[[UpstreamRequest], UpstreamRequest]


class ProviderHooks(Protocol):
    """The hooks of plugins, by the provider's id."""

    def unavailable(self, provider: str) -> ProviderUnavailable | None:
        """Return why no request may be sent to the provider now; None if it may."""

    def request_transformer(self, provider: str) -> TransformRequest | None:
        """Return the hook that changes requests, which raises `ProviderUnavailable`; None where there is none."""

    def error_mapper(self, provider: str) -> MapError | None:
        """Return the hook that maps error responses; None where there is none."""

    def further_apis(self, provider: str) -> tuple[str, ...]:
        """Return the APIs that the provider speaks beside those of the config."""


class HookRequest(msgspec.Struct, frozen=True, eq=False):
    """A request as read for a hook. ``conversation`` are the members that it does not see.

    ``client_names`` are the fields that the client set, in its own dialect.
    """

    shown: UpstreamRequest
    conversation: dict[str, msgspec.Raw]
    client_names: tuple[str, ...]


class TransformedRequest(msgspec.Struct, frozen=True, eq=False):
    """What a hook made: the body that leaves, the header lines that it adds, and what it ignores of the request.

    ``response_lines`` are header lines for the client: the name of its session, where the upstream was sent one.
    """

    body: bytes
    lines: bytes
    ignored: tuple[str, ...]
    model: str
    response_lines: bytes = b""


_EQUIVALENTS = {
    "stop": "stop_sequences", "stop_sequences": "stop", "max_completion_tokens": "max_tokens",
    "max_tokens": "max_completion_tokens", "max_output_tokens": "max_tokens",
}  # fmt: skip
"""A field of one dialect, and its name in the other."""


def read_for_hook(
    provider: str,
    body: bytes,
    *,
    dialect: str = "",
    client_body: bytes | None = None,
    caller: str = "",
    headers: Mapping[str, str] | None = None,
    is_turn: bool = True,
) -> HookRequest:
    """Split a body into what a hook is shown and the conversation. May run in a thread.

    ``client_body`` is the client's own, where ``body`` is a translation of it. ``is_turn`` is False for a request that
    the conversation does not continue with, such as a count of its tokens or an embedding: it gets no session.

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
    headers = headers or {}
    if own := headers.get(SESSION_HEADER):
        if not (own.isascii() and own.isprintable() and len(own) <= _LONGEST_SESSION):
            raise InvalidRequest(
                f"the header {SESSION_HEADER} must be up to {_LONGEST_SESSION} printable ASCII characters"
            )
        session_id = _sessions.of_caller(provider, caller, own)
    elif not is_turn:
        session_id = ""
    elif kept := _conversation_id(fields.get("conversation")):
        session_id = _sessions.of_caller(provider, caller, f"conversation {kept}")
    else:
        session_id = _sessions.session_id(provider, caller, members)
    shown = UpstreamRequest(
        model=model, fields=fields, session_id=session_id, dialect=dialect, client_headers=headers
    )
    names = members if client_body is None else strict.decode(client_body, _members)
    return HookRequest(shown, conversation, tuple(names))


def _conversation_id(conversation: object) -> str:
    """Return the id of the conversation that the upstream keeps; empty where a Responses request names none."""
    found = conversation.get("id") if isinstance(conversation, dict) else conversation
    return found if isinstance(found, str) else ""


def transform_request(transform: TransformRequest, provider: str, request: HookRequest) -> TransformedRequest:
    """Apply the hook; the conversation stays as it came.

    Raises `ProviderUnavailable` where the hook fails: then nothing may leave.
    """
    kept = request.conversation
    changed = transform(request.shown)
    try:
        fields = {
            name: value for name, value in changed.fields.items() if name not in kept and name != "model"
        }
        body = msgspec.json.encode({"model": changed.model} | fields | kept)
        ignored = [
            name
            for name in request.client_names
            if name in changed.ignored or _EQUIVALENTS.get(name) in changed.ignored
        ]
        session = request.shown.session_id
        name = request.shown.client_headers.get(SESSION_HEADER, session)
        is_sent = session and session in changed.headers.values()
        response_lines = _lines({SESSION_HEADER: name}) if is_sent else b""
        return TransformedRequest(
            body, _lines(changed.headers), tuple(ignored), changed.model, response_lines
        )
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
