"""Makes the tools that come with clawgate, by the config: those that it has, with the process that they share."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

from clawgate.agents.tools.page_cache import PageCache
from clawgate.agents.tools.sandbox import Sandbox
from clawgate.agents.tools.web_fetch import WebFetchSettings, WebFetchTool
from clawgate.plugins.host.tools import RegisteredTool
from clawgate.policy.egress.policy import NO_RULES
from clawgate.relay.upstream.dial import Dialer
from clawgate.settings.schema.openclaw import OpenClawConfig


class BuiltInTools:
    """``tools`` are those of the last config; ``now`` returns seconds of a clock that does not go back."""

    def __init__(self, dialer: Dialer, now: Callable[[], float]) -> None:
        self.tools: tuple[RegisteredTool, ...] = ()
        self._dialer = dialer
        self._sandbox = Sandbox()
        self._cache = PageCache(now)

    def use(self, config: OpenClawConfig) -> None:
        """Offer what ``config`` has from now on. What is not installed is not offered: see `tool_diagnostics`."""
        tools = []
        fetch = config.tools.web.fetch
        if fetch is not None and fetch.enabled and find_spec("trafilatura") is not None:
            settings = WebFetchSettings.of(fetch, NO_RULES)
            tools.append(WebFetchTool(settings, self._dialer, self._sandbox, self._cache).registered())
        self.tools = tuple(tools)

    async def close(self) -> None:
        await self._sandbox.close()
