"""Masks the credential that was sent upstream, wherever a response repeats it.

A mask is as long as what it hides, so a Content-Length stays true. Heads and errors are masked for every credential in
every spelling, content only for those that can be no word of it.
"""

from __future__ import annotations

import base64
from functools import lru_cache

from clawgate.errors import GatewayError

SHORTEST_IN_CONTENT = 16
"""The shortest credential that is looked for in content: a shorter one could be a word of a model's."""


@lru_cache(256)
def secrets_in_content(secrets: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Return the secrets that must not be in the content of a successful response."""
    return tuple(secret for secret in secrets if len(secret) >= SHORTEST_IN_CONTENT)


def masked(data: bytes, secrets: tuple[bytes, ...]) -> bytes:
    """Return ``data`` with asterisks in place of every secret."""
    for secret in secrets:
        if secret in data:
            data = data.replace(secret, b"*" * len(secret))
    return data


@lru_cache(256)
def _every_spelling(secrets: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Return the secrets also as a header's name has them, and as they are within a longer text in base64."""
    found = [*secrets, *(secret.lower() for secret in secrets)]
    for secret in secrets:
        for shift in range(3):
            # Three bytes are four characters; those at the ends depend on what is around the secret.
            text = base64.b64encode(bytes(shift) + secret)
            whole = text[4 if shift else 0 : (shift + len(secret)) // 3 * 4]
            found += [whole] if len(whole) >= SHORTEST_IN_CONTENT else []
    return tuple(dict.fromkeys(found))


def masked_fully(data: bytes, secrets: tuple[bytes, ...]) -> bytes:
    """Return ``data``, a head or an error, with asterisks in place of every secret in every spelling."""
    return masked(data, _every_spelling(secrets))


def shortest_spelling(secrets: tuple[bytes, ...]) -> int:
    """Return the length of the shortest spelling of a secret."""
    return min(map(len, _every_spelling(secrets)))


def masked_error(error: GatewayError, secrets: tuple[bytes, ...]) -> GatewayError:
    """Return ``error``, whose message may quote the upstream, without any secret."""
    message = error.message
    for secret in _every_spelling(secrets):
        message = message.replace(secret.decode("utf-8", "replace"), "*" * len(secret))
    return error if message == error.message else error.with_message(message)


class BodyMask:
    """Masks a body that arrives in pieces: its end is held back while it may be the beginning of a secret.

    ``fully``: it is an error, see `masked_fully`.
    """

    __slots__ = ("_held", "_secrets")

    def __init__(self, secrets: tuple[bytes, ...], *, fully: bool = False) -> None:
        self._secrets = _every_spelling(secrets) if fully else secrets
        self._held = b""

    @property
    def holds_back(self) -> bool:
        """Whether something that was fed has not been returned yet."""
        return bool(self._held)

    def feed(self, body: bytes) -> bytes:
        """Return what can be sent, masked."""
        body = masked(self._held + body, self._secrets)
        held = max((_secret_begun(secret, body) for secret in self._secrets), default=0)
        complete = len(body) - held
        self._held = body[complete:]
        return body[:complete]

    def flush(self) -> bytes:
        """Return what was held back: no more of the body comes."""
        held, self._held = self._held, b""
        return held


def _secret_begun(secret: bytes, body: bytes) -> int:
    """Return how many bytes at the end of ``body`` may be the beginning of ``secret``, which is not in it."""
    end = body[-len(secret) + 1 :]
    at = end.find(secret[:1])
    while at >= 0 and not secret.startswith(end[at:]):
        at = end.find(secret[:1], at + 1)
    return len(end) - at if at >= 0 else 0
