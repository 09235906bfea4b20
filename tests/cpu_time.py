"""Whether the CPU time of a piece of work grows in proportion to its size, seen on a machine that does other things."""

from __future__ import annotations

import time
from collections.abc import Callable

TRIES = 20
SHORTEST = 0.0002
"""Seconds below which a measurement is mostly overhead."""


def grows_by_at_most(factor: float, small: Callable[[], object], large: Callable[[], object]) -> bool:
    """Whether ``large`` takes at most ``factor`` times as long as ``small``, each in the best of a few tries.

    Other programs only ever make a try slower: one good pair proves it, and no luck makes quadratic work linear.
    """
    best_small = best_large = float("inf")
    for _ in range(TRIES):
        best_small, best_large = min(best_small, _seconds(small)), min(best_large, _seconds(large))
        if best_large <= factor * max(best_small, SHORTEST):
            return True
    return False


def _seconds(work: Callable[[], object]) -> float:
    begun = time.thread_time()
    work()
    return time.thread_time() - begun
