"""Declares what OpenClaw's config file says of the tools that read the web and images.

Pure. Sources: the configuration schema that OpenClaw 2026.9.6 prints, and its page on web_fetch. Not OpenClaw's are
``allowPrivateNetwork``, which is in `SsrfPolicy` there, and ``maxBytes``, there ``maxResponseBytes``.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool

from clawgate.policy.egress.names import host_pattern
from clawgate.settings.fields import reject_text, reject_text_for_whole, setting
from clawgate.settings.schema.block import Block

Positive = Annotated[int, Field(gt=0), BeforeValidator(reject_text_for_whole)]
Host = Annotated[str, AfterValidator(host_pattern)]
"""Compared with what URLs name, so in the one spelling that they are read in."""


class SsrfPolicy(Block):
    """``tools.web.fetch.ssrfPolicy``."""

    dangerously_allow_private_network: StrictBool = setting("As allowPrivateNetwork beside it.", False)
    allowed_hostnames: tuple[Host, ...] = setting(
        "Hosts that it may fetch although their address is private; *.name for all below one.", ()
    )
    blocked_hostnames: tuple[Host, ...] = setting(
        "Hosts that it may not fetch; *.name for all below one.", ()
    )


class WebFetch(Block):
    """``tools.web.fetch``: the tool web_fetch, which is offered where this block is."""

    enabled: StrictBool = setting("Whether agents are offered the tool.", True)
    allow_private_network: StrictBool = setting(
        "Whether it may fetch from loopback and private addresses; never from metadata and link-local ones.",
        False,
    )
    ssrf_policy: SsrfPolicy = setting("Which hosts it may fetch.", SsrfPolicy)
    max_chars: Positive = setting("Characters of a result, unless the model wants fewer.", 20_000)
    max_chars_cap: Positive | None = setting(
        "Characters of a result that the model may want; maxChars if absent."
    )
    max_response_bytes: Positive | None = setting("Bytes of a page that are read; 750000 unless it is set.")
    max_bytes: Positive | None = setting("As maxResponseBytes; the smaller one counts.")
    timeout_seconds: Positive = setting("Seconds for a page, its redirects included.", 30)
    max_redirects: Annotated[int, Field(ge=0), BeforeValidator(reject_text_for_whole)] = setting(
        "Redirects that are followed.", 3
    )
    cache_ttl_minutes: Annotated[float, Field(ge=0, allow_inf_nan=False), BeforeValidator(reject_text)] = (
        setting("Minutes that a page is kept; 0 for none.", 15.0)
    )


class WebTools(Block):
    """``tools.web``."""

    fetch: WebFetch | None = setting("The tool web_fetch; absent: it is not offered.")


class ImageTool(Block):
    """``tools.media.image``: the tool image."""

    enabled: StrictBool | None = setting(
        "Whether agents are offered the tool; absent: where agents.defaults.imageModel is set."
    )
    max_bytes: Positive = setting("Bytes of an image that is read.", 5_000_000)
    timeout_seconds: Positive = setting("Seconds to fetch it, and again for the model.", 60)


class MediaTools(Block):
    """``tools.media``."""

    image: ImageTool = setting("The tool image.", ImageTool)
