"""Finds the secrets of a config document by the names of their keys and by their shape, and masks them.

Pure. OpenClaw's plugins bring keys that are unknown here, so a value that only looks like a secret is masked too: one
that is masked for nothing is a nuisance, one that is shown is a leak.
"""

from __future__ import annotations

import re

from clawgate.policy.secret_names import is_known_plain_key, is_secret_key, is_secret_text_key
from clawgate.settings.key_path import KeyPath
from clawgate.settings.secrets import PLACEHOLDER, PLACEHOLDERS, has_secret_shape, looks_random

_FREE_NAMES: tuple[KeyPath, ...] = (
    ("plugins", "entries"),
    ("models", "providers"),
    ("agents", "defaults", "models"),
    ("agents", "entries"),
    ("mcp", "servers"),
    ("plugins", "entries", "clawgate", "config", "agents"),
    ("plugins", "entries", "clawgate", "config", "mcp", "servers"),
    ("plugins", "entries", "clawgate", "config", "providers"),
)
"""The user names what is in these: such a name says nothing about its value."""

_ANY = "*"
_FILES: tuple[KeyPath, ...] = (
    ("mcp", "servers", _ANY, "clientKey"),
    ("plugins", "entries", "openai-proxy", "config", "clientKey"),
    ("plugins", "entries", "openai-proxy", "config", "tlsKey"),
    ("plugins", "entries", "proxy-bridge", "config", "clientKey"),
    ("secrets", "providers", _ANY, "path"),
)
"""These name a file that holds a secret, which neither their names nor those around them show."""

_PARTS_OF_AUTH = {"auth": {"value", "token"}, "tls": {"key", "passphrase"}, "proxy": {"url"}}
_REFERENCE = re.compile(r"(?:\$\{[A-Za-z_][A-Za-z0-9_]*\}|\s|Bearer|Basic)*\Z")
_REFERENCE_KEYS = frozenset({"source", "provider", "id"})
_ONLY_PLACEHOLDERS = PLACEHOLDERS[:2]


def is_secret(path: KeyPath, value: object) -> bool:
    """Return whether the text or number at ``path`` must not be shown. ``${NAME}`` alone is a reference, no secret."""
    if value is None or isinstance(value, bool | dict | list) or value == "":
        return False
    names = [
        key for index, key in enumerate(path) if isinstance(key, str) and path[:index] not in _FREE_NAMES
    ]
    if isinstance(value, str) and _REFERENCE.match(value):
        return False
    if isinstance(value, str) and has_secret_shape(value):
        return True
    if not names or is_known_plain_key(names[-1]) or _names_file(path):
        return False
    if isinstance(value, str):
        return any(map(is_secret_text_key, names)) or _is_secret_place(names)
    return is_secret_key(names[-1])


def _names_file(path: KeyPath) -> bool:
    return any(
        len(place) == len(path) and all(one in (_ANY, key) for one, key in zip(place, path, strict=True))
        for place in _FILES
    )


def _is_secret_place(names: list[str]) -> bool:
    if names[:1] == ["env"] and "shellEnv" not in names:
        return True
    return len(names) > 1 and names[-1] in _PARTS_OF_AUTH.get(names[-2], ())


def redact(value: object, path: KeyPath = ()) -> object:
    """Return a copy of the value at ``path`` with `PLACEHOLDER` for every secret, also for one that is a key."""
    if isinstance(value, dict):
        if _is_reference(value):
            return value
        return {redact_name(key): redact(part, (*path, key)) for key, part in value.items()}
    if isinstance(value, list):
        return [redact(part, (*path, index)) for index, part in enumerate(value)]
    return PLACEHOLDER if is_secret(path, value) else value


def redact_name(name: str) -> str:
    """Return the name of a key or a variable, or `PLACEHOLDER` for one that is a secret given the wrong way round."""
    return PLACEHOLDER if has_secret_shape(name) or looks_random(name) else name


def redact_path(path: KeyPath) -> KeyPath:
    """Return ``path`` with `PLACEHOLDER` for every key that is a secret. Names of headers are left out."""
    if "headers" in path[:-1]:
        path = path[: path.index("headers") + 1]
    return tuple(key if isinstance(key, int) else redact_name(key) for key in path)


def _is_reference(value: dict[str, object]) -> bool:
    return (
        value.keys() <= _REFERENCE_KEYS
        and {"source", "id"} <= value.keys()
        and value["source"] in ("env", "file", "exec")
    )


def contains_placeholder(path: KeyPath, value: object) -> KeyPath | None:
    """Return the path of a text that stands for a hidden secret, as no config file should hold; None without one."""
    if isinstance(value, dict):
        paths = (contains_placeholder((*path, key), part) for key, part in value.items())
    elif isinstance(value, list):
        paths = (contains_placeholder((*path, index), part) for index, part in enumerate(value))
    else:
        return path if isinstance(value, str) and _is_placeholder(path, value) else None
    return next((found for found in paths if found is not None), None)


def _is_placeholder(path: KeyPath, value: str) -> bool:
    if any(text in value for text in _ONLY_PLACEHOLDERS) or value.strip() in PLACEHOLDERS:
        return True
    return is_secret(path, value) and any(text in value for text in PLACEHOLDERS)
