"""Chains of redirects: where each hop may lead, what goes along, and what is connected to.

From RFC 9110 15.4, the Fetch standard ("HTTP-redirect fetch"), and guards that checked the first URL alone.
"""

from __future__ import annotations

import pytest

from clawgate.errors import EgressDenied, GatewayError, UpstreamRedirected
from tests.contract.small_internet import (
    INSIDE,
    OTHER,
    PUBLIC,
    STRANGER,
    TRUSTED,
    SmallInternet,
    page,
    redirect,
    serving,
)

HOME = "http://public.example/"

INWARDS = [
    "http://10.0.0.5/",
    "http://10.0.0.5:8080/admin",
    "//10.0.0.5/",
    "http://inside.example/",
    "http://127.0.0.1/",
    "http://127.1/",
    "http://0x7f000001/",
    "http://2130706433/",
    "http://017700000001/",
    "http://[::1]/",
    "http://[::ffff:10.0.0.5]/",
    "http://[::ffff:a00:5]/",
    "http://[64:ff9b::10.0.0.5]/",
    "http://[2002:a00:5::]/",
    "http://localhost/",
    "http://LOCALHOST./",
    "http://a.localhost/",
    "http://0.0.0.0/",
    "http://[::]/",
]
TO_METADATA = [
    "http://169.254.169.254/latest/meta-data/",
    "http://metadata.example/",
    "http://metadata.google.internal/computeMetadata/v1/",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://0251.0376.0251.0376/",
    "http://[::ffff:169.254.169.254]/",
    "http://[fd00:ec2::254]/",
    "http://100.100.100.200/",
    "http://[fe80::1]/",
]
NOWHERE = [
    "http://public.example@10.0.0.5/",
    "http://10.0.0.5@public.example/",
    "http://public.example\\@10.0.0.5/",
    "\\\\10.0.0.5\\",
    "/\\10.0.0.5/",
    "file:///etc/passwd",
    "gopher://10.0.0.5:6379/_SET",
    "ftp://10.0.0.5/",
    "data:text/html,hello",
    "javascript:alert(1)",
    "http://10.0.0.5\t/",
    "http://[::1%25lo]/",
    "http://1\uff127.0.0.1/",
    "http://127\u30020\u30020\u30021/",
    "http://127.0.0.1%2f/",
    "http://999.0.0.1/",
]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", INWARDS)
async def test_a_redirect_inwards_is_refused_before_any_connect(location: str, status: int) -> None:
    site = {("public.example", "/"): redirect(location, status)}
    async with serving(site) as upstream:
        internet = SmallInternet(upstream)
        with pytest.raises(EgressDenied):
            await internet.fetch(HOME)
        assert internet.hosts == [PUBLIC] and len(upstream.requests) == 1


@pytest.mark.parametrize("policy", [STRANGER, TRUSTED], ids=["stranger", "trusted"])
@pytest.mark.parametrize("location", TO_METADATA)
async def test_no_setting_lets_a_redirect_lead_to_metadata(location: str, policy: object) -> None:
    site = {("public.example", "/"): redirect(location)}
    async with serving(site) as upstream:
        internet = SmallInternet(upstream)
        with pytest.raises(EgressDenied) as caught:
            await internet.fetch(HOME, policy)  # type: ignore[arg-type]  # one of two policies
        assert internet.hosts == [PUBLIC]
        assert "are never dialled" in caught.value.message, "no setting opens it, so none is named"


@pytest.mark.parametrize("policy", [STRANGER, TRUSTED], ids=["stranger", "trusted"])
@pytest.mark.parametrize("location", NOWHERE)
async def test_a_location_that_programs_read_in_different_ways_is_not_followed(
    location: str, policy: object
) -> None:
    site = {("public.example", "/"): redirect(location)}
    async with serving(site) as upstream:
        internet = SmallInternet(upstream)
        with pytest.raises(GatewayError):
            await internet.fetch(HOME, policy)  # type: ignore[arg-type]  # one of two policies
        assert set(internet.hosts) <= {PUBLIC} and len(upstream.requests) == 1


async def test_the_last_of_three_redirects_is_judged_as_the_first() -> None:
    site = {
        ("public.example", "/"): redirect("http://other.example/a"),
        ("other.example", "/a"): redirect("/b", 307),
        ("other.example", "/b"): redirect("http://inside.example/", 308),
    }
    async with serving(site) as upstream:
        internet = SmallInternet(upstream)
        with pytest.raises(EgressDenied):
            await internet.fetch(HOME)
        assert internet.hosts == [PUBLIC, OTHER, OTHER]


async def test_a_private_page_leads_outwards_and_back_only_where_it_is_allowed() -> None:
    site = {
        ("inside.example", "/"): redirect("http://public.example/"),
        ("public.example", "/"): redirect("http://10.0.0.5/end"),
        ("10.0.0.5", "/end"): page(),
    }
    async with serving(site) as upstream:
        internet = SmallInternet(upstream)
        found = await internet.fetch("http://inside.example/", TRUSTED)
        assert found.url == "http://10.0.0.5/end" and internet.hosts == [INSIDE, PUBLIC, INSIDE]


@pytest.mark.parametrize(("hops", "ends"), [(3, True), (4, False)])
async def test_three_redirects_are_followed_and_not_four(hops: int, ends: bool) -> None:
    site = {("public.example", f"/{number or ''}"): redirect(f"/{number + 1}") for number in range(hops)}
    site["public.example", f"/{hops}"] = page(b"the end")
    async with serving(site) as upstream:
        internet = SmallInternet(upstream)
        if ends:
            assert (await internet.fetch(HOME)).body == b"the end"
        else:
            with pytest.raises(UpstreamRedirected):
                await internet.fetch(HOME)
        assert len(upstream.requests) == 4


async def test_a_page_that_redirects_to_itself_ends() -> None:
    async with serving({("public.example", "/"): redirect(HOME)}) as upstream:
        internet = SmallInternet(upstream)
        with pytest.raises(UpstreamRedirected):
            await internet.fetch(HOME)
        assert len(internet.connects) == 4


@pytest.mark.parametrize(
    ("location", "host", "target"),
    [
        ("?q=1", "public.example", "/a/b?q=1"),
        ("c", "public.example", "/a/c"),
        ("../../../c", "public.example", "/c"),
        ("//other.example/x", "other.example", "/x"),
        ("HTTP://OTHER.EXAMPLE/x", "other.example", "/x"),
        ("http://other.example?x", "other.example", "/?x"),
        ("/x#http://10.0.0.5/", "public.example", "/x"),
        ("/x?to=http://10.0.0.5/", "public.example", "/x?to=http://10.0.0.5/"),
        ("http://other.example:8080/", "other.example:8080", "/"),
        ("/grün", "public.example", "/gr%C3%BCn"),
        ("/a%0d%0aX-Evil:%201", "public.example", "/a%0d%0aX-Evil:%201"),
        ("http://bücher.example/", "xn--bcher-kva.example", "/"),
    ],
)
async def test_a_location_is_read_relative_to_its_page(location: str, host: str, target: str) -> None:
    site = {("public.example", "/a/b"): redirect(location), (host, target): page(b"here")}
    async with serving(site) as upstream:
        found = await SmallInternet(upstream).fetch("http://public.example/a/b")
        assert found.body == b"here" and found.url == f"http://{host}{target}"
        assert upstream.anomalies == []


@pytest.mark.parametrize("status", [200, 201, 300, 304, 305, 404])
async def test_a_location_of_another_status_is_not_followed(status: int) -> None:
    site = {("public.example", "/"): redirect("http://10.0.0.5/", status)}
    async with serving(site) as upstream:
        internet = SmallInternet(upstream)
        found = await internet.fetch(HOME)
        assert found.status == status and internet.hosts == [PUBLIC]


async def test_a_refresh_is_not_followed() -> None:
    site = {("public.example", "/"): page(b"here", ("Refresh", "0; url=http://other.example/"))}
    async with serving(site) as upstream:
        internet = SmallInternet(upstream)
        assert (await internet.fetch(HOME)).body == b"here" and internet.hosts == [PUBLIC]


async def test_two_locations_lead_nowhere() -> None:
    """Programs disagree on which one counts (RFC 9110 5.3: a field of one value is sent once)."""
    twice = redirect("http://other.example/", 302, ("Location", "http://public.example/x"))
    async with serving({("public.example", "/"): twice}) as upstream:
        internet = SmallInternet(upstream)
        with pytest.raises(GatewayError):
            await internet.fetch(HOME)
        assert internet.hosts == [PUBLIC]


SECRETS = {
    "authorization": "Bearer key",
    "cookie": "a=b",
    "x-api-key": "k",
    "proxy-authorization": "Basic eDp5",
}


def held(site_requests: list[object]) -> list[set[str]]:
    """Which of the secret headers each request had."""
    return [{name for name in SECRETS if request.header_all(name)} for request in site_requests]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "elsewhere", ["http://other.example/", "http://public.example:8080/", "http://sub.public.example/"]
)
async def test_headers_stay_with_the_first_origin_and_do_not_come_back(elsewhere: str) -> None:
    """The Fetch standard deletes them at the first hop elsewhere: that page must not choose what they are used for."""
    host = elsewhere.removeprefix("http://").rstrip("/")
    site = {
        ("public.example", "/"): redirect(elsewhere),
        (host, "/"): redirect("http://public.example/transfer?to=evil"),
        ("public.example", "/transfer?to=evil"): page(),
    }
    async with serving(site) as upstream:
        internet = SmallInternet(upstream, {"sub.public.example": [[PUBLIC]]})
        await internet.fetch(HOME, headers={**SECRETS, "accept": "text/html"})
        assert held(list(upstream.requests)) == [set(SECRETS), set(), set()]
        assert all(request.header_all("accept") == ["text/html"] for request in upstream.requests)


async def test_headers_go_along_within_their_origin() -> None:
    site = {("public.example", "/"): redirect("/b"), ("public.example", "/b"): page()}
    async with serving(site) as upstream:
        await SmallInternet(upstream).fetch(HOME, headers=SECRETS)
        assert held(list(upstream.requests)) == [set(SECRETS)] * 2
        assert [request.method for request in upstream.requests] == ["GET", "GET"]
