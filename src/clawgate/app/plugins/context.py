"""Implements what a service of a plugin gets from the gateway: its config, relays, children and fetches."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import BaseModel

from clawgate.app.plugins.fetch import fetch_for_plugin
from clawgate.app.plugins.folders import child_folder, plugin_folder
from clawgate.app.plugins.relay import serve_relay
from clawgate.plugins import api
from clawgate.policy.egress.policy import NO_RULES, NetworkRules
from clawgate.processes.supervision.supervisor import Supervisor
from clawgate.relay.upstream.dial import Dialer


@dataclass(slots=True, kw_only=True)
class HostEnvironment:
    """What the gateway provides for all plugins.

    ``state`` is OpenClaw's state folder. ``gateway_url`` is final once the gateway listens, before any service starts.
    ``add_secrets`` takes texts to redact. ``network`` has the rules of the config that is in use.
    """

    state: Path
    dialer: Dialer
    instance: str
    gateway_url: str
    add_secrets: Callable[[Iterable[str]], None]
    network: NetworkRules = NO_RULES


def plugin_logger(plugin: str) -> logging.Logger:
    """Return a logger whose lines begin with the plugin's id."""
    logger = logging.getLogger(f"clawgate.plugins.{plugin}")
    if not logger.filters:

        def add_plugin_name(record: logging.LogRecord) -> bool:
            record.msg = f"{plugin}: {record.msg}"
            return True

        logger.addFilter(add_plugin_name)
    return logger


class PluginContext:
    """The `ServiceContext` of one plugin. Raises OSError if the plugin's folder cannot be used."""

    def __init__(
        self, plugin: str, config: BaseModel, variables: Mapping[str, str], environment: HostEnvironment
    ) -> None:
        self.config = config
        self.environment = variables
        self.log = plugin_logger(plugin)
        self.state_dir = plugin_folder(environment.state, plugin)
        self.gateway_url = environment.gateway_url
        self.instance = environment.instance
        self._host = environment
        self._requester = f"plugin:{plugin}"
        self._running: list[api.RunningRelay | api.ChildHandle] = []

    async def serve_relay(self, spec: api.RelaySpec) -> api.RunningRelay:
        relay = await serve_relay(spec, self._host.dialer, instance=self.instance, network=self._host.network)
        self._running.append(relay)
        return relay

    def supervise(self, spec: api.ChildSpec, probe: api.Probe) -> api.ChildHandle:
        if spec.cwd is None:
            spec = replace(spec, cwd=self._child_folder(spec.name))
        child = Supervisor(
            spec, clock=asyncio.get_running_loop().time, probe=probe, random=random.random, log=self.log
        )
        self._running.append(child)
        return child

    def _child_folder(self, child: str) -> Path:
        try:
            return child_folder(self.state_dir, child)
        except OSError as error:
            raise api.PluginError(
                f"the working folder of {child} cannot be used: {error.filename} {error.strerror}",
                next_step="remove it, or configure another one",
            ) from error

    async def fetch(self, request: api.FetchRequest) -> api.FetchResponse:
        return await fetch_for_plugin(
            request, self._host.dialer, requester=self._requester, network=self._host.network
        )

    async def close(self) -> None:
        """Stop every relay and child, whether or not the service did."""
        running, self._running = self._running, []
        await asyncio.gather(*(one.stop() for one in running), return_exceptions=True)
