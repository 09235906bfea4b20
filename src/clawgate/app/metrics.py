"""Composes the listener of metrics, which a role has where it is configured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clawgate.app.factory import new_via_value
from clawgate.policy.egress_ledger import EgressLedger
from clawgate.policy.path_routing import RouteTable
from clawgate.relay.admission.admission import Admission
from clawgate.relay.downstream.connections import ConnectionManager
from clawgate.relay.downstream.request_parser import ClientLimits
from clawgate.relay.observe.metrics import RequestMetrics

_CONNECTIONS = 32

MetricsListener = tuple[int, Callable[[], tuple[ConnectionManager, Any]]]


def metrics_listener(
    port: int | None, metrics: RequestMetrics | None, connections: ConnectionManager, ledger: EgressLedger
) -> MetricsListener | None:
    """Return the port, and what makes the listener's connections and its application; None where there is none."""
    if port is None or metrics is None:
        return None

    def build() -> tuple[ConnectionManager, Any]:
        from clawgate.control.metrics import MetricsCollector, build_metrics_app

        admission = Admission(
            upstream=None,
            routes=RouteTable(exact={}, prefixes={}),
            browser=connections.admission.browser,
            body_limit=0,
            via_pseudonym=new_via_value(),
            control_paths=frozenset({b"/metrics"}),
        )
        limits = ClientLimits(connections=_CONNECTIONS)
        own = ConnectionManager(admission=admission, upstreams=(), limits=limits, observer=None)
        collector = MetricsCollector(metrics, connections, ledger.counts)
        return own, build_metrics_app(collector)

    return port, build
