"""A URL that could be read in two ways is refused; one that is taken is taken by its parts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawgate.wire.http.url import Origin, parse_fetch_url, parse_url, split_proxy_url, userinfo_secrets

GOOD = [
    ("http://a", "http", "a", 80, "", "the shortest"),
    ("https://a", "https", "a", 443, "", "the scheme's own port"),
    (
        "HTTPS://API.Example.COM/V1",
        "https",
        "api.example.com",
        443,
        "/V1",
        "scheme and host fold, paths do not",
    ),
    ("https://a:443", "https", "a", 443, "", "the default port, said"),
    ("https://a:80", "https", "a", 80, "", "the other scheme's port"),
    ("http://a:1", "http", "a", 1, "", "the first port"),
    ("http://a:65535", "http", "a", 65535, "", "the last port"),
    ("http://a:00080", "http", "a", 80, "", "a port is a number"),
    ("http://a/", "http", "a", 80, "", "a slash is no path"),
    ("http://a//", "http", "a", 80, "", "neither are two"),
    ("http://a/v1/", "http", "a", 80, "/v1", "a slash at the end goes"),
    ("http://a/b/c", "http", "a", 80, "/b/c", "a longer path"),
    ("http://a/b;c=1", "http", "a", 80, "/b;c=1", "parameters of a segment"),
    ("http://a/b@c", "http", "a", 80, "/b@c", "an @ behind the first slash is no user"),
    ("http://a/b:c", "http", "a", 80, "/b:c", "a colon there is no port"),
    ("http://a/...", "http", "a", 80, "/...", "three dots are a name"),
    ("http://a.b.c.", "http", "a.b.c", 80, "", "the root's dot goes"),
    ("http://a.:81", "http", "a", 81, "", "also in front of a port"),
    ("http://my_host-1.lan", "http", "my_host-1.lan", 80, "", "names as networks at home have them"),
    ("http://127.0.0.1:8089", "http", "127.0.0.1", 8089, "", "an IPv4 address"),
    ("http://2130706433", "http", "127.0.0.1", 80, "", "a number is an address"),
    ("http://0x7f.1", "http", "127.0.0.1", 80, "", "in any spelling"),
    ("http://[::1]", "http", "::1", 80, "", "an IPv6 address"),
    ("http://[::1]:8080/v1", "http", "::1", 8080, "/v1", "with port and path"),
    ("http://[0:0:0:0:0:0:0:1]", "http", "::1", 80, "", "one spelling for one address"),
    ("http://[FD00::A]", "http", "fd00::a", 80, "", "in lower case"),
    (f"http://{'a' * 63}.b", "http", f"{'a' * 63}.b", 80, "", "the longest label"),
    (
        "https://xn--bcher-kva.example",
        "https",
        "xn--bcher-kva.example",
        443,
        "",
        "an international name, encoded",
    ),
]
USER = "must not carry a user name"
QUERY = "must not carry a query"
FORM = "must look like"
SCHEME = "put http:// or https:// in front"
LABEL = "an empty or overlong part"
PORT = "is not between 1 and 65535"
DOTS = "must not contain empty"
BAD = [
    ("", FORM, "empty"),
    ("a", SCHEME, "no scheme"),
    ("127.0.0.1:8000/v1", SCHEME, "no scheme, but a port and a path"),
    ("//a", SCHEME, "no scheme, but slashes"),
    ("http:", FORM, "no host"),
    ("http://", FORM, "no host behind the slashes"),
    ("http:///v1", FORM, "an empty host"),
    ("http:a", FORM, "no slashes"),
    ("http:/a", FORM, "one slash"),
    ("https:\\\\a", FORM, "backslashes for slashes"),
    ("ftp://a", FORM, "another scheme"),
    ("file:///etc/passwd", FORM, "a file"),
    ("ws://a", FORM, "a WebSocket"),
    (" http://a", FORM, "a blank in front"),
    ("http://a ", FORM, "a blank behind"),
    ("http://a\n", FORM, "a line break behind"),
    ("http://a\r\nHost: b", FORM, "a header behind"),
    ("http://a\tb", FORM, "a tab, which browsers drop"),
    ("http://a\x00", FORM, "NUL"),
    ("http://user@a", USER, "a user"),
    ("http://user:pw@a", USER, "user and password"),
    ("http://:@a", USER, "an empty pair"),
    ("http://@a", USER, "an empty user"),
    ("http://a@b@c", USER, "two of them"),
    ("http://a%40b", FORM, "an escaped @"),
    ("http://good\\@evil", USER, "a backslash in front of an @"),
    ("http://good\\.evil", FORM, "a backslash in a host"),
    ("http://a/b\\c", FORM, "a backslash in a path"),
    ("http://a?b", QUERY, "a query"),
    ("http://a/?", QUERY, "an empty query"),
    ("http://a#b", QUERY, "a fragment"),
    ("http://a/v1#", QUERY, "an empty fragment"),
    ("http://good#@evil", USER, "a fragment that hides a host"),
    ("http://\uff11\uff12\uff17.0.0.1", FORM, "full-width digits"),
    ("http://\u2460.1", FORM, "a circled digit"),
    ("http://b\u00fccher.example", FORM, "a name that is not ASCII"),
    ("http://a\u3002b", FORM, "an ideographic full stop"),
    ("http://\u212a", FORM, "the Kelvin sign, which folds to k"),
    ("http\u017f://a", FORM, "a long s, which folds to s"),
    ("http://a\u200bb", FORM, "a blank of no width"),
    ("http://127.0.0.1%2e", FORM, "an escape in a host"),
    ("http://.a", FORM, "a dot in front"),
    ("http://-a", FORM, "a hyphen in front"),
    ("http://a-", FORM, "a hyphen behind"),
    ("http://a_", FORM, "an underscore behind"),
    ("http://a:", FORM, "a colon without a port"),
    ("http://a:b", FORM, "a port of letters"),
    ("http://a:-1", FORM, "a negative port"),
    ("http://a:+80", FORM, "a port with a sign"),
    ("http://a:8_0", FORM, "a port with an underscore, which int() would take"),
    ("http://a:\uff18\uff10", FORM, "a port of full-width digits, which int() would take"),
    ("http://a:0", PORT, "port 0"),
    ("http://a:65536", PORT, "one too many"),
    ("http://a:99999", PORT, "five digits"),
    ("http://a:100000", FORM, "six digits"),
    ("http://a:80:80", FORM, "two ports"),
    ("http://::1", FORM, "IPv6 without brackets"),
    ("http://[::1", FORM, "an open bracket"),
    ("http://::1]", FORM, "a closing one alone"),
    ("http://[]", FORM, "nothing in them"),
    ("http://[::1]a", FORM, "something behind them"),
    ("http://[::1%25eth0]", FORM, "a zone"),
    ("http://[fe80::1%eth0]", FORM, "a raw zone"),
    ("http://[v1.a]", FORM, "an address of the future"),
    ("http://[1.2.3.4]", "parts expected", "IPv4 in brackets"),
    ("http://[:::1]", " in ':", "three colons"),
    ("http://[12345::]", " in '1", "a group of five"),
    ("http://a..b", LABEL, "an empty label, for which getaddrinfo raises UnicodeError"),
    ("http://a..", LABEL, "one at the end"),
    (f"http://{'a' * 64}.b", LABEL, "a label of 64 characters"),
    (f"http://{'a.' * 127}a", LABEL, "a name of 255 characters"),
    ("http://a/./b", DOTS, "a dot segment"),
    ("http://a/b/..", DOTS, "two dots"),
    ("http://a/../b", DOTS, "two dots in front"),
    ("http://a/b//c", DOTS, "an empty segment"),
    ("http://a//b", DOTS, "an empty segment in front"),
    ("http://a/%2e%2e/b", FORM, "escaped dots, which are dots to the next hop"),
    ("http://a/b%2f%2fc", FORM, "an escaped empty segment"),
    ("http://a/%zz", FORM, "a percent sign that escapes nothing"),
    ("http://a/b c", FORM, "a blank in a path"),
    ("http://a/\u00e9", FORM, "a path that is not ASCII"),
    ("http://a/<b>", FORM, "brackets in a path"),
    ("http://1.2.3.4.5", "looks like an IPv4 address", "five numbers"),
    ("http://xn--localhost-", FORM, "a hyphen behind an encoded label"),
]


@pytest.mark.parametrize(("url", "scheme", "host", "port", "path", "why"), GOOD, ids=[row[5] for row in GOOD])
def test_a_plain_url_is_taken_by_its_parts(
    url: str, scheme: str, host: str, port: int, path: str, why: str
) -> None:
    origin, found = parse_url(url)
    assert (origin.scheme, origin.host, origin.port, found) == (scheme, host, port, path), why


@pytest.mark.parametrize(("url", "says", "why"), BAD, ids=[row[2] for row in BAD])
def test_a_url_that_could_be_read_in_two_ways_is_rejected(url: str, says: str, why: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_url(url)


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("http://a", "a"), ("http://a:80", "a"), ("https://a:443", "a"), ("https://a:80", "a:80"),
        ("http://a:443", "a:443"), ("http://[::1]", "[::1]"), ("http://[::1]:81", "[::1]:81"),
    ],
)  # fmt: skip
def test_the_host_field_has_a_port_only_where_it_is_not_the_schemes_own(url: str, authority: str) -> None:
    """RFC 9110 section 7.2; and the origin reads the same when parsed again."""
    origin, _ = parse_url(url)
    assert origin.authority == authority
    assert parse_url(str(origin))[0] == origin


def test_origins_are_equal_by_scheme_host_and_port_alone() -> None:
    """Trust is given to exactly these three."""
    assert parse_url("http://A:80/x")[0] == Origin("http", "a", 80)
    assert len({parse_url(u)[0] for u in ("http://a", "https://a", "http://b", "http://a:81")}) == 4


def test_no_refusal_shows_the_password() -> None:
    with pytest.raises(ValueError, match="user name") as caught:
        parse_url("https://user:canary-9f2@host/v1")
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "plain", "userinfo"),
    [
        ("http://p.test:3128", "http://p.test:3128", ""),
        ("http://u:p@p.test:1", "http://p.test:1", "u:p"),
        ("http://u:p@q@p.test", "http://p.test", "u:p@q"),
        ("http://:p@p.test", "http://p.test", ":p"),
    ],
)
def test_the_user_info_of_a_proxy_url(url: str, plain: str, userinfo: str) -> None:
    assert split_proxy_url(url) == (plain, userinfo)


@pytest.mark.parametrize(
    ("userinfo", "secrets"), [("", []), ("u", ["u"]), ("u:p", ["u:p", "p"]), ("u:p:q", ["u:p:q", "p:q"])]
)
def test_the_secrets_in_user_info(userinfo: str, secrets: list[str]) -> None:
    assert userinfo_secrets(userinfo) == secrets


FETCHED = [
    ("http://a", "http://a", "/", "no path"),
    ("http://a?q=1#f", "http://a", "/?q=1", "a query without a path"),
    ("http://a/b/?q=/x//y?z", "http://a", "/b/?q=/x//y?z", "anything in a query"),
    ("http://a//b///c/", "http://a", "//b///c/", "empty segments"),
    ("http://a/b#c?d\\e@f", "http://a", "/b", "a fragment is dropped, whatever it contains"),
    ("http://a/%7Euser/%2F?x=%20%zz", "http://a", "/%7Euser/%2F?x=%20%zz", "escapes stay"),
    ("http://a/b c?d e", "http://a", "/b%20c?d%20e", "a blank is encoded"),
    ("http://a/\u00fc?\u20ac", "http://a", "/%C3%BC?%E2%82%AC", "what is not ASCII is encoded as UTF-8"),
    ('http://a/<b>[c]{d}|^`"', "http://a", "/%3Cb%3E%5Bc%5D%7Bd%7D%7C%5E%60%22", "and so are these"),
    ("http://a/x?b\\c", "http://a", "/x?b%5Cc", "a backslash in a query"),
    ("http://a/x@y:1", "http://a", "/x@y:1", "an @ behind the first slash is no user"),
    (
        "HTTPS://B\u00dcCHER.Example.:8443/",
        "https://xn--bcher-kva.example:8443",
        "/",
        "an international name",
    ),
    ("http://0X7F.0.0x0.1/", "http://127.0.0.1", "/", "an address"),
    ("http://[::FFFF:127.0.0.1]:81?x", "http://[::ffff:127.0.0.1]:81", "/?x", "an IPv6 address"),
]
NOT_FETCHED = [
    ("", FORM), ("a", FORM), ("//a/b", FORM), ("http:a", FORM), ("http:///a", FORM), ("ftp://a", FORM),
    ("file:///etc/passwd", FORM), ("data:text/plain,x", FORM), ("javascript:x", FORM), ("http://", FORM),
    ("http://?x", FORM), ("http://#x", FORM), ("http://a:", FORM), ("http://a:b", FORM), ("http://a:80:80", FORM),
    ("http://a:\uff18\uff10", FORM), ("http://::1", FORM), ("http://[::1", FORM), ("http://[::1]a", FORM),
    ("http\u017f://a", FORM), ("http://a:0", PORT), ("http://a:65536", PORT),
    ("http://u@a", USER), ("http://u:p@a/", USER), ("http://@a", USER), ("http://a@b@c", USER),
    ("http://good\\@evil", USER), ("http://good\\.evil", "backslash"), ("http://good\\/evil", "backslash"),
    ("http:\\\\a", "backslash"), ("http://a/b\\c", "backslash"),
    (" http://a", "control"), ("http://a ", "control"), ("http://a\t", "control"), ("http://a\tb", "control"),
    ("ht\ntp://a", "control"), ("http://a/\r\nHost: b", "control"), ("http://a\x00", "control"),
    ("http://a/\u2028", "control"), ("http://a/\ud800", "control"),
    ("http://a b", "neither"), ("http://127.0.0.1%2e", "neither"), ("http://a%2eb/", "neither"),
    ("http://a,b", "neither"), ("http://[fe80::1%25eth0]", "zone"), ("http://[127.0.0.1]", "brackets"),
    ("http://a/" + "b" * 8000, "characters"),
]  # fmt: skip


@pytest.mark.parametrize(("url", "origin", "target", "why"), FETCHED, ids=[row[3] for row in FETCHED])
def test_what_a_tool_fetches(url: str, origin: str, target: str, why: str) -> None:
    found, path = parse_fetch_url(url)
    assert (str(found), path) == (origin, target), why
    assert parse_fetch_url(f"{found}{path}") == (found, path), "what is sent means the same"


@pytest.mark.parametrize(("url", "why"), NOT_FETCHED)
def test_what_no_tool_fetches(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_fetch_url(url)


_pieces = st.one_of(
    st.text(max_size=6),
    st.sampled_from([
        "http://", "https://", "//", "/", "\\", "@", ":", "?", "#", "[", "]", "%", "%2e", ".", "..", "::1", "127.1",
        "xn--", "xn--a", "0x", "\uff11", "\u3002", "\u00df", "\u200d", "\u212a", "a", "localhost", "80",
    ]),
)  # fmt: skip


@settings(max_examples=1500, deadline=None)
@given(st.lists(_pieces, max_size=10).map("".join), st.sampled_from(["", "http://"]))
def test_any_text_is_a_url_or_a_value_error(text: str, prefix: str) -> None:
    """And a URL that is taken is ASCII, and reads the same once more."""
    for parse in (parse_url, parse_fetch_url):
        try:
            origin, path = parse(prefix + text)
        except ValueError:
            continue
        whole = f"{origin}{path}"
        assert whole.isascii() and whole.isprintable() and " " not in whole
        assert parse(whole) == (origin, path)
