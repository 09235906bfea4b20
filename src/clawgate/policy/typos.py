"""Finds the known name that a name is a typo of.

A suggestion that is followed sends prompts, or removes settings, somewhere. So it must never lead from one name to
another one that exists elsewhere: ``openai-eu`` is no typo of ``openai``, ``local2`` none of ``local``, ``anthropic``
none of ``anthropic-proxy``. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import SequenceMatcher

_SIMILARITY = 0.7
_LONGEST = 80
_SEPARATORS = re.compile(r"[-_.\s]+")
_DIGITS = re.compile(r"\d+")


def typo_of(name: str, known: Iterable[str]) -> str | None:
    """Return the name in ``known`` that was probably meant, None if there is none."""
    best, best_score = None, 0.0
    for candidate in known:
        score = _similarity(name[:_LONGEST].casefold(), candidate.casefold())
        if score > best_score:
            best, best_score = candidate, score
    return best


def _similarity(name: str, candidate: str) -> float:
    """Return 0 if one is not a typo of the other, else how similar they are, up to 1.

    A typo is within a word: both have as many words, each of them similar, and the same numbers.
    """
    words, others = _words(name), _words(candidate)
    if "".join(words) == "".join(others):
        return 1.0
    if len(words) != len(others) or _DIGITS.findall(name) != _DIGITS.findall(candidate):
        return 0.0
    scores = [SequenceMatcher(None, word, other).ratio() for word, other in zip(words, others, strict=True)]
    return min(scores) if scores and min(scores) >= _SIMILARITY else 0.0


def _words(name: str) -> list[str]:
    return [word for word in _SEPARATORS.split(name) if word]
