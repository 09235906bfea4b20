"""Makes one page of a list of items, as OpenAI's clients read them page by page. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clawgate.agents.request.refusal import reject

MOST_LISTED = 100

Query = Mapping[str, Sequence[str]]


def page_of(items: Sequence[dict[str, Any]], query: Query) -> dict[str, Any]:
    """Return the page that ``query`` means, the newest items first unless it says otherwise.

    Raises `InvalidRequest`.
    """
    if query.get("order", ["desc"])[-1] != "asc":
        items = items[::-1]
    ids = [item["id"] for item in items]
    if after := query.get("after", [""])[-1]:
        if after not in ids:
            reject("after", "`after` must be the id of an item of this list.")
        items = items[ids.index(after) + 1 :]
    limit = query.get("limit", ["20"])[-1]
    if not limit.isdecimal() or not 1 <= int(limit[:4]) <= MOST_LISTED:
        reject("limit", f"`limit` must be from 1 to {MOST_LISTED}.")
    page = items[: int(limit)]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": len(items) > len(page),
    }
