"""Parses and formats the path of a key in the config file: ``agents.defaults.models["openai/gpt-4o"].alias``.

Dots between keys; brackets around an index, or around a key with dots or slashes (quoted, or plain as OpenClaw takes
it); a backslash before a dot keeps the dot in the key. Pure: knows no file and no schema.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

KeyPath = tuple[str | int, ...]
"""``("models", "providers", "hut", "models", 0, "id")``; ``()`` is the whole document."""

MAX_DEPTH = 64
"""Keys in a path, and levels of nesting in a document."""

_PLAIN_KEY = re.compile(r"[^\s.\[\]\"'\\]+\Z")
_TEXT = r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
_QUOTED = re.compile(rf"\[\s*{_TEXT}\s*\]")
_QUOTED_KEY = re.compile(_TEXT)
_BARE = re.compile(r"\[([^\[\]]*)\]")
_KEY = re.compile(r"(?:[^.\[\]\\]|\\.)+")
_ESCAPED = re.compile(r"\\(.)")
_RESERVED = frozenset({"__proto__", "prototype", "constructor"})


def parse_key_path(text: str) -> KeyPath:
    """Return the keys of a path; ``[0]`` is an int, all else text. Raises ValueError with what is wrong."""
    keys: list[str | int] = []
    rest = text.strip()
    if not rest:
        raise ValueError("the path is empty")
    while rest:
        key: str | int
        if rest[0] == "[":
            key, rest = _parse_bracket(rest, text)
        elif quoted := _QUOTED_KEY.match(rest):  # as messages show it: models."openai/gpt-4o"
            key, rest = _unquote(quoted[1], text), rest[quoted.end() :]
        else:
            match = _KEY.match(rest)
            if match is None:
                raise ValueError(f"{text!r} is not a key path: a key is missing before {rest!r}")
            key, rest = _ESCAPED.sub(r"\1", match[0]).strip(), rest[match.end() :]
            if not key:
                raise ValueError(f"{text!r} is not a key path: a key in it is empty")
        if key in _RESERVED:
            raise ValueError(f"{text!r} is not a key path: OpenClaw does not allow the key {key!r}")
        keys.append(key)
        if rest.startswith("."):
            rest = rest[1:]
            if not rest or rest[0] in ".[":
                raise ValueError(f"{text!r} is not a key path: a key is missing after a dot")
        elif rest and rest[0] != "[":
            raise ValueError(f"{text!r} is not a key path: a dot is missing before {rest!r}")
    if len(keys) > MAX_DEPTH:
        raise ValueError(f"the path is deeper than {MAX_DEPTH} keys")
    return tuple(keys)


def _parse_bracket(rest: str, text: str) -> tuple[str | int, str]:
    if quoted := _QUOTED.match(rest):
        return _unquote(quoted[1], text), rest[quoted.end() :]
    bare = _BARE.match(rest)
    if bare is None:
        raise ValueError(f"{text!r} is not a key path: a bracket is not closed")
    key = bare[1].strip()
    if not key or key[0] in "\"'":
        raise ValueError(f"{text!r} is not a key path: a bracket holds neither an index nor a key")
    return (int(key) if key.isascii() and key.isdigit() and len(key) < 10 else key), rest[bare.end() :]


def _unquote(quoted: str, text: str) -> str:
    inner = quoted[1:-1]
    if quoted[0] == "'":
        inner = inner.replace("\\'", "'")
        inner = re.sub(r'(?<!\\)((?:\\\\)*)"', r'\1\\"', inner)
    try:
        key = json.loads(f'"{inner}"')
    except ValueError:
        raise ValueError(f"{text!r} is not a key path: the text in a bracket is not a JSON string") from None
    assert isinstance(key, str)
    return key


def format_key_path(path: Sequence[str | int]) -> str:
    """Return the path as a person would write it, printable; `parse_key_path` reads it back."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        elif _PLAIN_KEY.match(key) and key.isprintable():
            text += f".{key}" if text else key
        else:  # escaped where a terminal would obey it
            text += f"[{json.dumps(key, ensure_ascii=not key.isprintable())}]"
    return text


def in_document(path: Sequence[str | int], document: object) -> KeyPath:
    """Return ``path`` with each index an int and each key a text, as the containers of ``document`` have them.

    ``list.0`` and ``list[0]`` are the same place, and so are ``ports.80`` and ``ports[80]`` of an object.
    """
    keys: list[str | int] = []
    for key in path:
        if isinstance(document, list):
            number = int(key) if isinstance(key, int) or (key.isascii() and key.isdigit()) else None
            keys.append(key if number is None else number)
            document = document[number] if number is not None and number < len(document) else None
        elif isinstance(document, dict):
            keys.append(str(key))
            document = document.get(str(key))
        else:
            keys.append(key)
            document = None
    return tuple(keys)
