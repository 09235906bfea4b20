"""Decides what the config offers agents of our own tools, and what these may fetch. Pure."""

from __future__ import annotations

from clawgate.policy.egress.policy import EgressPolicy, NetworkRules
from clawgate.settings.key_path import format_key_path
from clawgate.settings.schema.openclaw import OpenClawConfig
from clawgate.settings.schema.web_tools import WebFetch

WEB_FETCH, IMAGE = "web_fetch", "image"
NEEDS = {WEB_FETCH: ("trafilatura",), IMAGE: ("PIL", "imagesize")}
"""What each imports, of the extra ``web``."""
KEYS = {WEB_FETCH: ("tools", "web", "fetch"), IMAGE: ("tools", "media", "image")}
"""Where each is switched on and off."""


def offered_tools(config: OpenClawConfig) -> list[str]:
    """Return the names of the tools that are on."""
    return [name for name in NEEDS if not off_reason(name, config)]


def off_reason(name: str, config: OpenClawConfig) -> str:
    """Return why a tool is off, empty where it is on. They are off until the config says something of them."""
    fetch, image = config.tools.web.fetch, config.tools.media.image.enabled
    switch = image if name == IMAGE else fetch.enabled if fetch is not None else None
    if switch or (name == IMAGE and switch is None and config.agents.defaults.image_model is not None):
        return ""
    unset = "is not set, nor is agents.defaults.imageModel" if name == IMAGE else "is not set"
    return f"{format_key_path((*KEYS[name], 'enabled'))} {unset if switch is None else 'is false'}"


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
