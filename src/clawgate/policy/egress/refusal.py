"""Words a refusal: what was refused by which rule, the exact setting, and the command that sets it."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace

from clawgate.errors import EgressDenied, PrivateNetworkBlocked
from clawgate.policy.egress.address import meanings, parse_address, parse_literal
from clawgate.policy.egress.policy import GATEWAY_SWITCH, NOT_ALLOWED, Decision, EgressPolicy
from clawgate.policy.egress.ranges import NEVER_ALLOWED, PRIVATE_KINDS
from clawgate.policy.egress.rules import FAKE_IP_RANGE, FakeIp
from clawgate.wire.http.url import Origin

NETWORK = "plugins.entries.clawgate.config.network"
_DENYING = {
    "network.deny ": f"{NETWORK}.deny",
    "blocked host ": "tools.web.fetch.ssrfPolicy.blockedHostnames",
}
"""How a rule that denies begins, and where the operator has it."""


def denied(origin: Origin, address: str, decision: Decision, policy: EgressPolicy) -> EgressDenied:
    """Return the error for an ``address`` of ``origin``, or its host, that ``decision`` refuses."""
    of_name = "" if address == origin.host else f" ({origin.host} resolves to it)"
    if decision.kind in PRIVATE_KINDS and decision.rule == NOT_ALLOWED:
        setting = policy.setting or GATEWAY_SWITCH
        if policy.origin in (None, origin):
            return PrivateNetworkBlocked(
                f"{origin}: {address} is a {decision.kind} address{of_name}, and {decision.rule}; if this is your own "
                f"server, set {setting} to true: clawgate config set {shlex.quote(setting)} true"
            )
        return PrivateNetworkBlocked(  # the switch counts for its own origin
            f"{origin}: {address} is a {decision.kind} address{of_name}, and {decision.rule}; if this is your own "
            f"server, allow it by a rule: {_allow_command(origin, policy)}"
        )
    where = _where_denied(decision.rule)
    is_never_allowed = decision.kind in NEVER_ALLOWED and not where
    return (PrivateNetworkBlocked if is_never_allowed else EgressDenied)(
        f"{origin}: {address} must not be dialled ({decision.kind}: {decision.rule}){of_name}; "
        f"{where or advice(address, origin, policy)}"
    )


def _allow_command(origin: Origin, policy: EgressPolicy) -> str:
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    rules = json.dumps([*(rule.text for rule in policy.network.allow), f"{host}:{origin.port}"])
    return f"clawgate config set {NETWORK}.allow {shlex.quote(rules)}"


def _where_denied(rule: str) -> str:
    """Return where a rule of the operator is that denies, "" for another."""
    for beginning, setting in _DENYING.items():
        if rule.startswith(beginning):
            return f"remove {rule.removeprefix(beginning)} from {setting}, or use another address"
    return ""


def advice(address: str, origin: Origin, policy: EgressPolicy) -> str:
    """Return what to do about an address that is refused whatever the switches are."""
    parsed = parse_literal(address)
    if parsed is not None and any(one.is_unspecified for one in meanings(parsed)):
        # people copy it from the settings of a server
        here = replace(origin, host="127.0.0.1")
        return f"for a server on this machine use 127.0.0.1{_set_address(f'{here}{policy.path}', policy)}"
    if address != origin.host and is_placeholder(address):
        return (
            f"{FAKE_IP_RANGE} has the placeholders of a fake-IP DNS (Clash, Surge, sing-box); if you use one: "
            f"{fake_ip_command(origin.host, policy)}"
        )
    if policy.address_setting:
        return f"no setting allows it: set another address{_set_address('URL', policy)}"
    return "no setting allows it: use another address"


def _set_address(url: str, policy: EgressPolicy) -> str:
    """Return how to set the address of the requester; "" where the operator configured none."""
    setting = policy.address_setting
    if "." not in setting:
        return f", in the variable {setting}" if setting else ""
    return f": clawgate config set {shlex.quote(setting)} {shlex.quote(url)}"


def is_placeholder(address: str) -> bool:
    """Return whether ``address`` is of the usual range of a fake-IP DNS."""
    parsed = parse_address(address)
    return parsed is not None and FakeIp().covers(meanings(parsed))


def fake_ip_command(host: str, policy: EgressPolicy) -> str:
    """Return the command after which ``host`` may have placeholders."""
    setting, value = f"{NETWORK}.fakeIp", "{}"
    if policy.network.fake_ip is not None:
        setting, value = f"{setting}.hosts", json.dumps([*policy.network.fake_ip.hosts, host])
    return f"clawgate config set {setting} {shlex.quote(value)}"
