"""Of all that a provider's config says about credentials, which one leaves? Exactly one, or the reason why none does.

In this order: ``request.auth``; a credential among ``request.headers`` and ``headers``; ``apiKey``. What is configured
and not sent is noted, for the operator may have meant it. A source that is incomplete is never skipped in favour of
the next: the provider is not ready then. Keys and their meaning are OpenClaw's, save that a ``prefix`` is joined with
one blank, and that no two credentials ever leave together (recorded of OpenClaw 2026.9.6: both go wrong there).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from clawgate.providers.credential import Basic, Bearer, Credential, HeaderToken, NoCredential
from clawgate.settings.openclaw.schema import ProviderBlock, RequestAuth

_CREDENTIAL_LIKE = re.compile(
    r"token(?!s)|secret|api-?key|auth(?!or(?!i[sz]))|passw|credential|(?:^|-)key\Z|^cookie\Z", re.IGNORECASE
)
_NO_CREDENTIAL = frozenset({"idempotency-key"})
_REFUSED = {
    "proxy-authorization": "it is for a proxy: write the user and password into request.proxy.url",
    "cookie": "clawgate sends no cookies",
}
_OURS = frozenset(
    {
        "host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "expect", "via",
        "keep-alive", "proxy-connection", "content-type", "content-encoding", "accept-encoding",
    }
)  # fmt: skip
"""Fields that say how a message is framed or read; they are clawgate's to write."""

_SCHEMES = frozenset({"basic", "bearer", "token", "apikey", "api-key"})


@dataclass(frozen=True, slots=True)
class CredentialSelection:
    """``why_not`` is the reason why nothing may be sent; ``headers`` are what is left of the operator's own."""

    credential: Credential = field(default_factory=NoCredential)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    why_not: str | None = None
    notes: tuple[str, ...] = ()


def how_to_set(key: str, variable: str) -> str:
    """What to do about a reference at ``key`` that leads nowhere; other things than variables can be referred to."""
    if variable.isidentifier():
        return f"set {variable} ({key} refers to it)"
    return f"{key} refers to '{variable}', which clawgate cannot follow"


class _Incomplete(Exception):
    """Carries the reason to `choose_credential`."""


def looks_like_a_credential(header: str) -> bool:
    """Whether a header of this name would carry one; names alone are judged."""
    name = header.lower().replace("_", "-")
    return name not in _NO_CREDENTIAL and _CREDENTIAL_LIKE.search(name) is not None


def choose_credential(
    block: ProviderBlock, *, where: str, api: str, unset: Mapping[str, str], missing_key: str | None = None
) -> CredentialSelection:
    """``where`` is the provider's key path, for messages; never raises.

    ``unset``: key path within the provider (``apiKey``, ``headers.X-Team``) -> variable that is not set; its key may be
    missing in ``block``. ``missing_key``: why the provider cannot do without a key, None where it can.
    """
    try:
        return _Selector(block, where, api, unset).choose(missing_key)
    except _Incomplete as error:
        return CredentialSelection(why_not=str(error))
    except ValueError as error:
        return CredentialSelection(why_not=f"{where}: {error}")


class _Selector:
    """One provider's sources of a credential, and what is said about them."""

    def __init__(self, block: ProviderBlock, where: str, api: str, unset: Mapping[str, str]) -> None:
        self._block = block
        self._where = where
        self._api = api
        self._unset = unset
        self._notes: list[str] = []
        self._headers = self._merged_headers()

    def choose(self, missing_key: str | None) -> CredentialSelection:
        likely = [name for name in self._headers if looks_like_a_credential(name)]
        auth = self._block.request.auth
        credential: Credential
        if auth is not None and auth.mode != "provider-default":
            credential = self._from_auth(auth)
            self._not_sent(likely, "request.auth")
            self._key_not_sent("request.auth")
        elif likely:
            credential = self._from_headers(likely)
            self._key_not_sent(f"the header {self._headers[likely[0]].name}")
        elif self._has("apiKey", self._block.api_key is not None):
            credential = self._from_key()
        elif missing_key is not None:
            raise _Incomplete(missing_key)
        else:
            credential = NoCredential()
        rest = [held for name, held in self._headers.items() if name not in likely]
        return CredentialSelection(credential, self._plain(rest, credential), None, tuple(self._notes))

    def _has(self, key: str, present: bool) -> bool:
        return present or key in self._unset

    def _need(self, key: str, value: str | None, what: str = "its credential") -> str:
        """The value, or the reason why there is none."""
        if key in self._unset:
            raise _Incomplete(f"{what} is not set: {how_to_set(f'{self._where}.{key}', self._unset[key])}")
        if not value:
            raise _Incomplete(f"{what} is incomplete: set {self._where}.{key}")
        return value

    def _merged_headers(self) -> dict[str, _Header]:
        """By name in lower case; ``request.headers`` win, as in OpenClaw."""
        found: dict[str, _Header] = {}
        for key, headers in (
            ("headers", self._block.headers),
            ("request.headers", self._block.request.headers),
        ):
            waiting = [path.removeprefix(f"{key}.") for path in self._unset if path.startswith(f"{key}.")]
            values: dict[str, str | None] = {
                name: secret.get_secret_value() for name, secret in headers.items()
            }
            values |= dict.fromkeys(waiting)
            here = {name.lower(): _Header(name, value, f"{key}.{name}") for name, value in values.items()}
            if len(here) < len(values):
                raise _Incomplete(f"{self._where}.{key} holds the same header twice, in different spellings")
            found |= here
        return found

    def _from_auth(self, auth: RequestAuth) -> Credential:
        if auth.mode == "authorization-bearer":
            token = auth.token.get_secret_value() if auth.token is not None else None
            return Bearer(self._need("request.auth.token", token))
        name = self._need("request.auth.headerName", auth.header_name)
        value = auth.value.get_secret_value() if auth.value is not None else None
        value = self._need("request.auth.value", value)
        self._refuse(name, "request.auth.headerName")
        if name.lower() in _OURS:
            raise _Incomplete(f"{self._where}.request.auth.headerName: '{name}' is clawgate's own to write")
        return _in_header(name, value, (auth.prefix or "").strip())

    def _from_headers(self, likely: list[str]) -> Credential:
        held = self._headers[likely[0]]
        for name in likely:
            self._refuse(name, self._headers[name].key)
        if len(likely) > 1:
            names = ", ".join(self._headers[name].key for name in likely)
            raise _Incomplete(
                f"several headers look like credentials ({names}) and only one may leave: "
                f"keep one of them, or put it in {self._where}.request.auth"
            )
        return _in_header(held.name, self._need(held.key, held.value), "")

    def _from_key(self) -> Credential:
        key = self._block.api_key.get_secret_value() if self._block.api_key is not None else None
        key = self._need("apiKey", key)
        if self._api == "anthropic-messages" and self._block.auth_header is not True:
            return HeaderToken("x-api-key", key)
        return Bearer(key)

    def _refuse(self, name: str, key: str) -> None:
        if name.lower() in _REFUSED:
            raise _Incomplete(f"{self._where}.{key}: '{name}' is not sent: {_REFUSED[name.lower()]}")

    def _not_sent(self, names: Collection[str], because: str) -> None:
        self._notes += [f"{self._headers[name].key} is not sent: {because} is what leaves" for name in names]

    def _key_not_sent(self, because: str) -> None:
        if self._has("apiKey", self._block.api_key is not None):
            self._notes.append(f"apiKey is not sent: {because} is what leaves")

    def _plain(self, held: list[_Header], credential: Credential) -> tuple[tuple[str, str], ...]:
        """The headers without a credential; one that the credential itself stands in is not repeated."""
        taken = credential.line().partition(b":")[0].decode("ascii")
        kept: list[tuple[str, str]] = []
        for header in held:
            lower = header.name.lower()
            if lower in _OURS:
                self._notes.append(f"{header.key} is not sent: it is clawgate's own to write")
            elif lower == taken:
                self._notes.append(f"{header.key} is not sent: the credential stands in this header")
            else:
                value = self._need(header.key, header.value, f"its header {header.name}")
                HeaderToken(header.name, value)  # raises ValueError for what cannot stand in a head
                kept.append((header.name, value))
        return tuple(kept)


@dataclass(frozen=True, slots=True)
class _Header:
    """As it is configured: ``value`` is None where its variable is not set."""

    name: str
    value: str | None = field(repr=False)
    key: str


def _in_header(name: str, value: str, prefix: str) -> Credential:
    """The credential that ``name: prefix value`` is; a scheme within the value counts as the prefix."""
    if not prefix:
        scheme, blank, rest = value.partition(" ")
        if blank and scheme.lower() in _SCHEMES:
            prefix, value = scheme, rest.strip()
    if prefix.lower() == "basic":
        return Basic(value, name)
    if prefix.lower() == "bearer" and name.lower() == "authorization":
        return Bearer(value)
    return HeaderToken(name, value, prefix)
