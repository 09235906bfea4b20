"""The composition root: builds the parts of a role from its settings, joins them, and owns their start and stop.

The roles are compositions of the same parts, not programs of their own: a gate in front, an upstream behind, a
control plane beside.
"""

from clawgate.app.bridge import build_bridge
from clawgate.app.role import Role
from clawgate.app.run import open_listener, serve
from clawgate.app.server import build_server

__all__ = ["Role", "build_bridge", "build_server", "open_listener", "serve"]
