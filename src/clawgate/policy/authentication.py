"""Authenticates callers by the token that they present, and locks out addresses that guess tokens.

Must not compare tokens as text: both sides are hashed and every comparison takes the same time. Must not read a clock:
``now`` is in seconds of any clock that only moves forward.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from clawgate.errors import (
    InvalidRequest,
    InvalidToken,
    MalformedRequest,
    MissingToken,
    TokensUnreadable,
)
from clawgate.policy.headers import Headers

_HEADERS = frozenset({b"x-proxy-token", b"authorization"})

_T = TypeVar("_T")


def presented_token(headers: Headers, *, api_key: bool = False) -> bytes | None:
    """Return the one token of a request, from ``X-Proxy-Token`` or ``Authorization: Bearer``; None without one.

    With ``api_key`` also from ``x-api-key``, where Anthropic's SDKs send theirs. Raises `InvalidRequest` when two
    tokens differ and `MalformedRequest` for a header given twice: a request with two credentials has no one caller.
    """
    names = _HEADERS | {b"x-api-key"} if api_key else _HEADERS
    presented = [(name, value) for name, value in headers if name in names]
    if len({name for name, _ in presented}) < len(presented):
        raise MalformedRequest("duplicate credential header; send the token once")
    tokens = (_bearer(value) if name == b"authorization" else value for name, value in presented)
    different = {token for token in tokens if token}
    if len(different) > 1:
        raise InvalidRequest("two credential headers with different tokens; send exactly one")
    return different.pop() if different else None


def _bearer(value: bytes) -> bytes:
    """Return the token of a Bearer value (RFC 6750 2.1; the scheme in any case), empty for another scheme."""
    scheme, _, token = value.partition(b" ")
    return token.strip(b" ") if scheme.lower() == b"bearer" else b""


KnownToken = str | bytes
"""A token that admits callers: in plain text, or as bytes the SHA-256 of one."""

_RETRY_SECONDS = 2
"""After a mistake in a file was corrected, the next request passes: files are looked at twice a second."""


@dataclass(frozen=True, slots=True)
class TokenStore:
    """The known callers: (name, SHA-256 of the token) pairs, never the tokens themselves.

    Without entries it is closed: no caller is admitted, because the source of the tokens cannot be used. ``until`` says
    until when, where it is known that no token is wrong. ``shown_by`` is the command that prints the token.
    """

    entries: tuple[tuple[str, bytes], ...]
    until: str = ""
    shown_by: str = ""

    @classmethod
    def of(cls, tokens: Mapping[str, KnownToken], shown_by: str = "") -> TokenStore:
        """Make a store of ``tokens`` by name."""
        return cls(tuple((name, digest_of(token)) for name, token in tokens.items()), shown_by=shown_by)

    @classmethod
    def closed(cls, until: str = "") -> TokenStore:
        """Make a store that admits no caller. No token is a guess then: none can be right."""
        return cls((), until)

    @property
    def is_closed(self) -> bool:
        return not self.entries

    def authenticate(self, token: bytes | None) -> str:
        """Return the name of the token's owner. Compares every entry, whether one matches or not.

        Raises `TokensUnreadable`, `MissingToken` for None, `InvalidToken` for an unknown token.
        """
        if self.until:
            raise TokensUnreadable(f"no token is accepted until {self.until}", retry_after=_RETRY_SECONDS)
        source = f"; on the gateway's machine it is printed by: {self.shown_by}" if self.shown_by else ""
        if token is None:
            raise MissingToken(
                f"missing token; send it as 'X-Proxy-Token: <token>' or 'Authorization: Bearer <token>'{source}"
            )
        if self.is_closed:
            raise InvalidToken(
                "no token is accepted now, because the tokens of this listener cannot be read; its log says why"
            )
        digest = _digest(token)
        name = None
        for candidate, expected in self.entries:
            if hmac.compare_digest(digest, expected):
                name = candidate
        if name is None:
            raise InvalidToken(f"unknown token; check the token that this client is configured with{source}")
        return name


def digest_of(token: KnownToken) -> bytes:
    """Return the SHA-256 of a token."""
    return token if isinstance(token, bytes) else _digest(token.encode())


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()


@dataclass(frozen=True, slots=True)
class LockoutRule:
    """``max_failures`` wrong tokens within ``window`` seconds lock an address out for ``lockout`` seconds."""

    max_failures: int = 10
    window: float = 60.0
    lockout: float = 300.0
    max_keys: int = 10_000


_MAX_NEWS = 1000
"""Wrong tokens that are kept until others can learn of them."""
_ROUNDING = 1e-6
"""The error of a difference of two clock readings: (now + 120) - now may be more than 120."""


class AuthLockout:
    """Counts wrong tokens by address, within any window. A missing token is no guess and is not counted.

    Invariant: both maps are ordered by time, and the oldest entry is evicted. A flood of new addresses evicts the
    oldest counts and never a lock; only newer locks evict locks.
    """

    def __init__(self, rule: LockoutRule) -> None:
        self._rule = rule
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._locked_until: OrderedDict[str, float] = OrderedDict()
        self._news: deque[tuple[str, float]] = deque(maxlen=_MAX_NEWS)

    def __len__(self) -> int:
        return len(self._failures) + len(self._locked_until)

    def locked_for(self, key: str, now: float) -> int | None:
        """Return whole seconds, rounded up, until ``key`` may try again; None if it may try now."""
        until = self._locked_until.get(key, now)
        return max(math.ceil(until - now - _ROUNDING), 1) if until > now else None

    def record_failure(self, key: str, now: float, *, is_own: bool = True) -> None:
        """Count a wrong token from ``key``. A lock is neither extended nor renewed while it lasts.

        ``is_own`` is false for one that another process has counted.
        """
        if self.locked_for(key, now) is not None:
            return
        if is_own:
            self._news.append((key, now))
        failures = self._failures.pop(key, None) or deque()
        while failures and now - failures[0] >= self._rule.window:
            failures.popleft()
        failures.append(now)
        if len(failures) >= self._rule.max_failures:
            self._locked_until.pop(key, None)
            _put(self._locked_until, key, max(failures) + self._rule.lockout, self._rule.max_keys)
        else:
            _put(self._failures, key, failures, self._rule.max_keys)

    def record_success(self, key: str) -> None:
        """Forget the wrong tokens of ``key``: it presented a valid one."""
        if self._failures:
            self._failures.pop(key, None)

    def take_news(self) -> list[tuple[str, float]]:
        """Return what this process has counted since the last call, as far as it is kept: keys, and when."""
        news = list(self._news)
        self._news.clear()
        return news

    def locked(self, now: float) -> list[tuple[str, float]]:
        """Return the keys that are locked out, and until when."""
        return [(key, until) for key, until in self._locked_until.items() if until > now]

    def lock(self, key: str, now: float, seconds: float) -> None:
        """Lock ``key`` out as another process has: for no longer than the rule says."""
        if self.locked_for(key, now) is None:
            self._failures.pop(key, None)
            _put(self._locked_until, key, now + min(seconds, self._rule.lockout), self._rule.max_keys)


class GuessDelay:
    """Slows wrong tokens where none leads to a lockout: each is responded to later than the one before it.

    A right token is never delayed and begins anew. Source: OpenClaw 2026.9.6, recorded.
    """

    def __init__(self, first: float = 0.25, longest: float = 5.0) -> None:
        self._first, self._longest = first, longest
        self._seconds = 0.0

    def record_failure(self) -> float:
        """Return by how many seconds the response to a wrong token is delayed."""
        self._seconds = min(self._seconds * 2 or self._first, self._longest)
        return self._seconds

    def record_success(self) -> None:
        self._seconds = 0.0


def _put(records: OrderedDict[str, _T], key: str, value: _T, max_keys: int) -> None:
    """Append; evict the oldest entry if there is no room."""
    if len(records) >= max_keys:
        records.popitem(last=False)
    records[key] = value
