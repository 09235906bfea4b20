"""Policies that tests decide with."""

from __future__ import annotations

from clawgate.policy.egress.policy import EgressPolicy
from clawgate.wire.http.url import Origin

ORIGIN = Origin("http", "somewhere.example", 80)
CLOSED = EgressPolicy(requester="test")
OPEN = EgressPolicy(requester="test", private=True, setting="the.switch")
