"""Applies changes of the config file to a running gateway.

Invariant: a config that cannot be used changes nothing; it is logged once per state of the file. Requests in progress
keep the config that they began with.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from clawgate.app.plugins.host import PluginHost
from clawgate.policy.authentication import AuthLockout, LockoutRule, TokenStore
from clawgate.policy.client_ip import TrustedProxies
from clawgate.policy.path_routing import GATEWAY_ROUTES, RouteTable
from clawgate.providers.catalog import Catalog, build_catalog
from clawgate.relay.downstream.connections import ConnectionManager
from clawgate.routing.router import ModelRouter
from clawgate.settings.openclaw.config_file import ConfigFile, read_config
from clawgate.settings.openclaw.gateway import GatewayFlags, GatewaySettings, gateway_settings
from clawgate.settings.openclaw.schema import RateLimit
from clawgate.settings.paths import state_dir
from clawgate.settings.problems import SettingsInvalid

logger = logging.getLogger("clawgate.gateway")

AddSecrets = Callable[[Iterable[str]], None]


class ConfigWatcher:
    """Watches the config file and the ``.env`` file of the state folder."""

    def __init__(
        self,
        file: ConfigFile,
        flags: GatewayFlags,
        environment: Mapping[str, str],
        router: ModelRouter,
        connections: ConnectionManager,
        plugins: PluginHost,
        add_secrets: AddSecrets,
    ) -> None:
        self._path = file.path
        self._flags = flags
        self._environment = environment
        self._router = router
        self._connections = connections
        self._plugins = plugins
        self._add_secrets = add_secrets
        self._watched = (file.path, state_dir(environment) / ".env")
        self._stamps = self._read_stamps()
        self._content = file.digest, file.environment
        self._settings: GatewaySettings | None = None

    def _read_stamps(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(map(_stamp_of, self._watched))

    def reload_if_changed(self) -> None:
        """Read and apply the config if a watched file has changed."""
        stamps = self._read_stamps()
        if stamps == self._stamps:
            return
        self._stamps = stamps
        try:
            file = read_config(self._path, self._environment, required=True)
            if (file.digest, file.environment) == self._content:
                return
            settings = gateway_settings(file, self._flags)
        except SettingsInvalid as error:
            logger.error(  # noqa: TRY400  # a traceback is of no use to an operator
                "[reload] the changed config is NOT used, the running settings stay: %s",
                "; ".join(map(str, error.problems)),
            )
            return
        self._content = file.digest, file.environment
        self.apply(file, settings)

    def apply(self, file: ConfigFile, settings: GatewaySettings) -> None:
        """Use ``file`` from the next request on."""
        self._add_secrets([*file.secrets(), *settings.tokens.values()])
        catalog = build_catalog(file.config, file.unset, file.environment)
        for provider in catalog.providers.values():
            self._add_secrets(provider.secrets())
        before, self._settings = self._settings, settings
        if before is not None:
            plugins = self._plugins.reload(file)
            _log_changes(before, settings, self._router.catalog, catalog, plugins)
        self._router.use(catalog)
        admission = self._connections.admission
        admission.tokens = TokenStore.of(dict(settings.tokens)) if settings.tokens else None
        admission.routes = routes_of(settings)
        admission.proxies = _proxies_of(settings.trusted_proxies)
        admission.exempt_loopback = settings.rate_limit is None or settings.rate_limit.exempt_loopback
        if before is None or before.rate_limit != settings.rate_limit or admission.failures is None:
            admission.failures = _lockout_of(settings.rate_limit)
        self._connections.invalidate_head_caches()  # cached heads were admitted by the old rules
        _log_catalog(catalog)


def routes_of(settings: GatewaySettings) -> RouteTable:
    return GATEWAY_ROUTES if settings.serves_models else RouteTable(exact={}, prefixes={})


def _lockout_of(limit: RateLimit | None) -> AuthLockout:
    limit = limit or RateLimit()
    return AuthLockout(LockoutRule(limit.max_attempts, limit.window_ms / 1000, limit.lockout_ms / 1000))


def _proxies_of(texts: Iterable[str]) -> TrustedProxies:
    """Skip what is no address, with a warning: OpenClaw accepts it, and it matches no peer."""
    valid = []
    for text in texts:
        try:
            TrustedProxies.of([text])
            valid.append(text)
        except ValueError:
            logger.warning("gateway.trustedProxies: '%s' is neither an address nor a network", text)
    return TrustedProxies.of(valid)


def _stamp_of(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _log_changes(
    before: GatewaySettings, after: GatewaySettings, old: Catalog, new: Catalog, plugins: list[str]
) -> None:
    names = old.providers.keys() | new.providers.keys()
    changed = sorted(name for name in names if old.providers.get(name) != new.providers.get(name))
    parts = [f"providers {', '.join(changed)}"] if changed else []
    if (old.primary, old.fallbacks, old.aliases) != (new.primary, new.fallbacks, new.aliases):
        parts.append("default model, fallbacks or aliases")
    if plugins:
        parts.append(f"plugins {', '.join(plugins)}")
    if before.tokens != after.tokens:
        parts.append("gateway.auth")
    logger.info("[reload] config change applied: %s", "; ".join(parts) or "no key that clawgate uses")
    if before.listens_at != after.listens_at:
        logger.warning(
            "[reload] gateway.port or gateway.bind changed: restart the gateway to apply that "
            "(clawgate gateway restart)"
        )


def _log_catalog(catalog: Catalog) -> None:
    """Log what is missing, and the default model."""
    for note in catalog.notes:
        logger.warning("%s", note)
    for provider in catalog.providers.values():
        if provider.problem is not None and not provider.built_in:
            logger.warning("the provider '%s' is not ready: %s", provider.id, provider.problem)
        for note in provider.notes:
            logger.info("%s: %s", provider.id, note)
    if catalog.primary is not None:
        fallbacks = ", ".join(map(str, catalog.fallbacks)) or "(none)"
        logger.info("default model: %s, fallbacks: %s", catalog.primary, fallbacks)
