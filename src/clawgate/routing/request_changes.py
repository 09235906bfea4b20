"""Chooses how requests for one model are changed: translated, fitted to its server, or not at all."""

from __future__ import annotations

import dataclasses
import secrets

from clawgate.errors import InvalidRequest
from clawgate.policy.model_routing import ModelRef
from clawgate.providers.provider import Model, Provider
from clawgate.wire.dialect import Dialect
from clawgate.wire.translate.compat import NO_COMPAT, Compat
from clawgate.wire.translate.exchange import Translation
from clawgate.wire.translate.same_dialect import CHAT, MESSAGES, SameDialect
from clawgate.wire.translate.translator import translation

_OPENAI_HOSTS = ("api.openai.com", ".openai.azure.com")
_ANTHROPIC_HOST = "anthropic.com"


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
    host = provider.origin.host if provider.origin is not None else ""
    is_anthropic = host == _ANTHROPIC_HOST or host.endswith(f".{_ANTHROPIC_HOST}")
    return SameDialect(compat, is_anthropic=is_anthropic)


def no_counterpart(provider: Provider, path: bytes) -> InvalidRequest | None:
    """Return the error of a request in another dialect than the provider's; None if its path has a translation."""
    if path in (CHAT, MESSAGES):
        return None
    return InvalidRequest(
        f"the provider '{provider.id}' speaks {provider.api}, and {path.decode('ascii')} has no counterpart "
        f"there; use {CHAT.decode()} or {MESSAGES.decode()}, or a provider that speaks this dialect"
    )


def translation_to(
    provider: Provider,
    ref: ModelRef,
    model: Model | None,
    compat: Compat,
    *,
    path: bytes,
    client: Dialect,
    requested_model: str,
    created: int,
) -> Translation:
    """Return the translation to the provider's dialect. Raises `InvalidRequest` for a path that has none."""
    if (error := no_counterpart(provider, path)) is not None:
        raise error
    return translation(
        client,
        Dialect.MESSAGES if provider.api == Dialect.MESSAGES else Dialect.CHAT,
        requested_model=requested_model,
        upstream_model=ref.model,
        created=created,
        unique_id=secrets.token_hex(12),
        max_tokens=model.max_tokens if model is not None else None,
        max_tokens_field=_limit_field(provider),
        compat=compat,
        provider=provider.id,
    )


def _limit_field(provider: Provider) -> str:
    """Return the upstream's field for the most tokens of a response, unless the config names it.

    OpenAI's reasoning models reject `max_tokens`, which is all that some other servers know.
    """
    host = provider.origin.host if provider.origin is not None else ""
    return "max_completion_tokens" if host.endswith(_OPENAI_HOSTS) else "max_tokens"
