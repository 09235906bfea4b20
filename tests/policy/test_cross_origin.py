"""No web page can spend the user's money: Host, Origin, Sec-Fetch-Site and content type, row by row."""

from __future__ import annotations

import pytest

from clawgate.errors import HostNotAllowed, MalformedRequest, OriginNotAllowed, UnsupportedContentType
from clawgate.policy.cross_origin import (
    LOOPBACK_NAMES,
    CrossOriginPolicy,
    host_name,
    listed_host,
    listed_origin,
)

OWN = b"http://127.0.0.1:18800"
RULE = CrossOriginPolicy()
OPEN = CrossOriginPolicy(hosts=None)
NAMED = CrossOriginPolicy(hosts=LOOPBACK_NAMES | {b"ai.lan"}, origins=frozenset({b"https://app.example"}))

Row = tuple[CrossOriginPolicy, bytes | None, bytes | None, bytes | None, type[Exception] | None, str]
SOURCES: list[Row] = [
    (RULE, b"127.0.0.1:18800", None, None, None, "a program"),
    (RULE, b"localhost:18800", None, None, None, "a program, by name"),
    (RULE, b"LocalHost", None, None, None, "names have no case"),
    (RULE, b"localhost.", None, None, None, "the root's dot"),
    (RULE, b"[::1]:18800", None, None, None, "IPv6"),
    (RULE, b"127.0.0.1:", None, None, None, "an empty port"),
    (RULE, None, None, None, None, "HTTP/1.0 without a Host: the gate decides that"),
    (RULE, b"127.0.0.1", None, b"none", None, "typed into the address bar"),
    (RULE, b"127.0.0.1", None, b"same-origin", None, "a page of our own"),
    (RULE, b"evil.example", None, None, HostNotAllowed, "DNS rebinding"),
    (RULE, b"evil.example:18800", None, None, HostNotAllowed, "with our port"),
    (RULE, b"127.0.0.1.evil.example", None, None, HostNotAllowed, "a name that begins like ours"),
    (RULE, b"evil-localhost", None, None, HostNotAllowed, "a name that ends like ours"),
    (RULE, b"localhost.evil.example", None, None, HostNotAllowed, "a subdomain called localhost"),
    (RULE, b"localhost..", None, None, HostNotAllowed, "two dots"),
    (RULE, b"a.localhost", None, None, HostNotAllowed, "a name below localhost"),
    (RULE, b"", None, None, HostNotAllowed, "an empty Host"),
    (RULE, b"0.0.0.0", None, None, HostNotAllowed, "the address that some systems dial as loopback"),
    (RULE, b"127.0.0.2", None, None, HostNotAllowed, "another loopback address"),
    (RULE, b"2130706433", None, None, HostNotAllowed, "the number of 127.0.0.1"),
    (RULE, b"[::ffff:127.0.0.1]", None, None, HostNotAllowed, "mapped loopback"),
    (RULE, b"user@localhost", None, None, HostNotAllowed, "user info in front"),
    (RULE, b"localhost, evil.example", None, None, HostNotAllowed, "two hosts in one field"),
    (RULE, b"\xff", None, None, HostNotAllowed, "a byte that is not ASCII"),
    (RULE, b"localhost:80a", None, None, MalformedRequest, "a port that is no number"),
    (RULE, b"localhost:80:80", None, None, MalformedRequest, "two ports"),
    (RULE, b"[::1]x", None, None, MalformedRequest, "something behind the bracket"),
    (RULE, b"127.0.0.1", b"https://evil.example", b"cross-site", OriginNotAllowed, "a page's fetch"),
    (RULE, b"127.0.0.1", b"https://evil.example", None, OriginNotAllowed, "a browser without Fetch Metadata"),
    (RULE, b"127.0.0.1", b"null", None, OriginNotAllowed, "a sandboxed frame or a file"),
    (RULE, b"127.0.0.1", b"", None, OriginNotAllowed, "an empty Origin"),
    (RULE, b"127.0.0.1", OWN, b"same-origin", OriginNotAllowed, "our own origin is not listed: there are no pages"),
    (RULE, b"127.0.0.1", None, b"cross-site", OriginNotAllowed, "an image, a form, a link"),
    (RULE, b"127.0.0.1", None, b"same-site", OriginNotAllowed, "another port of this machine"),
    (RULE, b"127.0.0.1", None, b"Same-Origin", OriginNotAllowed, "browsers write it in lower case"),
    (RULE, b"127.0.0.1", None, b"", OriginNotAllowed, "an empty one"),
    (RULE, b"127.0.0.1", None, b"none, cross-site", OriginNotAllowed, "two in one field"),
    (RULE, b"evil.example", b"https://evil.example", b"cross-site", HostNotAllowed, "the Host is looked at first"),
    (OPEN, b"anything.example", None, None, None, "a listener that is reached by name"),
    (OPEN, b"x:y", None, None, None, "which does not compare the Host with anything"),
    (OPEN, b"a?", None, None, MalformedRequest, "but what would move the path of a URL stays out"),
    (OPEN, b"a#", None, None, MalformedRequest, "a fragment"),
    (OPEN, b"a/health", None, None, MalformedRequest, "a path"),
    (OPEN, b"user@a", None, None, MalformedRequest, "user info"),
    (OPEN, b"a\\b", None, None, MalformedRequest, "what browsers take for a slash"),
    (OPEN, b"a b", None, None, MalformedRequest, "a blank"),
    (OPEN, b"anything.example", b"https://evil.example", None, OriginNotAllowed, "but pages stay out"),
    (OPEN, b"anything.example", None, b"cross-site", OriginNotAllowed, "in every way"),
    (NAMED, b"AI.lan:18800", None, None, None, "an allowed name"),
    (NAMED, b"ai.lan.evil", None, None, HostNotAllowed, "what only begins with it"),
    (NAMED, b"ai.lan", b"https://app.example", b"cross-site", None, "an allowed origin, whatever its site"),
    (NAMED, b"ai.lan", b"https://app.example:444", None, OriginNotAllowed, "another port of it"),
    (NAMED, b"ai.lan", b"http://app.example", None, OriginNotAllowed, "another scheme of it"),
    (NAMED, b"ai.lan", b"https://app.example/", None, OriginNotAllowed, "origins have no path"),
    (NAMED, b"ai.lan", b"https://app.example.evil", None, OriginNotAllowed, "an origin that only begins with it"),
    (NAMED, b"ai.lan", b"HTTPS://APP.EXAMPLE", None, OriginNotAllowed, "browsers write origins in lower case"),
    (NAMED, b"ai.lan", b"https://app.example, https://app.example", None, OriginNotAllowed, "a list"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "host", "origin", "fetch_site", "refusal", "why"), SOURCES, ids=[row[5] for row in SOURCES]
)
def test_where_a_request_comes_from(
    rule: CrossOriginPolicy,
    host: bytes | None,
    origin: bytes | None,
    fetch_site: bytes | None,
    refusal: type[Exception] | None,
    why: str,
) -> None:
    if refusal is None:
        rule.check_source(host=host, origin=origin, fetch_site=fetch_site)
        return
    with pytest.raises(refusal) as caught:
        rule.check_source(host=host, origin=origin, fetch_site=fetch_site)
    assert type(caught.value) is refusal, why


JSON, FORM, UPLOAD = (
    b"application/json",
    b"application/x-www-form-urlencoded",
    b"multipart/form-data; boundary=x",
)
TYPES = [
    (JSON, False, True, "JSON"),
    (b"application/json; charset=utf-8", False, True, "with a parameter"),
    (b"Application/JSON", False, True, "in any case"),
    (b" application/json ", False, True, "with blanks"),
    (b"application/json;", False, True, "with an empty parameter"),
    (UPLOAD, True, True, "an upload with a credential, which needs a preflight"),
    (UPLOAD, False, False, "an upload without one, which does not"),
    (b"text/plain", True, False, "a simple type, with a credential"),
    (b"text/plain", False, False, "a simple type"),
    (b"text/plain; application/json", False, False, "JSON named as a parameter"),
    (b"text/plain, application/json", False, False, "two types"),
    (FORM, False, False, "a form"),
    (FORM, True, False, "a form with a credential"),
    (None, False, False, "no type: a Blob without one"),
    (b"", False, False, "an empty type"),
    (b";application/json", False, False, "JSON where the parameters are"),
    (b"application/jsonp", False, False, "what only begins like it"),
    (b"application/json+x", False, False, "another one"),
    (b"\xff" * 300, False, False, "bytes"),
]


@pytest.mark.parametrize(("kind", "credential", "passes", "why"), TYPES, ids=[row[3] for row in TYPES])
def test_only_what_a_page_has_to_ask_for_passes(
    kind: bytes | None, credential: bool, passes: bool, why: str
) -> None:
    if passes:
        RULE.check_content_type(kind, has_credential=credential)
        return
    with pytest.raises(UnsupportedContentType) as caught:
        RULE.check_content_type(kind, has_credential=credential)
    assert len(caught.value.message) < 200, why


@pytest.mark.parametrize(
    ("value", "name"),
    [(b"A.B:1", b"a.b"), (b"a.", b"a"), (b"a.:1", b"a"), (b"[FD00::1]:9", b"[fd00::1]"), (b"[::1]", b"[::1]"),
    (b"", b"")],
)  # fmt: skip
def test_the_name_of_a_host_field(value: bytes, name: bytes) -> None:
    assert host_name(value) == name


@pytest.mark.parametrize("value", [b"[::1", b"[::1]80"])
def test_brackets_have_to_match(value: bytes) -> None:
    with pytest.raises((MalformedRequest, HostNotAllowed)):
        RULE.check_source(host=value, origin=None, fetch_site=None)


def test_a_refusal_names_the_setting_and_shows_little() -> None:
    """The way out stands in the message, and a kilobyte of Host does not."""
    with pytest.raises(HostNotAllowed, match="--allow-host") as caught:
        RULE.check_source(host=b"e" * 5000, origin=None, fetch_site=None)
    assert len(caught.value.message) < 300
    with pytest.raises(OriginNotAllowed, match="--allow-origin") as refused:
        RULE.check_source(host=None, origin=b"o" * 5000, fetch_site=None)
    assert len(refused.value.message) < 300


def test_by_default_only_this_machine_is_answered_and_no_origin() -> None:
    assert frozenset({b"localhost", b"127.0.0.1", b"[::1]"}) == RULE.hosts
    assert RULE.origins == frozenset()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("GW.Example.com", b"gw.example.com"), ("gw.example.com:8443", b"gw.example.com"), ("gw.", b"gw"),
        ("host.docker.internal", b"host.docker.internal"), ("FD00::1", b"[fd00::1]"), ("[fd00::1]:80", b"[fd00::1]"),
        ("10.0.0.1", b"10.0.0.1"), ("a_b", b"a_b"),
        ("https://gw.example.com", None), ("gw.example.com/x", None), ("*.ts.net", None), ("", None), ("a b", None),
        ("gw?", None), ("[::1", None), ("m\u00fcller.de", None), ("-a", None),
    ],
)  # fmt: skip
def test_a_listed_host_is_compared_as_it_is_sent(text: str, name: bytes | None) -> None:
    if name is not None:
        assert listed_host(text) == name
        return
    with pytest.raises(ValueError, match="is not the name of a host"):
        listed_host(text)


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://GW.example.com/", b"https://gw.example.com"), ("https://a:443", b"https://a"),
        ("http://a:80", b"http://a"), ("https://a:80", b"https://a:80"), ("app://obsidian.md", b"app://obsidian.md"),
        ("chrome-extension://abc", b"chrome-extension://abc"), ("http://[::1]:3000", b"http://[::1]:3000"),
        ("*", None), ("https://*.example.com", None), ("gw.example.com", None), ("https://a/b", None), ("null", None),
        ("https://u@a", None), ("https://", None), ("https://a:b:c", None), ("https://[::1", None),
        ("https://a]:1", None), ("https://a:", None), ("https://m\u00fcnchen.de", None), ("https://a\0b", None),
    ],
)  # fmt: skip
def test_a_listed_origin_is_compared_as_browsers_send_it(text: str, origin: bytes | None) -> None:
    if origin is not None:
        assert listed_origin(text) == origin
        return
    with pytest.raises(ValueError, match="is not the origin of a page"):
        listed_origin(text)


@pytest.mark.parametrize(
    ("address", "hosts", "origins", "expected"),
    [
        ("127.0.0.1", [], [], LOOPBACK_NAMES),
        ("127.0.0.2", ["Gw.Lan:80"], [], LOOPBACK_NAMES | {b"127.0.0.2", b"gw.lan"}),
        ("::1", [], ["https://app.lan:8443", "app://obsidian.md"], LOOPBACK_NAMES | {b"app.lan"}),
        ("127.0.0.1", ["*", "gw.lan"], [], None),
        ("0.0.0.0", [], ["https://app.lan"], None),
        ("fd00::1", ["gw.lan"], [], LOOPBACK_NAMES | {b"[fd00::1]", b"gw.lan"}),
    ],
)
def test_the_policy_of_a_listener(
    address: str, hosts: list[str], origins: list[str], expected: frozenset[bytes] | None
) -> None:
    """Listed names narrow a listener that others reach, and origins alone do not."""
    policy = CrossOriginPolicy.of_listener(
        address, hosts=hosts, origins=origins, host_setting="the-hosts", origin_setting="the-origins"
    )
    assert policy.hosts == expected and policy.origins == frozenset(map(listed_origin, origins))
    with pytest.raises(OriginNotAllowed, match="the-origins"):
        policy.check_source(host=None, origin=b"https://evil.example", fetch_site=None)
    if expected is not None:
        with pytest.raises(HostNotAllowed, match="the-hosts"):
            policy.check_source(host=b"evil.example", origin=None, fetch_site=None)
