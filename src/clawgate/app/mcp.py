"""Connects the MCP servers of the config while agents are on.

Law: where none is configured, or agents are off, nothing of them is imported.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from clawgate.plugins.host.tools import RegisteredTool
from clawgate.policy.egress.policy import NO_RULES, NetworkRules
from clawgate.relay.upstream.dial import Dialer
from clawgate.settings.openclaw.config_file import ConfigFile
from clawgate.settings.openclaw.mcp_servers import McpServerEntry, mcp_servers
from clawgate.settings.openclaw.own_settings import network_rules

if TYPE_CHECKING:
    from clawgate.agents.tools.mcp.results import Look
    from clawgate.agents.tools.mcp.servers import McpServers

logger = logging.getLogger("clawgate.mcp")


class McpHost:
    """The servers of one gateway; `run` is the task that owns them.

    ``state`` is OpenClaw's state folder; ``others`` returns the tools of plugins. ``look`` has a model look at an
    image.
    """

    look: Look | None = None

    def __init__(self, state: Path, dialer: Dialer, others: Callable[[], Iterable[RegisteredTool]]) -> None:
        self._state = state
        self._dialer = dialer
        self._others = others
        self._wanted: tuple[list[McpServerEntry], Mapping[str, str], NetworkRules] = ([], {}, NO_RULES)
        self._changed = asyncio.Event()
        self._servers: McpServers | None = None

    def use(self, file: ConfigFile | None) -> None:
        """Connect to the servers of ``file`` from now on; None: agents are off."""
        if file is None:
            self._wanted = ([], {}, NO_RULES)
        else:
            entries = [one for one in mcp_servers(file.config, file.unset) if one.is_used]
            self._wanted = (entries, file.environment, network_rules(file.config))
        self._changed.set()

    def tools(self) -> Iterable[RegisteredTool]:
        """Return the tools of servers, and behind them, so that they win where names are the same, those of plugins."""
        return (*(self._servers.tools() if self._servers is not None else ()), *self._others())

    async def run(self) -> None:
        """Follow the config until cancelled, then end every server."""
        try:
            while True:
                await self._changed.wait()
                self._changed.clear()
                if self._servers is None and self._wanted[0]:
                    from clawgate.agents.tools.mcp.servers import McpServers

                    self._servers = McpServers(
                        self._state,
                        self._dialer,
                        wall_clock=time.time,
                        random=random.random,
                        look=self.look,
                    )
                if self._servers is not None:
                    try:
                        await self._servers.use(*self._wanted)
                    except Exception:  # a defect here must not end what follows later configs
                        logger.exception(
                            "mcp.servers: an unforeseen error; some of them may not be connected"
                        )
        finally:
            if self._servers is not None:
                await self._servers.close()
