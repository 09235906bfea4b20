"""Decides by its model whether a request is for an agent or for a model of a provider, and hands it to that router.

Law: a name that means an agent is served by agents or not at all, and any other by the provider that it names; what is
switched off is rejected with the name of its switch. A header that only an agent understands is not ignored: a request
for a model that has one is rejected. Must not import agents: their router is passed in where they are on.
"""

from __future__ import annotations

from collections.abc import Iterable

from clawgate.errors import InvalidRequest, ModelNotFound
from clawgate.policy.body_kind import check_body_kind
from clawgate.policy.headers import DISCONNECT, OF_AGENTS_ALONE
from clawgate.policy.model_routing import DEFAULT_AGENT, names_agent, shown_name
from clawgate.policy.path_routing import (
    AGENT_PATHS,
    AGENTS_SWITCH,
    CONVERSATIONS_PATH,
    EMBEDDINGS_PATH,
    INPUT_TOKENS_PATH,
    MODELS_SWITCH,
    RESPONSES_PATH,
    STORED_RESPONSES,
)
from clawgate.relay.admission.plan import AdmittedHead, RoutePlan, Router
from clawgate.routing.router import ModelRouter
from clawgate.wire.json.model_field import find_model

_OF_AGENTS_ALONE = frozenset(name.decode("ascii") for name in OF_AGENTS_ALONE)
_DISCONNECT = DISCONNECT.decode("ascii")
_CANCEL = "cancel"


class GatewayRouter:
    """The `Router` of a gateway. ``agents`` is None where they are off; ``serves_models`` is whether models are on."""

    def __init__(self, models: ModelRouter) -> None:
        self.models = models
        self.agents: Router | None = None
        self.embeddings: Router | None = None
        """For agents, too: they embed with a model of theirs."""
        self.responses: Router = models
        """For requests of the Responses API to models, where responses are stored."""
        self.agent_paths: frozenset[bytes] = frozenset()
        """Where agents are on."""
        self.agent_ids: tuple[str, ...] = ()
        self.serves_models = True

    def route(self, head: AdmittedHead, body: bytes) -> RoutePlan:
        """Raises `InvalidRequest` for a body that cannot be read, `ModelNotFound`, or that its switch is off."""
        names_none = head.path.startswith((STORED_RESPONSES, CONVERSATIONS_PATH))
        if names_none and head.path != INPUT_TOKENS_PATH:
            return self._agents(head, DEFAULT_AGENT, RESPONSES_PATH).route(head, body)
        takes_all = self.agents is not None and head.path in self.agent_paths
        if takes_all and not body:  # an object without a field, to OpenClaw
            return self._agents(head, "").route(head, body)
        field = find_model(body)
        name = field.name or ""
        if names_agent(name) or (takes_all and not name):
            agents = self._agents(head, name)
            check_body_kind(head.path, field.names)
            return agents.route(head, body)
        self.require_models(NO_AGENT)
        check_body_kind(head.path, field.names)
        if head.agent_headers:
            _reject_agent_headers(head, name or "the default model")
        if head.path in (RESPONSES_PATH, INPUT_TOKENS_PATH) and RESPONSES_PATH in self.agent_paths:
            return self.responses.route(head, body)
        return self.models.plan(head, body, field)

    def require_models(self, message: str) -> None:
        """Raises `InvalidRequest` where models are off, with ``message``, which is OpenClaw's, and the switch."""
        if not self.serves_models:
            raise models_off(message, self.agent_ids)

    def require_agents(self, name: str) -> Router:
        """Return the router of agents. Raises `ModelNotFound` with the switch where there is none."""
        if self.agents is None:
            raise agents_off(name)
        return self.agents

    def _agents(self, head: AdmittedHead, name: str, path: bytes | None = None) -> Router:
        agents, path = self.agents, path or head.path
        if path not in AGENT_PATHS:
            paths = ", ".join(path.decode("ascii") for path in AGENT_PATHS)
            raise ModelNotFound(f"'{shown_name(name)}' names an agent, and agents are served at {paths}")
        if agents is None or path not in self.agent_paths:
            raise agents_off(name, path)
        return self.embeddings if self.embeddings is not None and path == EMBEDDINGS_PATH else agents


NO_AGENT = "Invalid `model`. Use `openclaw` or `openclaw/<agentId>`."
"""OpenClaw's text for a model that names none."""


def models_off(message: str, agent_ids: Iterable[str]) -> InvalidRequest:
    """Return the error of a request for a model where only agents are on."""
    agents = ", ".join(f"{DEFAULT_AGENT}/{name}" for name in agent_ids)
    return InvalidRequest(
        f"{message} Agents: {agents}. To serve provider/model as well, set {MODELS_SWITCH} to true.",
        param="model",
    )


def agents_off(name: str, path: bytes = b"") -> ModelNotFound:
    """Return the error of a request for an agent where agents are off, or off at ``path``."""
    switch = AGENT_PATHS.get(path, AGENTS_SWITCH)
    where = "" if switch == AGENTS_SWITCH else f" at {path.decode('ascii')}"
    return ModelNotFound(
        f"'{shown_name(name)}' names an agent, and agents are off{where}: set {switch} to true; "
        "'default' is the default model, without an agent"
    )


def _reject_agent_headers(head: AdmittedHead, model: str) -> None:
    """Raises `InvalidRequest` for what only an agent could honour."""
    for header, value in head.agent_headers:
        if header in _OF_AGENTS_ALONE or (header == _DISCONNECT and value.lower() != _CANCEL):
            raise InvalidRequest(
                f"{header}: it is for agents, and the request is for {shown_name(model)}; "
                f"remove the header, or name an agent: '{DEFAULT_AGENT}' or '{DEFAULT_AGENT}/<agentId>'",
                param=header,
            )
