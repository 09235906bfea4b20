"""Every raw request of the tables gets the answer it deserves, first, second, and behind what it resembles."""

from __future__ import annotations

import pytest

from tests.contract.case import Case, run_case
from tests.contract.live_role import LiveRole, RoleName
from tests.contract.tables import CASES, for_each_role


def test_names_are_unique() -> None:
    """A case can be asked for by its name."""
    names = [case.name for case in CASES]
    assert sorted(set(names)) == sorted(names)


def test_there_are_enough_cases() -> None:
    """The suite is no smaller than it was meant to be."""
    assert len(CASES) >= 170


def ways_of(case: Case) -> list[tuple[str, bytes | None]]:
    """Alone and again, and on a connection that has just taken a request with much the same head, or the same one."""
    ways = [("first", None), ("a second time", None), ("behind its twin", case.twin)]
    if case.status == (200,) and not case.closes:
        ways.append(("behind itself", case.send))
    return ways


@pytest.mark.parametrize(("role_name", "case"), for_each_role())
def test_request(role: LiveRole, role_name: RoleName, case: Case) -> None:
    """Its answers, the end of its connection and what goes upstream are as the table says, each time."""

    async def run() -> None:
        verdicts = []
        for way, behind in ways_of(case):
            try:
                verdicts.append((await run_case(role, case, behind=behind)).verdict())
                assert verdicts[-1] == verdicts[0]
            except (AssertionError, TimeoutError) as error:
                error.add_note(f"when it was sent {way}")
                raise

    role.run(run())
