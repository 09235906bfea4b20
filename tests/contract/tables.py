"""All cases, and those among them that a known defect stands in the way of."""

from __future__ import annotations

import pytest

from tests.contract import (
    table_auth,
    table_browser,
    table_chunked,
    table_fields,
    table_limits,
    table_malformed,
    table_semantics,
    table_smuggling,
)
from tests.contract.case import Case
from tests.contract.live_role import RoleName

TABLES = (
    table_smuggling, table_chunked, table_malformed, table_fields, table_semantics, table_limits, table_browser,
    table_auth,
)  # fmt: skip

CASES: tuple[Case, ...] = tuple(case for table in TABLES for case in table.CASES)

KNOWN_DEFECTS: dict[str, str] = {}
"""Case name to what is wrong. `xfail_strict` makes an entry fail that is no longer needed."""


def cases_of(role: RoleName) -> list[Case]:
    """Those that ``role`` is held to."""
    return [case for case in CASES if role in case.roles]


def for_each_role() -> list[object]:
    """Parameters (role_name, case), each with an id that says what it is."""
    return [
        pytest.param(
            role,
            case,
            id=f"{role}-{case.name}",
            marks=[pytest.mark.xfail(reason=KNOWN_DEFECTS[case.name])] if case.name in KNOWN_DEFECTS else [],
        )
        for role in ("bridge", "server")
        for case in CASES
        if role in case.roles
    ]
