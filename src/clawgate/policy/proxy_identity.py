"""Identifies the user whom a reverse proxy has authenticated: OpenClaw's ``gateway.auth.mode: "trusted-proxy"``.

Law: an identity counts only from a peer that is a configured proxy, and from this machine only where that is allowed
by name: every process on it could claim to be the proxy (CVE-2026-53832). What is there twice is no identity. Source of
the rules and their order: OpenClaw 2026.9.6, its documentation and what it does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from clawgate.errors import InvalidToken, MissingScope, MissingToken
from clawgate.policy.client_ip import TrustedProxies
from clawgate.policy.headers import Headers
from clawgate.policy.local_hosts import is_loopback

SCOPES = b"x-openclaw-scopes"
"""By which a caller that is identified, and not by a secret, gives up rights."""
READ, WRITE, ADMIN = "operator.read", "operator.write", "operator.admin"
APPROVALS = "operator.approvals"
_IMPLIED = {READ: (WRITE, ADMIN), WRITE: (ADMIN,), APPROVALS: (ADMIN,), ADMIN: ()}
_LONGEST_USER = 200
_USER = "user:"
"""Before a user's name, so that none is the name of a token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyIdentity:
    """Header names are in lower case. Without ``users`` every user that the proxy names is admitted."""

    user_header: bytes
    required_headers: tuple[bytes, ...] = ()
    users: frozenset[str] = frozenset()
    allow_loopback: bool = False

    def caller(
        self, peer: str, proxies: TrustedProxies, headers: Headers, is_own: Callable[[str], bool]
    ) -> str:
        """Return the name of the caller. Raises `InvalidToken` for a request that names none, or none that may.

        ``is_own`` is whether an address is one of this machine.
        """
        if not proxies.includes(peer):
            raise InvalidToken(
                f"only its reverse proxy may send requests to this gateway, and {peer} is none"
            )
        if not is_loopback(peer) and is_own(peer):
            raise InvalidToken(
                f"{peer} is an address of this machine: a reverse proxy on it has to connect to 127.0.0.1, with "
                "gateway.auth.trustedProxy.allowLoopback: true"
            )
        if is_loopback(peer) and not self.allow_loopback:
            raise InvalidToken(
                f"a reverse proxy on this machine ({peer}) is trusted only with "
                "gateway.auth.trustedProxy.allowLoopback: true"
            )
        values: dict[bytes, bytes] = {}
        for name, value in headers:
            if name == self.user_header and name in values:
                raise InvalidToken(f"'{_text(name)}' is there twice; the proxy has to replace the client's")
            values[name] = value.strip()
        for name in (*self.required_headers, self.user_header):
            if not values.get(name):
                raise MissingToken(f"the reverse proxy sends no '{_text(name)}'")
        user = _decode(values[self.user_header])
        if user is None:
            raise InvalidToken(f"'{_text(self.user_header)}' is not the name of a user")
        if self.users and user not in self.users:
            raise InvalidToken(f"the user '{user}' is not in gateway.auth.trustedProxy.allowUsers")
        return _USER + user


def is_user(caller: str) -> bool:
    """Whether a caller is one of the users whom a proxy names, and not who has a secret of the gateway itself."""
    return caller.startswith(_USER)


def scopes_left(headers: Headers) -> frozenset[str] | None:
    """Return the rights that ``SCOPES`` leaves, those in each where it is there several times; None without it."""
    left: frozenset[str] | None = None
    for name, value in headers:
        if name == SCOPES:
            named = frozenset(text.strip() for text in value.decode("latin-1").split(","))
            has = frozenset(scope for scope in _IMPLIED if implies(named, scope))
            left = has if left is None else left & has
    return left


def implies(scopes: frozenset[str], needed: str) -> bool:
    """Whether ``scopes`` have the right ``needed``: who may do more may do less."""
    return not scopes.isdisjoint((needed, *_IMPLIED[needed]))


def check_scope(left: frozenset[str] | None, needed: str) -> None:
    """Raises `MissingScope` unless the rights that `scopes_left` returns have ``needed``; None is all."""
    if left is not None and needed not in left:
        raise MissingScope(f"missing scope: {needed}; the request gave it up with x-openclaw-scopes")


def _decode(value: bytes) -> str | None:
    try:
        user = value.decode()
    except UnicodeDecodeError:
        return None
    return user if user.isprintable() and len(user) <= _LONGEST_USER else None


def _text(name: bytes) -> str:
    return name.decode("latin-1")
