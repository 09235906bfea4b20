"""Writes the config of the demo's gateway, with two providers: the bridge, and a stand-in for Anthropic.

Secrets are references in it: their values reach the gateway by its environment alone.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

BRIDGE, ANTHROPIC = "proxy-bridge", "anthropic-local"
"""The providers' names."""

ANTHROPIC_KEY_VARIABLE = "ANTHROPIC_LOCAL_KEY"
CLAUDE = "claude-demo"


def openclaw_config(bridge_port: int, anthropic_port: int, model: str) -> dict[str, Any]:
    """The config; `model` is the default model of the bridge."""
    private = {"allowPrivateNetwork": True}
    return {
        "gateway": {"auth": {"mode": "token", "token": "${OPENCLAW_GATEWAY_TOKEN}"}},
        "agents": {"defaults": {"model": {"primary": f"{BRIDGE}/{model}"}}},
        # The bridge of the demo is a process of its own, to be seen: not the plugin, which has it inside the gateway.
        "plugins": {"entries": {BRIDGE: {"enabled": False}}},
        "models": {
            "mode": "replace",
            "providers": {
                BRIDGE: {
                    "baseUrl": f"http://127.0.0.1:{bridge_port}/v1",
                    "api": "openai-completions",
                    "request": private,
                    "models": [{"id": model, "name": model}],
                },
                ANTHROPIC: {
                    "baseUrl": f"http://127.0.0.1:{anthropic_port}",
                    "api": "anthropic-messages",
                    "apiKey": f"${{{ANTHROPIC_KEY_VARIABLE}}}",
                    "request": private,
                    "models": [{"id": CLAUDE, "name": CLAUDE}],
                },
            },
        },
    }


def write_openclaw_config(path: Path, config: dict[str, Any]) -> None:
    """Put it at `path`, which only its owner may read."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(json.dumps(config, indent=2) + "\n")
    path.chmod(0o600)
