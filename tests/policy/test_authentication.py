"""Who is calling, and who has guessed too often: credentials row by row, the limiter by a clock that is passed in."""

from __future__ import annotations

import contextlib
import math
import random
import secrets
import statistics
import sys
import time
import tracemalloc
from collections.abc import Sequence
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawgate.errors import (
    GatewayError,
    InvalidRequest,
    InvalidToken,
    MalformedRequest,
    MissingToken,
    TokensUnreadable,
)
from clawgate.policy.authentication import AuthLockout, GuessDelay, LockoutRule, TokenStore, presented_token

T, U = b"tok-0123456789abcdef", b"tok-another"
AUTH, PROXY = b"authorization", b"x-proxy-token"
RULE = LockoutRule(max_failures=3, window=60, lockout=300, max_keys=100)

PRESENTED: list[tuple[list[tuple[bytes, bytes]], bytes | type[GatewayError] | None, str]] = [
    ([], None, "nothing"),
    ([(AUTH, b"Bearer " + T)], T, "Bearer"),
    ([(AUTH, b"bearer " + T)], T, "in lower case"),
    ([(AUTH, b"BEARER " + T)], T, "in upper case"),
    ([(AUTH, b"Bearer   " + T)], T, "with more blanks"),
    ([(AUTH, b"Bearer " + T + b"  ")], T, "with blanks behind"),
    ([(AUTH, b"Bearer a b")], b"a b", "a blank inside is part of a token that nobody has"),
    ([(AUTH, b"Bearer " + T + b", Bearer " + U)], T + b", Bearer " + U, "a list is one token that nobody has"),
    ([(AUTH, b'Bearer "' + T + b'"')], b'"' + T + b'"', "quotes belong to it"),
    ([(AUTH, b"Bearer \xff\xfe")], b"\xff\xfe", "bytes that are not ASCII"),
    ([(AUTH, b"Bearer")], None, "the scheme alone"),
    ([(AUTH, b"Bearer ")], None, "an empty token"),
    ([(AUTH, b"")], None, "an empty field"),
    ([(AUTH, T)], None, "no scheme"),
    ([(AUTH, b"Basic dTpw")], None, "another scheme"),
    ([(AUTH, b"Token " + T)], None, "a scheme of somebody else's"),
    ([(AUTH, b"Bearer\t" + T)], None, "a tab is no blank"),
    ([(AUTH, b"Bearer:" + T)], None, "a colon"),
    ([(AUTH, b"BearerX " + T)], None, "a scheme that begins like it"),
    ([(AUTH, b" Bearer " + T)], None, "a blank in front, which no parser leaves there"),
    ([(PROXY, T)], T, "X-Proxy-Token"),
    ([(PROXY, b"Bearer " + T)], b"Bearer " + T, "which has no scheme"),
    ([(PROXY, b"")], None, "an empty one"),
    ([(PROXY, T), (AUTH, b"Bearer " + T)], T, "both the same"),
    ([(AUTH, b"Bearer " + T), (PROXY, T)], T, "in any order"),
    ([(PROXY, b""), (AUTH, b"Bearer " + T)], T, "an empty one beside a full one"),
    ([(PROXY, T), (AUTH, b"Basic dTpw")], T, "another scheme beside it"),
    ([(PROXY, T), (AUTH, b"Bearer " + U)], InvalidRequest, "two that differ"),
    ([(PROXY, T), (AUTH, b"Bearer " + T + b"x")], InvalidRequest, "two that differ a little"),
    ([(AUTH, b"Bearer " + T), (AUTH, b"Bearer " + T)], MalformedRequest, "Authorization twice"),
    ([(AUTH, b"Bearer " + T), (AUTH, b"")], MalformedRequest, "twice, one empty"),
    ([(PROXY, T), (PROXY, U)], MalformedRequest, "X-Proxy-Token twice"),
    ([(PROXY, T), (b"x-y", T), (PROXY, T)], MalformedRequest, "twice with another between"),
    ([(b"proxy-authorization", b"Bearer " + T), (b"x-api-key", T), (b"cookie", T)], None, "fields that are not ours"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "found", "why"), PRESENTED, ids=[row[2] for row in PRESENTED])
def test_the_one_token_that_is_presented(
    fields: list[tuple[bytes, bytes]], found: bytes | type[GatewayError] | None, why: str
) -> None:
    if isinstance(found, type):
        with pytest.raises(found) as caught:
            presented_token(fields)
        assert type(caught.value) is found and T.decode() not in caught.value.message, why
    else:
        assert presented_token(fields) == found, why


# Holders


def test_a_token_is_known_by_its_holder() -> None:
    book = TokenStore.of({"alice": T.decode(), "bob": U.decode()})
    assert (book.authenticate(T), book.authenticate(U)) == ("alice", "bob")


@pytest.mark.parametrize(
    "token",
    [b"", b"x", T[:-1], T + b"x", T.upper(), b" " + T, T + b"\n", b"\xff", b"x" * 100_000],
    ids=range(9),
)
def test_a_token_that_nobody_has(token: bytes) -> None:
    """One character less, more or in another case is wrong; no bytes make it fail otherwise; nothing is repeated."""
    with pytest.raises(InvalidToken) as caught:
        TokenStore.of({"alice": T.decode()}).authenticate(token)
    assert type(caught.value) is InvalidToken
    assert caught.value.message == "unknown token; check the token that this client is configured with"
    for presented in (b"wrong", None):
        with pytest.raises(InvalidToken, match="on the gateway's machine it is printed by: a command"):
            TokenStore.of({"a": "right"}, "a command").authenticate(presented)


def test_no_token_is_not_a_wrong_token() -> None:
    with pytest.raises(MissingToken, match="X-Proxy-Token"):
        TokenStore.of({"alice": T.decode()}).authenticate(None)


def test_nobody_comes_in_by_an_empty_book() -> None:
    with pytest.raises(InvalidToken):
        TokenStore(()).authenticate(T)


def test_a_closed_store_admits_no_token_and_says_that_none_is_wrong() -> None:
    closed = TokenStore.closed()
    assert closed.is_closed and not TokenStore.of({"a": "t"}).is_closed
    with pytest.raises(InvalidToken, match="cannot be read"):
        closed.authenticate(b"any")
    with pytest.raises(MissingToken):
        closed.authenticate(None)


@pytest.mark.parametrize("token", [T, b"any", b"", None])
def test_a_store_that_is_closed_for_a_time_calls_no_token_wrong(token: bytes | None) -> None:
    with pytest.raises(TokensUnreadable, match="until the file can be read") as caught:
        TokenStore.closed("the file can be read").authenticate(token)
    assert caught.value.retry_after is not None


def test_every_entry_is_compared_found_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of comparisons tells nothing about which token was right, or whether one was."""
    calls: list[bytes] = []

    def counted(a: bytes, b: bytes) -> bool:
        calls.append(a)
        return a == b

    monkeypatch.setattr("clawgate.policy.authentication.hmac.compare_digest", counted)
    book = TokenStore.of({f"n{number}": f"token-{number}" for number in range(10)})
    for token in (b"token-0", b"token-9", b"nobody's"):
        calls.clear()
        if token == b"nobody's":
            with pytest.raises(InvalidToken):
                book.authenticate(token)
        else:
            book.authenticate(token)
        assert len(calls) == 10 and {len(call) for call in calls} == {32}


def nanoseconds(book: TokenStore, tokens: Sequence[bytes], rounds: int) -> list[list[float]]:
    """Return how long each of ``tokens`` took, in an order that mixes them, without the samples that were disturbed."""
    samples: list[list[float]] = [[] for _ in tokens]
    order = list(range(len(tokens)))
    for _ in range(rounds):
        random.shuffle(order)
        for place in order:
            began = time.perf_counter_ns()
            with contextlib.suppress(InvalidToken):
                book.authenticate(tokens[place])
            samples[place].append(time.perf_counter_ns() - began)
    most = sorted(one for own in samples for one in own)[int(len(tokens) * rounds * 0.9)]
    return [[one for one in own if one <= most] for own in samples]


def welch(one: Sequence[float], other: Sequence[float]) -> float:
    spread = statistics.variance(one) / len(one) + statistics.variance(other) / len(other)
    return abs(statistics.fmean(one) - statistics.fmean(other)) / math.sqrt(spread)


def test_the_time_of_a_wrong_token_does_not_say_how_much_of_it_is_right() -> None:
    """All but the end, of the first caller's or the last one's; the begin; nothing. A right one shows in any case.

    A busy machine adds noise to all of them alike; a difference is there each time that it is looked for.
    """
    right = [secrets.token_hex(20) for _ in range(10)]
    book = TokenStore.of({f"n{number}": token for number, token in enumerate(right)})
    tried = [right[0][:-1] + "x", right[-1][:-1] + "x", right[0][:2] + "x" * 38, "x" * 40]
    tokens = [token.encode() for token in tried]
    found: list[float] = []
    while len(found) < 5:
        first, *rest = nanoseconds(book, tokens, 10_000)
        found.append(max(welch(first, other) for other in rest))
        if found[-1] < 4.5:
            return
    pytest.fail(f"|t| = {found}: the time tells the tokens apart")


def test_a_book_holds_no_token_in_plain_text() -> None:
    assert T.decode() not in repr(TokenStore.of({"alice": T.decode()}))


# The limiter


def fail(limiter: AuthLockout, key: str, times: int, now: float = 0.0) -> None:
    for _ in range(times):
        limiter.record_failure(key, now)


def test_the_last_failure_locks() -> None:
    limiter = AuthLockout(RULE)
    fail(limiter, "a", 2)
    assert limiter.locked_for("a", 0) is None
    limiter.record_failure("a", 0)
    assert limiter.locked_for("a", 0) == 300


@pytest.mark.parametrize(
    ("now", "left"), [(0.0, 300), (0.1, 300), (299, 1), (299.01, 1), (299.999, 1), (300, None), (1e9, None)]
)
def test_the_lockout_ends_to_the_second_and_is_rounded_up(now: float, left: int | None) -> None:
    """Retry-After is never a moment too early and never 0."""
    limiter = AuthLockout(RULE)
    fail(limiter, "a", 3)
    assert limiter.locked_for("a", now) == left


def test_a_lock_is_not_extended_by_trying() -> None:
    limiter = AuthLockout(RULE)
    fail(limiter, "a", 3)
    fail(limiter, "a", 1000, now=299)
    assert limiter.locked_for("a", 299) == 1 and limiter.locked_for("a", 300) is None


def test_after_the_lock_the_count_begins_anew() -> None:
    limiter = AuthLockout(RULE)
    fail(limiter, "a", 3)
    fail(limiter, "a", 2, now=300)
    assert limiter.locked_for("a", 300) is None
    limiter.record_failure("a", 300)
    assert limiter.locked_for("a", 300) == 300


def test_failures_older_than_the_window_do_not_count() -> None:
    limiter = AuthLockout(RULE)
    fail(limiter, "a", 2)
    limiter.record_failure("a", 60)
    assert limiter.locked_for("a", 60) is None


def test_failures_within_the_window_do() -> None:
    limiter = AuthLockout(RULE)
    fail(limiter, "a", 2)
    limiter.record_failure("a", 59.9)
    assert limiter.locked_for("a", 59.9) == 300


def test_the_window_is_any_sixty_seconds() -> None:
    """Three failures within three seconds lock, also when an earlier one's minute ends between them."""
    limiter = AuthLockout(RULE)
    for now in (0, 59, 60, 61):
        limiter.record_failure("a", now)
    assert limiter.locked_for("a", 61) is not None


def test_a_success_forgets_the_failures() -> None:
    limiter = AuthLockout(RULE)
    fail(limiter, "a", 2)
    limiter.record_success("a")
    limiter.record_success("nobody")
    fail(limiter, "a", 2)
    assert limiter.locked_for("a", 0) is None


def test_one_address_does_not_lock_another() -> None:
    limiter = AuthLockout(RULE)
    fail(limiter, "a", 3)
    assert limiter.locked_for("b", 0) is None
    limiter.record_success("b")
    assert limiter.locked_for("a", 0) == 300


@pytest.mark.parametrize("most", [1, 2, 10])
def test_as_many_tries_as_the_rule_says(most: int) -> None:
    limiter = AuthLockout(LockoutRule(max_failures=most))
    tries = 0
    while limiter.locked_for("a", 0) is None:
        limiter.record_failure("a", 0)
        tries += 1
    assert tries == most


def lines_run(limiter: AuthLockout, key: str) -> int:
    """How many lines of Python one failure takes: its cost, without a clock."""
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        limiter.record_failure(key, 1.0)
    finally:
        sys.settrace(before)
    return count


def test_a_flood_of_addresses_stays_bounded_costs_the_same_each_and_frees_nobody() -> None:
    """100,000 addresses: never more than `max_keys` counts, the same work for each, and a lock survives them all."""
    limiter = AuthLockout(LockoutRule(max_keys=1000))
    fail(limiter, "locked", 10)
    limiter.record_failure("counted", 0)
    costs = []
    for number in range(100_000):
        if number % 10_000 == 5000:
            costs.append(lines_run(limiter, f"k{number}"))
        else:
            limiter.record_failure(f"k{number}", 1.0)
        assert len(limiter) <= 1001
    assert max(costs) <= 2 * min(costs)  # the trace may see lines of a garbage collection
    assert limiter.locked_for("locked", 1) == 299
    fail(limiter, "counted", 9, now=1.0)  # its one failure was pushed out
    assert limiter.locked_for("counted", 1) is None


def test_a_hundred_thousand_addresses_fit_in_twenty_megabytes() -> None:
    """With as many failures each as leave it just unlocked, and then with a lock for each."""
    limiter = AuthLockout(LockoutRule())
    tracemalloc.start()
    try:
        for number in range(100_000):
            fail(limiter, f"2001:db8:{number >> 8:x}:{number & 255:x}::/64", 9)
        for number in range(100_000):
            fail(limiter, f"198.51.{number >> 8}.{number & 255}", 10)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_only_newer_locks_push_out_locks() -> None:
    """Locks are bounded too: each costs its owner `max_failures` guesses, and the oldest goes first."""
    limiter = AuthLockout(LockoutRule(max_failures=1, max_keys=100))
    for number in range(1000):
        limiter.record_failure(f"k{number}", float(number) / 100)
        assert len(limiter) <= 100
    locked = [number for number in range(1000) if limiter.locked_for(f"k{number}", 10) is not None]
    assert locked == list(range(900, 1000))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 100), st.booleans()), max_size=60))
def test_a_lock_needs_enough_failures_within_a_window(steps: list[tuple[str, int, bool]]) -> None:
    """Never is anybody locked out who did not fail `max_failures` times within `window` since a success."""
    limiter, now = AuthLockout(RULE), 0.0
    failed_at: dict[str, list[float]] = {}
    locked_until: dict[str, float] = {}
    for key, wait, right in steps:
        now += wait
        locked = limiter.locked_for(key, now) is not None
        assert locked == (locked_until.get(key, 0) > now)
        if right and not locked:
            limiter.record_success(key)
            failed_at[key] = []
        elif not locked:
            limiter.record_failure(key, now)
            failed_at.setdefault(key, []).append(now)
            if limiter.locked_for(key, now) is not None:
                assert len([at for at in failed_at[key] if now - at < RULE.window]) >= RULE.max_failures
                locked_until[key], failed_at[key] = now + RULE.lockout, []


KEYED: list[tuple[list[tuple[bytes, bytes]], bytes | type[GatewayError] | None, str]] = [
    ([(b"x-api-key", T)], T, "as Anthropic's clients send it"),
    ([(b"x-api-key", b"")], None, "an empty one"),
    ([(b"x-api-key", T), (AUTH, b"Bearer " + T)], T, "both the same"),
    ([(b"x-api-key", T), (AUTH, b"Bearer " + U)], InvalidRequest, "two that differ"),
    ([(b"x-api-key", T), (PROXY, U)], InvalidRequest, "two that differ, neither Authorization"),
    ([(b"x-api-key", T), (b"x-api-key", T)], MalformedRequest, "twice"),
    ([(b"api-key", T), (b"x-goog-api-key", T)], None, "fields of other vendors"),
]


@pytest.mark.parametrize(("fields", "expected", "why"), KEYED, ids=[row[2] for row in KEYED])
def test_a_key_in_a_field_of_its_own(
    fields: list[tuple[bytes, bytes]], expected: bytes | type[GatewayError] | None, why: str
) -> None:
    """Only where it is accepted; elsewhere the field is nobody's."""
    if isinstance(expected, type):
        with pytest.raises(expected):
            presented_token(fields, api_key=True)
    else:
        assert presented_token(fields, api_key=True) == expected, why
    without = [pair for pair in fields if pair[0] != b"x-api-key"]
    assert presented_token(fields) == presented_token(without)


def test_one_token_in_two_fields_is_one_token() -> None:
    """As it is with Authorization beside either of them."""
    assert presented_token([(b"x-api-key", T), (PROXY, T)], api_key=True) == T


def test_guesses_are_slowed_more_and_more_until_a_right_token_comes() -> None:
    guesses = GuessDelay()
    assert [guesses.record_failure() for _ in range(7)] == [0.25, 0.5, 1, 2, 4, 5, 5]
    guesses.record_success()
    assert guesses.record_failure() == 0.25


def test_a_lock_never_seems_longer_than_it_is() -> None:
    """Whatever the clock shows: a sum of two of its readings is rounded."""
    for tenths in range(10_000):
        lockout, now = AuthLockout(LockoutRule(1, 60, 120)), tenths / 10 + 0.01
        lockout.record_failure("a", now)
        assert lockout.locked_for("a", now) == 120
