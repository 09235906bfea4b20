"""Explains what the egress policy decides of a URL, by the decisions that a dial makes. Must not open a connection."""

from __future__ import annotations

from dataclasses import dataclass, replace

from clawgate.errors import EgressDenied
from clawgate.policy.egress.policy import (
    Decision,
    EgressPolicy,
    check_address,
    check_behind_proxy,
    check_host,
)
from clawgate.policy.egress.ranges import AddressKind
from clawgate.policy.egress.refusal import denied
from clawgate.relay.upstream.dial import NO_ADDRESS, CheckedAddresses, Resolver
from clawgate.wire.http.url import Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """``addresses`` is None where the name was not resolved; ``resolving`` is why it could not be.

    Behind ``proxy`` these are its host and its addresses. ``error`` is what a request would get.
    """

    requester: str
    origin: Origin
    host: Decision
    proxy: Origin | None = None
    addresses: CheckedAddresses | None = None
    resolving: str = ""
    error: EgressDenied | None = None

    @property
    def verdict(self) -> str:
        """Return allowed, refused or reported; undecided where the addresses of a name are not known."""
        if self.error is not None:
            return "refused"
        decisions = [self.host, *(decision for _, decision in self.addresses or ())]
        if any(decision.reported for decision in decisions):
            return "reported"
        is_name = self.host.kind is AddressKind.NOT_AN_ADDRESS
        return "undecided" if is_name and not self.addresses else "allowed"

    def to_json(self) -> dict[str, object]:
        return {
            "url": str(self.origin),
            "requester": self.requester,
            "proxy": self.proxy and str(self.proxy),
            "verdict": self.verdict,
            "host": _json(self.host),
            "addresses": self.addresses
            and [{"address": text, **_json(decision)} for text, decision in self.addresses],
            "resolving": self.resolving or None,
            "code": self.error and self.error.code,
            "message": self.error and self.error.message,
        }


async def explain(
    origin: Origin, policy: EgressPolicy, resolver: Resolver | None, proxy: Origin | None = None
) -> Explanation:
    """Return what a request of ``policy.requester`` to ``origin`` gets; a name is resolved only by ``resolver``.

    Behind ``proxy`` it is the proxy that is decided about, unless ``origin`` is never dialled.
    """
    target = origin
    if proxy is not None:
        behind = check_behind_proxy(origin, policy)
        if not behind.allowed:
            refusal = denied(origin, origin.host, behind, policy)
            return Explanation(requester=policy.requester, origin=origin, host=behind, error=refusal)
        target, policy = proxy, policy.of_proxy(proxy)
    host = check_host(target, policy)
    known = Explanation(requester=policy.requester, origin=origin, host=host, proxy=proxy)
    if not host.allowed:
        return replace(known, error=denied(target, target.host, host, policy))
    if resolver is None:
        return known
    try:
        found = await resolver(target.host, target.port)
    except (OSError, UnicodeError) as failure:
        return replace(known, resolving=str(getattr(failure, "strerror", None) or failure))
    checked = tuple((text, check_address(text, target, policy)) for text in found)
    refused = (one for one in checked or (("no address", NO_ADDRESS),) if not one[1].allowed)
    error = next((denied(target, text, decision, policy) for text, decision in refused), None)
    return replace(known, addresses=checked, error=error)


def _json(decision: Decision) -> dict[str, object]:
    return {
        "kind": str(decision.kind),
        "allowed": decision.allowed,
        "reported": decision.reported,
        "rule": decision.rule,
    }
