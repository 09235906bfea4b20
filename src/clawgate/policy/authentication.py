"""Who is calling? Reads the presented token, knows the holders by hash, and locks out addresses that guess.

Tokens are never compared as text: both sides are hashed and every comparison takes the same time. No clock is
read here: ``now`` is seconds of any clock that only moves forward.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import TypeVar

from clawgate.errors import InvalidRequest, InvalidToken, MalformedRequest, MissingToken
from clawgate.policy.headers import Headers

_FIELDS = frozenset({b"x-proxy-token", b"authorization"})

_T = TypeVar("_T")


def presented_token(headers: Headers, *, api_key: bool = False) -> bytes | None:
    """The one token that a request presents, as ``X-Proxy-Token`` or ``Authorization: Bearer``; None without one.

    With ``api_key`` also as ``x-api-key``, which is how Anthropic's SDKs send theirs. Raises `InvalidRequest` when
    they differ and `MalformedRequest` when a field comes twice: a request with two credentials has no one caller.
    """
    fields = _FIELDS | {b"x-api-key"} if api_key else _FIELDS
    presented = [(name, value) for name, value in headers if name in fields]
    if len({name for name, _ in presented}) < len(presented):
        raise MalformedRequest("the request carries the same credential field twice")
    tokens = (_bearer(value) if name == b"authorization" else value for name, value in presented)
    found = {token for token in tokens if token}
    if len(found) > 1:
        raise InvalidRequest("two credential fields carry different tokens; send exactly one")
    return found.pop() if found else None


def _bearer(value: bytes) -> bytes:
    """The token of a Bearer value (RFC 6750 section 2.1; the scheme in any case), empty for another scheme."""
    scheme, _, token = value.partition(b" ")
    return token.strip(b" ") if scheme.lower() == b"bearer" else b""


@dataclass(frozen=True, slots=True)
class TokenStore:
    """The holders of tokens: (name, SHA-256 of the token) pairs, never the tokens themselves."""

    entries: tuple[tuple[str, bytes], ...]

    @classmethod
    def of(cls, tokens: dict[str, str]) -> TokenStore:
        """From name to token in plain text."""
        return cls(tuple((name, _digest(token.encode())) for name, token in tokens.items()))

    def holder(self, token: bytes | None) -> str:
        """The name of the token's holder; every entry is compared, found or not."""
        if token is None:
            raise MissingToken(
                "no token was presented; send it as 'X-Proxy-Token' or 'Authorization: Bearer <token>'"
            )
        digest = _digest(token)
        name = None
        for candidate, expected in self.entries:
            if hmac.compare_digest(digest, expected):
                name = candidate
        if name is None:
            raise InvalidToken("the presented token is not valid here")
        return name


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()


@dataclass(frozen=True, slots=True)
class LockoutRule:
    """``max_failures`` wrong tokens within ``window`` seconds lock an address out for ``lockout`` seconds."""

    max_failures: int = 10
    window: float = 60.0
    lockout: float = 300.0
    max_keys: int = 10_000


class AuthLockout:
    """Counts wrong tokens by address, within any window. A missing token is no guess and is not counted.

    Both maps are in the order of their times, and room is made at the front: a flood of new addresses pushes out
    the oldest counts and never a lock; only newer locks push out locks.
    """

    def __init__(self, rule: LockoutRule) -> None:
        self._rule = rule
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._locked_until: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._failures) + len(self._locked_until)

    def locked_for(self, key: str, now: float) -> int | None:
        """Whole seconds, rounded up, until ``key`` may try again; None if it may try now."""
        until = self._locked_until.get(key, now)
        return math.ceil(until - now) if until > now else None

    def any_locked(self, now: float) -> bool:
        """Whether any address is locked out; the newest lock is the last to end."""
        return bool(self._locked_until) and next(reversed(self._locked_until.values())) > now

    def failed(self, key: str, now: float) -> None:
        """One wrong token from ``key``. A lock is neither extended nor renewed while it lasts."""
        if self.locked_for(key, now) is not None:
            return
        failures = self._failures.pop(key, None) or deque()
        while failures and now - failures[0] >= self._rule.window:
            failures.popleft()
        failures.append(now)
        if len(failures) >= self._rule.max_failures:
            self._locked_until.pop(key, None)
            _put(self._locked_until, key, now + self._rule.lockout, self._rule.max_keys)
        else:
            _put(self._failures, key, failures, self._rule.max_keys)

    def succeeded(self, key: str) -> None:
        """A right token from ``key`` forgets its wrong ones."""
        if self._failures:
            self._failures.pop(key, None)


def _put(records: OrderedDict[str, _T], key: str, value: _T, most: int) -> None:
    """Add at the end; the oldest leaves when there is no room."""
    if len(records) >= most:
        records.popitem(last=False)
    records[key] = value
