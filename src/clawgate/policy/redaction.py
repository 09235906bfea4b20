"""Redacts secrets from log lines: known ones by value, unknown ones by the shape of a credential.

Must take linear time: strangers write into the texts. So a token is matched with possessive quantifiers, a lookahead is
bounded, and no pattern scans the same run of characters from several starts.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from urllib.parse import quote

REDACTED = "***"
SHORTEST_SECRET = 8
"""Shorter secrets are not searched for in responses and logs: they would be found in ordinary words."""

_TOKEN = r"[\w.~+/=-]{8,}+"
_HAS_DIGIT = r"(?=[^\s\d]{0,64}+\d)"
"""A credential has a digit within its first characters, an ordinary word has none."""

_JWT = re.compile(r"(?<![A-Za-z0-9])eyJ[\w-]{8,}+(?P<payload>\.[\w-]{8,}+(?:\.[\w-]*+)?)?")
"""JSON web tokens. Without a payload the match is kept, so that the next search begins behind it."""
_SHAPES = re.compile(
    # API keys and OAuth tokens of Anthropic; API keys of OpenAI and of providers with its form
    r"(?<![A-Za-z0-9])(?:sk-ant-[\w-]{8,}+|sk-[\w-]{12,}+)"
    # the value of a named credential
    r"|(?P<named>(?i:authorization|x-api-key|proxy-token|(?:access|refresh|id)[_-]?token)[\"']?+\s*+[:=]\s*+[\"']?+"
    rf"(?i:(?:bearer|basic)\s++)?){_HAS_DIGIT}{_TOKEN}"
    rf"|(?P<variable>\b[A-Z][A-Z0-9_]*(?:KEY|TOKEN|SECRET|PASSWORD)[\"']?+\s*+[:=]\s*+[\"']?+){_HAS_DIGIT}{_TOKEN}"
    # "Bearer" may also begin a sentence, whose words have no digit
    rf"|(?P<scheme>(?i:\bbearer\s++)){_HAS_DIGIT}{_TOKEN}",
)
"""Text that can only be a credential: a child's program may print one that is not configured here."""


def _redact_jwt(match: re.Match[str]) -> str:
    return REDACTED if match["payload"] else match[0]


def _redact_shape(match: re.Match[str]) -> str:
    return (match["named"] or match["variable"] or match["scheme"] or "") + REDACTED


class Redactor:
    """Replaces every spelling of the given secrets: plain, as JSON has it, percent-encoded and base64."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._spellings: list[str] = []
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        spellings = set(self._spellings)
        for secret in secrets:
            if secret:
                spellings |= {json.dumps(secret, ensure_ascii=plain)[1:-1] for plain in (True, False)}
                spellings |= {secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode()}
        self._spellings = sorted(spellings, key=len, reverse=True)

    def redact(self, text: str) -> str:
        """Return ``text`` without the secrets and without anything that has the shape of one."""
        return _SHAPES.sub(_redact_shape, _JWT.sub(_redact_jwt, self.redact_known(text)))

    def redact_known(self, text: str) -> str:
        """Return ``text`` without the secrets: it may be content, in which examples of credentials are kept."""
        for spelling in self._spellings:
            if spelling in text:
                text = text.replace(spelling, REDACTED)
        return text
