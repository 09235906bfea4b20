"""Roles that are built and not served, from settings that are otherwise complete."""

from __future__ import annotations

from typing import Any

from clawgate.app.bridge import build_bridge
from clawgate.app.role import RelayRole
from clawgate.app.server import build_server
from clawgate.settings.roles.bridge import BridgeSettings
from clawgate.settings.roles.server import ServerSettings
from tests.settings.canary import BRIDGE, SERVER

OTHER = "Vx4-other-8Rt2_mN6q"
"""A token that is not the usual one."""


def bridge(**values: Any) -> RelayRole:
    """A bridge; ``values`` are settings by their keys in the config file."""
    return build_bridge(BridgeSettings.model_validate(BRIDGE | values))


def server(**values: Any) -> RelayRole:
    """A server; ``values`` as for `bridge`."""
    return build_server(ServerSettings.model_validate(SERVER | values))


def sent(role: RelayRole, target: bytes = b"/v1/models", lines: bytes = b"") -> bytes:
    """The head that the role's upstream would get."""
    return role.upstream.encode_head(b"GET", target, lines)
