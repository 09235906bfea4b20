"""URLs that two programs read in two ways, and what is connected to for each: never anything private.

After "A New Era of SSRF" (2017), "Exploiting URL Parsers" (2022), the WHATWG URL standard, RFC 3986 and inet_aton(3).
"""

from __future__ import annotations

import pytest

from clawgate.errors import EgressDenied, GatewayError, InvalidRequest
from clawgate.policy.egress.policy import EgressPolicy, check_url
from tests.contract.small_internet import (
    INSIDE,
    PUBLIC,
    STRANGER,
    TRUSTED,
    SmallInternet,
    serving,
)

TWO_READINGS = {
    "user info in front of a private host": "http://public.example@10.0.0.5/",
    "a private address as user info": "http://10.0.0.5@public.example/",
    "user info with a port": "http://10.0.0.5:80@public.example/",
    "user info twice": "http://a@10.0.0.5@public.example/",
    "empty user info": "http://@10.0.0.5/",
    "empty password": "http://public.example:@10.0.0.5/",
    "an escaped slash in user info": "http://10.0.0.5%2f@public.example/",
    "an escaped hash in user info": "http://10.0.0.5%23@public.example/",
    "a backslash in front of user info": "http://public.example\\@10.0.0.5/",
    "a backslash in front of user info, turned": "http://10.0.0.5\\@public.example/",
    "a backslash as a slash": "http:\\\\10.0.0.5\\",
    "a backslash in the path": "http://public.example\\10.0.0.5/",
    "a backslash in front of a dot": "http://public.example\\.10.0.0.5/",
    "one slash": "http:/10.0.0.5/",
    "no slash": "http:10.0.0.5",
    "three slashes": "http:///10.0.0.5/",
    "four slashes": "http:////10.0.0.5/",
    "no scheme": "10.0.0.5",
    "no scheme with slashes": "//10.0.0.5/",
    "an escaped dot in the host": "http://10%2e0%2e0%2e5/",
    "an escaped letter in the host": "http://%6cocalhost/",
    "an escaped host": "http://%31%30.0.0.5/",
    "an escaped null": "http://10.0.0.5%00.public.example/",
    "a null": "http://10.0.0.5\x00.public.example/",
    "a tab in the host": "http://10.0\t.0.5/",
    "a line break in the host": "http://10.0.0.5\n.public.example/",
    "a return in the scheme": "ht\rtp://10.0.0.5/",
    "a line break in front": "\nhttp://10.0.0.5/",
    "a blank in front": " http://10.0.0.5/",
    "a blank in the host": "http://10.0.0.5 .public.example/",
    "a blank in front of the host": "http:// 10.0.0.5/",
    "a no-break space at the end": "http://10.0.0.5\u00a0/",
    "full-width digits": "http://\uff11\uff10.0.0.5/",
    "digits in circles": "http://\u2460\u24ea.0.0.5/",
    "Arabic digits": "http://\u0661\u0660.0.0.5/",
    "superscript digits": "http://\u00b9\u2070.0.0.5/",
    "mathematical digits": "http://\U0001d7cf\U0001d7ce.0.0.5/",
    "ideographic full stops": "http://10\u30020\u30020\u30025/",
    "half-width full stops": "http://10\uff610\uff610\uff615/",
    "a full-width full stop": "http://10\uff0e0\uff0e0\uff0e5/",
    "a one-dot leader": "http://10\u20240\u20240\u20245/",
    "full-width letters": "http://\uff4c\uff4f\uff43\uff41\uff4c\uff48\uff4f\uff53\uff54/",
    "letters in circles": "http://\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3/",
    "a small Roman fifty": "http://\u217cocalhost/",
    "a long s": "http://localho\u017ft/",
    "a soft hyphen": "http://local\u00adhost/",
    "a zero-width joiner": "http://local\u200dhost/",
    "a zero-width space": "http://local\u200bhost/",
    "a word joiner": "http://10.0.0\u2060.5/",
    "a full-width slash": "http://public.example\uff0f@10.0.0.5/",
    "a full-width at sign": "http://public.example\uff2010.0.0.5/",
    "a full-width hash": "http://public.example\uff03@10.0.0.5/",
    "a full-width colon": "http://public.example\uff1a80@10.0.0.5/",
    "an account-of sign": "http://10.0.0.5\u2100.public.example/",
    "a port in Arabic digits": "http://10.0.0.5:\u0668\u0660/",
    "two ports": "http://public.example:80:80@10.0.0.5/",
    "a port behind brackets twice": "http://[::1]:80:80/",
    "a port with a plus": "http://10.0.0.5:+80/",
    "a port in hexadecimal": "http://10.0.0.5:0x50/",
    "a port with a blank": "http://10.0.0.5: 80/",
    "a port that wraps around": "http://10.0.0.5:65616/",
    "port zero": "http://10.0.0.5:0/",
    "brackets around IPv4": "http://[10.0.0.5]/",
    "brackets around a name": "http://[localhost]/",
    "brackets in the name": "http://public.example[10.0.0.5]/",
    "an open bracket": "http://[::1/",
    "text behind brackets": "http://[::1]public.example/",
    "a zone": "http://[fe80::1%25eth0]/",
    "a zone, not escaped": "http://[::1%eth0]/",
    "IPv6 without brackets": "http://::1/",
    "a future address": "http://[v1.10]/",
    "a number too large": "http://4294967297/",
    "a part too large": "http://10.0.0.261/",
    "five parts": "http://10.0.0.0.5/",
    "octal with an eight": "http://012.0.0.08/",
    "hexadecimal without digits": "http://0x.0x.0x.0x/",
    "an empty label": "http://10..0.5/",
    "a dot in front": "http://.localhost/",
    "a bad xn-- label": "http://xn--localhost-/",
    "an xn-- label of ASCII": "http://xn--localhost/",
    "a curly bracket": "http://{10.0.0.5}/",
    "a star": "http://*/",
    "a comma": "http://10.0.0.5,public.example/",
    "gopher": "gopher://10.0.0.5:6379/_INFO",
    "dict": "dict://10.0.0.5:11211/stat",
    "file": "file:///etc/passwd",
    "file with a host": "file://10.0.0.5/share",
    "ftp": "ftp://10.0.0.5/",
    "jar": "jar:http://10.0.0.5!/",
    "url": "url:http://10.0.0.5/",
    "view-source": "view-source:http://10.0.0.5/",
    "unix": "http+unix://%2fvar%2frun%2fdocker.sock/info",
    "data": "data:text/html,hello",
    "javascript": "javascript:fetch('http://10.0.0.5')",
    "no host": "http:///",
    "nothing": "",
    "a scheme alone": "http://",
}
"""Refused for whatever they mean: no verdict about one reading is safe for the other."""

ONE_READING = {
    "user info in the fragment": "http://public.example/#@10.0.0.5/",
    "a fragment behind the host": "http://public.example#@10.0.0.5/",
    "user info in the query": "http://public.example/?@10.0.0.5/",
    "a query behind the host": "http://public.example?@10.0.0.5/",
    "user info in the path": "http://public.example/@10.0.0.5/",
    "a URL as the path": "http://public.example/http://10.0.0.5/",
    "an escaped slash in the path": "http://public.example/%2f%2f10.0.0.5",
    "two slashes in the path": "http://public.example//10.0.0.5/",
    "dots in the path": "http://public.example/../../10.0.0.5",
    "a backslash in the query": "http://public.example/?a=\\\\10.0.0.5",
    "a backslash in the fragment": "http://public.example/#\\\\10.0.0.5",
    "a host in capitals": "HTTP://PUBLIC.EXAMPLE/",
    "a dot at the end": "http://public.example./",
    "the scheme's own port": "http://public.example:80/",
    "a port with zeros": "http://public.example:00080/",
    "a name with digits": "http://93-184-216-34.example/",
    "an international name": "http://b\u00fccher.example/",
    "an international name, decomposed": "http://bu\u0308cher.example/",
    "an international name in capitals": "http://B\u00dcCHER.EXAMPLE/",
    "an encoded international name": "http://xn--bcher-kva.example/",
    "the address itself": "http://93.184.216.34/",
    "its number": "http://1572395042/",
    "its number in hexadecimal": "http://0x5DB8D822/",
    "its number in octal": "http://013556154042/",
    "two parts": "http://93.12113954/",
    "octal parts": "http://0135.0270.0330.042/",
    "mixed parts": "http://0x5d.184.0330.34/",
    "a dot behind the address": "http://93.184.216.34./",
}
"""All of them are one and the same public address."""

PRIVATE = {
    "an address": "http://10.0.0.5/",
    "its number": "http://167772165/",
    "hexadecimal": "http://0xa000005/",
    "upper-case hexadecimal": "http://0XA000005/",
    "octal": "http://01200000005/",
    "two parts": "http://10.5/",
    "three parts": "http://10.0.5/",
    "zeros in front": "http://012.00.000.05/",
    "a dot behind it": "http://10.0.0.5./",
    "mapped into IPv6": "http://[::ffff:10.0.0.5]/",
    "mapped, in hexadecimal": "http://[::ffff:a00:5]/",
    "mapped, in full": "http://[0:0:0:0:0:FFFF:0A00:0005]/",
    "compatible": "http://[::10.0.0.5]/",
    "translated": "http://[64:ff9b::a00:5]/",
    "6to4": "http://[2002:a00:5::1]/",
    "unique local": "http://[fd12:3456::1]/",
    "this machine": "http://127.0.0.1/",
    "another address of it": "http://127.8.8.8/",
    "its short form": "http://127.1/",
    "its number of one": "http://2130706433/",
    "loopback of IPv6": "http://[::1]/",
    "in full": "http://[0000:0000:0000:0000:0000:0000:0000:0001]/",
    "a name": "http://localhost/",
    "in capitals": "http://LOCALHOST:80/",
    "with a dot": "http://localhost./",
    "below it": "http://x.localhost/",
    "shared": "http://100.64.0.1/",
    "a name that resolves there": "http://inside.example/",
}


def by_name(cases: dict[str, str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("url", list(cases.values()), ids=list(cases))


@pytest.mark.parametrize("policy", [STRANGER, TRUSTED], ids=["stranger", "trusted"])
@by_name(TWO_READINGS)
async def test_what_has_two_readings_is_rejected_and_nothing_is_resolved(
    url: str, policy: EgressPolicy
) -> None:
    async with serving({}) as upstream:
        internet = SmallInternet(upstream)
        with pytest.raises(InvalidRequest, match="the URL"):
            await internet.fetch(url, policy)
        assert internet.connects == [] and internet.lookups == []
    with pytest.raises(ValueError, match=r"must|has"):
        check_url(url, policy)


@by_name(ONE_READING)
async def test_what_has_one_reading_is_connected_to_by_it(url: str) -> None:
    async with serving({}) as upstream:
        internet = SmallInternet(upstream, {"93-184-216-34.example": [[PUBLIC]]})
        await internet.fetch(url)
        assert internet.connects == [(PUBLIC, 80)]
        assert upstream.anomalies == []
    assert check_url(url, STRANGER).allowed


@by_name(PRIVATE)
async def test_what_is_private_is_refused_in_every_spelling_and_reached_only_where_allowed(url: str) -> None:
    async with serving({}) as upstream:
        closed = SmallInternet(upstream)
        with pytest.raises(EgressDenied) as caught:
            await closed.fetch(url)
        assert closed.connects == [] and upstream.requests == []
        assert STRANGER.setting in caught.value.message
        await SmallInternet(upstream, {"localhost": [["127.0.0.1"]], "x.localhost": [["::1"]]}).fetch(
            url, TRUSTED
        )
        assert len(upstream.requests) == 1


@pytest.mark.parametrize("size", [253, 254, 2_000, 8_001, 1_000_000])
@pytest.mark.parametrize("text", ["a", "a.", "1.", "[", "[:", "%", "\u00fc", "xn--", "@", "\\", "9", "0x"])
async def test_a_long_host_is_a_verdict_and_no_defect(text: str, size: int) -> None:
    async with serving({}) as upstream:
        internet = SmallInternet(upstream)
        with pytest.raises(GatewayError):
            await internet.fetch(f"http://{text * (size // len(text))}/")
        assert internet.connects == [] and INSIDE not in internet.lookups
