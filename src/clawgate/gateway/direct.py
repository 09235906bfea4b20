"""Which provider answers this body, and how is it asked? From ``provider/model`` to one upstream after the other.

A plan asks the provider that was named and nobody else, unless it is the configured default and the operator wrote
fallbacks. Where client and provider speak the same dialect only the model's name is replaced in the client's bytes;
otherwise a `Translation` stands in between, one for each attempt.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

from clawgate.errors import (
    GatewayError,
    ProviderNotConfigured,
    ProviderUnavailable,
    RequestRejected,
    UpstreamUnreachable,
)
from clawgate.policy.fallback import next_is_allowed
from clawgate.policy.model_route import Choice, ModelRef, resolve
from clawgate.providers.catalog import Catalog
from clawgate.providers.definition import Provider
from clawgate.relay.answer import AnswerWriter
from clawgate.relay.plan import Asked
from clawgate.relay.sides import AnswerHead, Piece, Writer
from clawgate.relay.translated import TranslatedAnswer
from clawgate.relay.upstream import Upstream
from clawgate.wire.dialect import Dialect, dialect_of
from clawgate.wire.model_name import NamedModel, find_model
from clawgate.wire.translation import Translation, translation

logger = logging.getLogger("clawgate.gateway")

_CHAT, _MESSAGES = b"/v1/chat/completions", b"/v1/messages"
_VERSION = b"anthropic-version: "
_OUR_VERSION = _VERSION + b"2023-06-01\r\n"
"""A version has to be named (Anthropic's API reference, "Versions"); translations are written for this one."""
_JSON = b"content-type: application/json\r\n"
_PRINTABLE = "!#$&'()*+,/:;=?@[]~._-"


class UpstreamMaker(Protocol):
    """Makes the connections of one provider. Raises ValueError or OSError with what is wrong with its settings."""

    def __call__(self, provider: Provider) -> Upstream: ...


class Direct:
    """The planner of the gateway: `use` gives it the providers, again and again as the config changes."""

    def __init__(self, make_upstream: UpstreamMaker, clock: Callable[[], float]) -> None:
        self._make_upstream = make_upstream
        self._clock = clock
        self._providers: dict[str, Provider] = {}
        self._upstreams: dict[str, Upstream] = {}
        self.catalog = Catalog({}, {}, None, ())
        self._listed: Mapping[str, Collection[str]] = {}

    @property
    def upstreams(self) -> Collection[Upstream]:
        """Those that are in use, now and whenever it is looked at again."""
        return self._upstreams.values()

    def use(self, catalog: Catalog) -> None:
        """Plan with ``catalog`` from now on. What is under way goes on as it began; connections of providers that
        did not change are kept."""
        self.catalog = catalog
        self._listed = catalog.listed()
        for name, provider in list(self._providers.items()):
            if catalog.providers.get(name) != provider:
                del self._providers[name]
                self._upstreams.pop(name).pool.retire()

    def upstream_of(self, provider: Provider) -> Upstream:
        """The connections of ``provider``. Raises `ProviderNotConfigured`."""
        known = self._upstreams.get(provider.id)
        if known is not None and self._providers[provider.id] == provider:
            return known
        why = provider.why_not_ready
        if why is None:
            try:
                upstream = self._make_upstream(provider)
            except (ValueError, OSError) as error:
                why = str(error)
            else:
                self._keep(provider, upstream)
                return upstream
        raise ProviderNotConfigured(f"the provider '{provider.id}' is not configured: {why}")

    def _keep(self, provider: Provider, upstream: Upstream) -> None:
        """For further requests, unless the config has gone on: then it serves this one alone."""
        if self.catalog.providers.get(provider.id) == provider:
            self._providers[provider.id] = provider
            self._upstreams[provider.id] = upstream
        else:
            upstream.pool.retire()

    def choose(self, asked: str) -> Choice:
        """Who is to answer ``asked``. Raises `ModelNotFound`."""
        catalog = self.catalog
        return resolve(
            asked,
            providers=catalog.providers,
            aliases=catalog.aliases,
            primary=catalog.primary,
            fallbacks=catalog.fallbacks,
            listed=self._listed,
        )

    def plan(self, asked: Asked, path: bytes, body: bytes) -> DirectPlan:
        """Raises `RequestRejected` for a body that cannot be read, `ModelNotFound`."""
        named = find_model(body)
        return DirectPlan(
            self, self.choose(named.name or ""), _Question(asked, path, body, named), self._clock
        )


@dataclass(frozen=True, slots=True)
class _Question:
    """What the client sent."""

    asked: Asked
    path: bytes
    body: bytes
    named: NamedModel


class DirectPlan:
    """The way of one request along its chain, which mostly has one link."""

    def __init__(
        self, direct: Direct, choice: Choice, question: _Question, clock: Callable[[], float]
    ) -> None:
        self._direct = direct
        self._catalog = direct.catalog
        self._chain = choice.chain
        self._question = question
        self._clock = clock
        self._next = 0
        self._asked: ModelRef | None = None
        self._failed: list[str] = []
        self.model = question.named.name or str(choice.ref)

    def first(self) -> DirectAttempt:
        """Raises `ProviderNotConfigured` where nobody along the chain can be asked, `RequestRejected`."""
        while True:
            ref = self._chain[self._next]
            self._next += 1
            provider = self._catalog.providers[ref.provider]
            try:
                _check_listed(provider, ref)
                upstream = self._direct.upstream_of(provider)
            except ProviderNotConfigured as error:
                if self._next == len(self._chain):
                    raise
                self._note(ref, f"not configured ({error.message})", "not configured")
                continue
            attempt = DirectAttempt(
                upstream, provider, ref, self._question, tuple(self._failed), self._clock()
            )
            self._asked = ref
            return attempt

    def after(self, *, status: int | None = None, error: GatewayError | None = None) -> DirectAttempt | None:
        """The next link, if the operator wrote one and this kind of failure lets it be tried."""
        if self._next == len(self._chain) or (reason := next_is_allowed(status, error)) is None:
            return None
        self._note(self._chain[self._next - 1], error.message if error is not None else reason, reason)
        try:
            return self.first()
        except GatewayError as broken:
            logger.warning("%s", broken.message)
            return None

    def final(self, error: GatewayError) -> GatewayError:
        """``error`` as the client is told of it: with the provider's name, and what else was tried."""
        ref = self._asked or self._chain[0]
        others = [failure for failure in self._failed if not failure.startswith(f"{ref} ")]
        before = f" (also: {', '.join(others)})" if others else ""
        if isinstance(error, UpstreamUnreachable):
            return ProviderUnavailable(
                f"the provider '{ref.provider}' is not available: {error.message}; is it running, and is "
                f"models.providers.{ref.provider}.baseUrl right?{before}",
                retry_after=error.retry_after,
            )
        return error.saying(error.message + before) if before else error

    def _note(self, ref: ModelRef, detail: str, reason: str) -> None:
        self._failed.append(f"{ref} {reason}")
        following = self._chain[self._next] if self._next < len(self._chain) else None
        logger.warning("%s failed: %s; the next fallback is %s", ref, detail, following)


class DirectAttempt:
    """One provider, asked for one model. Raises `RequestRejected` where it cannot be asked in its dialect."""

    def __init__(
        self,
        upstream: Upstream,
        provider: Provider,
        ref: ModelRef,
        question: _Question,
        failed: tuple[str, ...],
        now: float,
    ) -> None:
        self.upstream = upstream
        self.served_by = str(ref)
        self._client = dialect_of(question.path)
        self.names = _names(ref, failed)
        self._translation = _translation_for(provider, ref, question, int(now))
        self.request = self._ask(provider, ref, question)

    def _ask(self, provider: Provider, ref: ModelRef, question: _Question) -> list[Piece]:
        target, lines = question.asked.target, question.asked.lines
        if self._translation is None:
            body = question.named.replaced(question.body, ref.model)
        else:
            body = self._translation.request(question.body)
            target, lines = self._translation.target, _JSON
        if provider.headers:
            lines = _without(lines, {name.lower().encode() for name, _ in provider.headers})
        if provider.api == Dialect.MESSAGES and _VERSION not in lines and not _sets_version(provider):
            lines += _OUR_VERSION
        head = self.upstream.head(b"POST", target, lines, question.asked.via)
        return [b"%bcontent-length: %d\r\n\r\n" % (head, len(body)), body]

    def writer(self, head: AnswerHead, *, http10: bool, close: bool, bodiless: bool) -> Writer:
        """Raises `UpstreamMalformed` for an answer that cannot be translated."""
        if self._translation is None:
            return AnswerWriter(
                head,
                http10=http10,
                close=close,
                bodiless=bodiless,
                secrets=self.upstream.secrets,
                names=self.names,
                dialect=self._client,
            )
        return TranslatedAnswer(
            head,
            self._translation,
            client=self._client,
            http10=http10,
            close=close,
            secrets=self.upstream.secrets,
            names=self.names,
            origin=str(self.upstream.origin),
        )


def _translation_for(provider: Provider, ref: ModelRef, question: _Question, now: int) -> Translation | None:
    """None where the bytes can go as they are: the same dialect, or one of OpenAI's to a server of OpenAI's kind."""
    client, path = dialect_of(question.path), question.path
    if (client is Dialect.MESSAGES) == (provider.api == Dialect.MESSAGES):
        return None
    if path not in (_CHAT, _MESSAGES):
        raise RequestRejected(
            f"the provider '{provider.id}' speaks {provider.api}, and {path.decode('ascii')} has no counterpart "
            f"there; use {_CHAT.decode()} or {_MESSAGES.decode()}, or a provider that speaks this dialect"
        )
    model = next((model for model in provider.models if model.id == ref.model), None)
    field = model.compat.get("maxTokensField") if model is not None else None
    # Of OpenAI's models some refuse to be told how hard to think; Anthropic's are asked for it only by the client.
    reasons = model is None or model.reasoning or model.compat.get("supportsReasoningEffort") is True
    return translation(
        client,
        Dialect.MESSAGES if provider.api == Dialect.MESSAGES else Dialect.CHAT,
        requested_model=question.named.name or str(ref),
        upstream_model=ref.model,
        created=now,
        max_tokens=model.max_tokens if model is not None else None,
        max_tokens_field=field if isinstance(field, str) else "max_tokens",
        reasoning=reasons or provider.api == Dialect.MESSAGES,
    )


def _check_listed(provider: Provider, ref: ModelRef) -> None:
    """Raises `ProviderNotConfigured` for a model that the config wants asked at a place of its own."""
    model = next((model for model in provider.models if model.id == ref.model), None)
    if model is not None and model.elsewhere is not None:
        raise ProviderNotConfigured(
            f"the model '{ref}' has {model.elsewhere} of its own, which is not supported: make it a provider of its own"
        )


def _names(ref: ModelRef, failed: tuple[str, ...]) -> bytes:
    """Head lines that say who serves, and who was asked before."""
    lines = {"x-clawgate-provider": ref.provider, "x-clawgate-model": ref.model}
    if failed:
        lines["x-clawgate-attempts"] = "; ".join((*failed, str(ref)))
    return b"".join(
        f"{name}: {quote(value, safe=_PRINTABLE + ' ')[:1000]}\r\n".encode("ascii")
        for name, value in lines.items()
    )


def _without(lines: bytes, names: set[bytes]) -> bytes:
    """``lines`` but for those that the operator sets."""
    kept = [line for line in lines.split(b"\r\n") if line and line.partition(b":")[0] not in names]
    return b"".join(line + b"\r\n" for line in kept)


def _sets_version(provider: Provider) -> bool:
    return any(name.lower() == "anthropic-version" for name, _ in provider.headers)
