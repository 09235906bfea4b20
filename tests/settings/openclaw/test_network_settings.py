"""``plugins.entries.clawgate.config.network``: read into rules, or refused with a better one."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from clawgate.policy.egress.policy import NO_RULES, NetworkRules
from clawgate.policy.egress.rules import FakeIp, Rule
from clawgate.settings.openclaw.own_settings import network_rules, network_rules_of, problems
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.schema.openclaw import OpenClawConfig


def config(network: dict[str, Any] | None, **gateway: Any) -> OpenClawConfig:
    entries = {} if network is None else {"clawgate": {"config": {"network": network}}}
    return OpenClawConfig.model_validate({"gateway": gateway, "plugins": {"entries": entries}})


def test_without_settings_nothing_private_is_dialled() -> None:
    nothing = replace(NO_RULES, connections_per_minute=6000)
    assert network_rules(config(None)) == network_rules(config({})) == nothing


def test_every_setting_becomes_a_rule() -> None:
    network = {
        "allow": ["10.0.0.0/8", "owl.lan:8000"],
        "deny": ["*.bad.lan"],
        "fakeIp": {"hosts": ["far.example"], "ranges": ["198.18.0.0/16", "fc00::/18"]},
        "mode": "report",
        "connectionsPerMinute": 60,
    }
    found = network_rules(config(network, allowPrivateNetwork=True))
    assert found == NetworkRules(
        private=True,
        allow=(Rule.parse("10.0.0.0/8"), Rule.parse("owl.lan:8000")),
        deny=(Rule.parse("*.bad.lan"),),
        fake_ip=FakeIp(ranges=(ip_network("198.18.0.0/16"), ip_network("fc00::/18")), hosts=("far.example",)),
        report_only=True,
        connections_per_minute=60,
    )
    assert network_rules(config({"fakeIp": {}})).fake_ip == FakeIp()


@pytest.mark.parametrize(
    ("network", "key", "text"),
    [
        ({"allow": ["10.0.0.1/8"]}, "network.allow[0]", "did you mean '10.0.0.0/8'?"),
        ({"allow": ["x.lan", "http://owl"]}, "network.allow[1]", "write its host alone"),
        ({"allow": ["169.254.169.254"]}, "network.allow[0]", "is never dialled"),
        ({"allow": ["metadata.google.internal"]}, "network.allow[0]", "is never dialled"),
        ({"allow": "10.0.0.0/8"}, "network.allow", ""),
        ({"deny": ["*"]}, "network.deny[0]", "is no host"),
        ({"fakeIp": {"ranges": ["8.8.8.0/24"]}}, "network.fakeIp.ranges[0]", "placeholders"),
        ({"fakeIp": {"hosts": ["10.0.0.1"]}}, "network.fakeIp.hosts[0]", "is no host"),
        ({"fakeIp": {"hosts": ["a:80"]}}, "network.fakeIp.hosts[0]", "is no host"),
        ({"fakeIp": {"range": []}}, "network.fakeIp.range", "did you mean 'ranges'?"),
        ({"fakeIp": True}, "network.fakeIp", ""),
        ({"mode": "observe"}, "network.mode", "report"),
        ({"connectionsPerMinute": 0}, "network.connectionsPerMinute", ""),
        ({"connectionsPerMinute": True}, "network.connectionsPerMinute", "number"),
        ({"allows": []}, "network.allows", "did you mean 'allow'?"),
    ],
)
def test_a_problem_names_its_key_and_what_to_write(network: dict[str, Any], key: str, text: str) -> None:
    (found,) = problems(config(network))
    assert str(found).startswith(f"plugins.entries.clawgate.config.{key}") and text in str(found)


def _raw(network: object) -> dict[str, Any]:
    return {"plugins": {"entries": {"clawgate": {"config": {"network": network}}}}}


def test_the_rules_of_a_config_as_it_was_parsed() -> None:
    network = {"allow": ["10.0.0.0/8"], "fakeIp": {}}
    raw = {"plugins": {"entries": {"clawgate": {"config": {"network": network}}}}}
    assert network_rules_of(raw, {}) == network_rules(config(network))
    assert network_rules_of({}, {}) == network_rules(config(None)) == network_rules_of({"gateway": "x"}, {})
    private = {"allowPrivateNetwork": True}
    assert network_rules_of({"gateway": private}, {}) == network_rules(config(None, **private))
    assert not network_rules_of({"gateway": {"allowPrivateNetwork": "true"}}, {}).private


def test_the_rules_have_their_references_resolved() -> None:
    raw = {"plugins": {"entries": {"clawgate": {"config": {"network": {"deny": ["${BAD}"]}}}}}}
    assert network_rules_of(raw, {"BAD": "evil.example"}) == network_rules(config({"deny": ["evil.example"]}))
    with pytest.raises(SettingsInvalid, match=r"network\.deny\[0\]: the environment variable BAD is not set"):
        network_rules_of(raw, {})


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ({"plugins": 1}, "plugins: must be an object"),
        ({"plugins": {"entries": []}}, "plugins.entries: must be an object"),
        ({"plugins": {"entries": {"clawgate": {"config": None}}}}, "clawgate.config: must be an object"),
        (_raw({"allow": ["http://x"], "deny": ["10.0.0.0/8"]}), "config.network.allow[0]: "),
        (
            _raw({"deny": ["10.0.0.0/8"], "allows": []}),
            "config.network.allows: is not a setting; did you mean 'allow'?",
        ),
        (_raw({"fakeIp": {"range": []}}), "did you mean 'ranges'?"),
        (_raw(None), "config.network: "),
        (_raw([]), "config.network: "),
    ],
)
def test_without_its_rules_a_config_gives_none_but_the_reason(raw: dict[str, Any], text: str) -> None:
    """Those of none would allow what the file denies."""
    with pytest.raises(SettingsInvalid) as caught:
        network_rules_of(raw, {})
    assert text in str(caught.value)
