"""Items come page by page, each once, in either order."""

from __future__ import annotations

from typing import Any

import pytest

from clawgate.agents.endpoint.item_list import page_of
from clawgate.errors import InvalidRequest

ITEMS: list[dict[str, Any]] = [{"id": f"m{number}"} for number in range(5)]


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_all_pages_are_the_list(order: str) -> None:
    found: list[dict[str, Any]] = []
    query = {"order": [order], "limit": ["2"]}
    while True:
        page = page_of(ITEMS, query)
        found += page["data"]
        assert (page["first_id"], page["last_id"]) == (page["data"][0]["id"], page["data"][-1]["id"])
        if not page["has_more"]:
            break
        query["after"] = [page["last_id"]]
    assert found == (ITEMS if order == "asc" else ITEMS[::-1])


def test_an_empty_list_has_no_ends() -> None:
    page = page_of([], {})
    assert (page["data"], page["first_id"], page["last_id"], page["has_more"]) == ([], None, None, False)


@pytest.mark.parametrize(
    ("name", "value"), [("after", "x"), ("limit", "0"), ("limit", "101"), ("limit", "-1"), ("limit", "10000")]
)
def test_a_page_that_is_none_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        page_of(ITEMS, {name: [value]})
    assert refused.value.param == name
