from __future__ import annotations

import io
import json

import pytest
from PIL import Image

from clawgate.agents.tools import sandbox as sandbox_module
from clawgate.agents.tools.picture import MAX_PIXELS, prepare, read, smaller
from clawgate.agents.tools.sandbox import Sandbox
from tests.agents.tools.pictures import announced, picture


def opened(image: bytes) -> Image.Image:
    return Image.open(io.BytesIO(image))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_each_kind_becomes_one_that_every_model_takes(kind: str) -> None:
    media_type, image = smaller(picture(kind, (400, 200)), 100)
    assert media_type == "image/jpeg"
    assert opened(image).size == (100, 50)


def test_transparency_stays() -> None:
    media_type, image = smaller(picture("PNG", mode="RGBA"), 100)
    assert media_type == "image/png"
    assert opened(image).convert("RGBA").getpixel((0, 0)) == (255, 0, 0, 100)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "I;16"])
def test_each_mode_is_read(mode: str) -> None:
    written = io.BytesIO()
    Image.new(mode, (40, 20)).save(written, "PNG")
    assert opened(smaller(written.getvalue(), 10)[1]).size == (10, 5)


def test_a_small_image_does_not_grow() -> None:
    assert opened(smaller(picture("PNG", (4, 2)), 1200)[1]).size == (4, 2)


def test_a_turned_photo_is_upright_and_says_nothing_of_its_place() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    exif[0x9286] = "a secret place"
    image = opened(smaller(picture("JPEG", (40, 20), exif=exif), 100)[1])
    assert image.size == (20, 40)
    assert not dict(image.getexif()) and "exif" not in image.info


@pytest.mark.parametrize("kind", ["PNG RGB", "PNG RGBA", "PNG LA", "PNG P", "GIF P"])
async def test_as_many_pixels_as_are_allowed_fit_into_the_sandbox(
    kind: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox_module, "WALL_SECONDS", 600.0)  # its CPU time and memory are as ever
    written = io.BytesIO()
    name, mode = kind.split()
    Image.new(mode, (5000, 5000)).save(written, name)
    line, _, image = (await sandbox.run({"kind": "image", "max_side": 1200}, written.getvalue())).partition(
        b"\n"
    )
    assert "type" in json.loads(line) and opened(image).size == (1200, 1200)


@pytest.mark.parametrize(
    ("body", "most"),
    [
        (picture("WEBP", (4001, 2000)), 8_000_000),
        (picture("JPEG", (5000, 4001), mode="CMYK", progressive=True), 20_000_000),
    ],
    ids=["WEBP", "progressive CMYK"],
)
def test_a_kind_whose_decoder_takes_more_may_have_fewer_pixels(body: bytes, most: int) -> None:
    with pytest.raises(ValueError, match=f"pixels; at most {most} of its kind are decoded"):
        smaller(body, 1200)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_an_image_in_strips_is_that_in_one_piece(mode: str) -> None:
    whole = Image.linear_gradient("L").resize((301, 1501)).convert(mode)
    written = io.BytesIO()
    whole.save(written, "PNG")
    found = opened(smaller(written.getvalue(), 100)[1]).convert("L")
    expected = whole.convert("L").resize(found.size, Image.Resampling.BOX)
    pairs = zip(found.tobytes(), expected.tobytes(), strict=True)
    assert max(abs(one - other) for one, other in pairs) <= 4


def test_pixels_are_counted_before_they_are_decoded() -> None:
    for width, height in ((MAX_PIXELS + 1, 1), (65_000, 65_000), (2**31 - 1, 2**31 - 1)):
        with pytest.raises(ValueError, match=f"it has {width} x {height} pixels; at most {MAX_PIXELS} of"):
            smaller(announced(width, height), 100)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"%PDF-1.7",
        b"BM" + b"\0" * 60,
        b"II*\0" + b"\0" * 60,
        b"MM\0*" + b"\0" * 60,
        b"\0\0\1\0" + b"\0" * 60,
        b"<svg/>",
        b"RIFF\0\0\0\0AVI ",
    ],
    ids=["empty", "HTML", "PDF", "BMP", "TIFF", "TIFF of Motorola", "ICO", "SVG", "AVI"],
)
def test_what_is_no_image_is_refused_by_its_content(body: bytes) -> None:
    with pytest.raises(ValueError, match="it is none of PNG, JPEG, GIF, WEBP"):
        smaller(body, 100)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_a_damaged_image_is_refused(kind: str) -> None:
    whole = picture(kind, (400, 200))
    for size in (12, 30, len(whole) // 2):
        with pytest.raises(ValueError, match="it "):
            smaller(whole[:size], 100)
    with pytest.raises(ValueError, match="it "):
        smaller(announced(100, 100, b"short"), 100)


def test_a_job_returns_the_image_or_the_reason() -> None:
    prepare()
    line, _, image = read({"max_side": 100}, picture("PNG")).partition(b"\n")
    assert json.loads(line) == {"type": "image/jpeg"} and opened(image).size == (40, 20)
    assert json.loads(read({"max_side": 100}, b"text")) == {"error": "it is none of PNG, JPEG, GIF, WEBP"}
