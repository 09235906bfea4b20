"""Reads the version from the name of a Claude, and states what the models of a version accept.

Anthropic rejects a request with a field that its model does not know (400 "`temperature` is deprecated for this
model"). Sources: Anthropic's migration guides and its documentation of structured outputs; measured by others at the
service (pull request 7961 of earendil-works/pi). A model without a version in its name, such as one of another vendor,
counts as one that accepts everything.
"""

from __future__ import annotations

import re

_NUMBER = r"(\d{1,2})(?:[.\-](\d{1,2}))?(?!\d)"
# The version follows the family (claude-opus-4-7), or stands in front of it (claude-3-7-sonnet); a date does not count.
_VERSION = re.compile(rf"claude-(?:[a-z]+-)?{_NUMBER}", re.IGNORECASE)
_NEWEST = re.compile(r"claude-(?:mythos|fable)(?![a-z])", re.IGNORECASE)
"""Families that began after 4.6."""


def version(model: str) -> tuple[int, int] | None:
    """Return the version of a Claude, ``(4, 7)``; None for a name without one."""
    found = _VERSION.search(model)
    return (int(found[1]), int(found[2] or 0)) if found is not None else None


def accepts_sampling(model: str) -> bool:
    """Whether ``model`` accepts `temperature`, `top_p` and `top_k`: Claude does so up to 4.6."""
    return _is_before(model, (4, 7)) and _NEWEST.search(model) is None


def accepts_temperature_with_top_p(model: str) -> bool:
    """Whether ``model`` accepts `temperature` and `top_p` in one request: Claude does so before 4.1."""
    return _is_before(model, (4, 1))


def accepts_schemas(model: str) -> bool:
    """Whether ``model`` accepts `output_config.format` and strict tools: Claude does so from 4.1 on."""
    found = version(model)
    return found is None or found >= (4, 1)


def _is_before(model: str, limit: tuple[int, int]) -> bool:
    found = version(model)
    return found is None or found < limit
