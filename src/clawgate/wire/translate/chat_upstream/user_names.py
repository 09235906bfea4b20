"""Shortens the names of users to what OpenAI accepts."""

from __future__ import annotations

import hashlib

LONGEST = 64
"""Characters of `user` that OpenAI accepts; other services accept more."""


def user_name(name: str) -> str:
    """Return the name of a user in a form that OpenAI accepts; a digest identifies a user as well as a longer name."""
    return name if len(name) <= LONGEST else hashlib.sha256(name.encode()).hexdigest()
