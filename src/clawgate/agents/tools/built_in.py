"""Makes the tools that come with clawgate, by the config: those that it has, with the process that they share."""

from __future__ import annotations

from collections.abc import Callable

from clawgate.agents.tools.image import ImageModels, ImageSettings, ImageTool
from clawgate.agents.tools.page_cache import PageCache
from clawgate.agents.tools.sandbox import Sandbox
from clawgate.agents.tools.web_fetch import WebFetchSettings, WebFetchTool
from clawgate.plugins.host.tools import RegisteredTool
from clawgate.policy.egress.policy import EgressPolicy, NetworkRules
from clawgate.relay.upstream.dial import Dialer
from clawgate.relay.upstream.guarded_fetch import FetchLimits
from clawgate.settings.extras import missing_packages
from clawgate.settings.openclaw.web_tools import NEEDS, WEB_FETCH, offered_tools, tool_policy
from clawgate.settings.schema.openclaw import OpenClawConfig
from clawgate.settings.schema.web_tools import WebFetch


class BuiltInTools:
    """``tools`` are those of the last config; ``now`` returns seconds of a clock that does not go back."""

    def __init__(self, dialer: Dialer, models: ImageModels, now: Callable[[], float]) -> None:
        self.tools: tuple[RegisteredTool, ...] = ()
        self.image: ImageTool | None = None
        self._dialer = dialer
        self._models = models
        self._sandbox = Sandbox()
        self._cache = PageCache(now)

    def use(self, config: OpenClawConfig, network: NetworkRules) -> None:
        """Offer what ``config`` has from now on. What is not installed is not offered: see `tool_diagnostics`."""
        self.image = None
        self.tools = tuple(
            self._made(name, config, tool_policy(name, config, network))
            for name in offered_tools(config)
            if not missing_packages(NEEDS[name])
        )

    def _made(self, name: str, config: OpenClawConfig, policy: EgressPolicy) -> RegisteredTool:
        fetch = config.tools.web.fetch or WebFetch()
        if name == WEB_FETCH:
            settings = WebFetchSettings.of(fetch, policy)
            return WebFetchTool(settings, self._dialer, self._sandbox, self._cache).registered()
        image, defaults = config.tools.media.image, config.agents.defaults
        own = defaults.image_model.timeout_ms if defaults.image_model is not None else None
        of_image = ImageSettings(
            policy=policy,
            limits=FetchLimits(
                max_bytes=image.max_bytes, max_redirects=fetch.max_redirects, seconds=image.timeout_seconds
            ),
            model_seconds=own / 1000 if own is not None else image.timeout_seconds,
            max_side=defaults.image_max_dimension_px,
        )
        self.image = ImageTool(of_image, self._dialer, self._sandbox, self._models)
        return self.image.registered()

    async def close(self) -> None:
        await self._sandbox.close()
