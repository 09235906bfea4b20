"""Chooses how requests for one model are changed: translated, fitted to its server, or not at all."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Sequence

import msgspec

from clawgate.errors import InvalidRequest
from clawgate.policy.model_routing import ModelRef
from clawgate.providers.built_in import OPENAI_HOSTS
from clawgate.providers.provider import Model, Provider
from clawgate.wire.dialect import Dialect
from clawgate.wire.json import strict
from clawgate.wire.json.model_field import ModelField
from clawgate.wire.translate.compat import NO_COMPAT, Compat
from clawgate.wire.translate.exchange import Translation
from clawgate.wire.translate.same_dialect import (
    CHAT,
    COUNT_TOKENS,
    INPUT_TOKENS,
    MESSAGES,
    RESPONSES,
    SameDialect,
)
from clawgate.wire.translate.token_count import InputTokensToCountTokens
from clawgate.wire.translate.translator import translation

_ANTHROPIC_HOST = "anthropic.com"
_OPENAI_HOST = "api.openai.com"


def compat_of(provider: Provider, model: Model | None) -> Compat:
    """Return how the model's server differs from its dialect, as far as the config says.

    Some of OpenAI's models reject a reasoning effort; Anthropic's get one only where the client sets it.
    """
    if model is None:
        return NO_COMPAT
    reasons = (
        model.reasoning or model.compat.supports_reasoning_effort is True or provider.api == Dialect.MESSAGES
    )
    return dataclasses.replace(model.compat, reasoning=reasons)


def same_dialect_changes(provider: Provider, compat: Compat) -> SameDialect:
    """Return what is changed in requests of clients that speak the provider's dialect."""
    return SameDialect(compat, is_anthropic=_is_anthropic(provider))


def is_vendor(provider: Provider) -> bool:
    """Whether this is Anthropic or OpenAI itself, whose API has each path of its reference."""
    return _is_anthropic(provider) or _host(provider) == _OPENAI_HOST


def _is_anthropic(provider: Provider) -> bool:
    host = _host(provider)
    return host == _ANTHROPIC_HOST or host.endswith(f".{_ANTHROPIC_HOST}")


def _host(provider: Provider) -> str:
    return provider.origin.host if provider.origin is not None else ""


TURNS = {CHAT: Dialect.CHAT, MESSAGES: Dialect.MESSAGES, RESPONSES: Dialect.RESPONSES}
"""The paths whose responses are a model's turn, which have a translation, and their dialects."""
COUNTS = {COUNT_TOKENS: Dialect.MESSAGES, INPUT_TOKENS: Dialect.RESPONSES}
"""The paths that count the tokens of such a request."""


def dialects_of(path: bytes) -> tuple[Dialect, ...]:
    """Return the dialects that have ``path``. Embeddings and completions of a text are beside both of OpenAI's."""
    own = TURNS.get(path) or COUNTS.get(path)
    return (own,) if own is not None else (Dialect.CHAT, Dialect.RESPONSES)


def spoken_upstream(path: bytes, apis: Sequence[str]) -> Dialect:
    """Return the dialect of a request upstream: that of ``path`` if it is among ``apis``, otherwise the first one."""
    return next((one for one in dialects_of(path) if one in apis), Dialect(apis[0]))


class _Kept(msgspec.Struct):
    """What a Responses request says of what its provider keeps."""

    previous_response_id: object = None
    conversation: object = None
    background: object = None


_kept = msgspec.json.Decoder(_Kept)


def is_bound(path: bytes, field: ModelField, body: bytes) -> bool:
    """Whether a request needs what the provider keeps that it names first, so that no other one can serve it."""
    if path != RESPONSES:
        return False
    if not field.names.isdisjoint(_Kept.__struct_fields__):
        named = strict.parse_request(body, _kept)
        if named.previous_response_id or named.conversation or named.background:
            return True
    return b'"item_reference"' in body  # within a text its quotes are escaped


def no_counterpart(provider: Provider, path: bytes) -> InvalidRequest | None:
    """Return the error of a request in another dialect than the provider's; None if its path has a translation."""
    if path in TURNS or path in COUNTS:
        return None
    return InvalidRequest(
        f"the provider '{provider.id}' speaks {provider.api}, and {path.decode('ascii')} has no counterpart "
        f"there; use {CHAT.decode()}, {MESSAGES.decode()} or {RESPONSES.decode()}, or a provider that speaks this "
        "dialect"
    )


def translation_to(
    provider: Provider,
    ref: ModelRef,
    model: Model | None,
    compat: Compat,
    *,
    path: bytes,
    upstream: Dialect,
    requested_model: str,
    created: int,
) -> Translation:
    """Return the translation to the dialect ``upstream``. Raises `InvalidRequest` for a path that has none."""
    if (error := no_counterpart(provider, path)) is not None:
        raise error
    made = translation(
        dialects_of(path)[0],
        upstream,
        requested_model=requested_model,
        upstream_model=ref.model,
        created=created,
        unique_id=secrets.token_hex(16),
        max_tokens=model.max_tokens if model is not None else None,
        max_tokens_field=_limit_field(provider),
        compat=compat,
        provider=provider.id,
    )
    return InputTokensToCountTokens(made) if path == INPUT_TOKENS else made


def _limit_field(provider: Provider) -> str:
    """Return the upstream's field for the most tokens of a response, unless the config names it.

    OpenAI's reasoning models reject `max_tokens`, which is all that some other servers know.
    """
    return "max_completion_tokens" if _host(provider).endswith(OPENAI_HOSTS) else "max_tokens"
