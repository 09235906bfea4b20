"""Builds the server: clients with tokens in, the provider's real key out."""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from clawgate.app.egress_recorder import record_dials
from clawgate.app.factory import RelayDescription, build_relay_role
from clawgate.app.log_setup import tee_observers, write_line
from clawgate.app.metrics import metrics_listener
from clawgate.app.role import RelayRole
from clawgate.app.upstreams import check_key_file, why_unusable
from clawgate.policy.authentication import LockoutRule, TokenStore
from clawgate.policy.path_routing import MODEL_ROUTES
from clawgate.policy.rate_limit import RateLimiter, RateRule
from clawgate.providers.credential import HeaderToken, bearer
from clawgate.relay.admission.plan import ModelAllowlist
from clawgate.relay.downstream.connections import ConnectionManager
from clawgate.relay.observe.access_log import AccessLog
from clawgate.relay.observe.metrics import RequestMetrics
from clawgate.relay.observe.record import Observer
from clawgate.relay.upstream.dial import Dialer
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.regular_file import access_warnings
from clawgate.settings.roles.server import ServerSettings
from clawgate.settings.roles.tokens_file import TokenSource
from clawgate.wire.http.url import parse_url

logger = logging.getLogger("clawgate")

AddSecrets = Callable[[Iterable[str]], None]

_TOKENS_CHECK_SECONDS = 0.5
_LOG_FLUSH_SECONDS = 0.2


def build_server(
    settings: ServerSettings, *, dialer: Dialer | None = None, add_secrets: AddSecrets = lambda secrets: None
) -> RelayRole:
    """Build a server. ``add_secrets`` is called with the tokens that come from files. Raises `SettingsInvalid`."""
    source = TokenSource(settings)
    add_secrets(source.secrets())
    for warning in access_warnings(
        secret_files=[Path(name) for name in (settings.proxy_tokens_file, settings.tls_key) if name]
    ):
        logger.warning("%s", warning)
    _check_certificate(settings)
    metrics = RequestMetrics()
    log = AccessLog(write_line, time.time) if settings.access_log else None
    observer: Observer = metrics if log is None else tee_observers(metrics, log)
    role = build_relay_role(_description(settings, source, observer), settings, dialer=dialer)
    if settings.tls_certificate and settings.tls_key:
        role.tls = settings.tls_certificate, settings.tls_key
    role.workers = settings.workers
    role.periodic_tasks.append(
        (_TOKENS_CHECK_SECONDS, lambda: _reload_tokens(source, role.connections, add_secrets))
    )
    if log is not None:
        role.periodic_tasks.append((_LOG_FLUSH_SECONDS, log.flush))
        role.on_shutdown = log.flush
    ledger = record_dials(role.dialer, "server").ledger
    role.metrics = metrics_listener(settings.metrics_port, metrics, role.connections, ledger)
    return role


def _description(settings: ServerSettings, source: TokenSource, observer: Observer) -> RelayDescription:
    _, path = parse_url(settings.base_url)
    account = {"openai-organization": settings.organization, "openai-project": settings.project}
    rates = RateRule(concurrent=settings.max_concurrent, per_minute=settings.requests_per_minute)
    return RelayDescription(
        name="server",
        host=settings.host,
        port=settings.port,
        url=settings.base_url,
        upstream_name="openai",
        prefix=path or "/v1",
        replaces="/v1",
        credential=bearer(settings.openai_api_key.get_secret_value()),
        extra_lines=b"".join(HeaderToken(name, value).line() for name, value in account.items() if value),
        auth_advice="check --openai-api-key (OPENAI_API_KEY)",
        observer=observer,
        observes_all=True,
        routes=MODEL_ROUTES,
        tokens=source.store(),
        lockout=LockoutRule(settings.max_auth_failures, settings.auth_failure_window, settings.auth_lockout),
        rates=RateLimiter(rates) if rates != RateRule() else None,
        model_allowlist=ModelAllowlist(frozenset(settings.models)) if settings.models else None,
    )


def _check_certificate(settings: ServerSettings) -> None:
    files = certificate, key = settings.tls_certificate, settings.tls_key
    if certificate is not None and key is not None:
        try:
            check_key_file(key, ("tlsKey",))
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
        except OSError as error:
            raise SettingsInvalid.at("tlsCertificate, tlsKey", why_unusable(error, *files)) from error


def _reload_tokens(source: TokenSource, connections: ConnectionManager, add_secrets: AddSecrets) -> None:
    """Use a changed tokens file; whatever goes wrong with it, no caller is admitted until it can be used."""
    tokens = TokenStore.closed()
    try:
        if not source.reload_if_changed():
            return
        tokens = source.store()
    except SettingsInvalid as error:
        logger.error(  # noqa: TRY400  # a traceback is of no use to an operator
            "the changed tokens file cannot be used, so no caller is admitted until it can be: %s", error
        )
    except Exception:
        logger.exception("the changed tokens file cannot be read, so no caller is admitted until it can be")
    else:
        add_secrets(source.secrets())
        logger.info("tokens reloaded: %s", ", ".join(sorted(source.tokens)))
    connections.admission.tokens = tokens
    connections.invalidate_head_caches()
