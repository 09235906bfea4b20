"""Decides what the config offers agents of our own tools, and what these may fetch. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from clawgate.policy.egress.policy import EgressPolicy, NetworkRules
from clawgate.settings.schema.openclaw import OpenClawConfig
from clawgate.settings.schema.web_tools import WebFetch

WEB_FETCH, IMAGE = "web_fetch", "image"
NEEDS = {WEB_FETCH: ("trafilatura",), IMAGE: ("PIL", "imagesize")}
"""What each imports, of the extra ``web``."""
KEYS = {WEB_FETCH: ("tools", "web", "fetch"), IMAGE: ("tools", "media", "image")}
"""Where each is switched on and off."""


def offered_tools(config: OpenClawConfig) -> Iterator[str]:
    """Yield the names of the tools that are on. They are off until the config says something of them."""
    fetch, image = config.tools.web.fetch, config.tools.media.image.enabled
    if fetch is not None and fetch.enabled:
        yield WEB_FETCH
    if image or (image is None and config.agents.defaults.image_model is not None):
        yield IMAGE


def tool_policy(name: str, config: OpenClawConfig, network: NetworkRules) -> EgressPolicy:
    """Return what one of these tools may fetch; images are fetched by the rules for pages."""
    block = config.tools.web.fetch or WebFetch()
    ssrf = block.ssrf_policy
    return EgressPolicy(
        requester=f"tool:{name}",
        private=block.allow_private_network or ssrf.dangerously_allow_private_network,
        setting="tools.web.fetch.allowPrivateNetwork",
        allowed_hosts=ssrf.allowed_hostnames,
        blocked_hosts=ssrf.blocked_hostnames,
        network=network,
    )
