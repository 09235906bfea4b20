"""Keeps pages for a while, bounded in their number and their size. The ones used least recently go first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

MAX_PAGES = 100
MAX_CHARACTERS = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a fetch found: ``url`` is the last one of its redirects, ``note`` what is missing of the page."""

    url: str
    status: int
    content_type: str
    title: str
    text: str
    note: str = ""


class PageCache:
    """``now`` returns seconds of a clock that does not go back."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._pages: OrderedDict[Hashable, tuple[float, Page]] = OrderedDict()
        self._characters = 0

    def find(self, key: Hashable) -> Page | None:
        """Return the page that was kept under ``key``, unless its time is over."""
        until, page = self._pages.get(key, (0.0, None))
        if page is None:
            return None
        if until <= self._now():
            self._remove(key)
            return None
        self._pages.move_to_end(key)
        return page

    def keep(self, key: Hashable, page: Page, seconds: float) -> None:
        if key in self._pages:
            self._remove(key)
        if seconds <= 0 or len(page.text) > MAX_CHARACTERS:
            return
        self._pages[key] = (self._now() + seconds, page)
        self._characters += len(page.text)
        while len(self._pages) > MAX_PAGES or self._characters > MAX_CHARACTERS:
            self._remove(next(iter(self._pages)))

    def _remove(self, key: Hashable) -> None:
        self._characters -= len(self._pages.pop(key)[1].text)
