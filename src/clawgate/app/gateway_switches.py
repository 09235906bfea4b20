"""Turns agents, and models by their provider, on and off as the config says, without a restart.

Law: what is off is not there: no route, no entry in the list of models, no header that is read, no module imported.
"""

from __future__ import annotations

from collections.abc import Callable

from clawgate.control.api import OWN_PATHS
from clawgate.policy.headers import DIRECT_REJECTS, TO_AGENTS
from clawgate.policy.path_routing import gateway_routes
from clawgate.relay.admission.admission import Admission
from clawgate.relay.admission.plan import Router
from clawgate.routing.gateway_router import GatewayRouter
from clawgate.settings.openclaw.agent_ids import agent_ids
from clawgate.settings.openclaw.config_file import ConfigFile
from clawgate.settings.openclaw.gateway import GatewaySettings

MakeAgents = Callable[[ConfigFile], Router]
"""Returns the router of requests for agents, by a config in which they are on; called again for each change of it."""


class GatewaySwitches:
    """The switches of one gateway. Without ``make_agents`` there are no agents, whatever the config says."""

    def __init__(
        self, router: GatewayRouter, admission: Admission, make_agents: MakeAgents | None = None
    ) -> None:
        self._router = router
        self._admission = admission
        self._make_agents = make_agents

    def apply(self, file: ConfigFile, settings: GatewaySettings) -> None:
        """Serve what ``settings`` say from the next request on. Cached heads have to be admitted anew after it."""
        make = self._make_agents if settings.serves_agents else None
        agents, models = make is not None, settings.serves_models
        router, admission = self._router, self._admission
        router.agents = None if make is None else make(file)
        router.embeddings = _embeddings(router, file) if agents else None
        router.agent_ids = agent_ids(file.config) if agents else ()
        router.serves_models = models
        admission.routes = gateway_routes(agents=agents, models=models)
        admission.own_paths = OWN_PATHS if agents or models else ()
        admission.agent_headers = TO_AGENTS if agents else DIRECT_REJECTS


def _embeddings(router: GatewayRouter, file: ConfigFile) -> Router:
    from clawgate.agents.embeddings import AgentEmbeddings

    return AgentEmbeddings(router.models, file.config)
