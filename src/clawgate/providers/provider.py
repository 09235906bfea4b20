"""What is known of a configured model provider? Where it is, how it speaks, its one credential, and what it lacks.

A value without behaviour on the wire: nothing is dialled here, and nothing here shows a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from clawgate.providers.credential import Basic, Bearer, Credential, HeaderToken, NoCredential
from clawgate.wire.http.url import Origin

_SHORTEST_MASKED = 8


@dataclass(frozen=True, slots=True)
class Model:
    """A model that the config lists. ``max_tokens`` and ``context_window`` in tokens, None where it does not say."""

    id: str
    name: str
    max_tokens: int | None = None
    context_window: int | None = None
    input: tuple[str, ...] = ("text",)
    reasoning: bool = False
    compat: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    elsewhere: str | None = None
    """A setting that wants it asked in another way than its provider's other models, which cannot be done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One of ``models.providers``, or a built-in.

    ``path`` takes the place of ``/v1`` in a target, so it holds the ``v1`` itself where the API has one.
    ``headers`` are the operator's own, without a credential. ``trusted``: loopback and private addresses may be
    dialled; ``trust_setting`` is the key that says so. ``ca``, ``certificate`` and ``key`` are PEM files or texts.
    ``proxy`` is ``http://[user:password@]host:port``. ``why_not_ready`` is the reason with its next step, None when
    requests can be sent. ``origin`` is None only where that is why. ``notes`` are for the operator to read.
    """

    id: str
    api: str
    origin: Origin | None
    path: str = ""
    credential: Credential = field(default_factory=NoCredential)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    trusted: bool = False
    trust_setting: str = ""
    timeout_seconds: float | None = None
    models: tuple[Model, ...] = ()
    ca: str | None = None
    certificate: str | None = None
    key: str | None = field(default=None, repr=False)
    server_name: str | None = None
    insecure: bool = False
    proxy: str | None = field(default=None, repr=False)
    built_in: bool = False
    why_not_ready: str | None = None
    notes: tuple[str, ...] = ()

    def why_not(self, model: str) -> str | None:
        """Why requests for ``model`` cannot be sent there, with the next step; None when they can."""
        if self.why_not_ready is not None:
            return self.why_not_ready
        listed = next((known for known in self.models if known.id == model), None)
        if listed is None or listed.elsewhere is None:
            return None
        return (
            f"the model '{self.id}/{model}' has {listed.elsewhere} of its own, which is not supported: "
            "make it a provider of its own"
        )

    @property
    def base_url(self) -> str:
        """Where requests go, for people; empty where nothing is known."""
        return "" if self.origin is None else f"{self.origin}{self.path}"

    @property
    def auth_kind(self) -> str:
        """``bearer``, ``basic``, ``x-api-key``, ``header <Name>`` or ``none``."""
        credential = self.credential
        if isinstance(credential, Bearer):
            return "bearer"
        if isinstance(credential, Basic):
            return "basic" if credential.name.lower() == "authorization" else f"header {credential.name}"
        if isinstance(credential, HeaderToken):
            name, scheme = credential.name.lower(), credential.scheme.lower()
            if name == "authorization" and scheme == "bearer":
                return "bearer"
            return "x-api-key" if name == "x-api-key" else f"header {credential.name}"
        return "none"

    def masked(self) -> str:
        """The credential's ends, ``b...e``: enough to tell two apart, too little to use. Empty for none."""
        if isinstance(self.credential, Basic):
            return mask(self.credential.encoded)
        secrets = self.credential.secrets()
        return mask(secrets[0].decode("ascii", "replace")) if secrets else ""

    def secrets(self) -> tuple[str, ...]:
        """All that no log and no answer may show: the credential's spellings, the proxy's user info, a key's text."""
        found = [secret.decode("utf-8", "replace") for secret in self.credential.secrets()]
        userinfo = (self.proxy or "").partition("://")[2].rpartition("@")[0]
        found += [userinfo, userinfo.partition(":")[2]]
        if self.key is not None and "-----BEGIN" in self.key:
            found.append(self.key)
        return tuple(text for text in found if text)


def mask(secret: str) -> str:
    """First and last character of a secret; of a short one nothing at all."""
    return f"{secret[0]}...{secret[-1]}" if len(secret) >= _SHORTEST_MASKED else "..."
