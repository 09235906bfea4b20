"""Sends a request for the embeddings of an agent to the model that the config gives the agent for them.

Law: there is no default model for embeddings: vectors of another model than the agent's memory has are of no use to it.
Keys are OpenClaw's, `memory.search` and that of one agent. It is one request to one provider, and no run.
"""

from __future__ import annotations

from clawgate.agents.request.target import AgentNames, read_target
from clawgate.errors import ProviderNotConfigured
from clawgate.policy.model_routing import ModelRef
from clawgate.relay.admission.plan import AdmittedHead, RoutePlan
from clawgate.routing.router import ModelRouter
from clawgate.settings.openclaw.agent_ids import agent_entries, agent_ids, default_agent
from clawgate.settings.schema.agents import MemorySearch
from clawgate.settings.schema.openclaw import OpenClawConfig
from clawgate.wire.json.model_field import find_model


class AgentEmbeddings:
    """The `Router` of such requests, by one config."""

    def __init__(self, models: ModelRouter, config: OpenClawConfig) -> None:
        self._models = models
        self._names = AgentNames(agent_ids(config), default_agent(config))
        self._all = config.memory.search
        self._own = {name.strip().lower(): entry.memory.search for _, name, entry in agent_entries(config)}

    def route(self, head: AdmittedHead, body: bytes) -> RoutePlan:
        """Raises `InvalidRequest` for an agent that there is not, `ProviderNotConfigured` for one without a model."""
        field = find_model(body)
        target = read_target(field.name or "", dict(head.agent_headers), "", self._names, fresh="")
        own = self._own.get(target.agent, MemorySearch())
        provider = own.provider or self._all.provider
        model = target.model or own.model or self._all.model
        if model is not None and target.model is not None and "/" in model:
            return self._models.plan(head, body, field, model)
        if not provider or not model:
            key = "memory.search.provider" if not provider else "memory.search.model"
            raise ProviderNotConfigured(
                f"the agent '{target.agent}' has no model for embeddings: {key} is not set; set memory.search.provider "
                "and memory.search.model, or send x-openclaw-model: provider/model"
            )
        return self._models.plan(head, body, field, str(ModelRef(provider, model)))
