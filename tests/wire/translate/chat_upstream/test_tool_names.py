"""A long name fits where it is sent, stays apart from others, and comes back as it was."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from clawgate.wire.translate.chat_upstream.tool_names import LONGEST, ToolNames

NAMES = st.text("ab_", min_size=1, max_size=4).flatmap(
    lambda end: st.integers(0, 128).map(lambda size: "x" * size + end)
)


@given(st.lists(NAMES, unique=True))
def test_every_name_comes_back_and_none_is_taken_for_another(names: list[str]) -> None:
    known = ToolNames()
    told = [known.shorten(name) for name in names]
    assert all(len(name) <= LONGEST for name in told) and len(set(told)) == len(names)
    assert [known.restore(name) for name in told] == names
    assert [ToolNames().shorten(name) for name in names] == told, (
        "the same in the next request of a conversation"
    )


def test_a_name_that_fits_is_unchanged() -> None:
    assert ToolNames().shorten("x" * LONGEST) == ToolNames().restore("x" * LONGEST) == "x" * LONGEST
