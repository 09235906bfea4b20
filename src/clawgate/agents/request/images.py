"""Checks the images of a request, which go to the model as they came: data URLs, and http URLs where that is allowed.

Pure: nothing is fetched, and nothing is kept of an image but its size. Source of limits and texts: OpenClaw 2026.9.6,
`gateway.http.endpoints.chatCompletions.images`.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass
from typing import Self

from clawgate.agents.request.refusal import reject
from clawgate.settings.schema.openclaw import IMAGE_TYPES, ChatImages
from clawgate.wire.http.url import parse_url
from clawgate.wire.translate import data_url
from clawgate.wire.translate.media_type import sniffed_type

MAX_IMAGES = 8
"""Of one message."""
MAX_TOTAL_BYTES = 20 * 1024 * 1024
"""Of all images of a request, decoded."""

_ADDRESS = re.compile(r"(https?://[^/?#\\\s]*+)[^\\\s]*+", re.IGNORECASE)
_INVALID = "Invalid image_url content in `messages`."


@dataclass(frozen=True, slots=True)
class ImageRules:
    """``url_allowlist``: hosts, or ``*.example.com``; empty for any."""

    allow_url: bool = False
    url_allowlist: tuple[str, ...] = ()
    allowed_types: frozenset[str] = frozenset(IMAGE_TYPES)
    max_bytes: int = 10 * 1024 * 1024

    @classmethod
    def of(cls, settings: ChatImages) -> Self:
        """Return the rules that the config sets."""
        types = frozenset(kind.strip().lower() for kind in settings.allowed_mimes)
        return cls(settings.allow_url, settings.url_allowlist, types, settings.max_bytes)


def check_image(url: object, place: str, rules: ImageRules) -> int:
    """Return the size of an image in bytes, 0 for one that the model's provider fetches. Raises `InvalidRequest`."""
    if not isinstance(url, str):
        reject(place, f"{_INVALID} `{place}` must have a URL.")
    if url[:5].lower() != "data:":
        _check_address(url, place, rules)
        return 0
    parsed = data_url.parse(url)
    if parsed is None:
        reject(place, f"{_INVALID} `{place}` must be a data URL in base64.")
    declared, data = parsed[0].replace("image/jpg", "image/jpeg"), parsed[1]
    allowed = ", ".join(sorted(rules.allowed_types))
    if declared not in rules.allowed_types or (sniffed_type(data) or declared) not in rules.allowed_types:
        reject(place, f"{_INVALID} `{place}` must be one of {allowed}.")
    try:
        size = len(binascii.a2b_base64(data, strict_mode=True))
    except ValueError:  # binascii.Error, or characters that are no ASCII
        size = 0
    if not size:
        reject(place, f"{_INVALID} `{place}` is no base64.")
    if size > rules.max_bytes:
        reject(place, f"{_INVALID} `{place}` has over {rules.max_bytes} bytes.")
    return size


def _check_address(url: str, place: str, rules: ImageRules) -> None:
    if not rules.allow_url:
        key = "gateway.http.endpoints.chatCompletions.images.allowUrl"
        reject(place, f"{_INVALID} `{place}` must be a data URL: {key} is not on.")
    match = _ADDRESS.fullmatch(url)
    try:
        host = parse_url(match[1] if match else "")[0].host
    except ValueError:
        reject(place, f"{_INVALID} `{place}` is no http URL that can be fetched.")
    if rules.url_allowlist and not any(_matches(host, pattern) for pattern in rules.url_allowlist):
        reject(place, f"{_INVALID} `{place}` is of a host that is not in images.urlAllowlist.")


def _matches(host: str, pattern: str) -> bool:
    wanted = pattern.strip().lower()
    return host.endswith(wanted[1:]) and host != wanted[2:] if wanted.startswith("*.") else host == wanted
