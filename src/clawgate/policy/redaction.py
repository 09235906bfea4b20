"""What may a log line say? Anything but secrets: ours, which are known by value, and others', known by their shape."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from urllib.parse import quote

REDACTED = "***"

_TOKEN = r"[\w.~+/=-]"
_SHAPES = re.compile(
    # keys and OAuth tokens of Anthropic, keys of OpenAI and of those who took over its form; JSON web tokens
    r"(?<![A-Za-z0-9])(?:sk-ant-[\w-]{8,}|sk-[\w-]{12,}|eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?)"
    # what stands behind a name that announces a credential
    r"|(?P<named>(?i:authorization|x-api-key|proxy-token|(?:access|refresh|id)[_-]?token)[\"']?\s*[:=]\s*[\"']?"
    rf"(?i:(?:bearer|basic)\s+)?)(?=\S*\d){_TOKEN}{{8,}}"
    rf"|(?P<variable>\b[A-Z][A-Z0-9_]*(?:KEY|TOKEN|SECRET|PASSWORD)[\"']?\s*[:=]\s*[\"']?)(?=\S*\d){_TOKEN}{{8,}}"
    # "Bearer" may also begin a sentence; no word of one has a digit
    rf"|(?P<scheme>(?i:\bbearer\s+))(?=\S*\d){_TOKEN}{{8,}}",
)
"""Text that can only be a credential, whoever's it is: a child's program may print those that nobody told us of."""


def _blotted(found: re.Match[str]) -> str:
    return (found["named"] or found["variable"] or found["scheme"] or "") + REDACTED


class Redactor:
    """Replaces every spelling of the given secrets: as they are, percent-encoded, and in base64."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._spellings: list[str] = []
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
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

    def redact(self, text: str) -> str:
        """``text`` without any of them, and without what has the shape of one."""
        for spelling in self._spellings:
            if spelling in text:
                text = text.replace(spelling, REDACTED)
        return _SHAPES.sub(_blotted, text)
