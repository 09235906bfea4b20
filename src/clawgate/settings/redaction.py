"""Which values of the config file are secrets, by where they stand and how they look? No file, no environment.

OpenClaw's plugins bring keys that nobody here knows, so names decide; what only looks like a secret is hidden too: a
value that is hidden for nothing is a nuisance, one that is shown is a leak.
"""

from __future__ import annotations

import re

from clawgate.settings.key_path import KeyPath
from clawgate.settings.secrets import REDACTION_MARKS

PLACEHOLDER = "__OPENCLAW_REDACTED__"
"""What OpenClaw prints in place of a secret."""

_SECRET_NAME = re.compile(
    r"token|password|passwd|passphrase|passcode|secret|credential|api[-_ ]?key|private[-_ ]?key|access[-_ ]?key|cookie"
    r"|^authorization$|_key$|[a-z]Key$|bearer|^headers$|webhook",
    re.IGNORECASE,
)
_NOT_SECRET = re.compile(
    r"tokens?(?:Budget|Limit|Count|File|Path|Window|Ratio|Url)$|^(?:max|min|context|reserve|input|output|total|cache)\w*Tokens"
    r"|^authHeader$|(?:password|secret|key|credential)s?(?:File|Path)$|^(?:session|public|cache|sort|group|primary)Key$",
    re.IGNORECASE,
)
_NAMED_FREELY: tuple[KeyPath, ...] = (
    ("plugins", "entries"),
    ("models", "providers"),
    ("agents", "defaults", "models"),
)
"""What stands in these is called as somebody likes: such a name says nothing."""

_PARTS_OF_AUTH = {"auth": {"value", "token"}, "tls": {"key", "passphrase"}, "proxy": {"url"}}
_REFERENCE = re.compile(r"(?:\$\{[A-Za-z_][A-Za-z0-9_]*\}|\s|Bearer|Basic)*\Z")
_LOOKS_SECRET = re.compile(
    r"://[^/\s@]*:[^/\s@]*@|(?:\b|_)(?:sk|pk|rk|ghp|gho|xox[abp]|glpat|AIza|AKIA|eyJ)[-_A-Za-z0-9]{16,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY|(?i:\b(?:bearer|basic)\s+(?!\$\{)[\w+/=.~-]{8,})"
    r"|[?&](?i:key|token|sig|signature|api_?key|access_token)=[^&\s$]"
)
_ALWAYS_MARKS = REDACTION_MARKS[:2]
_REFERENCE_KEYS = frozenset({"source", "provider", "id"})


def is_secret(path: KeyPath, value: object) -> bool:
    """Whether the text or number at ``path`` may not be shown. ``${NAME}`` alone is a reference, no secret."""
    if value is None or isinstance(value, bool | dict | list) or value == "":
        return False
    names = [
        key for index, key in enumerate(path) if isinstance(key, str) and path[:index] not in _NAMED_FREELY
    ]
    if isinstance(value, str) and _REFERENCE.match(value):
        return False
    if isinstance(value, str) and _LOOKS_SECRET.search(value):
        return True
    if not names or _NOT_SECRET.search(names[-1]):
        return False
    if isinstance(value, str):
        return any(map(_is_secret_name, names)) or _in_its_place(names)
    return _is_secret_name(names[-1])


def _is_secret_name(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None and _NOT_SECRET.search(name) is None


def _in_its_place(names: list[str]) -> bool:
    if names[:1] == ["env"] and "shellEnv" not in names:
        return True
    return len(names) > 1 and names[-1] in _PARTS_OF_AUTH.get(names[-2], ())


def redact(value: object, path: KeyPath = ()) -> object:
    """A copy of ``value``, which stands at ``path``, with `PLACEHOLDER` for every secret."""
    if isinstance(value, dict):
        if _is_reference(value):
            return value
        return {key: redact(part, (*path, key)) for key, part in value.items()}
    if isinstance(value, list):
        return [redact(part, (*path, index)) for index, part in enumerate(value)]
    return PLACEHOLDER if is_secret(path, value) else value


def _is_reference(value: dict[str, object]) -> bool:
    return (
        value.keys() <= _REFERENCE_KEYS
        and {"source", "id"} <= value.keys()
        and value["source"] in ("env", "file", "exec")
    )


def contains_placeholder(path: KeyPath, value: object) -> KeyPath | None:
    """The path of a text that stands for a hidden secret, as no config file should hold; None if there is none."""
    if isinstance(value, dict):
        found = (contains_placeholder((*path, key), part) for key, part in value.items())
    elif isinstance(value, list):
        found = (contains_placeholder((*path, index), part) for index, part in enumerate(value))
    else:
        return path if isinstance(value, str) and _is_mark(path, value) else None
    return next((part for part in found if part is not None), None)


def _is_mark(path: KeyPath, value: str) -> bool:
    if any(mark in value for mark in _ALWAYS_MARKS) or value.strip() in REDACTION_MARKS:
        return True
    return is_secret(path, value) and any(mark in value for mark in REDACTION_MARKS)
