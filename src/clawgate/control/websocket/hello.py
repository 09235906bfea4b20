"""Makes the response to `connect`: what this gateway has, and the limits that hold for its caller.

Law: it lists the methods and events that there are now, and no others. A path of this machine is shown to an
administrator alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from clawgate import __version__
from clawgate.control.websocket.clients import TICK_SECONDS, Client
from clawgate.control.websocket.handshake import OPERATOR, PROTOCOL, SCOPES
from clawgate.control.websocket.method import Gateway, Method
from clawgate.control.websocket.transcript import MAIN_SESSION
from clawgate.policy.proxy_identity import ADMIN
from clawgate.relay.websocket import MESSAGE_BYTES, UNSENT_BYTES
from clawgate.settings.openclaw.agent_ids import default_agent

EVENTS = ("connect.challenge", "tick", "shutdown")
AGENT_EVENTS = ("agent", "chat", "sessions.changed", "plugin.approval.requested", "plugin.approval.resolved")
CAPABILITIES = ("published-model-catalog",)
"""`models.list` is the catalog of the running gateway, without which OpenClaw's `models list` refuses it."""


def hello_ok(gateway: Gateway, client: Client, methods: Iterable[Method]) -> dict[str, object]:
    has_agents = gateway.agents is not None
    return {
        "type": "hello-ok",
        "protocol": PROTOCOL,
        "server": {"version": __version__, "connId": client.conn_id, "bootId": gateway.instance},
        "features": {
            "methods": [
                method.name
                for method in methods
                if (not method.of_agents or gateway.runs_for(method) is not None)
                and method.is_for(client.caller)
            ],
            "events": [*EVENTS, *(AGENT_EVENTS if has_agents else ())],
            "capabilities": list(CAPABILITIES),
        },
        "snapshot": _snapshot(gateway, shows_paths=client.may(ADMIN)),
        "auth": {"role": OPERATOR, "scopes": [scope for scope in SCOPES if scope in client.scopes]},
        "policy": {
            "maxPayload": MESSAGE_BYTES,
            "maxBufferedBytes": UNSENT_BYTES,
            "tickIntervalMs": int(TICK_SECONDS * 1000),
        },
    }


def _snapshot(gateway: Gateway, *, shows_paths: bool) -> dict[str, object]:
    file = gateway.file()
    snapshot: dict[str, object] = {
        "presence": [presence(gateway)],
        "health": {"ok": True, "ts": gateway.now_ms(), "durationMs": 0},
        "stateVersion": {"presence": 1, "health": 1},
        "uptimeMs": gateway.uptime_ms,
        "authMode": gateway.auth_mode(),
    }
    if gateway.agents is not None:
        agent = default_agent(file.config)
        snapshot["sessionDefaults"] = {
            "defaultAgentId": agent,
            "mainKey": MAIN_SESSION,
            "mainSessionKey": f"agent:{agent}:{MAIN_SESSION}",
            "scope": "per-sender",
        }
    if shows_paths:
        snapshot |= {"configPath": str(file.path), "stateDir": str(gateway.state)}
    return snapshot


def presence(gateway: Gateway) -> dict[str, object]:
    """Return the one entry of the list of what is connected: this gateway."""
    return {
        "mode": "gateway",
        "version": __version__,
        "reason": "self",
        "instanceId": gateway.instance,
        "text": f"Gateway: clawgate {__version__}",
        "ts": gateway.now_ms(),
    }
