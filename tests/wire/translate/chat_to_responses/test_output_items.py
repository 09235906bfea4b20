"""An event finds its item, whichever of id and index a server leaves out or repeats."""

from __future__ import annotations

import pytest

from clawgate.errors import UpstreamMalformed
from clawgate.wire.translate.chat_to_responses.output_items import MAX_ITEMS, OutputItems

CALL = "function_call"


def test_an_id_decides_over_an_index_that_all_share() -> None:
    items = OutputItems()
    first, second = items.added(CALL, "a", 0, "1"), items.added(CALL, "b", 0, "2")
    assert items.of(CALL, "a", 0) is first and items.of(CALL, "b", 0) is second


def test_an_index_decides_where_ids_change() -> None:
    items = OutputItems()
    first, second = items.added(CALL, "a", 0, "1"), items.added(CALL, "b", 1, "2")
    assert items.of(CALL, "c", 0) is first and items.of(CALL, "d", 1) is second


def test_items_of_the_same_id_are_distinguished_by_their_index() -> None:
    items = OutputItems()
    first, second = items.added(CALL, "a", 0, "1"), items.added(CALL, "a", 1, "2")
    assert first is not second
    assert items.of(CALL, "a", 0) is first and items.of(CALL, "a", 1) is second
    assert items.of_output([(CALL, "a"), (CALL, "a")]) == [first, second]


def test_an_item_that_is_announced_twice_is_one() -> None:
    items = OutputItems()
    assert items.added(CALL, "a", 0, "1") is items.added(CALL, "a", 0, "1")
    assert items.added(CALL, "a", 0, "1") is not items.added(CALL, "a", 0, "2")


def test_the_latest_item_of_a_kind_is_meant_where_nothing_names_one() -> None:
    items = OutputItems()
    items.added(CALL, None, None, "1")
    latest, message = items.added(CALL, None, None, "2"), items.of("message", None, None)
    assert items.of(CALL, None, None) is latest and items.of("message", None, None) is message
    assert items.of(CALL, "late", None) is latest and latest.id == "late"


def test_a_complete_response_finds_each_item_once_and_begins_the_others() -> None:
    items = OutputItems()
    first, second = items.added(CALL, None, None, "1"), items.added(CALL, None, None, "2")
    *known, new = items.of_output([(CALL, "x"), (CALL, "y"), (CALL, "z")])
    assert known == [first, second] and new is items.all[2]


def test_a_message_that_was_lost_is_not_taken_for_a_later_one() -> None:
    items = OutputItems()
    later = items.added("message", "b", None, None)
    lost, found = items.of_output([("message", "a"), ("message", "b")])
    assert found is later and lost is not later


def test_items_are_bounded() -> None:
    items = OutputItems()
    for number in range(MAX_ITEMS):
        items.added(CALL, str(number), number, None)
    with pytest.raises(UpstreamMalformed, match="items"):
        items.of("message", None, None)
