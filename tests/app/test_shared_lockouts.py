"""Gateways at one database: an address has its attempts once for all of them."""

from __future__ import annotations

import json

import pytest

from clawgate.app.shared_lockouts import SharedLockouts
from clawgate.policy.authentication import AuthLockout, LockoutRule

RULE = LockoutRule(max_failures=3, window=60, lockout=300)


class Gateway:
    """Each has a clock of its own."""

    def __init__(self, now: float = 0.0, rule: LockoutRule = RULE) -> None:
        self.now = now
        self.lockout = AuthLockout(rule)
        self.shared = SharedLockouts(lambda: self.lockout, lambda: self.now)

    def fails(self, times: int, address: str = "a") -> None:
        for _ in range(times):
            self.lockout.record_failure(address, self.now)

    def tells(self, other: Gateway) -> int:
        messages = list(self.shared.news())
        for message in messages:
            assert len(message.encode()) < 8000
            other.shared.receive(message)
        return len(messages)

    def locked_for(self, address: str = "a") -> int | None:
        return self.lockout.locked_for(address, self.now)


def test_wrong_tokens_at_several_gateways_lock_the_address_at_all_of_them() -> None:
    one, other = Gateway(1000.0), Gateway(5.0)
    one.fails(2)
    other.fails(1)
    one.now += 10
    other.now += 10
    one.tells(other)
    other.tells(one)
    assert one.locked_for() == 290 and other.locked_for() == 290  # from when the last token was presented


def test_what_was_learned_is_not_sent_back() -> None:
    one, other = Gateway(), Gateway()
    one.fails(1)
    one.tells(other)
    assert other.tells(one) == 0
    assert one.locked_for() is None


def test_a_gateway_that_starts_later_learns_of_locks() -> None:
    one = Gateway()
    one.fails(3)
    one.tells(Gateway())
    one.now += 100
    late = Gateway(77.0)
    one.tells(late)
    assert late.locked_for() == 200
    late.now += 201
    assert late.locked_for() is None


def test_a_lock_of_another_gateway_lasts_no_longer_than_the_own_rule_says() -> None:
    strict, mild = Gateway(), Gateway(rule=LockoutRule(max_failures=3, lockout=10))
    strict.fails(3)
    strict.lockout.take_news()  # before the other was started
    strict.now += 5
    strict.tells(mild)
    assert mild.locked_for() == 10


def test_many_addresses_are_many_messages() -> None:
    one, other = Gateway(), Gateway()
    for number in range(200):
        one.fails(3, f"2001:db8:{number:x}::/64")
    one.now += 5
    assert one.tells(other) > 1
    assert all(other.locked_for(f"2001:db8:{number:x}::/64") for number in range(200))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"failures": [["a"]]}',
        json.dumps({"locks": [["a" * 101, 1]]}),
        '{"locks": [["a", -1]]}',
        '{"locks": [["a", 1e300]]}',
    ],
)
def test_what_cannot_be_read_is_ignored(text: str) -> None:
    one = Gateway()
    one.shared.receive(text)
    assert len(one.lockout) == 0


def test_without_a_lockout_nothing_is_shared() -> None:
    none = SharedLockouts(lambda: None, lambda: 0.0)
    none.receive('{"locks": [["a", 10]]}')
    assert list(none.news()) == []
