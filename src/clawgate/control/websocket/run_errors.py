"""Says the errors of requests for agents with the names that the protocol has for what HTTP names by its headers.

Imported only where agents are on.
"""

from __future__ import annotations

from clawgate.agents.endpoint.doors import without_places
from clawgate.agents.endpoint.service import KEY_HEADER
from clawgate.agents.request.target import AGENT_HEADER, MODEL_HEADER, SESSION_HEADER
from clawgate.errors import GatewayError, InvalidRequest

_NAMES = {
    f"`{SESSION_HEADER}`": "the session key",
    f"`{AGENT_HEADER}`": "agentId",
    f"`{MODEL_HEADER}`": "model",
    KEY_HEADER: "idempotencyKey",
    KEY_HEADER.title(): "idempotencyKey",
}


def in_words_of_the_protocol(error: GatewayError) -> GatewayError:
    found = without_places(error) if isinstance(error, InvalidRequest) else error
    text = found.message
    for name, own in _NAMES.items():
        text = text.replace(name, own)
    found = found.with_message(text)
    found.param = None
    return found
