"""The composition root: builds a role from its settings, and owns its start and stop.

The three roles (bridge, server, gateway) are compositions of the same parts: admission, upstreams, control API.
"""

from clawgate.app.bridge import build_bridge
from clawgate.app.role import Role
from clawgate.app.run import open_listener, serve
from clawgate.app.server import build_server

__all__ = ["Role", "build_bridge", "build_server", "open_listener", "serve"]
