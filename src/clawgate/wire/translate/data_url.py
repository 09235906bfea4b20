"""Reads and writes data: URLs in the one form that model APIs use, `data:<type>;base64,<data>` (RFC 2397).

The data is not decoded: it is passed on as it came.
"""

from __future__ import annotations


def parse(url: str) -> tuple[str, str] | None:
    """Return the media type in lower case and the base64 data; None for any other URL or encoding."""
    head, comma, data = url.partition(",")
    if not comma or head[:5].lower() != "data:":
        return None
    media_type, *parameters = head[5:].lower().split(";")
    return (media_type.strip(), data) if "base64" in parameters else None


def build(media_type: str, data: str) -> str:
    return f"data:{media_type};base64,{data}"
