"""Finds the words in what no other service knows, so that a conversation can continue at another model."""

from __future__ import annotations

from collections.abc import Sequence

_MAX_DEPTH = 12
_LABELLED = ("stderr", "return_code", "error_code")


def words_of(value: object, shown: Sequence[str], depth: int = 0) -> list[str]:
    """Return the texts of a value, whatever its shape is; nothing that is encrypted or encoded.

    ``shown`` are the members that are for people and models, in the order in which they are shown.
    """
    if isinstance(value, str):
        return [value] if value.strip() else []
    if isinstance(value, int) and not isinstance(value, bool):
        return [str(value)]
    if depth > _MAX_DEPTH:
        return []
    if isinstance(value, list):
        return [word for one in value for word in words_of(one, shown, depth + 1)]
    if not isinstance(value, dict):
        return []
    if value.get("type") == "text" and isinstance(value.get("data"), str):
        return [value["data"]]
    found: list[str] = []
    for name in shown:
        if name in value:
            words = words_of(value[name], shown, depth + 1)
            found += [f"{name}: {word}" for word in words] if name in _LABELLED else words
    return found
