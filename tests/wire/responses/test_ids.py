"""Ids name their kind in front, and no two items of an exchange share one."""

from __future__ import annotations

from clawgate.wire.responses import ids


def test_ids_are_unique_in_an_exchange_and_between_exchanges() -> None:
    made = {
        ids.item_id(kind, unique, index) for kind in ids.PREFIXES for unique in "ab" for index in range(2)
    }
    assert len(made) == 4 * len(ids.PREFIXES)


def test_ids_begin_as_those_of_openai() -> None:
    assert ids.response_id("u") == "resp_u"
    assert ids.item_id("function_call", "u", 3) == "fc_u_3"
