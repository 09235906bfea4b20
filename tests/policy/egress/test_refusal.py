"""A refusal names the host, its address, the rule, the setting and the command."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace

import pytest

from clawgate.errors import EgressDenied, PrivateNetworkBlocked
from clawgate.policy.egress.policy import EgressPolicy, NetworkRules, check_address
from clawgate.policy.egress.refusal import denied
from clawgate.policy.egress.rules import FakeIp, Rule
from clawgate.wire.http.url import Origin
from tests.policy.egress.policies import CLOSED

OWL = Origin("http", "owl.example", 8000)
SWITCHED = replace(CLOSED, setting="the.switch")


def error_of(address: str, policy: EgressPolicy, origin: Origin = OWL) -> EgressDenied:
    return denied(origin, address, check_address(address, origin, policy), policy)


@pytest.mark.parametrize(
    ("policy", "setting"), [(SWITCHED, "the.switch"), (CLOSED, "gateway.allowPrivateNetwork")]
)
def test_a_private_address(policy: EgressPolicy, setting: str) -> None:
    error = error_of("10.0.0.1", policy)
    assert type(error) is PrivateNetworkBlocked
    assert error.message == (
        "http://owl.example:8000: 10.0.0.1 is a private address (owl.example resolves to it), and no setting allows "
        f"it; if this is your own server, set {setting} to true: clawgate config set {setting} true"
    )


@pytest.mark.parametrize("host", ["owl.example", "10.0.0.1", "fd00::7"])
def test_another_address_than_its_own_is_allowed_by_a_rule(host: str) -> None:
    """The switch of a provider or MCP server counts for its own origin alone, also where it is on."""
    address, origin = host if host != "owl.example" else "10.0.0.1", Origin("http", host, 8000)
    own = Origin("https", "own.example", 443)
    policy = replace(SWITCHED, private=True, origin=own, network=NetworkRules(allow=(Rule.parse("a.b"),)))
    message = error_of(address, policy, origin).message
    assert "the.switch" not in message
    setting, value = shlex.split(message.partition("clawgate config set ")[2])
    assert setting == "plugins.entries.clawgate.config.network.allow"
    rules = tuple(map(Rule.parse, json.loads(value)))
    assert rules[0].text == "a.b"
    assert check_address(address, origin, replace(policy, network=NetworkRules(allow=rules))).allowed


def test_a_key_path_is_quoted_for_a_shell() -> None:
    policy = replace(CLOSED, setting='models.providers."my owl".request.allowPrivateNetwork')
    assert 'config set \'models.providers."my owl".request' in error_of("127.0.0.1", policy).message


@pytest.mark.parametrize(
    ("address", "network", "advice"),
    [
        ("169.254.169.254", NetworkRules(), "no setting allows it: use another address"),
        ("0.0.0.0", NetworkRules(), "for a server on this machine use 127.0.0.1"),
        ("::", NetworkRules(), "for a server on this machine use 127.0.0.1"),
        (
            "198.18.0.4",
            NetworkRules(),
            "clawgate config set plugins.entries.clawgate.config.network.fakeIp '{}'",
        ),
        ("198.18.0.4", NetworkRules(fake_ip=FakeIp()), "network.fakeIp.hosts '[\"owl.example\"]'"),
        ("10.0.0.1", NetworkRules(deny=(Rule.parse("10.0.0.0/8"),)), "network.deny 10.0.0.0/8"),
        (
            "8.8.8.8",
            NetworkRules(deny=(Rule.parse("8.8.8.8"),)),
            "remove 8.8.8.8 from plugins.entries.clawgate.config.network.deny",
        ),
        (
            "198.18.0.4",
            NetworkRules(fake_ip=FakeIp(hosts=("*.lan",))),
            'network.fakeIp.hosts \'["*.lan", "owl.example"]\'',
        ),
    ],
)
def test_what_no_switch_opens_names_none(address: str, network: NetworkRules, advice: str) -> None:
    error = error_of(address, replace(SWITCHED, network=network))
    assert advice in error.message and "the.switch" not in error.message
    assert type(error) is (EgressDenied if network.deny else PrivateNetworkBlocked)
    literal = error_of(address, replace(SWITCHED, network=network), replace(OWL, host=address))
    assert "resolves" not in literal.message and "fakeIp" not in literal.message


def test_a_blocked_host_names_the_list_that_it_is_in() -> None:
    error = error_of("8.8.8.8", replace(CLOSED, blocked_hosts=("*.example",)))
    assert "remove *.example from tools.web.fetch.ssrfPolicy.blockedHostnames" in error.message
