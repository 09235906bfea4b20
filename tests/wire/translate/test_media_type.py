"""The type of an image or document is read from its first bytes, whatever its label says."""

from __future__ import annotations

import base64

import pytest

from clawgate.wire.translate.media_type import sniffed_type

SAMPLES = {
    "image/png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "image/jpeg": b"\xff\xd8\xff\xe0\0\x10JFIF",
    "image/gif": b"GIF89a\x01\0\x01\0",
    "image/webp": b"RIFF\x24\0\0\0WEBPVP8 ",
    "application/pdf": b"%PDF-1.7\n",
    "image/tiff": b"II*\0\x08\0\0\0",
    "image/heic": b"\0\0\0\x18ftypheic",
    "image/avif": b"\0\0\0\x1cftypavif",
}


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("more", [b"", b"\0" * 100])
def test_the_first_bytes_show_the_type(name: str, more: bytes) -> None:
    data = base64.b64encode(SAMPLES[name] + more).decode()
    assert sniffed_type(data) == name
    assert sniffed_type("\n" + data[:5] + "\r\n " + data[5:]) == name
    assert sniffed_type(data.rstrip("=").replace("+", "-").replace("/", "_")) == name


@pytest.mark.parametrize(
    "data", ["", "aGk=", "a", "====", "é", "!!!!", base64.b64encode(b"RIFF1234WAVE").decode()]
)
def test_other_bytes_show_none(data: str) -> None:
    assert sniffed_type(data) is None
