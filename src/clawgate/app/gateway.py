"""Builds the gateway: OpenClaw's config in, one endpoint for its providers out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from clawgate.app.agents import AgentHost, load_agents
from clawgate.app.config_watcher import AddSecrets, ConfigWatcher
from clawgate.app.egress_policies import EgressDesk
from clawgate.app.egress_recorder import EgressRecorder, record_dials
from clawgate.app.factory import connection_limit
from clawgate.app.gateway_switches import GatewaySwitches, MakeAgents
from clawgate.app.log_setup import RequestLog, has_failed, tee_observers
from clawgate.app.mcp import McpHost
from clawgate.app.metrics import metrics_listener
from clawgate.app.model_discovery import ModelDiscovery
from clawgate.app.own_address import is_own_address
from clawgate.app.plugins.context import HostEnvironment
from clawgate.app.plugins.host import PluginHost
from clawgate.app.role import Role
from clawgate.app.upstreams import provider_upstream
from clawgate.app.websocket import SOCKET_PATHS, GatewaySockets
from clawgate.control.api import CONTROL_PATHS, ControlApi
from clawgate.policy.cross_origin import CrossOriginPolicy
from clawgate.policy.path_routing import RouteTable
from clawgate.processes.instance.run_records import write_report
from clawgate.relay.admission.admission import Admission
from clawgate.relay.downstream.connections import ConnectionManager
from clawgate.relay.downstream.request_parser import ClientLimits
from clawgate.relay.observe.metrics import RequestMetrics
from clawgate.relay.observe.record import Observer
from clawgate.relay.upstream.dial import Dialer
from clawgate.routing.gateway_router import GatewayRouter
from clawgate.routing.router import ModelRouter
from clawgate.settings.openclaw.config_file import ConfigFile
from clawgate.settings.openclaw.gateway import GatewayFlags, GatewaySettings, gateway_settings

BODY_LIMIT = 20 * 1024 * 1024
"""OpenClaw's own limit."""
_CONFIG_CHECK_SECONDS = 0.5
_TIMEOUT_CHECK_SECONDS = 1.0


@dataclass(slots=True, kw_only=True)
class GatewayRole(Role):
    router: ModelRouter
    plugins: PluginHost
    discovery: ModelDiscovery
    agents: AgentHost
    settings: GatewaySettings
    sockets: GatewaySockets
    recorder: EgressRecorder


def build_gateway(
    file: ConfigFile,
    flags: GatewayFlags,
    environment: Mapping[str, str],
    *,
    instance: str,
    key: str = "",
    env_file: str | None = None,
    state: Path | None = None,
    verbose: bool = False,
    dialer: Dialer | None = None,
    add_secrets: AddSecrets = lambda secrets: None,
    make_agents: MakeAgents | None = None,
) -> GatewayRole:
    """Build a gateway. Raises `SettingsInvalid`.

    ``environment`` is the process's own, ``env_file`` the file that --env-file names; ``key`` is the one that commands
    present; ``state`` is OpenClaw's state folder, by default the config's. ``make_agents`` replaces `AgentHost.router`.
    """
    settings = gateway_settings(file, flags)
    dialer, state, sockets = dialer or Dialer(), state or file.path.parent, GatewaySockets()
    recorder = record_dials(dialer, instance)
    via = f"clawgate-{instance}".encode("ascii")
    plugins = _plugins(file, settings, state, dialer, instance, add_secrets)
    connect = partial(provider_upstream, dialer=dialer, via=via, listening=settings.listens_at)
    router = ModelRouter(connect, time.time, plugins, recorder.on_refused)
    plugins.running_requests = router.running_requests
    gateway_router = GatewayRouter(router)
    metrics = RequestMetrics() if settings.metrics_port is not None else None
    connections = _connections(gateway_router, via, sockets, metrics, verbose=verbose)
    mcp = McpHost(state, dialer, lambda: plugins.tools)
    agents = AgentHost(router, connections, state, mcp.tools, sockets.clients, recorder, dialer)
    mcp.look = agents.describe_image
    switches = _switches(gateway_router, connections, agents, make_agents, mcp)
    parts = (router, connections, switches, plugins)
    report = partial(write_report, state / "clawgate", instance)
    watcher = ConfigWatcher(file, flags, environment, env_file, *parts, add_secrets, report)
    watcher.apply(file, settings)
    discovery = _discovery(router, plugins)
    control = _control(gateway_router, connections, instance, discovery, key, recorder, watcher, dialer)
    sockets.serve(gateway_router, connections, plugins, discovery, agents, lambda: watcher.file, instance)
    return GatewayRole(
        name="gateway",
        connections=connections,
        app=control.app(),
        dialer=dialer,
        host=settings.host,
        port=settings.port,
        drain_seconds=settings.drain_seconds,
        periodic_tasks=_periodic_tasks(watcher, agents),
        tasks=[plugins.run, discovery.run, agents.run, mcp.run, recorder.run],
        router=router,
        plugins=plugins,
        discovery=discovery,
        agents=agents,
        settings=settings,
        sockets=sockets,
        recorder=recorder,
        metrics=metrics_listener(settings.metrics_port, metrics, connections, recorder.ledger),
    )


def _switches(
    router: GatewayRouter,
    connections: ConnectionManager,
    agents: AgentHost,
    make: MakeAgents | None,
    mcp: McpHost,
) -> GatewaySwitches:
    router.responses = agents
    connections.detached_count = lambda: agents.running_count
    make_agents, load = (agents.router, load_agents) if make is None else (make, None)
    return GatewaySwitches(router, connections, make_agents, load, mcp.use)


def _periodic_tasks(watcher: ConfigWatcher, agents: AgentHost) -> list[tuple[float, Callable[[], None]]]:
    return [
        (_CONFIG_CHECK_SECONDS, watcher.reload_if_changed),
        (_TIMEOUT_CHECK_SECONDS, agents.check_timeouts),
    ]


def _plugins(
    file: ConfigFile,
    settings: GatewaySettings,
    state: Path,
    dialer: Dialer,
    instance: str,
    add_secrets: AddSecrets,
) -> PluginHost:
    url = f"http://{settings.host}:{settings.port}"
    environment = HostEnvironment(
        state=state, dialer=dialer, instance=instance, gateway_url=url, add_secrets=add_secrets
    )
    plugins = PluginHost(environment)
    plugins.load(file)
    return plugins


def _discovery(router: ModelRouter, plugins: PluginHost) -> ModelDiscovery:
    return ModelDiscovery(
        connect=lambda provider: router.connect(provider).upstream,
        is_available=lambda provider: plugins.unavailable(provider) is None,
        clock=time.monotonic,
    )


def _control(
    router: GatewayRouter,
    connections: ConnectionManager,
    instance: str,
    discovery: ModelDiscovery,
    key: str,
    recorder: EgressRecorder,
    watcher: ConfigWatcher,
    dialer: Dialer,
) -> ControlApi:
    desk = EgressDesk(recorder, lambda: router.models.catalog, lambda: watcher.file, dialer.resolver)
    return ControlApi(
        router,
        instance,
        lambda: connections.draining,
        BODY_LIMIT,
        source=discovery,
        key=key,
        egress=desk,
    )


def _connections(
    router: GatewayRouter,
    via: bytes,
    sockets: GatewaySockets,
    metrics: RequestMetrics | None,
    *,
    verbose: bool,
) -> ConnectionManager:
    """Return the listener's connections; `ConfigWatcher.apply` sets what the config decides of their admission."""
    admission = Admission(
        upstream=None,
        router=router,
        routes=RouteTable(exact={}, prefixes={}),
        browser=CrossOriginPolicy(),
        body_limit=BODY_LIMIT,
        via_pseudonym=via,
        control_paths=CONTROL_PATHS,
        socket_paths=SOCKET_PATHS,
        accepts_api_key=True,
        requires_attribution=True,
        honours_scopes=True,
        is_own_address=is_own_address,
    )
    log: Observer = RequestLog(time.monotonic) if verbose else RequestLog(time.monotonic, has_failed)
    return ConnectionManager(
        admission=admission,
        upstreams=router.models.upstreams,
        limits=ClientLimits(body_bytes=BODY_LIMIT, connections=connection_limit()),
        observer=log if metrics is None else tee_observers(log, metrics),
        observes_all=verbose or metrics is not None,
        make_socket=sockets.make,
    )
