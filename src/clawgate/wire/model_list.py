"""Reads the list of models of either vendor's API: the ids of ``data`` (OpenAI's and Anthropic's API references).

Pure. What a server lists is not trusted: an id that could not be part of a request or of a log line is left out.
"""

from __future__ import annotations

import json

MAX_MODELS = 2000
_LONGEST_ID = 200


def model_ids(body: bytes) -> list[str] | None:
    """Return the ids in their order, each once; None if the body is another JSON text, or none at all.

    Raises ValueError for an object that does not end: the list may be longer than the part that was read.
    """
    if body.lstrip()[:1] != b"{":
        return None
    try:
        data = json.loads(body).get("data")
    except RecursionError:
        return None
    if not isinstance(data, list):
        return None
    ids = (entry.get("id") for entry in data if isinstance(entry, dict))
    return list(dict.fromkeys(one for one in ids if isinstance(one, str) and _is_usable(one)))[:MAX_MODELS]


def _is_usable(model: str) -> bool:
    return 0 < len(model) <= _LONGEST_ID and model.isprintable() and model == model.strip()
