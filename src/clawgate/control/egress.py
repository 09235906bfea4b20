"""Serves what commands of this user ask about egress: the ledger, and what the policy decides of a URL.

Must not contact anything: a name is resolved only where the command wants that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from clawgate.policy.egress_ledger import MOST_ROWS, LedgerQuery, Listing

EGRESS_PATHS = frozenset({b"/egress", b"/egress/explain"})
_NOT_STORED = {"cache-control": "no-store"}


class EgressReport(Protocol):
    async def find(self, query: LedgerQuery) -> Listing: ...

    async def explain(self, url: str, requester: str, *, resolve: bool) -> dict[str, object]:
        """Return what a requester gets for ``url``, as JSON. Raises ValueError."""


class EgressRoutes:
    """``has_key`` is whether a request presents the key of this run."""

    def __init__(self, report: EgressReport, has_key: Callable[[Request], bool]) -> None:
        self._report = report
        self._has_key = has_key

    def routes(self) -> list[Route]:
        return [Route("/egress", self.rows), Route("/egress/explain", self.explain)]

    async def rows(self, request: Request) -> JSONResponse:
        if not self._has_key(request):
            return _refuse("it is for: clawgate egress list", 404)
        wanted = request.query_params
        try:
            query = LedgerQuery(
                since=float(wanted["since"]) if "since" in wanted else None,
                requester=wanted.get("requester"),
                refused="refused" in wanted,
                limit=min(int(wanted.get("limit", MOST_ROWS)), MOST_ROWS),
            )
        except ValueError:
            return _refuse("since and limit must be numbers", 400)
        found = await self._report.find(query)
        rows = [asdict(row) for row in found.rows]
        return JSONResponse({"source": found.source, "rows": rows}, headers=_NOT_STORED)

    async def explain(self, request: Request) -> JSONResponse:
        if not self._has_key(request):
            return _refuse("it is for: clawgate egress explain", 404)
        wanted = request.query_params
        try:
            found = await self._report.explain(
                wanted.get("url", ""), wanted.get("requester", ""), resolve="resolve" in wanted
            )
        except ValueError as error:
            return _refuse(str(error), 400)
        return JSONResponse(found, headers=_NOT_STORED)


def _refuse(message: str, status: int) -> JSONResponse:
    return JSONResponse({"error": message}, status_code=status, headers=_NOT_STORED)
