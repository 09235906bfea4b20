"""Runs the proxy as a supervised child, or uses one that is running, and reports its state."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping

from pydantic import BaseModel

from clawgate.bundled.anthropic_claude_proxy.config import ProxyConfig
from clawgate.bundled.anthropic_claude_proxy.environment import child_environment
from clawgate.bundled.anthropic_claude_proxy.health import ProxyHealth, check_health
from clawgate.plugins import api

READY_SECONDS = 120.0
"""``bunx`` may first have to download some 250 MB."""


class ProxyService:
    """Starts the proxy, or adopts one that is running."""

    def __init__(self) -> None:
        self._child: api.ChildHandle | None = None
        self._config: ProxyConfig | None = None
        self._environment: Mapping[str, str] = {}
        self._user: api.TrustedUser = "self"
        self._health: ProxyHealth | None = None

    async def start(self, context: api.ServiceContext) -> None:
        """Begin supervision. Requests fail until `status` is ok. Raises `PluginError` for an unknown ``proxyUser``."""
        config = context.config
        assert isinstance(config, ProxyConfig)
        self._config, self._health = config, None
        self._environment = context.environment
        self._user = trusted_user(config)

        async def probe() -> api.ProbeResult:
            health = await check_health(context.fetch, config.origin, self._user)
            was_internal = self._health is not None and self._health.mode == "internal"
            if health.mode == "internal" and not was_internal:
                context.log.warning("%s; %s", health.result.reason, health.result.next_step)
            self._health = health
            return health.result

        self._child = context.supervise(child_spec(config, context.environment, self._user), probe)
        if config.auto_start:
            context.log.info("starting proxy...")
        else:
            context.log.info("autoStart is false: using the proxy at %s if it is running", config.origin)
        await self._child.start()

    def reconfigure(self, config: BaseModel) -> bool:
        """Use ``config`` if the proxy can keep running. Raises `PluginError` for an unknown ``proxyUser``."""
        if self._child is None or self._config is None or not isinstance(config, ProxyConfig):
            return False
        user = trusted_user(config)
        if config.folder != self._config.folder:
            return False
        if not self._child.reconfigure(child_spec(config, self._environment, user)):
            return False
        self._config, self._user = config, user
        return True

    async def stop(self) -> None:
        """Stop the child with its descendants. An adopted proxy keeps running."""
        if self._child is not None:
            await self._child.stop()

    def status(self) -> api.ServiceStatus:
        """Return the child's status, with the proxy's address, version and login in the details."""
        if self._child is None or self._config is None:
            return api.ServiceStatus(state="stopped", ok=False, reason="it was not started")
        status, health = self._child.status(), self._health
        details: dict[str, object] = {"url": self._config.origin, "autoStart": self._config.auto_start}
        if health is not None and status.ok:
            details |= {"version": health.result.version, "loggedIn": health.logged_in}
        return api.ServiceStatus(
            state=status.state,
            ok=status.ok,
            reason=status.reason,
            next_step=status.next_step,
            details={**details, **status.details},
            lines=status.lines,
        )

    def profiles(self) -> tuple[str, ...]:
        """Return the profiles of the proxy that a request may choose."""
        return self._config.profiles if self._config is not None else ()

    def unavailable(self) -> api.Unavailable | None:
        if self._child is None:
            return api.Unavailable(reason="the Claude proxy was not started")
        return self._child.unavailable()


def child_spec(
    config: ProxyConfig, environment: Mapping[str, str], user: api.TrustedUser = "self"
) -> api.ChildSpec:
    """Return the program to run, with its environment."""
    return api.ChildSpec(
        name="the Claude proxy",
        argv=config.command,
        environment=child_environment(
            environment, config.env, host=config.host, port=config.port, is_root=os.geteuid() == 0
        ),
        cwd=config.folder,
        host=config.host,
        port=config.port,
        auto_start=config.auto_start,
        auto_restart=config.auto_restart,
        restart_delay=config.restart_delay_ms / 1000,
        ready_timeout=READY_SECONDS,
        trusted_user=user,
    )


def trusted_user(config: ProxyConfig) -> api.TrustedUser:
    """Return the user whose process may be the proxy. Raises `PluginError` if this machine does not know it."""
    user = config.proxy_user
    if user is None:
        return "self"
    if user == "any":
        return "any"
    if isinstance(user, int):
        return user
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        raise api.PluginError(
            f"proxyUser: this machine has no user '{user}'", next_step='set it to a user name, a uid or "any"'
        ) from None
