"""Turns agents, and models by their provider, on and off as the config says, without a restart.

Law: what is off is not there: no route, no entry in the list of models, no header that is read, no module imported.
Agents that are switched on while requests are served are on once their modules are imported, in a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from clawgate.control.api import OWN_PATHS
from clawgate.policy.headers import DIRECT_REJECTS, TO_AGENTS
from clawgate.policy.path_routing import OLLAMA_PATHS, gateway_routes
from clawgate.relay.admission.plan import Router
from clawgate.relay.downstream.connections import ConnectionManager
from clawgate.routing.gateway_router import GatewayRouter
from clawgate.settings.openclaw.agent_ids import agent_ids
from clawgate.settings.openclaw.config_file import ConfigFile
from clawgate.settings.openclaw.gateway import GatewaySettings

MakeAgents = Callable[[ConfigFile], Router]
"""Returns the router of requests for agents, by a config in which they are on; called again for each change of it."""


class GatewaySwitches:
    """The switches of one gateway. Without ``make_agents`` there are no agents, whatever the config says.

    ``load_agents`` imports what ``make_agents`` needs; ``on_agents`` is called with each config in which they are on,
    and with None where they are off.
    """

    def __init__(
        self,
        router: GatewayRouter,
        connections: ConnectionManager,
        make_agents: MakeAgents | None = None,
        load_agents: Callable[[], None] | None = None,
        on_agents: Callable[[ConfigFile | None], None] = lambda file: None,
    ) -> None:
        self._router = router
        self._connections = connections
        self._make_agents = make_agents
        self._load_agents = load_agents
        self._on_agents = on_agents
        self._loading: asyncio.Future[None] | None = None
        self._settings: GatewaySettings | None = None

    def apply(self, file: ConfigFile, settings: GatewaySettings) -> None:
        """Serve what ``settings`` say from the next request on. Cached heads have to be admitted anew after it."""
        is_start, self._settings = self._settings is None, settings
        load = None if is_start or not settings.serves_agents else self._load_agents
        if load is not None and self._router.agents is None:
            if self._loading is None:
                self._loading = asyncio.get_running_loop().run_in_executor(None, load)
            if not self._loading.done():
                self._loading.add_done_callback(lambda _: self._apply_loaded(file, settings))
                self._use(file, settings, None)
                return
        self._use(file, settings, self._make_agents if settings.serves_agents else None)

    def when_applied(self, then: Callable[[], None]) -> None:
        """Call ``then`` once what was applied last is in use."""
        if self._loading is None or self._loading.done():
            then()
        else:
            self._loading.add_done_callback(lambda _: then())

    def _apply_loaded(self, file: ConfigFile, settings: GatewaySettings) -> None:
        if settings is self._settings:
            self.apply(file, settings)
            self._connections.invalidate_head_caches()

    def _use(self, file: ConfigFile, settings: GatewaySettings, make: MakeAgents | None) -> None:
        agents, models = make is not None, settings.serves_models
        router, admission = self._router, self._connections.admission
        router.agents = None if make is None else make(file)
        self._on_agents(file if agents else None)
        router.embeddings = _embeddings(router, file) if agents else None
        router.agent_ids = agent_ids(file.config) if agents else ()
        router.serves_models = models
        router.agent_paths = settings.agent_paths if agents else frozenset()
        admission.routes = gateway_routes(
            agents=router.agent_paths, models=models, ollama=settings.ollama_tags
        )
        own_paths = (*OWN_PATHS, *OLLAMA_PATHS) if settings.ollama_tags else OWN_PATHS
        admission.own_paths = own_paths if agents or models else ()
        admission.agent_headers = TO_AGENTS if agents else DIRECT_REJECTS


def _embeddings(router: GatewayRouter, file: ConfigFile) -> Router:
    from clawgate.agents.endpoint.embeddings import AgentEmbeddings

    return AgentEmbeddings(router.models, file.config)
