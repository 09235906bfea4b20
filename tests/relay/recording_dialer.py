"""A dialer whose dials a test can read, and the policies of tests."""

from __future__ import annotations

from clawgate.policy.egress.policy import EgressPolicy
from clawgate.relay.upstream.dial import Dialer, DialRecord, Resolver, system_resolver
from clawgate.relay.upstream.traffic import OnEnd

OPEN = EgressPolicy(requester="test", private=True)
"""Loopback and private addresses are allowed."""
CLOSED = EgressPolicy(requester="test")
"""Public addresses alone."""


def record_dials(dialer: Dialer) -> list[DialRecord]:
    """Return a list of all dials from now on; they are still reported as before."""
    dials: list[DialRecord] = []
    report = dialer.on_dial

    def on_dial(record: DialRecord) -> OnEnd | None:
        dials.append(record)
        return report(record)

    dialer.on_dial = on_dial
    return dials


class RecordingDialer(Dialer):
    def __init__(self, resolver: Resolver = system_resolver) -> None:
        super().__init__(resolver)
        self.ledger = record_dials(self)
