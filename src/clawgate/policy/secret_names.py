"""Recognises the names of secrets: headers, config keys and environment variables. By the name alone.

A name that is taken for a secret's by mistake is a nuisance; one that is not recognised is a leak.
"""

from __future__ import annotations

import re

_CREDENTIAL_HEADER = re.compile(
    r"token(?!s)|secret|api-?key|auth(?!or(?!i[sz]))|passw|credential|(?:^|-)key\Z|^cookie\Z", re.IGNORECASE
)
_NO_CREDENTIAL_HEADER = frozenset({"idempotency-key"})

_SECRET_KEY = re.compile(
    r"token|password|passwd|passphrase|passcode|secret|credential|api[-_ ]?key|private[-_ ]?key|access[-_ ]?key|cookie"
    r"|^authorization$|_key$|[a-z]Key$|bearer|^headers$|webhook|pwd$|connection[-_ ]?string|dsn$"
    r"|(?:^|[-_])pass$|(?-i:[a-z]Pass$)",
    re.IGNORECASE,
)
_SECRET_TEXT_KEY = re.compile(r"(?:^|[-_])(?:pin|hmac)$|(?-i:[a-z](?:Pin|PIN|Hmac|HMAC)$)", re.IGNORECASE)
"""As a number it is a pin of a board, or a length."""
_NO_SECRET_KEY = re.compile(
    r"tokens?(?:Budget|Limit|Count|Window|Ratio|Url)$|^(?:max|min|context|reserve|input|output|total|cache)\w*Tokens"
    r"|(?:token|passw(?:or)?d|passphrase|passcode|secret|key|credential|cookie|connection[-_]?string)s?"
    r"(?:[-_]?(?:file|path|dir|directory|folder)){1,2}$"
    r"|^authHeader$|^(?:session|public|cache|sort|group|primary)Key$",
    re.IGNORECASE,
)

_SECRET_VARIABLE_WORDS = ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL", "AUTH")


def is_credential_header(name: str) -> bool:
    """Whether a header of this name carries a credential."""
    name = name.lower().replace("_", "-")
    return name not in _NO_CREDENTIAL_HEADER and _CREDENTIAL_HEADER.search(name) is not None


def is_secret_key(name: str) -> bool:
    """Whether a config key of this name holds a secret."""
    return _SECRET_KEY.search(name) is not None and not is_known_plain_key(name)


def is_secret_text_key(name: str) -> bool:
    """Whether a text under a config key of this name is a secret."""
    return _SECRET_TEXT_KEY.search(name) is not None or is_secret_key(name)


def is_known_plain_key(name: str) -> bool:
    """Whether a config key sounds like a secret's and is known to hold none (``maxTokens``, ``tokensFile``)."""
    return _NO_SECRET_KEY.search(name) is not None


def is_secret_variable(name: str) -> bool:
    """Whether an environment variable of this name holds a secret."""
    return any(word in name.upper() for word in _SECRET_VARIABLE_WORDS)
