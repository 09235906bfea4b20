"""The gateway: OpenClaw's config in, one endpoint in front of its providers out."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from clawgate.app.factory import most_connections, via_value
from clawgate.app.log_setup import RequestLog, has_failed
from clawgate.app.plugins.context import HostEnvironment
from clawgate.app.plugins.host import PluginHost
from clawgate.app.role import Role
from clawgate.app.upstreams import provider_upstream
from clawgate.control.api import CONTROL_PATHS, OWN_PATHS, ControlApi
from clawgate.policy.authentication import AuthLockout, LockoutRule, TokenStore
from clawgate.policy.client_ip import TrustedProxies
from clawgate.policy.cross_origin import LOOPBACK_NAMES, CrossOriginPolicy
from clawgate.policy.local_hosts import is_loopback
from clawgate.policy.path_routing import GATEWAY_ROUTES, RouteTable
from clawgate.providers.catalog import Catalog, build_catalog
from clawgate.relay.admission.admission import Admission
from clawgate.relay.downstream.connections import ConnectionManager
from clawgate.relay.downstream.request_parser import ClientLimits
from clawgate.relay.upstream.dial import Dialer
from clawgate.routing.router import ModelRouter
from clawgate.settings.openclaw.config_file import ConfigFile, read_config
from clawgate.settings.openclaw.gateway import GatewayFlags, GatewaySettings, gateway_settings
from clawgate.settings.openclaw.schema import RateLimit
from clawgate.settings.paths import state_dir
from clawgate.settings.problems import SettingsInvalid

logger = logging.getLogger("clawgate.gateway")

BODY_LIMIT = 20 * 1024 * 1024
"""As OpenClaw's gateway has it."""
DRAIN_SECONDS = 30.0
_LOOK_AT_CONFIG_EVERY = 0.5

AddSecrets = Callable[[Iterable[str]], None]


@dataclass(slots=True, kw_only=True)
class GatewayRole(Role):
    """The role, and what can be asked about it."""

    direct: ModelRouter
    plugins: PluginHost
    settings: GatewaySettings


def build_gateway(
    file: ConfigFile,
    flags: GatewayFlags,
    environment: Mapping[str, str],
    *,
    instance: str,
    state: Path | None = None,
    verbose: bool = False,
    dialer: Dialer | None = None,
    add_secrets: AddSecrets = lambda secrets: None,
) -> GatewayRole:
    """``environment`` is the process's own, ``state`` OpenClaw's state folder (where the config file is, if not said);
    ``add_secrets`` is told of every secret.

    Raises `SettingsInvalid`.
    """
    settings = gateway_settings(file, flags)
    dialer = dialer or Dialer()
    via_pseudonym = via_value(instance)
    plugins = PluginHost(
        HostEnvironment(
            state=state or file.path.parent,
            dialer=dialer,
            instance=instance,
            gateway_url=f"http://{settings.host}:{settings.port}",
            add_secrets=add_secrets,
        )
    )
    plugins.load(file)
    direct = ModelRouter(
        lambda provider: provider_upstream(
            provider, dialer, via=via_pseudonym, listening=settings.listens_at
        ),
        time.time,
        plugins,
    )
    gate = Admission(
        upstream=None,
        router=direct,
        routes=_routes(settings),
        browser=_browser_rule(settings.host),
        body_limit=BODY_LIMIT,
        via_pseudonym=via_pseudonym,
        control_paths=CONTROL_PATHS,
        own_paths=OWN_PATHS,
        accepts_api_key=True,
    )
    front = ConnectionManager(
        gate=gate,
        upstreams=direct.upstreams,
        limits=ClientLimits(body_bytes=BODY_LIMIT, connections=most_connections()),
        observer=RequestLog(time.monotonic) if verbose else RequestLog(time.monotonic, has_failed),
        observes_all=verbose,
    )
    config = ConfigWatcher(file, flags, environment, direct, front, plugins, add_secrets)
    config.apply(file, settings)
    return GatewayRole(
        name="gateway",
        front=front,
        app=ControlApi(direct, instance=instance, draining=lambda: front.draining).app(),
        dialer=dialer,
        host=settings.host,
        port=settings.port,
        drain_seconds=DRAIN_SECONDS,
        periodic_tasks=[(_LOOK_AT_CONFIG_EVERY, config.look)],
        tasks=[plugins.run],
        direct=direct,
        plugins=plugins,
        settings=settings,
    )


def _routes(settings: GatewaySettings) -> RouteTable:
    return GATEWAY_ROUTES if settings.serves_models else RouteTable(exact={}, prefixes={})


def _browser_rule(host: str) -> CrossOriginPolicy:
    """On a loopback listener only its own names are answered for; elsewhere the token is the boundary."""
    return CrossOriginPolicy(hosts=LOOPBACK_NAMES | {host.lower().encode()} if is_loopback(host) else None)


def _limiter(rule: RateLimit | None) -> AuthLockout:
    rule = rule or RateLimit()
    return AuthLockout(LockoutRule(rule.max_attempts, rule.window_ms / 1000, rule.lockout_ms / 1000))


def _proxies(texts: Iterable[str]) -> TrustedProxies:
    """What OpenClaw takes without a word is no error here: it is never met, and that is said."""
    good = []
    for text in texts:
        try:
            TrustedProxies.of([text])
            good.append(text)
        except ValueError:
            logger.warning("gateway.trustedProxies: '%s' is neither an address nor a network", text)
    return TrustedProxies.of(good)


class ConfigWatcher:
    """Watches the config file, and the variables beside it, and lets what they say now count for the next request.

    A request that is under way keeps what it began with. A file that cannot be used changes nothing, and is
    complained about once for each state that it is in.
    """

    def __init__(
        self,
        file: ConfigFile,
        flags: GatewayFlags,
        environment: Mapping[str, str],
        direct: ModelRouter,
        front: ConnectionManager,
        plugins: PluginHost,
        add_secrets: AddSecrets,
    ) -> None:
        self._path = file.path
        self._flags = flags
        self._environment = environment
        self._direct = direct
        self._front = front
        self._plugins = plugins
        self._add_secrets = add_secrets
        self._variables = state_dir(environment) / ".env"
        self._seen = self._stamp()
        self._says = file.digest, file.environment
        self._settings: GatewaySettings | None = None

    def _stamp(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(map(_stamp_of, (self._path, self._variables)))

    def look(self) -> None:
        """Read the file again if it has changed."""
        stamp = self._stamp()
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            file = read_config(self._path, self._environment, required=True)
            if (file.digest, file.environment) == self._says:
                return
            settings = gateway_settings(file, self._flags)
        except SettingsInvalid as error:
            logger.error(  # noqa: TRY400  # its traceback says nothing to an operator
                "[reload] the changed config is NOT used, the running settings stay: %s",
                "; ".join(map(str, error.problems)),
            )
            return
        self._says = file.digest, file.environment
        self.apply(file, settings)

    def apply(self, file: ConfigFile, settings: GatewaySettings) -> None:
        """Let ``file`` count from now on."""
        self._add_secrets([*file.secrets(), *settings.tokens.values()])
        catalog = build_catalog(file.config, file.unset, file.environment)
        for provider in catalog.providers.values():
            self._add_secrets(provider.secrets())
        before, self._settings = self._settings, settings
        if before is not None:
            plugins = self._plugins.reload(file)
            _say_what_changed(before, settings, self._direct.catalog, catalog, plugins)
        self._direct.use(catalog)
        gate = self._front.gate
        gate.tokens = TokenStore.of(dict(settings.tokens)) if settings.tokens else None
        gate.routes = _routes(settings)
        gate.proxies = _proxies(settings.trusted_proxies)
        gate.exempt_loopback = settings.rate_limit is None or settings.rate_limit.exempt_loopback
        if before is None or before.rate_limit != settings.rate_limit or gate.failures is None:
            gate.failures = _limiter(settings.rate_limit)
        self._front.invalidate_head_caches()  # what passed before has to be asked about again
        _say_what_is_missing(catalog)


def _stamp_of(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _say_what_changed(
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
    logger.info("[reload] config change applied: %s", "; ".join(parts) or "nothing that is read here")
    if before.listens_at != after.listens_at:
        logger.warning(
            "[reload] gateway.port or gateway.bind changed: restart the gateway to apply that "
            "(clawgate gateway restart)"
        )


def _say_what_is_missing(catalog: Catalog) -> None:
    for note in catalog.notes:
        logger.warning("%s", note)
    for provider in catalog.providers.values():
        if provider.problem is not None and not provider.built_in:
            logger.warning("the provider '%s' is not ready: %s", provider.id, provider.problem)
        for note in provider.notes:
            logger.info("%s: %s", provider.id, note)
    if catalog.primary is not None:
        logger.info("default model: %s, fallbacks: %s", catalog.primary, _listed(catalog))


def _listed(catalog: Catalog) -> str:
    return ", ".join(map(str, catalog.fallbacks)) or "(none)"
