"""The remote proxy: tokens in, the real key out."""

from __future__ import annotations

import logging
import secrets
import ssl
import time
from collections.abc import Callable, Iterable
from typing import Any

from clawgate.app.factory import (
    body_limit,
    browser_rule,
    intake_limits,
    route,
    time_limits,
    via_value,
    why_unusable,
)
from clawgate.app.log_setup import AuthFailureMonitor, tee_observers, write_line
from clawgate.app.role import RelayRole
from clawgate.control.health import HealthProbe, build_health_app
from clawgate.policy.authentication import AuthLockout, LockoutRule
from clawgate.policy.client_ip import TrustedProxies
from clawgate.policy.cross_origin import CrossOriginPolicy
from clawgate.policy.path_routing import MODEL_ROUTES, RouteTable
from clawgate.policy.rate_limit import RateLimiter, RateRule
from clawgate.providers.credential import Bearer, HeaderToken
from clawgate.relay.admission.admission import Admission
from clawgate.relay.admission.plan import ModelAllowlist
from clawgate.relay.downstream.connections import ConnectionManager
from clawgate.relay.downstream.request_parser import ClientLimits
from clawgate.relay.observe.access_log import AccessLog
from clawgate.relay.observe.metrics import RequestMetrics
from clawgate.relay.observe.record import Observer
from clawgate.relay.upstream.dial import Dialer
from clawgate.relay.upstream.upstream import Upstream, UpstreamConfig
from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.roles.server import ServerSettings
from clawgate.settings.roles.tokens_file import TokenSource
from clawgate.wire.http.url import parse_url

logger = logging.getLogger("clawgate")

_LOOK_AT_TOKENS_EVERY = 0.5
_FLUSH_LOG_EVERY = 0.2


def build_server(
    settings: ServerSettings,
    *,
    dialer: Dialer | None = None,
    add_secrets: Callable[[Iterable[str]], None] = lambda secrets: None,
) -> RelayRole:
    """The remote proxy: tokens in, the real key out. ``add_secrets`` is told of tokens that stand in files."""
    source = TokenSource(settings)
    add_secrets(source.tokens.values())
    _check_certificate(settings)
    instance = secrets.token_hex(6)
    dialer = dialer or Dialer()
    upstream = _upstream(settings, dialer, instance)
    rates = RateRule(concurrent=settings.max_concurrent, per_minute=settings.requests_per_minute)
    gate = Admission(
        upstream=upstream,
        routes=MODEL_ROUTES,
        browser=browser_rule(settings, settings.host),
        body_limit=body_limit(settings),
        via_pseudonym=via_value(instance),
        tokens=source.store(),
        failures=AuthLockout(
            LockoutRule(settings.max_auth_failures, settings.auth_failure_window, settings.auth_lockout)
        ),
        rates=RateLimiter(rates) if rates != RateRule() else None,
        model_allowlist=ModelAllowlist(frozenset(settings.models)) if settings.models else None,
        proxies=TrustedProxies.of(settings.trusted_proxy),
    )
    tally = RequestMetrics()
    log = AccessLog(write_line, time.time) if settings.access_log else None
    watch = AuthFailureMonitor(
        f"{upstream.origin} answers 401: it refuses the key; check --openai-api-key (OPENAI_API_KEY)",
        time.monotonic,
    )
    observer: Observer = tee_observers(tally, watch)
    if log is not None:
        observer = tee_observers(observer, log)
    front = ConnectionManager(
        gate=gate, upstreams=(upstream,), limits=intake_limits(settings), observer=observer
    )
    role = RelayRole(
        name="server",
        front=front,
        app=build_health_app(
            role="server", instance=instance, probe=HealthProbe(upstream), deep_for_callers=True
        ),
        upstream=upstream,
        dialer=dialer,
        host=settings.host,
        port=settings.port,
        drain_seconds=settings.drain_timeout,
        tls=(settings.tls_certificate, settings.tls_key)
        if settings.tls_certificate and settings.tls_key
        else None,
        workers=settings.workers,
        parent_fd=0 if settings.exit_on_stdin_eof else None,
        periodic_tasks=[(_LOOK_AT_TOKENS_EVERY, lambda: _look_at_tokens(source, gate, front, add_secrets))],
    )
    if log is not None:
        role.periodic_tasks.append((_FLUSH_LOG_EVERY, log.flush))
        role.on_shutdown = log.flush
    if settings.metrics_port is not None:
        role.metrics = (settings.metrics_port, lambda: _build_metrics(tally, front, upstream, instance))
    return role


def _upstream(settings: ServerSettings, dialer: Dialer, instance: str) -> Upstream:
    """The one place that requests go to, with the real key."""
    origin, path = parse_url(settings.base_url)
    return Upstream(
        UpstreamConfig(
            name="openai",
            route=route(settings, origin, (settings.host, settings.port)),
            prefix=path or "/v1",
            replaces="/v1",
            credential=Bearer(settings.openai_api_key.get_secret_value()),
            limits=time_limits(settings),
            extra_lines=_account_lines(settings),
        ),
        dialer,
        via=via_value(instance),
    )


def _account_lines(settings: ServerSettings) -> bytes:
    lines = {"openai-organization": settings.organization, "openai-project": settings.project}
    return b"".join(HeaderToken(name, value).line() for name, value in lines.items() if value)


def _check_certificate(settings: ServerSettings) -> None:
    if settings.tls_certificate is not None:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
                settings.tls_certificate, settings.tls_key
            )
        except OSError as error:
            raise SettingsInvalid(
                [
                    Diagnostic(
                        (),
                        why_unusable(error, settings.tls_certificate, settings.tls_key),
                        location="tlsCertificate, tlsKey",
                    )
                ]
            ) from error


def _look_at_tokens(
    source: TokenSource,
    gate: Admission,
    front: ConnectionManager,
    add_secrets: Callable[[Iterable[str]], None],
) -> None:
    try:
        if not source.reload_if_changed():
            return
    except SettingsInvalid as error:
        logger.warning("the changed tokens file is not used, the earlier tokens stay valid: %s", error)
        return
    add_secrets(source.tokens.values())
    gate.tokens = source.store()
    front.invalidate_head_caches()
    logger.info("tokens read again: %s", ", ".join(sorted(source.tokens)))


def _build_metrics(
    tally: RequestMetrics, measured: ConnectionManager, upstream: Upstream, instance: str
) -> tuple[ConnectionManager, Any]:
    from clawgate.control.metrics import MetricsCollector, build_metrics_app

    gate = Admission(
        upstream=upstream,
        routes=RouteTable(exact={}, prefixes={}),
        browser=CrossOriginPolicy(),
        body_limit=0,
        via_pseudonym=via_value(instance),
        control_paths=frozenset({b"/metrics"}),
    )
    front = ConnectionManager(gate=gate, upstreams=(), limits=ClientLimits(connections=32), observer=None)
    return front, build_metrics_app(MetricsCollector(tally, measured, upstream))
