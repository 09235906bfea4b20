"""Builds a bridge without a remote: it responds to every request with what its operator has to fix.

For a host such as OpenClaw, which shows such a response at once and tries a refused connection again for 80 s.
Must not be given a secret: every program of this machine gets the reason.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass

from clawgate.app.factory import connection_limit, cross_origin_policy, new_via_value
from clawgate.app.log_setup import RequestLog, has_own_error
from clawgate.app.role import Role
from clawgate.control.health import build_health_app
from clawgate.errors import ProviderNotConfigured
from clawgate.policy.path_routing import RouteTable
from clawgate.relay.admission.admission import Admission
from clawgate.relay.downstream.connections import ConnectionManager
from clawgate.relay.downstream.request_parser import ClientLimits
from clawgate.relay.response.operator_error import for_operator
from clawgate.relay.upstream.dial import Dialer
from clawgate.settings.roles.bridge import BridgeSettings

_DRAIN_SECONDS = 1.0
"""No response takes longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _NoRoutes(RouteTable):
    """Every path and method is refused for ``reason``, with ``status``."""

    reason: str
    status: int

    def check(self, method: bytes, path: bytes, beside: Collection[bytes] = ()) -> None:
        raise for_operator(ProviderNotConfigured(self.reason), self.status)


def build_refusing_bridge(
    reason: str, *, host: str, port: int, instance: str, operator_status: int, parent_fd: int | None
) -> Role:
    """Build the bridge; ``instance`` and ``reason`` are reported by its health.

    ``operator_status``: see `UpstreamConfig`.
    """
    limits = ClientLimits(connections=connection_limit())
    admission = Admission(
        upstream=None,
        routes=_NoRoutes(exact={}, prefixes={}, reason=reason, status=operator_status),
        browser=cross_origin_policy(BridgeSettings.model_construct(), host),
        body_limit=limits.body_bytes,
        via_pseudonym=new_via_value(),
    )
    return Role(
        name="bridge",
        connections=ConnectionManager(
            admission=admission,
            upstreams=(),
            limits=limits,
            observer=RequestLog(time.monotonic, has_own_error),
            observes_all=False,
        ),
        app=build_health_app(role="bridge", instance=instance, probe=None, problem=reason),
        dialer=Dialer(),
        host=host,
        port=port,
        drain_seconds=_DRAIN_SECONDS,
        parent_fd=parent_fd,
    )
