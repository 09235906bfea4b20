"""Hosts before they are resolved."""

from __future__ import annotations

import pytest

from clawgate.policy.egress.names import host_kind, matches_host
from clawgate.policy.egress.ranges import AddressKind


@pytest.mark.parametrize(
    ("host", "kind"),
    [
        ("localhost", AddressKind.LOOPBACK),
        ("a.localhost", AddressKind.LOOPBACK),
        ("localhost.localdomain", AddressKind.LOOPBACK),
        ("localhost6.localdomain6", AddressKind.LOOPBACK),
        ("ip6-localhost", AddressKind.LOOPBACK),
        ("localhost.", AddressKind.LOOPBACK),
        ("local", AddressKind.PRIVATE),
        ("printer.local", AddressKind.PRIVATE),
        ("printer.local.", AddressKind.PRIVATE),
        ("host.docker.internal", AddressKind.PRIVATE),
        ("kubernetes.default.svc.cluster.local", AddressKind.PRIVATE),
        ("owl.localdomain", AddressKind.PRIVATE),
        ("metadata", AddressKind.METADATA),
        ("instance-data", AddressKind.METADATA),
        ("metadata.google.internal.", AddressKind.METADATA),
        ("localhost.example", AddressKind.NOT_AN_ADDRESS),
        ("notlocalhost", AddressKind.NOT_AN_ADDRESS),
        ("mylocal", AddressKind.NOT_AN_ADDRESS),
        ("internal.example", AddressKind.NOT_AN_ADDRESS),
        ("owl.example", AddressKind.NOT_AN_ADDRESS),
        ("10.1.2.3", AddressKind.PRIVATE),
        ("8.8.8.8", AddressKind.PUBLIC),
        ("0x7f.1", AddressKind.LOOPBACK),
        ("metadata.google.internal", AddressKind.METADATA),
        ("metadata.goog", AddressKind.METADATA),
        ("::ffff:a9fe:a9fe", AddressKind.METADATA),
        ("metadata.example", AddressKind.NOT_AN_ADDRESS),
        ("1.2.3.4.5", AddressKind.NOT_AN_ADDRESS),
        ("256.1.1.1", AddressKind.NOT_AN_ADDRESS),
        ("4294967296", AddressKind.NOT_AN_ADDRESS),
        ("0x", AddressKind.NOT_AN_ADDRESS),
        ("09.1.1.1", AddressKind.NOT_AN_ADDRESS),
        ("a1", AddressKind.NOT_AN_ADDRESS),
    ],
)
def test_what_a_host_says_of_itself(host: str, kind: AddressKind) -> None:
    assert host_kind(host) is kind


def test_patterns_of_hosts() -> None:
    assert matches_host("a.b", ("a.b",)) and matches_host("x.a.b", ("c", "*.a.b"))
    assert not matches_host("a.b", ("*.a.b", "b", "")) and not matches_host("xa.b", ("*.a.b",))
