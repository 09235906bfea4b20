"""How is one provider asked for one model, and how does its answer go back?

Where client and provider speak the same dialect only the model's name is replaced in the client's bytes; otherwise a
`Translation` stands in between. What a plugin has to say about its provider comes last, in the provider's own dialect.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any
from urllib.parse import quote

from clawgate.errors import (
    InvalidRequest,
    UpstreamMalformed,
)
from clawgate.policy.model_routing import ModelRef
from clawgate.providers.provider import Model, Provider
from clawgate.relay.admission.plan import Asked
from clawgate.relay.interfaces import Buffer, ResponseHead, ResponseWriter
from clawgate.relay.response.completeness import CompletenessCheckedWriter
from clawgate.relay.response.error_mapping import ErrorMappingWriter
from clawgate.relay.response.stream_error_mapping import StreamErrorMappingWriter
from clawgate.relay.response.translated import TranslatingWriter
from clawgate.relay.response.writer import PassthroughWriter
from clawgate.relay.upstream.upstream import Upstream
from clawgate.routing.plugin_hooks import ProviderHooks, shaped
from clawgate.wire.dialect import Dialect, dialect_of
from clawgate.wire.json.model_field import ModelField
from clawgate.wire.translate.translator import Translation, translation

_CHAT, _MESSAGES = b"/v1/chat/completions", b"/v1/messages"
_VERSION = b"anthropic-version: "
_OUR_VERSION = _VERSION + b"2023-06-01\r\n"
"""A version has to be named (Anthropic's API reference, "Versions"); translations are written for this one."""
_JSON = b"content-type: application/json\r\n"
ASIDE_BYTES = 512 * 1024
"""A body from here on is translated away from the loop: a large one of many parts takes seconds."""
_OPENAIS_HOSTS = ("api.openai.com", ".openai.azure.com")
_OK = 200
_FAILED = 400
_PRINTABLE = "!#$&'()*+,/:;=?@[]~._-"


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """What the client sent."""

    asked: Asked
    path: bytes
    body: bytes
    named: ModelField


class ProviderAttempt:
    """One provider, asked for one model. Raises `InvalidRequest` where it cannot be asked in its dialect; so does
    ``aside``."""

    def __init__(
        self,
        upstream: Upstream,
        provider: Provider,
        ref: ModelRef,
        question: ModelRequest,
        failed: tuple[str, ...],
        now: float,
        hooks: ProviderHooks,
    ) -> None:
        self._shape = hooks.shape(provider.id)
        self._judge = hooks.judge(provider.id)
        self.upstream = upstream
        self.served_by = str(ref)
        self._client = dialect_of(question.path)
        self.names = _names(ref, failed)
        self._translation = _translation_for(provider, ref, question, int(now), first=not failed)
        self.spliced = self._translation is None and self._judge is None
        self._provider = provider
        self._asked = question.asked
        self.request: list[Buffer] = []
        self.aside: Callable[[], bytes] | None = None
        self._asks_chat = provider.api != Dialect.MESSAGES and question.path in (_CHAT, _MESSAGES)
        if self._translation is None:
            self.complete(question.named.replaced(question.body, ref.model))
        elif len(question.body) < ASIDE_BYTES:
            self.complete(self._translation.request(question.body))
        else:
            self.aside = partial(self._translation.request, question.body)

    def complete(self, body: bytes) -> None:
        """Make the request of ``body``, which is in the provider's dialect. Raises as the plugin's shaping does."""
        provider = self._provider
        target, lines = self._asked.target, self._asked.lines
        if self._translation is not None:
            target, lines = self._translation.target, _JSON
        if self._shape is not None:
            body, added = shaped(self._shape, provider.id, body, dialect=provider.api)
            lines += added
        if provider.headers:
            lines = _without(lines, {name.lower().encode() for name, _ in provider.headers})
        if provider.api == Dialect.MESSAGES and _VERSION not in lines and not _sets_version(provider):
            lines += _OUR_VERSION
        head = self.upstream.head(b"POST", target, lines, self._asked.via)
        self.request = [b"%bcontent-length: %d\r\n\r\n" % (head, len(body)), body]

    def writer(self, head: ResponseHead, *, http10: bool, close: bool, bodiless: bool) -> ResponseWriter:
        """Raises `UpstreamMalformed` for an answer that is a page, or cannot be translated."""
        if head.status < _FAILED and head.content_type[:9].lower() == b"text/html":
            raise UpstreamMalformed(
                f"{self.upstream.origin} answered with a web page: is something between here and the model's API?"
            )
        if head.status == _OK and head.length == 0:
            raise UpstreamMalformed(f"{self.upstream.origin} answered with nothing")
        if self._judge is not None and head.status >= _FAILED and not head.encoded:
            translation = self._translation
            return ErrorMappingWriter(
                head,
                self._judge,
                (lambda body: translation.refusal(head.status, body)) if translation else (lambda body: body),
                client=self._client,
                close=close,
                secrets=self.upstream.secrets,
                names=self.names,
            )
        writer = self._plain_writer(head, http10=http10, close=close, bodiless=bodiless)
        event_stream = head.content_type[:17].lower() == b"text/event-stream"
        if self._judge is not None and head.status < _FAILED and event_stream and not head.encoded:
            secrets = self.upstream.secrets
            return StreamErrorMappingWriter(writer, self._judge, secrets=secrets, chat=self._asks_chat)
        return writer

    def _plain_writer(
        self, head: ResponseHead, *, http10: bool, close: bool, bodiless: bool
    ) -> ResponseWriter:
        """Of an answer that is what it says."""
        if self._translation is None:
            given: dict[str, Any] = {
                "http10": http10,
                "close": close,
                "bodiless": bodiless,
                "secrets": self.upstream.secrets,
                "names": self.names,
                "dialect": self._client,
            }
            if self._client is Dialect.MESSAGES:
                return CompletenessCheckedWriter(head, origin=str(self.upstream.origin), **given)
            return PassthroughWriter(head, **given)
        return TranslatingWriter(
            head,
            self._translation,
            client=self._client,
            http10=http10,
            close=close,
            secrets=self.upstream.secrets,
            names=self.names,
            origin=str(self.upstream.origin),
        )


def _translation_for(
    provider: Provider, ref: ModelRef, question: ModelRequest, now: int, *, first: bool
) -> Translation | None:
    """None where the bytes can go as they are: the same dialect, or one of OpenAI's to a server of OpenAI's kind."""
    client, path = dialect_of(question.path), question.path
    if (client is Dialect.MESSAGES) == (provider.api == Dialect.MESSAGES):
        return None
    if path not in (_CHAT, _MESSAGES):
        raise InvalidRequest(
            f"the provider '{provider.id}' speaks {provider.api}, and {path.decode('ascii')} has no counterpart "
            f"there; use {_CHAT.decode()} or {_MESSAGES.decode()}, or a provider that speaks this dialect"
        )
    model = next((model for model in provider.models if model.id == ref.model), None)
    # Of OpenAI's models some refuse to be told how hard to think; Anthropic's are asked for it only by the client.
    reasons = model is None or model.reasoning or model.compat.get("supportsReasoningEffort") is True
    return translation(
        client,
        Dialect.MESSAGES if provider.api == Dialect.MESSAGES else Dialect.CHAT,
        requested_model=(question.named.name if first else None) or str(ref),
        upstream_model=ref.model,
        created=now,
        max_tokens=model.max_tokens if model is not None else None,
        max_tokens_field=_limit_field(provider, model),
        reasoning=reasons or provider.api == Dialect.MESSAGES,
    )


def _limit_field(provider: Provider, model: Model | None) -> str:
    """What the upstream calls the most tokens of an answer, unless the config says.

    OpenAI's reasoning models refuse `max_tokens`, which is all that some other servers know.
    """
    told = model.compat.get("maxTokensField") if model is not None else None
    if isinstance(told, str):
        return told
    host = provider.origin.host if provider.origin is not None else ""
    return "max_completion_tokens" if host.endswith(_OPENAIS_HOSTS) else "max_tokens"


@lru_cache(256)
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
