"""A proxy's word counts from the proxy alone, and a right that was given up is not there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clawgate.errors import InvalidToken, MissingScope, MissingToken
from clawgate.policy.client_ip import TrustedProxies
from clawgate.policy.proxy_identity import ADMIN, READ, WRITE, ProxyIdentity, check_scope, scopes_left

PROXIES = TrustedProxies.of(["10.0.0.0/24", "127.0.0.1", "::1"])
RULE = ProxyIdentity(user_header=b"x-user", required_headers=(b"x-jwt",))
OWN = "10.0.0.9"
USER, JWT = (b"x-user", b"nick@example.com"), (b"x-jwt", b"signed")


def caller(*headers: tuple[bytes, bytes], peer: str = "10.0.0.7", rule: ProxyIdentity = RULE) -> str:
    return rule.caller(peer, PROXIES, headers, lambda address: address == OWN)


@pytest.mark.parametrize("peer", ["10.0.0.7", "::ffff:10.0.0.7"])
def test_the_caller_is_the_user_that_the_proxy_names(peer: str) -> None:
    assert caller(USER, JWT, peer=peer) == "user:nick@example.com"
    assert caller((b"x-user", b"  J\xc3\xb6rg "), JWT, peer=peer) == "user:J\u00f6rg"


@pytest.mark.parametrize("peer", ["10.0.1.7", "192.0.2.1", "fe80::1", "::2", "not-an-address"])
def test_nobody_else_may_name_a_user(peer: str) -> None:
    with pytest.raises(InvalidToken, match="only its reverse proxy"):
        caller(USER, JWT, peer=peer)


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_this_machine_is_the_proxy_only_where_that_is_allowed_by_name(peer: str) -> None:
    """CVE-2026-53832: every process on it could forge the header."""
    with pytest.raises(InvalidToken, match="allowLoopback"):
        caller(USER, JWT, peer=peer)
    assert caller(USER, JWT, peer=peer, rule=replace(RULE, allow_loopback=True)) == "user:nick@example.com"


def test_another_address_of_this_machine_is_never_the_proxy() -> None:
    """Every process on it could connect to it there, as OpenClaw has it."""
    for rule in (RULE, replace(RULE, allow_loopback=True)):
        with pytest.raises(InvalidToken, match="an address of this machine"):
            caller(USER, JWT, peer=OWN, rule=rule)


def test_a_loopback_address_that_is_no_proxy_is_not_trusted_either() -> None:
    with pytest.raises(InvalidToken, match="only its reverse proxy"):
        caller(USER, JWT, peer="127.0.0.2", rule=replace(RULE, allow_loopback=True))


@pytest.mark.parametrize(
    ("headers", "error", "says"),
    [
        ((JWT,), MissingToken, "'x-user'"),
        ((USER,), MissingToken, "'x-jwt'"),
        (((b"x-user", b"  "), JWT), MissingToken, "'x-user'"),
        ((USER, (b"x-jwt", b"")), MissingToken, "'x-jwt'"),
        ((USER, JWT, USER), InvalidToken, "there twice"),
        ((USER, JWT, (b"x-user", b"admin@example.com")), InvalidToken, "there twice"),
        (((b"x-user", b"a\xffb"), JWT), InvalidToken, "not the name of a user"),
        (((b"x-user", b"a\x1b[2Jb"), JWT), InvalidToken, "not the name of a user"),
        (((b"x-user", b"x" * 201), JWT), InvalidToken, "not the name of a user"),
        (((b"x_user", b"nick"), JWT), MissingToken, "'x-user'"),
    ],
)
def test_without_one_clear_name_nobody_is_admitted(
    headers: tuple[tuple[bytes, bytes], ...], error: type[InvalidToken], says: str
) -> None:
    with pytest.raises(error, match=says):
        caller(*headers)


def test_only_listed_users_are_admitted_if_any_are_listed() -> None:
    listed = replace(RULE, users=frozenset({"nick@example.com"}))
    assert caller(USER, JWT, rule=listed) == "user:nick@example.com"
    for other in (
        b"Nick@example.com",
        b"nick@example.co",
        b"nick@example.com, admin",
        b"user:nick@example.com",
    ):
        with pytest.raises(InvalidToken, match="allowUsers"):
            caller((b"x-user", other), JWT, rule=listed)


@pytest.mark.parametrize(
    ("declared", "has"),
    [
        ((), {READ, WRITE, ADMIN}),
        (b"operator.admin", {READ, WRITE, ADMIN}),
        (b"operator.write", {READ, WRITE}),
        (b"operator.read", {READ}),
        (b"operator.read, operator.write", {READ, WRITE}),
        (b"operator.approvals,operator.admin", {READ, WRITE, ADMIN}),
        (b"", set()),
        (b"operator.approvals", set()),
        (b"OPERATOR.ADMIN", set()),
        (b"operator.admin.x", set()),
        (b"\xff", set()),
        ((b"operator.read", b"operator.admin"), {READ}),
        ((b"operator.admin", b"operator.read"), {READ}),
        ((b"operator.admin", b"operator.write,x", b"operator.admin"), {READ, WRITE}),
        ((b"operator.admin", b""), set()),
    ],
)
def test_a_right_that_was_given_up_is_not_there(declared: bytes | tuple[bytes, ...], has: set[str]) -> None:
    values = declared if isinstance(declared, tuple) else (declared,)
    left = scopes_left([(b"x-other", b"operator.read"), *((b"x-openclaw-scopes", value) for value in values)])
    for needed in (READ, WRITE, ADMIN):
        if needed in has:
            check_scope(left, needed)
        else:
            with pytest.raises(MissingScope, match=f"missing scope: {needed}"):
                check_scope(left, needed)
