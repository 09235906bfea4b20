"""An image is a picture of an allowed type and size, in the request itself unless the operator allows an address."""

from __future__ import annotations

import base64

import pytest

from clawgate.agents.request.images import ImageRules, check_image
from clawgate.errors import InvalidRequest
from clawgate.settings.schema.openclaw import ChatImages

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n0123").decode()
PDF = base64.b64encode(b"%PDF-1.7 01").decode()
RULES = ImageRules()
OPEN = ImageRules(allow_url=True)
SOME = ImageRules(allow_url=True, url_allowlist=("cdn.example.com", "*.assets.example.com"))


@pytest.mark.parametrize(
    "url", [f"data:image/png;base64,{PNG}", f"DATA:IMAGE/PNG;base64,{PNG}", f"data:image/jpeg;base64,{PNG}",
            f"data:image/jpg;base64,{PNG}", f"data:image/heic;base64,{PNG}"],
)  # fmt: skip
def test_a_data_url_of_a_picture_is_accepted_with_its_size(url: str) -> None:
    assert check_image(url, "x", RULES) == 12


@pytest.mark.parametrize(
    "url",
    [
        None, 5, "", "x", PNG, "data:", "data:image/png,abc", "data:image/png;base64,", "data:image/png;base64,###",
        f"data:image/png;base64,{PNG[:-1]}", f"data:image/png;base64,{PNG}\n", "data:image/png;base64,aGé=",
        f"data:text/html;base64,{PNG}", f"data:image/svg+xml;base64,{PNG}", f"data:;base64,{PNG}",
        f"data:image/png;base64,{PDF}", "data:image/png;base64,aGVs bG8=", "file:///etc/passwd",
        "https://example.com/a.png", "http://127.0.0.1/", "ftp://example.com/a.png",
    ],
)  # fmt: skip
def test_anything_else_is_refused(url: object) -> None:
    with pytest.raises(InvalidRequest, match=r"\AInvalid image_url content in `messages`\.") as refused:
        check_image(url, "messages[0].content[1].image_url", RULES)
    assert refused.value.param == "messages[0].content[1].image_url" and len(refused.value.message) < 400


def test_a_large_image_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="over 11 bytes"):
        check_image(f"data:image/png;base64,{PNG}", "x", ImageRules(max_bytes=11))


@pytest.mark.parametrize("url", ["https://example.com/a%20b.png?w=1#x", "HTTP://cdn.example.com"])
def test_an_address_is_accepted_where_it_is_allowed(url: str) -> None:
    assert check_image(url, "x", OPEN) == 0


@pytest.mark.parametrize(
    "url",
    ["https://user:secret@example.com/a.png", "https://example.com\\@evil.example/a", "https:///a", "//example.com/a",
     "https://exa mple.com/", "https://example.com/a b", "ftp://example.com/", "javascript:alert(1)", "https://é.com/"],
)  # fmt: skip
def test_an_address_that_can_be_read_in_two_ways_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_image(url, "x", OPEN)
    assert "secret" not in refused.value.message


def test_the_rules_are_those_of_the_config() -> None:
    assert ImageRules.of(ChatImages()) == RULES
    settings = ChatImages(allow_url=True, url_allowlist=("a",), allowed_mimes=("IMAGE/PNG",), max_bytes=5)
    assert ImageRules.of(settings) == ImageRules(True, ("a",), frozenset({"image/png"}), 5)


@pytest.mark.parametrize("host", ["cdn.example.com", "CDN.example.com:8443", "a.assets.example.com"])
def test_hosts_of_the_allowlist_are_accepted(host: str) -> None:
    assert check_image(f"https://{host}/a.png", "x", SOME) == 0


@pytest.mark.parametrize(
    "host", ["example.com", "assets.example.com", "xassets.example.com", "cdn.example.com.evil.io"]
)
def test_other_hosts_are_refused(host: str) -> None:
    with pytest.raises(InvalidRequest, match="urlAllowlist"):
        check_image(f"https://{host}/a.png", "x", SOME)
