"""Agent or model: decided by the name alone, and what is off or not meant for the other is never served by it."""

from __future__ import annotations

import dataclasses
import json

import pytest

from clawgate.errors import InvalidRequest, ModelNotFound
from clawgate.policy.path_routing import agent_paths
from clawgate.relay.admission.plan import AdmittedHead, RoutePlan
from clawgate.routing.gateway_router import GatewayRouter
from tests.routing.test_router import head_of, make_provider, make_router

AGENTS = (
    "openclaw",
    "OpenClaw",
    "openclaw/default",
    "openclaw/main",
    "openclaw:main",
    "agent:main",
    "OPENCLAW/",
)
MODELS = ("default", "a/m", "a/openclaw", "short")
NEITHER = ("openclaws", "agents:x", "openclaw-2", "main")
CHAT = b"/v1/chat/completions"
OF_AGENTS = (
    CHAT,
    b"/v1/messages",
    b"/v1/messages/count_tokens",
    b"/v1/responses",
    b"/v1/responses/input_tokens",
    b"/v1/embeddings",
)
OF_MODELS = b"/v1/completions"


class Agents:
    """A router of agents that takes every request."""

    def route(self, head: AdmittedHead, body: bytes) -> RoutePlan:
        raise Taken


class Taken(Exception):
    """The router of agents got the request."""


def router(*, agents: bool = True, models: bool = True) -> GatewayRouter:
    made = GatewayRouter(make_router(make_provider("a"), primary="a/m"))
    made.serves_models = models
    if agents:
        made.agents, made.agent_ids = Agents(), ("main", "research")
        made.agent_paths = agent_paths(chat=True, responses=True)
    return made


def body_of(model: str | None, path: bytes = CHAT) -> bytes:
    asked: dict[str, object] = {"max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
    if path == b"/v1/responses":
        asked = {"input": "hi"}
    return json.dumps(asked if model is None else asked | {"model": model}).encode()


def served_by(made: GatewayRouter, model: str | None, head: AdmittedHead | None = None) -> str:
    """Return who takes the request: agents, or the provider and model."""
    head = head or head_of(CHAT)
    try:
        return made.route(head, body_of(model, head.path)).first_attempt().served_by
    except Taken:
        return "agents"


@pytest.mark.parametrize("models", [True, False])
@pytest.mark.parametrize("model", [*AGENTS, "", None])
def test_a_name_of_an_agent_goes_to_agents(model: str | None, models: bool) -> None:
    """Also no name at all, which is the default agent's; whether models are on makes no difference."""
    assert served_by(router(models=models), model) == "agents"


def test_an_empty_body_is_for_agents_to_refuse() -> None:
    with pytest.raises(Taken):
        router().route(head_of(CHAT), b"")
    with pytest.raises(InvalidRequest, match="not a JSON object"):
        router(agents=False).route(head_of(CHAT), b"")


@pytest.mark.parametrize("agents", [True, False])
@pytest.mark.parametrize("model", MODELS)
def test_a_name_of_a_model_goes_to_its_provider(model: str, agents: bool) -> None:
    assert served_by(router(agents=agents), model) == ("a/openclaw" if "openclaw" in model else "a/m")


@pytest.mark.parametrize("model", NEITHER)
def test_a_name_that_looks_like_an_agents_is_none(model: str) -> None:
    with pytest.raises(ModelNotFound, match="does not say which provider"):
        served_by(router(), model)


@pytest.mark.parametrize("elsewhere", [True, False])
@pytest.mark.parametrize("path", OF_AGENTS)
@pytest.mark.parametrize("model", AGENTS)
def test_where_agents_are_off_their_switch_is_named(model: str, path: bytes, elsewhere: bool) -> None:
    """And no model is served in the place of an agent; ``elsewhere``: the other switch is on."""
    is_responses = path.startswith(b"/v1/responses")
    switch = f"gateway.http.endpoints.{'responses' if is_responses else 'chatCompletions'}.enabled"
    made = router(agents=elsewhere)
    if elsewhere:
        made.agent_paths = agent_paths(chat=is_responses, responses=not is_responses)
    with pytest.raises(ModelNotFound, match=switch):
        served_by(made, model, head_of(path))
    assert served_by(made, "", head_of(path)) == "a/m"


@pytest.mark.parametrize("model", ["", None])
def test_without_agents_no_name_is_the_default_model(model: str | None) -> None:
    assert served_by(router(agents=False), model) == "a/m"


@pytest.mark.parametrize("model", [*MODELS, *NEITHER])
def test_where_models_are_off_their_switch_and_the_agents_are_named(model: str) -> None:
    """The text is OpenClaw's, and what exists."""
    with pytest.raises(InvalidRequest, match="directModels") as caught:
        served_by(router(models=False), model)
    assert caught.value.message.startswith("Invalid `model`. Use `openclaw` or `openclaw/<agentId>`.")
    assert "openclaw/main, openclaw/research" in caught.value.message and caught.value.param == "model"


@pytest.mark.parametrize("path", OF_AGENTS)
@pytest.mark.parametrize("model", [*AGENTS, ""])
def test_on_each_route_of_agents_an_agent_is_served(model: str, path: bytes) -> None:
    assert served_by(router(), model, head_of(path)) == "agents"


@pytest.mark.parametrize("model", AGENTS)
def test_on_a_route_of_models_an_agent_is_not_found(model: str) -> None:
    with pytest.raises(ModelNotFound, match="agents are served at /v1/chat/completions"):
        served_by(router(), model, head_of(OF_MODELS))


@pytest.mark.parametrize("agents", [True, False])
@pytest.mark.parametrize(
    ("header", "value", "rejected"),
    [
        ("x-openclaw-agent-id", "main", True),
        ("x-openclaw-model", "a/m", True),
        ("x-openclaw-session-key", "s", True),
        ("x-openclaw-message-channel", "web", True),
        ("x-clawgate-disconnect", "detach", True),
        ("x-clawgate-disconnect", "Cancel", False),
        ("idempotency-key", "k", False),
        ("last-event-id", "1", False),
        ("x-openwebui-chat-id", "c", False),
        ("x-openwebui-user-id", "u", False),
        ("traceparent", "00-1-2-01", False),
    ],
)
def test_what_is_for_agents_alone_is_not_ignored_with_a_model(
    header: str, value: str, rejected: bool, agents: bool
) -> None:
    head = dataclasses.replace(head_of(CHAT), agent_headers=((header, value),))
    if rejected:
        with pytest.raises(InvalidRequest, match=header) as caught:
            served_by(router(agents=agents), "a/m", head)
        assert caught.value.param == header
    else:
        assert served_by(router(agents=agents), "a/m", head) == "a/m"
    if agents:
        assert served_by(router(), "openclaw", head) == "agents"


def test_a_hostile_name_is_cut_and_made_harmless() -> None:
    for made in (router(agents=False), router(models=False)):
        with pytest.raises(InvalidRequest) as caught:
            served_by(made, ("agent:" if made.agents is None else "") + "\x1b[2J\r\n" + "x" * 100_000)
        assert caught.value.message.isprintable() and len(caught.value.message) < 400
