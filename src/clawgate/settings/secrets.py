"""Decides whether a text can be a real secret, and whether it looks like one.

Pure. Must not put the text itself into its results.
"""

from __future__ import annotations

import base64
import re
import unicodedata

from clawgate.policy.printable import is_quoted

MIN_TOKEN_LENGTH = 16
_MIN_DISTINCT_CHARACTERS = 6
_VARIABLE_NAME = re.compile(r"\$(\{[^}]*\}?|[A-Za-z0-9_]*)\Z")
_ASSIGNMENT = re.compile(r"(export )?[A-Z][A-Z0-9]*_[A-Z0-9_]*=[^=]")
QUOTED = "is wrapped in quotes, which are a part of the value"
PLACEHOLDER = "__OPENCLAW_REDACTED__"
"""What OpenClaw prints in place of a secret."""

PLACEHOLDERS = (PLACEHOLDER, "[REDACTED]", "***", "•••", "...", "…")
"""What programs print in place of a secret. The first two stand for nothing else, the others may be part of a text."""

_EXAMPLES = frozenset(
    {
        "changeme", "change-me", "secret", "token", "password", "your-secret-token", "your-token", "your-api-key",
        "your_secret_token", "your_api_key", "my-secret-token", "example", "placeholder", "xxx", "todo", "test",
    }
)  # fmt: skip
_KNOWN_SHAPE = re.compile(
    r"://[^/\s@]*:[^/\s@]*@|(?:\b|_)(?:sk|pk|rk|ghp|gho|xox[abp]|glpat|AIza|AKIA|eyJ)[-_A-Za-z0-9]{16,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY|(?i:\b(?:bearer|basic)\s+(?!\$\{)[\w+/=.~-]{8,})"
    r"|[?&](?i:key|token|sig|signature|api_?key|access_token)=[^&\s$]"
)
_RUN = re.compile(r"[A-Za-z0-9]{16,}")
_MIXED_RUN = re.compile(r"(?=[A-Za-z]*[0-9])(?=[0-9]*[A-Za-z])")
_LONG_NUMBER = re.compile(r"[0-9]{10,}|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-")


def secret_problem(value: str) -> str | None:
    """Return why ``value`` cannot be a real secret, None if it may be one."""
    if not value.strip():
        return "is empty"
    if is_quoted(value.strip()):
        return QUOTED
    if value.lower().startswith("bearer "):
        return "begins with the scheme 'Bearer'; give what follows it"
    if _ASSIGNMENT.match(value):
        return "is a line NAME=value; give the value alone"
    if any(text in value for text in PLACEHOLDERS) or (value.startswith("<") and value.endswith(">")):
        return "is a redaction placeholder, not a secret"
    if _VARIABLE_NAME.match(value):
        return "is the name of a variable, not its value"
    if value.lower() in _EXAMPLES or value.lower().startswith(("your-", "your_")):
        return "is an example, not a secret"
    if not value.isascii() or not value.isprintable() or value != value.strip() or " " in value:
        return "contains a character that is not allowed in a header (space, line break or non-ASCII)"
    return None


def login_problem(value: str) -> str | None:
    """Return why ``value`` cannot be the ``user:password`` of Basic, which may be any text (RFC 7617 section 2)."""
    if any(text in value for text in PLACEHOLDERS):
        return "is a redaction placeholder, not a secret"
    if any(unicodedata.category(character) == "Cc" for character in value):
        return "contains a control character"
    return None


def basic_login(text: str) -> str | None:
    """Return the ``user:password`` that ``text`` is, as it stands or in base64; None if it is neither."""
    if ":" in text:
        return text if login_problem(text) is None else None
    try:
        plain = base64.b64decode(text, validate=True).decode()
    except ValueError:
        return None
    return plain if ":" in plain and login_problem(plain) is None else None


def credential_problem(value: str) -> str | None:
    """Return why ``value`` cannot be the credential of a header. A scheme may precede it, such as Basic."""
    return login_problem(value) if ":" in value else secret_problem(value.rpartition(" ")[2])


def token_problem(value: str) -> str | None:
    """Return why ``value`` cannot admit callers: not a real secret, or easy to guess. None if it can."""
    reason = secret_problem(value)
    if reason is None and len(value) < MIN_TOKEN_LENGTH:
        reason = f"is shorter than {MIN_TOKEN_LENGTH} characters"
    if reason is None and len(set(value)) < _MIN_DISTINCT_CHARACTERS:
        reason = f"has fewer than {_MIN_DISTINCT_CHARACTERS} different characters"
    return reason


def has_secret_shape(text: str) -> bool:
    """Return whether ``text`` has the shape of a credential: a known prefix, a URL with a password, a PEM key."""
    return _KNOWN_SHAPE.search(text) is not None


def looks_random(text: str) -> bool:
    """Return whether a name looks generated: a long run of letters mixed with digits, a long number, a UUID.

    Names of keys, models and variables do not: their runs are short words, versions and dates.
    """
    return _LONG_NUMBER.search(text) is not None or any(_MIXED_RUN.match(run) for run in _RUN.findall(text))
