"""What is on is served, and what is off has its switch."""

from __future__ import annotations

import pytest

from clawgate.control.capabilities import capabilities
from clawgate.policy.path_routing import AGENT_PATHS, GATEWAY_ROUTES, MODELS_SWITCH, agent_paths


@pytest.mark.parametrize("chat", [True, False])
@pytest.mark.parametrize("responses", [True, False])
@pytest.mark.parametrize("models", [True, False])
def test_each_endpoint_is_on_or_has_its_switch(chat: bool, responses: bool, models: bool) -> None:
    on = agent_paths(chat=chat, responses=responses)
    found = capabilities(on, serves_models=models, body_limit=5, caller="token")
    for path in GATEWAY_ROUTES.exact:
        endpoint = found["endpoints"][path.decode()]
        assert endpoint["models"] == ({"on": True} if models else {"on": False, "switch": MODELS_SWITCH})
        switch = AGENT_PATHS.get(path)
        off = {"on": False} if switch is None else {"on": False, "switch": switch}
        assert endpoint["agents"] == ({"on": True} if path in on else off)
    assert found["endpoints"]["/v1/responses/{id}"]["agents"]["on"] is responses
    assert found["endpoints"]["/v1/responses/{id}"]["models"]["on"] is (responses and models)
    assert found["endpoints"]["/v1/conversations"]["agents"]["on"] is responses
    assert found["features"]["background_responses"]["on"] is responses
    assert found["features"]["sessions"]["on"] is (chat or responses)
    assert found["limits"] == {"body_bytes": 5} and found["caller"] == "token"
