"""Makes a small image of any, in a form that every model takes: PNG where it has transparency, else JPEG.

Runs in the sandbox. Law: what the bytes are is known, and how many pixels, before anything is decoded. The result has
no metadata: a photo says where it was taken.
"""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any

FORMATS = {"PNG": b"\x89PNG\r\n\x1a\n", "JPEG": b"\xff\xd8\xff", "GIF": b"GIF8", "WEBP": b"RIFF"}
"""What each begins with."""
MAX_PIXELS = 25_000_000
_QUALITY = 85


def prepare() -> None:
    """Import the decoders and encoders."""
    with contextlib.suppress(ImportError):
        from PIL import Image

        for name in FORMATS:
            written = io.BytesIO()
            Image.new("RGB", (2, 2)).save(written, name)
            smaller(written.getvalue(), 1)


def read(job: dict[str, Any], body: bytes) -> bytes:
    """Return a line of JSON, ``error`` or ``type``, and behind it the image."""
    try:
        media_type, image = smaller(body, job["max_side"])
    except ValueError as error:
        return json.dumps({"error": str(error)}).encode() + b"\n"
    return json.dumps({"type": media_type}).encode() + b"\n" + image


def smaller(body: bytes, side: int) -> tuple[str, bytes]:
    """Return the media type and the bytes, of at most ``side`` pixels on each side. Raises ValueError."""
    import imagesize
    from PIL import Image, ImageOps

    name = _format(body)
    width, height = imagesize.get(io.BytesIO(body))
    if width < 1 or height < 1:
        raise ValueError(f"it begins like {name}, and is none")
    if width * height > MAX_PIXELS:
        raise ValueError(f"it has {width} x {height} pixels; at most {MAX_PIXELS} are decoded")
    try:
        with Image.open(io.BytesIO(body), formats=(name,)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(
                    f"it has {image.width} x {image.height} pixels; at most {MAX_PIXELS} are decoded"
                )
            image.draft("RGB", (side, side))
            has_alpha = image.has_transparency_data
            image.thumbnail((side, side)) if image.mode in ("RGB", "RGBA", "L") else image.load()
            made = ImageOps.exif_transpose(image).convert("RGBA" if has_alpha else "RGB")
    except (
        OSError,
        SyntaxError,
        EOFError,
        IndexError,
        KeyError,
        OverflowError,
    ) as error:  # what decoders raise
        raise ValueError(f"it cannot be decoded as {name}: {str(error)[:100]}") from None
    made.thumbnail((side, side))
    clean = Image.new(made.mode, made.size)
    clean.paste(made)
    written = io.BytesIO()
    clean.save(written, "PNG" if has_alpha else "JPEG", **({} if has_alpha else {"quality": _QUALITY}))
    return f"image/{'png' if has_alpha else 'jpeg'}", written.getvalue()


def _format(body: bytes) -> str:
    for name, start in FORMATS.items():
        if body.startswith(start) and (name != "WEBP" or body[8:12] == b"WEBP"):
            return name
    raise ValueError(f"it is none of {', '.join(FORMATS)}")
