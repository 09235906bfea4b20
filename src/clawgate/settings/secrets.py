"""Is this a secret that anybody could guess, or only the mark of one?"""

from __future__ import annotations

import re

MIN_TOKEN_LENGTH = 16
_VARIABLE_NAME = re.compile(r"\$(\{[^}]*\}?|[A-Za-z0-9_]*)\Z")
REDACTION_MARKS = ("__OPENCLAW_REDACTED__", "[REDACTED]", "***", "•••", "...", "…")
_PLACEHOLDERS = frozenset(
    {
        "changeme", "change-me", "secret", "token", "password", "your-secret-token", "your-token", "your-api-key",
        "your_secret_token", "your_api_key", "my-secret-token", "example", "placeholder", "xxx", "todo", "test",
    }
)  # fmt: skip


def secret_problem(value: str) -> str | None:
    """Why ``value`` cannot be a real secret; None if it may be one. The value itself is not in the answer."""
    if not value.strip():
        return "is empty"
    if any(mark in value for mark in REDACTION_MARKS) or (value.startswith("<") and value.endswith(">")):
        return "is the mark that stands for a hidden secret, not the secret"
    if _VARIABLE_NAME.match(value):
        return "is the name of a variable, not its value"
    if value.lower() in _PLACEHOLDERS or value.lower().startswith(("your-", "your_")):
        return "is a placeholder"
    if not value.isascii() or not value.isprintable() or value != value.strip() or " " in value:
        return "holds a character that cannot stand in a header (space, line break or non-ASCII)"
    return None


def token_problem(value: str) -> str | None:
    """The same for a token that lets people in: it must also be long enough not to be guessed."""
    reason = secret_problem(value)
    if reason is None and len(value) < MIN_TOKEN_LENGTH:
        reason = f"is shorter than {MIN_TOKEN_LENGTH} characters"
    if reason is None and len(set(value)) < 6:
        reason = "repeats a few characters"
    return reason
