"""Describes what this gateway serves: its endpoints, limits and features, and the switch of each that is off.

Pure. Law: what is listed as on is served, and what is off is listed with the key that turns it on.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from clawgate import __version__
from clawgate.policy.path_routing import (
    AGENT_PATHS,
    AGENTS_SWITCH,
    CONVERSATIONS_PATH,
    GATEWAY_ROUTES,
    MODELS_SWITCH,
    RESPONSES_PATH,
    RESPONSES_SWITCH,
    STORED_RESPONSES,
)
from clawgate.wire.dialect import dialect_of

_OF_RUNS = ("sessions", "idempotency", "detached_runs", "resumed_streams")
_OF_RESPONSES = ("stored_responses", "previous_response_id", "conversations", "background_responses")


def capabilities(
    agent_paths: Collection[bytes], *, serves_models: bool, body_limit: int, caller: str | None
) -> dict[str, Any]:
    """``agent_paths`` are where agents are on."""
    endpoints = {
        path.decode("ascii"): {
            "dialect": dialect_of(path).value,
            "agents": _state(path in agent_paths, AGENT_PATHS.get(path)),
            "models": _state(serves_models, MODELS_SWITCH),
        }
        for path in GATEWAY_ROUTES.exact
    }
    keeps = RESPONSES_PATH in agent_paths
    endpoints[CONVERSATIONS_PATH.decode("ascii")] = {
        "dialect": dialect_of(CONVERSATIONS_PATH).value,
        "agents": _state(keeps, RESPONSES_SWITCH),
        "models": {"on": False},
    }
    endpoints[f"{STORED_RESPONSES.decode('ascii')}{{id}}"] = {
        "dialect": dialect_of(STORED_RESPONSES).value,
        "agents": _state(keeps, RESPONSES_SWITCH),
        "models": _state(keeps and serves_models, RESPONSES_SWITCH if serves_models else MODELS_SWITCH),
    }
    features = {name: _state(bool(agent_paths), AGENTS_SWITCH) for name in _OF_RUNS}
    features |= {name: _state(keeps, RESPONSES_SWITCH) for name in _OF_RESPONSES}
    return {
        "object": "capabilities",
        "version": __version__,
        "caller": caller,
        "endpoints": endpoints,
        "features": features,
        "limits": {"body_bytes": body_limit},
    }


def _state(on: bool, switch: str | None) -> dict[str, Any]:
    return {"on": on} if on or switch is None else {"on": False, "switch": switch}
