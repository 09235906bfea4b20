"""The table row by row: every special range by its first, last and outside neighbours."""

from __future__ import annotations

import re
from ipaddress import ip_address

import pytest

from clawgate.policy.egress import ranges
from clawgate.policy.egress.address import classify
from clawgate.policy.egress.policy import Decision, check_address
from clawgate.policy.egress.ranges import PRIVATE_KINDS, AddressKind
from tests.policy.egress.addresses import ROWS
from tests.policy.egress.policies import CLOSED, OPEN, ORIGIN


def test_the_table_is_long_enough_and_has_no_row_twice() -> None:
    assert len(ROWS) >= 150
    assert len({ip_address(text.partition("%")[0]) for text, _, _ in ROWS}) >= 150
    assert len({text for text, _, _ in ROWS}) == len(ROWS)


@pytest.mark.parametrize(("text", "reason", "why"), ROWS, ids=[f"{row[0]} {row[2]}" for row in ROWS])
def test_every_address_has_its_reason(text: str, reason: str, why: str) -> None:
    """Untrusted: only public passes. Trusted: loopback and private as well, and nothing else."""
    assert classify(ip_address(text)) == reason, why
    closed, opened = check_address(text, ORIGIN, CLOSED), check_address(text, ORIGIN, OPEN)
    assert (closed.allowed, closed.kind) == (reason == "public", reason)
    if reason in PRIVATE_KINDS:
        assert opened == Decision(True, AddressKind(reason), OPEN.setting)
    else:
        assert opened == closed


def documented_rows() -> list[tuple[str, str, str]]:
    """The rows of the module's table: a kind, one address of it, and when it is dialled."""
    lines = (ranges.__doc__ or "").split("=\n")[2].splitlines()
    rows = [re.split(r"  +", line.strip()) for line in lines if line[:1].isalpha()]
    return [
        (kind, address, dialled) for kind, addresses, dialled in rows for address in addresses.split(", ")
    ]


@pytest.mark.parametrize(("kind", "address", "dialled"), documented_rows())
def test_the_documented_table_is_what_is_decided(kind: str, address: str, dialled: str) -> None:
    assert classify(ip_address(address)) == kind
    allowed = [check_address(address, ORIGIN, policy).allowed for policy in (CLOSED, OPEN)]
    assert (
        allowed
        == {"always": [True, True], "only where allowed": [False, True], "never": [False, False]}[dialled]
    )


def test_the_documented_table_has_every_kind() -> None:
    kinds = set(AddressKind) - {AddressKind.NOT_AN_ADDRESS}
    assert {kind for kind, _, _ in documented_rows()} == kinds
