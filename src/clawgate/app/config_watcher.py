"""Applies changes of the config file to a running gateway.

Invariant: a config that cannot be used changes nothing but the credentials that it revokes (`app.revocation`); it is
logged once per state of the file. Requests in progress keep the config that they began with.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from clawgate.app.gateway_switches import GatewaySwitches
from clawgate.app.plugins.host import PluginHost
from clawgate.app.revocation import (
    catalog_left,
    identity_left,
    plugins_left,
    tokens_left,
    why_unusable,
)
from clawgate.policy.authentication import AuthLockout, GuessDelay, LockoutRule, TokenStore
from clawgate.policy.client_ip import TrustedProxies
from clawgate.policy.cross_origin import CrossOriginPolicy, listed_origin
from clawgate.policy.path_routing import AGENT_PATHS, MODELS_SWITCH, OLLAMA_SWITCH
from clawgate.processes.instance.run_records import ConfigReport
from clawgate.providers.catalog import Catalog, build_catalog
from clawgate.relay.downstream.connections import ConnectionManager
from clawgate.routing.router import ModelRouter
from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.environment import ENV_FILE, named_environment
from clawgate.settings.file_watch import FileWatch
from clawgate.settings.key_path import format_key_path
from clawgate.settings.openclaw.config_file import ConfigFile, PartialConfig, read_partly
from clawgate.settings.openclaw.gateway import (
    GatewayFlags,
    GatewaySettings,
    gateway_settings,
    given_elsewhere,
    report_notes,
    serving_note,
)
from clawgate.settings.openclaw.own_settings import SECTION
from clawgate.settings.paths import state_dir
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.schema.openclaw import RateLimit

logger = logging.getLogger("clawgate.gateway")

AddSecrets = Callable[[Iterable[str]], None]

_UNTIL_READABLE = "the gateway's config file can be read again; for its problems: clawgate doctor"
_SHOWS_TOKEN = "clawgate gateway token"
_HOSTS = "plugins.entries.clawgate.config.allowHost"
_ORIGINS = "gateway.controlUi.allowedOrigins"


class ConfigWatcher:
    """Watches the config file, the ``.env`` file of the state folder, and the file that --env-file names.

    ``environment`` is that of the process; ``report`` is called with what became of each version of the config.
    """

    def __init__(
        self,
        file: ConfigFile,
        flags: GatewayFlags,
        environment: Mapping[str, str],
        env_file: str | None,
        router: ModelRouter,
        connections: ConnectionManager,
        switches: GatewaySwitches,
        plugins: PluginHost,
        add_secrets: AddSecrets,
        report: Callable[[ConfigReport], None],
    ) -> None:
        self._path = file.path
        self._flags = flags
        self._environment = environment
        self._env_file = env_file
        self._router = router
        self._connections = connections
        self._switches = switches
        self._plugins = plugins
        self._add_secrets = add_secrets
        self._report = report
        named = [Path(env_file)] if env_file is not None else []
        self._watch = FileWatch(file.path, state_dir(environment) / ENV_FILE, *named)
        self._file = file
        self._settings: GatewaySettings | None = None
        self._started: GatewaySettings | None = None
        """The settings that the listener was opened with, which no change of the file moves."""
        self._tokens: Mapping[str, str] | None = None
        self._is_current = True
        """Whether the file as it was read last is in use as a whole."""

    @property
    def file(self) -> ConfigFile:
        """The file that is in use."""
        return self._file

    def reload_if_changed(self) -> None:
        if not self._watch.changed():
            return
        try:
            self._reload()
        except Exception:
            logger.exception("[reload] the changed config cannot be read, so no caller is admitted")
            self._is_current = False
            self._admit({}, _UNTIL_READABLE)

    def _reload(self) -> None:
        partial = self._read()
        settings, problems = None, [problem for _, problem in partial.problems]
        if not problems:
            if self._is_current and _content(partial.file) == _content(self._file):
                return
            try:
                settings = gateway_settings(partial.file, self._flags, listening_on=self._listening_on)
            except SettingsInvalid as error:
                problems = error.problems
        elif not partial.is_readable and self._watch.in_doubt():
            return
        self._watch.settle()
        if settings is not None:
            self.apply(partial.file, settings)
        else:
            self._revoke(partial, problems)

    def _read(self) -> PartialConfig:
        try:
            environment: Mapping[str, str] = named_environment(self._environment, self._env_file)
        except SettingsInvalid as error:
            partial = read_partly(self._path, self._environment)
            unreadable = tuple(((), problem) for problem in error.problems)
            return PartialConfig(partial.file, (*unreadable, *partial.problems))
        return read_partly(self._path, environment)

    @property
    def _listening_on(self) -> str:
        return self._started.host if self._started is not None else ""

    def _revoke(self, partial: PartialConfig, problems: list[Diagnostic]) -> None:
        """Use of ``partial`` what it revokes, and nothing else."""
        self._is_current = False
        reason = why_unusable(problems)
        self._add_secrets(partial.file.secrets())
        tokens = tokens_left(partial, self._flags, self._tokens, listening_on=self._listening_on)
        identity = identity_left(partial, self._connections.admission.identity)
        catalog = catalog_left(partial, self._router.catalog, reason)
        for provider in catalog.providers.values():
            self._add_secrets(provider.secrets())
        stopped = plugins_left(partial, self._file)
        logger.error(
            "[reload] the changed config is NOT used, the running settings stay, except for credentials that it "
            "revokes (%s): %s",
            _revoked(self._tokens, tokens, self._router.catalog, catalog, stopped),
            reason,
        )
        self._router.use(catalog)
        self._plugins.revoke(dict.fromkeys(stopped, f"its secrets were changed or removed; {reason}"))
        self._connections.admission.identity = identity
        self._admit(tokens, "" if partial.is_readable else _UNTIL_READABLE)
        self._report(
            ConfigReport(
                digest=partial.file.digest,
                used=False,
                admits_callers=tokens is None or bool(tokens) or identity is not None,
                problems=tuple(map(str, problems)),
                given_elsewhere=given_elsewhere(partial.file, self._flags),
            )
        )

    def _admit(self, tokens: Mapping[str, str] | None, until: str = "") -> None:
        """Admit callers with one of ``tokens`` from now on: none without any, every caller for None."""
        self._tokens = tokens
        store = None
        if tokens is not None:
            store = TokenStore.of(dict(tokens), _SHOWS_TOKEN) if tokens else TokenStore.closed(until)
        self._connections.admission.tokens = store
        self._connections.invalidate_head_caches()  # cached heads were admitted by the old rules

    def apply(self, file: ConfigFile, settings: GatewaySettings) -> None:
        """Use ``file`` from the next request on."""
        self._add_secrets([*file.secrets(), *settings.tokens.values()])
        catalog = build_catalog(file.config, file.unset, file.environment)
        for provider in catalog.providers.values():
            self._add_secrets(provider.secrets())
        before, self._settings = self._settings, settings
        self._started = self._started or settings
        needs_restart = _needs_restart(self._started, settings)
        if before is not None:
            plugins = self._plugins.reload(file)
            _log_changes(before, settings, self._router.catalog, catalog, plugins)
        if needs_restart:
            logger.warning(
                "[reload] %s changed: restart the gateway to apply that (clawgate gateway restart)",
                " and ".join(needs_restart),
            )
        if (note := serving_note(settings, file)) is not None:
            logger.warning("%s", note)
        for note in report_notes(file):
            logger.warning("%s", note)
        self._router.use(catalog)
        admission = self._connections.admission
        self._switches.apply(file, settings)
        networks = _usable(
            "gateway.trustedProxies", settings.trusted_proxies, lambda one: TrustedProxies.of([one])
        )
        admission.proxies = TrustedProxies.of(networks, accepts_real_ip=settings.accepts_real_ip)
        admission.browser = CrossOriginPolicy.of_listener(
            self._started.host,
            hosts=settings.allow_host,
            origins=_usable(_ORIGINS, settings.allow_origin, listed_origin),
            host_setting=f"--allow-host or {_HOSTS}",
            origin_setting=f"--allow-origin or {_ORIGINS}",
        )
        is_exempt = settings.rate_limit is None or settings.rate_limit.exempt_loopback
        admission.local_guesses = GuessDelay() if is_exempt else None
        if before is None or before.rate_limit != settings.rate_limit or admission.failures is None:
            admission.failures = _lockout_of(settings.rate_limit)
        admission.identity = settings.identity
        self._admit(settings.tokens or None)
        self._file, self._is_current = file, True
        _log_catalog(catalog)
        report = ConfigReport(
            digest=file.digest,
            used=True,
            needs_restart=needs_restart,
            given_elsewhere=given_elsewhere(file, self._flags),
        )
        self._switches.when_applied(lambda: self._report(report))


def _content(file: ConfigFile) -> tuple[str, Mapping[str, str]]:
    return file.digest, file.environment


def _revoked(
    tokens: Mapping[str, str] | None,
    left: Mapping[str, str] | None,
    before: Catalog,
    after: Catalog,
    plugins: Iterable[str],
) -> str:
    """Name what was revoked, for the log."""
    parts = []
    if left is not None and left != tokens:
        parts.append("gateway.auth" if left else "gateway.auth: no caller is admitted now")
    elif left is not None and not left:
        parts.append("no caller is admitted")
    names = [name for name in before.providers if before.providers[name] != after.providers.get(name)]
    parts += [f"provider {name}" for name in names]
    parts += [f"plugin {name}" for name in sorted(plugins)]
    return ", ".join(parts) or "none"


def _lockout_of(limit: RateLimit | None) -> AuthLockout:
    limit = limit or RateLimit()
    return AuthLockout(LockoutRule(limit.max_attempts, limit.window_ms / 1000, limit.lockout_ms / 1000))


def _usable(key: str, texts: Iterable[str], check: Callable[[str], object]) -> list[str]:
    """Return the texts that ``check`` takes. The others get a warning: OpenClaw accepts any text."""
    usable = []
    for text in texts:
        try:
            check(text)
            usable.append(text)
        except ValueError as error:
            logger.warning("%s: %s; it is not used", key, error)
    return usable


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
    for key, old_value, new_value in (
        *((switch, *_are_on(switch, before, after)) for switch in dict.fromkeys(AGENT_PATHS.values())),
        (MODELS_SWITCH, before.serves_models, after.serves_models),
        (OLLAMA_SWITCH, before.ollama_tags, after.ollama_tags),
    ):
        if old_value != new_value:
            parts.append(f"{key} {'on' if new_value else 'off'}")
    if before.tokens != after.tokens:
        parts.append("gateway.auth")
    # Others, such as those of agents and proxies, are applied without a name here.
    logger.info("[reload] config change applied%s", f": {'; '.join(parts)}" if parts else "")


def _are_on(switch: str, *settings: GatewaySettings) -> list[bool]:
    return [any(AGENT_PATHS[path] == switch for path in one.agent_paths) for one in settings]


def _needs_restart(before: GatewaySettings, after: GatewaySettings) -> tuple[str, ...]:
    pairs = (
        ("gateway.port", before.port, after.port),
        ("gateway.bind", before.host, after.host),
        (format_key_path((*SECTION, "database")), before.database, after.database),
        (format_key_path((*SECTION, "metricsPort")), before.metrics_port, after.metrics_port),
        (format_key_path((*SECTION, "drainTimeout")), before.drain_seconds, after.drain_seconds),
    )
    return tuple(key for key, old, new in pairs if old != new)


def _log_catalog(catalog: Catalog) -> None:
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
