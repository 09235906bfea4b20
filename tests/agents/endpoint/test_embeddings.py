"""An agent's texts are embedded with the model that the config or the request gives, and with no other."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from clawgate.agents.endpoint.embeddings import AgentEmbeddings
from clawgate.errors import InvalidRequest, ModelNotFound, ProviderNotConfigured
from clawgate.settings.schema.openclaw import OpenClawConfig
from tests.routing.test_router import head_of, make_provider, make_router

SEARCH = {"provider": "a", "model": "BAAI/bge-m3"}


def sent(
    model: str | None = "openclaw", search: Any = SEARCH, own: Any = None, **headers: str
) -> tuple[str, str]:
    """Return the provider and the model that a request gets."""
    entries = {"main": {}, "Research": {"memory": {"search": own or {}}}}
    config = OpenClawConfig.model_validate({"memory": {"search": search}, "agents": {"entries": entries}})
    router = AgentEmbeddings(make_router(make_provider("a"), make_provider("b"), primary="a/chat"), config)
    lines = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    head = dataclasses.replace(head_of(b"/v1/embeddings"), agent_headers=lines)
    body = json.dumps({"input": ["x"]} if model is None else {"model": model, "input": ["x"]}).encode()
    attempt = router.route(head, body).first_attempt()
    request = b"".join(bytes(part) for part in attempt.request)
    assert request.startswith(b"POST /v1/embeddings HTTP/1.1\r\n")
    body = json.loads(request.partition(b"\r\n\r\n")[2])
    assert body["input"] == ["x"]
    return attempt.upstream.name.decode(), body["model"]


@pytest.mark.parametrize("model", ["openclaw", "openclaw/default", "agent:main", "OpenClaw/MAIN", "", None])
def test_the_model_is_that_of_the_memory(model: str | None) -> None:
    assert sent(model) == ("a", "BAAI/bge-m3")


def test_an_agent_may_have_a_model_of_its_own() -> None:
    own = {"provider": "b", "model": "small"}
    assert sent("openclaw/research", own=own) == ("b", "small")
    assert sent("openclaw/research", own={"model": "small"}) == ("a", "small")
    assert sent("openclaw", own=own, x_openclaw_agent_id="research") == ("b", "small")
    assert sent("openclaw/main", own=own) == ("a", "BAAI/bge-m3")


@pytest.mark.parametrize(("override", "expected"), [("b/other", ("b", "other")), ("other", ("a", "other"))])
def test_a_request_may_choose_the_model(override: str, expected: tuple[str, str]) -> None:
    """A bare id is one of the memory's provider."""
    assert sent(x_openclaw_model=override) == expected


def test_a_request_chooses_in_full_where_nothing_is_configured() -> None:
    assert sent(search={}, x_openclaw_model="b/other") == ("b", "other")


@pytest.mark.parametrize(
    ("search", "headers", "missing"),
    [
        ({}, {}, "memory.search.provider is not set"),
        ({"provider": "a"}, {}, "memory.search.model is not set"),
        ({"model": "m"}, {}, "memory.search.provider is not set"),
        ({}, {"x_openclaw_model": "bare"}, "memory.search.provider is not set"),
    ],
)
def test_without_a_model_it_is_said_what_to_set(search: Any, headers: dict[str, str], missing: str) -> None:
    """The default model for chats is none for embeddings."""
    with pytest.raises(ProviderNotConfigured, match=missing) as caught:
        sent(search=search, **headers)
    assert "x-openclaw-model" in caught.value.message and "'main'" in caught.value.message


def test_an_agent_or_a_provider_that_there_is_not_is_an_error() -> None:
    with pytest.raises(InvalidRequest, match="Unknown agent 'nope'"):
        sent("openclaw/nope")
    with pytest.raises(ModelNotFound, match="there is no provider 'gone'"):
        sent(search={"provider": "gone", "model": "m"})
