"""Images for tests, made by Pillow."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image


def picture(kind: str, size: tuple[int, int] = (40, 20), mode: str = "RGB", **options: object) -> bytes:
    written = io.BytesIO()
    colour = {"RGBA": (255, 0, 0, 100), "CMYK": (0, 255, 255, 0)}.get(mode, "red")
    Image.new(mode, size, colour).save(written, kind, **options)
    return written.getvalue()


def announced(width: int, height: int, data: bytes = b"") -> bytes:
    """A PNG that announces so many pixels."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return (
            struct.pack("!I", len(content)) + name + content + struct.pack("!I", zlib.crc32(name + content))
        )

    head = chunk(b"IHDR", struct.pack("!IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
