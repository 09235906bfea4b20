"""Selects the one credential of a provider from its config: exactly one, or the problem why there is none.

Law, the first source that is configured counts:

1. ``request.auth``
2. a credential among ``request.headers`` and ``headers``
3. ``apiKey``

An incomplete source is never skipped in favour of the next: the provider has a problem then. What is configured and not
sent is noted, since the operator may have meant it. Keys and their meaning are OpenClaw's, but that a ``prefix`` is
joined with one space, and that two credentials are never sent together (recorded of OpenClaw 2026.9.6: both go wrong
there).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from clawgate.policy.secret_names import is_credential_header
from clawgate.providers.credential import Basic, Credential, HeaderToken, NoCredential, bearer
from clawgate.settings.schema.openclaw import ProviderBlock, RequestAuth

_NEVER_SENT = {
    "proxy-authorization": "it is for a proxy; put user and password into request.proxy.url",
    "cookie": "clawgate sends no cookies",
}
_RESERVED = frozenset(
    {
        "host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "expect", "via",
        "keep-alive", "proxy-connection", "content-type", "content-encoding", "accept-encoding",
    }
)  # fmt: skip
"""Headers of framing and encoding, which clawgate sets."""

UNSENT_KEY = "clawgate-unused"
"""An ``apiKey`` that is none, for OpenClaw, which needs one beside a Basic credential and for a server without any."""

_SCHEMES = frozenset({"basic", "bearer", "token", "apikey", "api-key"})


@dataclass(frozen=True, slots=True)
class CredentialSelection:
    """``problem`` is why nothing may be sent; ``headers`` are the operator's without a credential."""

    credential: Credential = field(default_factory=NoCredential)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    problem: str | None = None
    notes: tuple[str, ...] = ()


def how_to_set(key: str, variable: str) -> str:
    """Return the fix for a reference at ``key`` that is not set; it may refer to something else than a variable."""
    if variable.isidentifier():
        return f"set {variable} ({key} refers to it)"
    return f"{key} refers to '{variable}', which clawgate cannot follow"


class _Incomplete(Exception):
    """Carries the problem to `choose_credential`."""


def choose_credential(
    block: ProviderBlock, *, key_path: str, api: str, unset: Mapping[str, str], missing_key: str | None = None
) -> CredentialSelection:
    """Select the credential of ``block``. Never raises.

    ``key_path`` is the provider's key path, for messages. ``unset`` maps a key path within the provider (``apiKey``,
    ``headers.X-Team``) to its variable that is not set; the key may be missing in ``block``. ``missing_key`` is the
    problem of a provider that needs a key; None where it needs none.
    """
    try:
        return _Selector(block, key_path, api, unset).choose(missing_key)
    except _Incomplete as error:
        return CredentialSelection(problem=str(error))
    except ValueError as error:
        return CredentialSelection(problem=f"{key_path}: {error}")


class _Selector:
    """The sources of one provider's credential, and the notes about them."""

    def __init__(self, block: ProviderBlock, key_path: str, api: str, unset: Mapping[str, str]) -> None:
        self._block = block
        self._key_path = key_path
        self._api = api
        self._unset = unset
        self._notes: list[str] = []
        self._headers = self._merged_headers()
        self._key = block.api_key.get_secret_value() if block.api_key is not None else None

    def choose(self, missing_key: str | None) -> CredentialSelection:
        likely = [name for name in self._headers if is_credential_header(name)]
        auth = self._block.request.auth
        credential: Credential
        if auth is not None and auth.mode != "provider-default":
            credential = self._from_auth(auth)
            self._note_unsent(likely, "request.auth")
            self._note_unsent_key("request.auth", credential)
        elif likely:
            credential = self._from_headers(likely)
            self._note_unsent_key(f"the header {self._headers[likely[0]].name}", credential)
        elif self._has("apiKey", self._key not in (None, UNSENT_KEY)):
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
        """Return the value. Raises `_Incomplete` where there is none."""
        if key in self._unset:
            raise _Incomplete(f"{what} is not set: {how_to_set(f'{self._key_path}.{key}', self._unset[key])}")
        if not value:
            raise _Incomplete(f"{what} is incomplete: set {self._key_path}.{key}")
        return value

    def _merged_headers(self) -> dict[str, _Header]:
        """Return headers by name in lower case; ``request.headers`` win, as in OpenClaw."""
        merged: dict[str, _Header] = {}
        for key, headers in (
            ("headers", self._block.headers),
            ("request.headers", self._block.request.headers),
        ):
            unset_names = [path.removeprefix(f"{key}.") for path in self._unset if path.startswith(f"{key}.")]
            values: dict[str, str | None] = {
                name: secret.get_secret_value() for name, secret in headers.items()
            }
            values |= dict.fromkeys(unset_names)
            by_name = {name.lower(): _Header(name, value, f"{key}.{name}") for name, value in values.items()}
            if len(by_name) < len(values):
                raise _Incomplete(f"{self._key_path}.{key} has the same header twice, in different spellings")
            merged |= by_name
        return merged

    def _from_auth(self, auth: RequestAuth) -> Credential:
        if auth.mode == "authorization-bearer":
            token = auth.token.get_secret_value() if auth.token is not None else None
            return bearer(self._need("request.auth.token", token))
        name = self._need("request.auth.headerName", auth.header_name)
        value = auth.value.get_secret_value() if auth.value is not None else None
        value = self._need("request.auth.value", value)
        self._reject(name, "request.auth.headerName")
        if name.lower() in _RESERVED:
            raise _Incomplete(
                f"{self._key_path}.request.auth.headerName: '{name}' is a header that clawgate sets itself"
            )
        return _in_header(name, value, (auth.prefix or "").strip())

    def _from_headers(self, likely: list[str]) -> Credential:
        held = self._headers[likely[0]]
        for name in likely:
            self._reject(name, self._headers[name].key)
        if len(likely) > 1:
            names = ", ".join(self._headers[name].key for name in likely)
            raise _Incomplete(
                f"several headers look like credentials ({names}) and only one may be sent; "
                f"keep one of them, or put it into {self._key_path}.request.auth"
            )
        return _in_header(held.name, self._need(held.key, held.value), "")

    def _from_key(self) -> Credential:
        key = self._need("apiKey", self._key)
        if self._api == "anthropic-messages" and self._block.auth_header is not True:
            return HeaderToken("x-api-key", key)
        return bearer(key)

    def _reject(self, name: str, key: str) -> None:
        if name.lower() in _NEVER_SENT:
            raise _Incomplete(f"{self._key_path}.{key}: '{name}' is not sent: {_NEVER_SENT[name.lower()]}")

    def _note_unsent(self, names: Collection[str], used: str) -> None:
        self._notes += [f"{self._headers[name].key} is not sent: {used} is used instead" for name in names]

    def _note_unsent_key(self, used: str, credential: Credential) -> None:
        for_openclaw = self._key == UNSENT_KEY or (self._key or "").encode() in credential.secrets()
        if self._has("apiKey", self._key is not None) and not for_openclaw:
            self._notes.append(f"apiKey is not sent: {used} is used instead")

    def _plain(self, held: list[_Header], credential: Credential) -> tuple[tuple[str, str], ...]:
        """Return the headers without a credential, and without the one that carries the credential."""
        taken = credential.line().partition(b":")[0].decode("ascii")
        kept: list[tuple[str, str]] = []
        for header in held:
            lower = header.name.lower()
            if lower in _RESERVED:
                self._notes.append(f"{header.key} is not sent: clawgate sets this header itself")
            elif lower == taken:
                self._notes.append(f"{header.key} is not sent: the credential uses this header")
            else:
                value = self._need(header.key, header.value, f"its header {header.name}")
                HeaderToken(header.name, value)  # raises ValueError for what is no header
                kept.append((header.name, value))
        return tuple(kept)


@dataclass(frozen=True, slots=True)
class _Header:
    """A configured header; ``value`` is None where its variable is not set."""

    name: str
    value: str | None = field(repr=False)
    key: str


def _in_header(name: str, value: str, prefix: str) -> Credential:
    """Return the credential for ``name: prefix value``; a scheme within the value counts as the prefix."""
    if not prefix:
        scheme, blank, rest = value.partition(" ")
        if blank and scheme.lower() in _SCHEMES:
            prefix, value = scheme, rest.strip()
    if prefix.lower() == "basic":
        return Basic(value, name)
    if prefix.lower() == "bearer" and name.lower() == "authorization":
        return bearer(value)
    return HeaderToken(name, value, prefix)
