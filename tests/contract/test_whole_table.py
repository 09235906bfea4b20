"""What one request left behind changes nothing for the next: the whole table over one process, in other orders."""

from __future__ import annotations

import random

import pytest

from tests.contract.case import run_case, spelled
from tests.contract.live_role import ROLES, LiveRole, RoleName, live
from tests.contract.tables import KNOWN_DEFECTS, cases_of


@pytest.mark.parametrize("role_name", ROLES)
def test_the_whole_table_twice_over_one_process(role_name: RoleName) -> None:
    """A fresh process gives the same verdicts in order, then shuffled, each case behind its well-formed twin."""
    cases = [case for case in cases_of(role_name) if case.name not in KNOWN_DEFECTS]
    shuffled = random.Random(20).sample(cases, len(cases))
    with live(role_name) as role:

        async def run() -> None:
            verdicts = {}
            for case in cases:
                verdicts[case.name] = (await run_case(role, case)).verdict()
            for case in shuffled:
                again = await run_case(role, case, behind=case.twin)
                assert again.verdict() == verdicts[case.name], case.name

        role.run(run())
        anomalies = [text for text in role.upstream.anomalies if "in the body" not in text]
        assert anomalies == [], "over the whole run"
        assert role.troubles == []


@pytest.mark.parametrize("role_name", ROLES)
def test_a_valid_request_between_any_two_others_is_served(role: LiveRole, role_name: RoleName) -> None:
    """On a connection of its own that stays open through the whole table: strangers' mistakes are their own."""
    cases = [case for case in cases_of(role_name) if case.name not in KNOWN_DEFECTS][::3]

    async def run() -> None:
        async with await role.client() as steady:
            for case in cases:
                await run_case(role, case)
                await steady.send(
                    spelled(role, case.twin if case.twin.startswith(b"POST") else cases[0].twin)
                )
                answer = await steady.response()
                assert answer.status == 200 and not answer.anomalies, case.name

    role.run(run())
