"""Makes a small image of any, in a form that every model takes: PNG where it has transparency, else JPEG.

Runs in the sandbox. Law: what the bytes are is known, and how many pixels, before anything is decoded. The result has
no metadata: a photo says where it was taken.
"""

from __future__ import annotations

import contextlib
import io
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = {"PNG": b"\x89PNG\r\n\x1a\n", "JPEG": b"\xff\xd8\xff", "GIF": b"GIF8", "WEBP": b"RIFF"}
"""What each begins with."""
MAX_PIXELS = 25_000_000
_MOST_PIXELS = {"WEBP": 8_000_000}
"""Its decoder holds several copies of all pixels."""
_DECODER_BYTES = 160_000_000
_COEFFICIENT_BYTES = 2
"""Of each pixel and colour, which the decoder of a progressive JPEG holds at once."""
_ROWS = 64
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
    _check_pixels(width, height, _MOST_PIXELS.get(name, MAX_PIXELS))
    try:
        with Image.open(io.BytesIO(body), formats=(name,)) as image:
            is_progressive = "progressive" in image.info
            most = (
                _DECODER_BYTES // (_COEFFICIENT_BYTES * len(image.getbands()))
                if is_progressive
                else MAX_PIXELS
            )
            _check_pixels(*image.size, min(most, MAX_PIXELS))
            image.draft("RGB", (side, side))
            has_alpha = image.has_transparency_data
            made = ImageOps.exif_transpose(_reduced(image, side, "RGBA" if has_alpha else "RGB"))
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


def _check_pixels(width: int, height: int, most: int) -> None:
    if width * height > most:
        raise ValueError(f"it has {width} x {height} pixels; at most {most} of its kind are decoded")


def _reduced(image: Image, side: int, mode: str) -> Image:
    """Return the image in ``mode``, its longer side less than twice ``side``.

    It is converted row by row: a second copy of all its pixels would not fit into the sandbox.
    """
    from PIL.Image import new

    factor = max(*image.size, side) // side
    width, height = image.size
    made = new(mode, (-(-width // factor), -(-height // factor)))
    rows = _ROWS * factor
    for top in range(0, height, rows):
        strip = image.crop((0, top, width, min(top + rows, height))).convert(mode)
        made.paste(strip.reduce(factor), (0, top // factor))
    made.info = {name: value for name, value in image.info.items() if name != "transparency"}
    return made


def _format(body: bytes) -> str:
    for name, start in FORMATS.items():
        if body.startswith(start) and (name != "WEBP" or body[8:12] == b"WEBP"):
            return name
    raise ValueError(f"it is none of {', '.join(FORMATS)}")
