"""Decides what one requester may dial: a host before it is resolved, and each address that a resolver returns.

Order: never-allowed kinds, ``network.deny``, the requester's blocked hosts, public addresses, fake-IP,
``network.allow``, the requester's own switch, that of the gateway; what none of them allows is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from clawgate.errors import EgressDenied, PrivateNetworkBlocked
from clawgate.policy.egress.address import resolved_kind
from clawgate.policy.egress.names import host_kind
from clawgate.policy.egress.ranges import NEVER_ALLOWED, PRIVATE_KINDS, AddressKind
from clawgate.wire.http.url import Origin, parse_fetch_url

_PUBLIC = "public addresses are allowed"
_NAME = "a name is decided by its addresses"
_BLOCKED = "loopback and private addresses are not allowed"


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of ``network.allow`` or ``network.deny``: a CIDR, an address, a host, ``*.host``, or ``host:port``."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeIp:
    """A resolver that returns placeholders from ``ranges``, for providers and ``hosts``."""

    ranges: tuple[str, ...] = ("198.18.0.0/15",)
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRules:
    """The rules of the whole gateway.

    ``private`` is the switch of all, the others are the finer rules of ``network``.
    ``report_only``: what would be refused is recorded and dialled; never metadata, link-local and special use.
    """

    private: bool = False
    allow: tuple[Rule, ...] = ()
    deny: tuple[Rule, ...] = ()
    fake_ip: FakeIp | None = None
    report_only: bool = False
    connections_per_minute: int | None = None


NO_RULES = NetworkRules()
"""Where nothing is configured: nothing private."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressPolicy:
    """What one requester may dial.

    ``requester`` is "provider:ID", "tool:NAME", "mcp:NAME", "plugin:ID", "bridge" or "server". ``private`` is its own
    switch, ``setting`` the key path of it, empty where there is none. Where ``origin`` is set, ``private`` counts for
    that origin alone. ``allowed_hosts`` and ``blocked_hosts`` are names, or ``*.name`` for all below one.
    """

    requester: str
    private: bool = False
    setting: str = ""
    origin: Origin | None = None
    allowed_hosts: tuple[str, ...] = ()
    blocked_hosts: tuple[str, ...] = ()
    network: NetworkRules = NO_RULES


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a host or address may be dialled, its kind, and the rule that decided, for people.

    ``reported``: the rule refuses it, and it is let through since the gateway only reports.
    """

    allowed: bool
    kind: AddressKind
    rule: str
    reported: bool = False


def check_url(url: str, policy: EgressPolicy) -> Decision:
    """Decide whether ``url`` may be fetched, without resolving its name. Raises ValueError for what is no URL."""
    return check_host(parse_fetch_url(url)[0], policy)


def check_host(origin: Origin, policy: EgressPolicy) -> Decision:
    """Decide about the host of ``origin`` before it is resolved; most names are allowed so far."""
    kind = host_kind(origin.host)
    if kind is AddressKind.NOT_AN_ADDRESS:
        return Decision(True, kind, _NAME)
    return _in_mode(_decide(kind, origin, policy), policy)


def check_address(address: str, origin: Origin, policy: EgressPolicy) -> Decision:
    """Decide about one ``address``, as text, that a resolver returned for the host of ``origin``."""
    return _in_mode(_decide(resolved_kind(address), origin, policy), policy)


def _in_mode(decision: Decision, policy: EgressPolicy) -> Decision:
    """Let a refusal through where ``network.mode`` is "report", but for what is never dialled and for no address."""
    never = (*NEVER_ALLOWED, AddressKind.NOT_AN_ADDRESS)
    if decision.allowed or not policy.network.report_only or decision.kind in never:
        return decision
    return replace(decision, allowed=True, reported=True)


def denied(origin: Origin, address: str, decision: Decision, policy: EgressPolicy) -> EgressDenied:
    """Return the error for an ``address`` of ``origin`` that ``decision`` refuses."""
    if policy.setting and decision.kind in PRIVATE_KINDS:
        return PrivateNetworkBlocked(
            f"{origin}: {address} is a {decision.kind} address, which its configuration does not allow; "
            f"set {policy.setting} to true if this is your own server"
        )
    return EgressDenied(
        f"{origin}: {address} must not be dialled ({decision.kind}); configure an upstream at another address"
    )


def _decide(kind: AddressKind, origin: Origin, policy: EgressPolicy) -> Decision:
    if kind in NEVER_ALLOWED:
        return Decision(False, kind, f"{kind} addresses are never dialled")
    if kind is AddressKind.PUBLIC:
        return Decision(True, kind, _PUBLIC)
    if kind in PRIVATE_KINDS:
        if policy.private and policy.origin in (None, origin):
            return Decision(True, kind, policy.setting or "its own address")
        if policy.network.private:
            return Decision(True, kind, "the switch of the gateway")
        return Decision(False, kind, _BLOCKED)
    return Decision(False, kind, "it is not an address")
