"""Builds the bridge: local clients in, one remote with its ``X-Proxy-Token`` out."""

from __future__ import annotations

import time

from clawgate.app.factory import RelayDescription, build_relay_role
from clawgate.app.log_setup import RequestLog, has_own_error
from clawgate.app.role import RelayRole
from clawgate.policy.authentication import LockoutRule, TokenStore
from clawgate.policy.egress.policy import NO_RULES, NetworkRules
from clawgate.policy.local_hosts import is_loopback
from clawgate.policy.path_routing import ANYTHING_BELOW_V1
from clawgate.providers.credential import Credential, HeaderToken
from clawgate.relay.upstream.dial import Dialer
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
    network: NetworkRules = NO_RULES,
    operator_status: int | None = None,
) -> RelayRole:
    """Build a bridge. ``credential`` replaces `X-Proxy-Token`; ``instance`` is reported by its health.

    ``operator_status``: see `UpstreamConfig`.

    Raises `SettingsInvalid`.
    """
    token = settings.bridge_token
    if token is None and not is_loopback(settings.host):
        message = (
            f"'{settings.host}' is not a loopback address, and anybody who reaches it could spend your money: "
            "set --bridge-token (make one with: clawgate server new-token), or keep 127.0.0.1"
        )
        raise SettingsInvalid([Diagnostic(("host",), message)])
    _, path = parse_url(settings.remote_url)
    description = RelayDescription(
        name="bridge",
        host=settings.host,
        port=settings.bridge_port,
        url=settings.remote_url,
        upstream_name=name,
        prefix=path.removesuffix("/v1"),
        credential=credential or HeaderToken("X-Proxy-Token", settings.proxy_token.get_secret_value()),
        auth_advice="check --proxy-token (PROXY_BRIDGE_TOKEN), then /health?deep=1",
        observer=RequestLog(time.monotonic)
        if settings.verbose
        else RequestLog(time.monotonic, has_own_error),
        observes_all=settings.verbose,
        network=network,
        routes=ANYTHING_BELOW_V1,
        tokens=None if token is None else TokenStore.of({"bridge": token.get_secret_value()}),
        lockout=None if token is None else LockoutRule(),
        operator_status=operator_status,
    )
    return build_relay_role(description, settings, dialer=dialer, instance=instance)
