"""Decides what one requester may dial: a host before it is resolved, and each address that a resolver returns.

Order: never-allowed kinds, ``network.deny``, the requester's blocked hosts, public addresses, fake-IP,
``network.allow``, the requester's own switches, that of the gateway; what none of them allows is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from clawgate.policy.egress.address import classify, meanings, parse_address, parse_literal
from clawgate.policy.egress.names import host_kind, matches_host
from clawgate.policy.egress.ranges import NEVER_ALLOWED, Address, AddressKind
from clawgate.policy.egress.rules import FakeIp, Rule
from clawgate.wire.http.url import Origin, parse_fetch_url

GATEWAY_SWITCH = "gateway.allowPrivateNetwork"
NOT_ALLOWED = "no setting allows it"
_BY_ADDRESSES = "a name is decided by its addresses"


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRules:
    """The rules of the whole gateway.

    ``private`` is the switch of all, the others are the finer rules of ``network``. ``report_only``: what would be
    refused is recorded and dialled; never metadata, link-local and special use.
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
    switch, ``setting`` the key path of it, empty where there is none. ``loopback``: it is a service of our own on this
    machine. Where ``origin`` is set, both count for that origin alone. ``allowed_hosts`` may have private addresses,
    ``blocked_hosts`` are refused; they are names, or ``*.name`` for all below one. ``address_setting`` is the key path
    or variable of its address, whose path is ``path``; empty where the operator configured none.
    """

    requester: str
    private: bool = False
    loopback: bool = False
    setting: str = ""
    origin: Origin | None = None
    address_setting: str = ""
    path: str = ""
    allowed_hosts: tuple[str, ...] = ()
    blocked_hosts: tuple[str, ...] = ()
    network: NetworkRules = NO_RULES

    def of_proxy(self, proxy: Origin) -> EgressPolicy:
        """Return the policy by which ``proxy`` itself is dialled: what counts for one origin counts for it."""
        setting = self.address_setting.replace(".baseUrl", ".request.proxy.url")
        return replace(self, origin=self.origin and proxy, address_setting=setting, path="")


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a host or address may be dialled, its kind, and the rule that decided, for people.

    ``reported``: the rule refuses it, and it is dialled because refusals are only reported.
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
    return _decide(host_kind(origin.host), parse_literal(origin.host), origin, policy)


def check_address(address: str, origin: Origin, policy: EgressPolicy) -> Decision:
    """Decide about one ``address``, as text, that a resolver returned for the host of ``origin``."""
    parsed = parse_address(address)
    if parsed is None:
        return Decision(False, AddressKind.NOT_AN_ADDRESS, "it is not an address")
    return _decide(classify(parsed), parsed, origin, policy)


def check_behind_proxy(origin: Origin, policy: EgressPolicy) -> Decision:
    """Decide about the host of ``origin`` where a proxy resolves and dials it: the proxy's network is not ours."""
    return check_host(origin, replace(policy, private=True, origin=None))


def _decide(kind: AddressKind, address: Address | None, origin: Origin, policy: EgressPolicy) -> Decision:
    addresses = () if address is None else tuple(dict.fromkeys((address, *meanings(address))))
    fake = _is_fake(addresses, origin, policy)
    if kind in NEVER_ALLOWED and not (fake and kind is AddressKind.SPECIAL):
        return Decision(False, kind, f"{kind} addresses are never dialled")
    if (refusal := _refusal(addresses, origin, policy)) is not None:
        return _refused(kind, refusal, policy)
    if kind is AddressKind.PUBLIC:
        return Decision(True, kind, "public addresses are allowed")
    if kind is AddressKind.NOT_AN_ADDRESS:
        return Decision(True, kind, _BY_ADDRESSES)
    if fake and kind is not AddressKind.LOOPBACK:
        return Decision(True, kind, "network.fakeIp")
    if (permission := _permission(kind, addresses, origin, policy)) is not None:
        return Decision(True, kind, permission)
    return _refused(kind, NOT_ALLOWED, policy)


def _refused(kind: AddressKind, rule: str, policy: EgressPolicy) -> Decision:
    return Decision(policy.network.report_only, kind, rule, reported=policy.network.report_only)


def _refusal(addresses: Sequence[Address], origin: Origin, policy: EgressPolicy) -> str | None:
    """Return the rule that denies it whatever else is configured."""
    for rule in policy.network.deny:
        if rule.matches(origin.host, origin.port, addresses):
            return f"network.deny {rule.text}"
    names = (origin.host, *map(str, addresses))
    blocked = next(
        (one for one in policy.blocked_hosts if any(matches_host(name, (one,)) for name in names)), None
    )
    return None if blocked is None else f"blocked host {blocked}"


def _permission(
    kind: AddressKind, addresses: Sequence[Address], origin: Origin, policy: EgressPolicy
) -> str | None:
    """Return the rule that allows a loopback or private address."""
    for rule in policy.network.allow:
        if rule.matches(origin.host, origin.port, addresses):
            return f"network.allow {rule.text}"
    if matches_host(origin.host, policy.allowed_hosts):
        return f"allowed host {origin.host}"
    if not addresses and any(rule.network is not None for rule in policy.network.allow):
        return _BY_ADDRESSES
    if policy.origin in (None, origin):
        if policy.private:
            return policy.setting or "its own address"
        if policy.loopback and kind is AddressKind.LOOPBACK:
            return "its own loopback address"
    return GATEWAY_SWITCH if policy.network.private else None


def _is_fake(addresses: Sequence[Address], origin: Origin, policy: EgressPolicy) -> bool:
    """Whether these are placeholders of a fake-IP DNS for a name that may have them."""
    fake = policy.network.fake_ip
    if fake is None or not fake.covers(addresses) or parse_literal(origin.host) is not None:
        return False
    return origin == policy.origin or matches_host(origin.host, fake.hosts)
