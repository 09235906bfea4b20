"""The forms of a rule, and what is refused with a better one."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from clawgate.policy.egress.rules import FakeIp, Rule, parse_fake_range


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("10.0.0.0/8", Rule("10.0.0.0/8", network=ip_network("10.0.0.0/8"))),
        ("fd00::/8", Rule("fd00::/8", network=ip_network("fd00::/8"))),
        ("10.0.0.1", Rule("10.0.0.1", network=ip_network("10.0.0.1/32"))),
        ("0x7f.1", Rule("0x7f.1", network=ip_network("127.0.0.1/32"))),
        ("127.0.0.1:80", Rule("127.0.0.1:80", network=ip_network("127.0.0.1/32"), port=80)),
        ("::1", Rule("::1", network=ip_network("::1/128"))),
        ("[::1]", Rule("[::1]", network=ip_network("::1/128"))),
        ("[::1]:80", Rule("[::1]:80", network=ip_network("::1/128"), port=80)),
        ("::ffff:10.0.0.1", Rule("::ffff:10.0.0.1", network=ip_network("10.0.0.1/32"))),
        ("::ffff:0:0/96", Rule("::ffff:0:0/96", network=ip_network("0.0.0.0/0"))),
        ("Owl.Example.", Rule("Owl.Example.", host="owl.example")),
        ("*.Owl.Example", Rule("*.Owl.Example", host="*.owl.example")),
        ("owl.example:1", Rule("owl.example:1", host="owl.example", port=1)),
        ("localhost", Rule("localhost", host="localhost")),
    ],
)
def test_a_rule(text: str, rule: Rule) -> None:
    assert Rule.parse(text) == rule


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "neither of these"), ("*", "no host"), ("*.", "no host"), ("a b", "neither of these"),
        ("http://owl", "is a URL; write its host"), ("10.0.0.1/8", "did you mean '10.0.0.0/8'"),
        ("fd00::1/8", "did you mean 'fd00::/8'"), ("10/8", "no range"), ("owl/8", "no range"),
        ("10.0.0.0/33", "no range"), ("owl:x", "no port"), ("owl:0", "no port"), ("owl:65536", "no port"),
        ("owl:", "no port"), ("*.10.0.0.1", "with a wildcard"), ("a.*.b", "neither of these"),
        ("::1:x", "neither of these"), ("[::1", "neither of these"), ("300.1.1.1", "neither of these"),
    ],
)  # fmt: skip
def test_what_is_no_rule(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Rule.parse(text)


@pytest.mark.parametrize(
    ("text", "opens_nothing"),
    [
        ("169.254.169.254", True), ("169.254.0.0/16", True), ("169.254.1.0/24", True), ("fe80::/10", True),
        ("100.100.100.200", True), ("fd00:ec2::/32", True), ("metadata.google.internal", True), ("0.0.0.0", True),
        ("224.0.0.0/4", True), ("169.0.0.0/8", False), ("0.0.0.0/0", False), ("::/0", False), ("100.64.0.0/10", False),
        ("::1", False), ("127.0.0.1", False), ("fd00::/8", False), ("10.0.0.0/8", False), ("owl.example", False),
        ("*.internal", False),
    ],
)  # fmt: skip
def test_a_rule_that_can_open_nothing(text: str, opens_nothing: bool) -> None:
    assert Rule.parse(text).opens_nothing is opens_nothing


def test_what_a_rule_matches() -> None:
    below = Rule.parse("*.owl.example")
    assert below.matches("a.owl.example", 1, ()) and below.matches("a.b.owl.example", 1, ())
    assert not below.matches("owl.example", 1, ()) and not below.matches("bowl.example", 1, ())
    here = Rule.parse("127.0.0.1:80")
    assert here.matches("x", 80, (ip_address("127.0.0.1"),)) and not here.matches("x", 80, ())
    assert not here.matches("x", 81, (ip_address("127.0.0.1"),))


@pytest.mark.parametrize("text", ["198.18.0.0/15", "198.18.0.0/16", "fc00::/18", "10.0.0.0/8", "240.0.0.0/8"])
def test_a_range_of_placeholders(text: str) -> None:
    assert FakeIp(ranges=(parse_fake_range(text),)).covers((ip_network(text).network_address,))


@pytest.mark.parametrize(
    "text",
    ["0.0.0.0/0", "8.8.8.0/24", "127.0.0.0/8", "169.254.0.0/16", "::/0", "198.18.0.1/15",
     "224.0.0.0/3", "fc00::/6", "0.0.0.0/8", "0.1.0.0/16", "::/128"],
)  # fmt: skip
def test_what_is_no_range_of_placeholders(text: str) -> None:
    with pytest.raises(ValueError, match=r"placeholders|did you mean"):
        parse_fake_range(text)
