"""Recognises the type of an image or a document by its first bytes.

Clients label pictures by a file's name, or all alike; Anthropic rejects one whose label is not what its bytes are.
Signatures as in the WHATWG standard "MIME Sniffing", section 6; `ftyp` as in ISO 14496-12.
"""

from __future__ import annotations

import base64
import binascii

_LONGEST = 16
"""Bytes of the longest signature."""
_SIGNATURES = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBPVP", "image/webp"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (4, b"ftypheic", "image/heic"),
    (4, b"ftypmif1", "image/heic"),
    (4, b"ftypavif", "image/avif"),
)


def sniffed_type(data: str) -> str | None:
    """Return the media type of base64 ``data`` by its beginning, None where that is not known."""
    begin = "".join(data[: 8 * _LONGEST].split())[: _LONGEST * 4 // 3]
    try:
        head = base64.b64decode(begin[: len(begin) // 4 * 4].translate(_URL_SAFE))
    except (binascii.Error, ValueError):
        return None
    return next((kind for at, sign, kind in _SIGNATURES if head.startswith(sign, at)), None)


_URL_SAFE = str.maketrans("-_", "+/")
