"""What may a log line say? Anything but our secrets, which are known by value and blotted out."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from urllib.parse import quote

BLOT = "***"


class Redactor:
    """Replaces every spelling of the given secrets: as they are, percent-encoded, and in base64."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._spellings: list[str] = []
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        """These are secrets too."""
        spellings = set(self._spellings)
        for secret in secrets:
            if secret:
                spellings |= {
                    secret,
                    quote(secret, safe=""),
                    base64.b64encode(secret.encode()).decode("ascii"),
                }
        self._spellings = sorted(spellings, key=len, reverse=True)

    def clean(self, text: str) -> str:
        """``text`` without any of them."""
        for spelling in self._spellings:
            if spelling in text:
                text = text.replace(spelling, BLOT)
        return text
