"""The bridge: any client in, the remote's ``X-Proxy-Token`` out."""

from __future__ import annotations

import secrets
import time

from clawgate.app.factory import (
    body_limit,
    browser_rule,
    intake_limits,
    route,
    time_limits,
    via_value,
)
from clawgate.app.log_setup import AuthFailureMonitor, RequestLog, has_own_error, tee_observers
from clawgate.app.role import RelayRole
from clawgate.control.health import HealthProbe, build_health_app
from clawgate.policy.authentication import AuthLockout, LockoutRule, TokenStore
from clawgate.policy.local_hosts import is_loopback
from clawgate.policy.path_routing import ANYTHING_BELOW_V1
from clawgate.providers.credential import Credential, HeaderToken
from clawgate.relay.admission.admission import Admission
from clawgate.relay.downstream.connections import ConnectionManager
from clawgate.relay.observe.record import Observer
from clawgate.relay.upstream.dial import Dialer
from clawgate.relay.upstream.upstream import Upstream, UpstreamConfig
from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.roles.bridge import BridgeSettings
from clawgate.wire.http.url import parse_url


def build_bridge(
    settings: BridgeSettings,
    *,
    dialer: Dialer | None = None,
    instance: str | None = None,
    name: str = BridgeSettings.ENTRY,
    credential: Credential | None = None,
) -> RelayRole:
    """The local bridge: any client in, `X-Proxy-Token` out, or another ``credential``.

    ``instance`` is what its health says of whose it is, where it is a part of something larger.
    """
    origin, path = parse_url(settings.remote_url)
    via_pseudonym = via_value(secrets.token_hex(6))
    dialer = dialer or Dialer()
    upstream = Upstream(
        UpstreamConfig(
            name=name,
            route=route(settings, origin, (settings.host, settings.bridge_port)),
            prefix=path.removesuffix("/v1"),
            credential=credential or HeaderToken("X-Proxy-Token", settings.proxy_token.get_secret_value()),
            limits=time_limits(settings),
        ),
        dialer,
        via=via_pseudonym,
    )
    token = settings.bridge_token
    if token is None and not is_loopback(settings.host):
        raise SettingsInvalid(
            [
                Diagnostic(
                    ("host",),
                    f"'{settings.host}' is not a loopback address, and anybody who reaches it could spend your money: "
                    "set --bridge-token (make one with: clawgate server new-token), or keep 127.0.0.1",
                )
            ]
        )
    gate = Admission(
        upstream=upstream,
        routes=ANYTHING_BELOW_V1,
        browser=browser_rule(settings, settings.host),
        body_limit=body_limit(settings),
        via_pseudonym=via_pseudonym,
        tokens=None if token is None else TokenStore.of({"bridge": token.get_secret_value()}),
        failures=None if token is None else AuthLockout(LockoutRule()),
    )
    watch = AuthFailureMonitor(
        f"{origin} answers 401: it refuses our proxy token, or its own upstream refuses its key; "
        "check --proxy-token (PROXY_BRIDGE_TOKEN), then /health?deep=1",
        time.monotonic,
    )
    log = RequestLog(time.monotonic) if settings.verbose else RequestLog(time.monotonic, has_own_error)
    observer: Observer = tee_observers(log, watch)
    front = ConnectionManager(
        gate=gate,
        upstreams=(upstream,),
        limits=intake_limits(settings),
        observer=observer,
        observes_all=settings.verbose,
    )
    return RelayRole(
        name="bridge",
        front=front,
        app=build_health_app(
            role="bridge",
            instance=instance or secrets.token_hex(6),
            probe=HealthProbe(upstream),
            deep_for_callers=token is not None,
        ),
        upstream=upstream,
        dialer=dialer,
        host=settings.host,
        port=settings.bridge_port,
        drain_seconds=settings.drain_timeout,
        parent_fd=0 if settings.exit_on_stdin_eof else None,
    )
