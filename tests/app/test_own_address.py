"""This machine is recognised by any address of its own, without a packet."""

from __future__ import annotations

import pytest

from clawgate.app.own_address import is_own_address


@pytest.mark.parametrize(
    ("address", "own"),
    [
        ("127.0.0.1", True), ("::ffff:127.0.0.1", True), ("127.0.0.2", False), ("::ffff:127.0.0.2", False),
        ("not-an-address", True), ("", True), ("255.255.255.255", True),
    ],
)  # fmt: skip
def test_an_address_is_own_if_packets_to_it_come_from_it(address: str, own: bool) -> None:
    """127.0.0.2 stands for another machine: packets to it leave from 127.0.0.1. What fails counts as own."""
    assert is_own_address(address) is own
