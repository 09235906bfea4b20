from __future__ import annotations

from clawgate.agents.tools.page_cache import MAX_CHARACTERS, MAX_PAGES, Page, PageCache


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def page(text: str = "words") -> Page:
    return Page(url="http://a.example/", status=200, content_type="text/html", title="", text=text)


def test_a_page_is_kept_for_its_time() -> None:
    clock = Clock()
    cache = PageCache(clock)
    cache.keep("a", page(), 900)
    clock.now = 899
    assert cache.find("a") == page()
    clock.now = 900
    assert cache.find("a") is None


def test_a_time_of_zero_keeps_nothing_and_forgets_what_was_kept() -> None:
    cache = PageCache(Clock())
    cache.keep("a", page(), 900)
    cache.keep("a", page(), 0)
    assert cache.find("a") is None


def test_pages_are_bounded_in_their_number() -> None:
    cache = PageCache(Clock())
    for number in range(MAX_PAGES):
        cache.keep(number, page(), 900)
    assert cache.find(0) is not None
    cache.keep("one more", page(), 900)
    assert cache.find(0) is not None, "it was used"
    assert cache.find(1) is None
    assert cache.find("one more") is not None


def test_pages_are_bounded_in_their_size() -> None:
    cache = PageCache(Clock())
    half = page("x" * (MAX_CHARACTERS // 2))
    for name in "abc":
        cache.keep(name, half, 900)
    assert [name for name in "abc" if cache.find(name)] == ["b", "c"]
    cache.keep("b", half, 900)
    assert [name for name in "bc" if cache.find(name)] == ["b", "c"], "it took the place of itself"
    cache.keep("d", page("x" * (MAX_CHARACTERS + 1)), 900)
    assert [name for name in "bcd" if cache.find(name)] == ["b", "c"]
