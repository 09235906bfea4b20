"""Builds relay roles: those with one upstream for all requests."""

from __future__ import annotations

import logging
import resource
import secrets
import time
from dataclasses import dataclass

from clawgate.app.log_setup import AuthFailureMonitor, tee_observers
from clawgate.app.role import RelayRole
from clawgate.app.upstreams import pool_limits, relay_endpoint, time_limits
from clawgate.control.health import HealthProbe, build_health_app
from clawgate.policy.authentication import AuthLockout, LockoutRule, TokenStore
from clawgate.policy.client_ip import TrustedProxies
from clawgate.policy.cross_origin import CrossOriginPolicy
from clawgate.policy.egress.policy import NO_RULES, EgressPolicy, NetworkRules
from clawgate.policy.path_routing import RouteTable
from clawgate.policy.rate_limit import RateLimiter
from clawgate.providers.credential import Credential
from clawgate.relay.admission.admission import Admission
from clawgate.relay.admission.plan import ModelAllowlist
from clawgate.relay.downstream.connections import ConnectionManager
from clawgate.relay.downstream.request_parser import ClientLimits
from clawgate.relay.observe.record import Observer
from clawgate.relay.upstream.dial import Dialer
from clawgate.relay.upstream.upstream import Upstream, UpstreamConfig
from clawgate.settings.roles.relay import RelaySettings
from clawgate.wire.http.url import parse_url

logger = logging.getLogger("clawgate")

_SPARE_FILES = 64
"""Descriptors that are not connections: listeners, logs, pipes, modules."""
_MAX_FILES = 65_536
_MIN_CONNECTIONS = 16


def raise_fd_limit() -> None:
    """Raise this process's limit of open files as far as allowed. Call this before `connection_limit`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = min(hard, _MAX_FILES) if hard != resource.RLIM_INFINITY else _MAX_FILES
    if soft < highest:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest, hard))
        except (ValueError, OSError):
            logger.debug("the limit of open files stays at %d", soft)


def connection_limit() -> int:
    """Return how many clients the descriptors allow, two for each: its own and one to the upstream."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = soft if soft != resource.RLIM_INFINITY else _MAX_FILES
    return max((files - _SPARE_FILES) // 2, _MIN_CONNECTIONS)


def new_via_value() -> bytes:
    """Return a new pseudonym for the ``Via`` header (RFC 9110 7.6.3), by which a request loop is detected."""
    return f"clawgate-{secrets.token_hex(6)}".encode("ascii")


def cross_origin_policy(settings: RelaySettings, host: str) -> CrossOriginPolicy:
    block = f'plugins.entries."{settings.ENTRY}".config'
    return CrossOriginPolicy.of_listener(
        host,
        hosts=settings.allow_host,
        origins=settings.allow_origin,
        host_setting=f"--allow-host or {block}.allowHost",
        origin_setting=f"--allow-origin or {block}.allowOrigin",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayDescription:
    """What distinguishes one relay role from another.

    ``replaces``, ``prefix`` and ``operator_status``: see `UpstreamConfig`.
    """

    name: str
    host: str
    port: int
    url: str
    upstream_name: str
    prefix: str
    credential: Credential
    auth_advice: str
    """What to do if the upstream rejects the credential."""
    observer: Observer
    observes_all: bool
    routes: RouteTable
    tokens: TokenStore | None
    lockout: LockoutRule | None
    replaces: str = ""
    extra_lines: bytes = b""
    network: NetworkRules = NO_RULES
    rates: RateLimiter | None = None
    model_allowlist: ModelAllowlist | None = None
    operator_status: int | None = None


def build_relay_role(
    description: RelayDescription,
    settings: RelaySettings,
    *,
    dialer: Dialer | None = None,
    instance: str | None = None,
) -> RelayRole:
    """Build a role with one upstream. ``instance`` is reported by its health. Raises `SettingsInvalid`."""
    dialer = dialer or Dialer()
    via = new_via_value()
    body_bytes = int(settings.max_body_mb * 1024 * 1024)
    upstream = _relay_upstream(description, settings, dialer, via)
    admission = Admission(
        upstream=upstream,
        routes=description.routes,
        browser=cross_origin_policy(settings, description.host),
        body_limit=body_bytes,
        via_pseudonym=via,
        tokens=description.tokens,
        failures=None if description.lockout is None else AuthLockout(description.lockout),
        rates=description.rates,
        model_allowlist=description.model_allowlist,
        proxies=TrustedProxies.of(settings.trusted_proxy),
    )
    advice = f"{upstream.origin} rejects the configured credential: {description.auth_advice}"
    connections = ConnectionManager(
        admission=admission,
        upstreams=(upstream,),
        limits=ClientLimits(body_bytes=body_bytes, connections=connection_limit()),
        observer=tee_observers(description.observer, AuthFailureMonitor(advice, time.monotonic)),
        observes_all=description.observes_all,
    )
    return RelayRole(
        name=description.name,
        connections=connections,
        app=build_health_app(
            role=description.name,
            instance=instance or secrets.token_hex(6),
            probe=HealthProbe(upstream),
            deep_for_callers=description.tokens is not None,
        ),
        upstream=upstream,
        dialer=dialer,
        host=description.host,
        port=description.port,
        drain_seconds=settings.drain_timeout,
        parent_fd=0 if settings.exit_on_stdin_eof else None,
    )


def _relay_upstream(
    description: RelayDescription, settings: RelaySettings, dialer: Dialer, via: bytes
) -> Upstream:
    origin, _ = parse_url(description.url)
    config = UpstreamConfig(
        name=description.upstream_name,
        endpoint=relay_endpoint(
            settings,
            EgressPolicy(
                requester=description.name, private=True, origin=origin, network=description.network
            ),
            (description.host, description.port),
        ),
        prefix=description.prefix,
        replaces=description.replaces,
        credential=description.credential,
        credential_advice=description.auth_advice,
        operator_status=description.operator_status,
        limits=time_limits(settings),
        pool_limits=pool_limits(settings),
        extra_lines=description.extra_lines,
    )
    return Upstream(config, dialer, via=via)
