"""Reads the base URL of an API from the address that a person has at hand: a host, or the URL of a request.

Pure. What `parse_url` rejects stays rejected: the result is a text for it, not a checked URL.
"""

from __future__ import annotations

import re

_ENDPOINT = re.compile(
    r"(?:/(?:chat/)?completions|/responses|/messages|/embeddings|(?<=/v\d)/models(?:/[^/?#]+)?)\Z"
)
_PLAIN_HTTP = re.compile(r"(?:localhost|[\d.]+|\[[^]]*\])(?::\d+)?\Z|.*:(?!443\Z)\d+\Z", re.IGNORECASE)
"""An authority whose server has rarely a certificate: this machine, an address, a port of its own."""


def base_url(text: str) -> str:
    """Return ``text`` without the end that a request adds (/chat/completions, /models), and with a scheme."""
    text = text.strip()
    if text and "://" not in text:
        authority = text.partition("/")[0]
        text = f"{'http' if _PLAIN_HTTP.match(authority) else 'https'}://{text}"
    scheme, mark, rest = text.partition("://")
    return f"{scheme}{mark}{_ENDPOINT.sub('', rest.rstrip('/'))}"
