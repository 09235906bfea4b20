"""What every request to an upstream carries: its own Host, one credential, and the path it was configured with."""

from __future__ import annotations

import pytest

from clawgate import __version__
from clawgate.providers.credential import Basic, Credential, HeaderToken, bearer
from clawgate.relay.upstream.dial import Dialer
from clawgate.relay.upstream.endpoint import UpstreamEndpoint
from clawgate.relay.upstream.upstream import Upstream, UpstreamConfig
from clawgate.wire.http.url import parse_url
from tests.peers.message_reader import MessageReader
from tests.relay.recording_dialer import OPEN

KEY = "sk-canary-0123456789"


def upstream(
    url: str = "https://api.example/v1",
    *,
    prefix: str = "/v1",
    replaces: str = "/v1",
    credential: Credential | None = None,
    extra: bytes = b"",
) -> Upstream:
    return Upstream(
        UpstreamConfig(
            name="openai",
            endpoint=UpstreamEndpoint(origin=parse_url(url)[0], policy=OPEN),
            prefix=prefix,
            replaces=replaces,
            credential=credential or bearer(KEY),
            extra_lines=extra,
        ),
        Dialer(),
        via=b"clawgate-me",
    )


def read(head: bytes) -> MessageReader:
    reader = MessageReader("request")
    reader.feed(head + b"\r\n")
    assert reader.complete and reader.anomalies == [] and reader.head is not None
    return reader


def values(head: bytes, name: str) -> list[str]:
    found = read(head).head
    assert found is not None
    return found.all(name)


def test_a_head_is_http_with_exactly_one_of_each_of_our_fields() -> None:
    head = upstream().encode_head(b"GET", b"/v1/models", b"accept: */*\r\n")
    assert values(head, "host") == ["api.example"]
    assert values(head, "authorization") == [f"Bearer {KEY}"]
    assert values(head, "user-agent") == [f"clawgate/{__version__}"]
    assert values(head, "accept-encoding") == ["identity"]
    assert values(head, "via") == ["1.1 clawgate-me"]
    assert values(head, "accept") == ["*/*"]
    assert head.count(KEY.encode()) == 1


@pytest.mark.parametrize(
    ("prefix", "replaces", "target", "sent"),
    [
        ("/v1", "/v1", b"/v1/models", "/v1/models"),
        ("/openai/v4", "/v1", b"/v1/models?a=1", "/openai/v4/models?a=1"),
        ("/api", "/v1", b"/v1/v1/x", "/api/v1/x"),
        ("", "", b"/v1/models", "/v1/models"),
        ("/proxy", "", b"/v1/models", "/proxy/v1/models"),
    ],
)
def test_the_configured_path_takes_the_place_of_ours(
    prefix: str, replaces: str, target: bytes, sent: str
) -> None:
    head = read(upstream(prefix=prefix, replaces=replaces).encode_head(b"GET", target, b"")).head
    assert head is not None and head.start == ("GET", sent, "HTTP/1.1")


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://a:8080", "a:8080"),
        ("https://a:443", "a"),
        ("http://[::1]:81", "[::1]:81"),
        ("https://A.b.", "a.b"),
    ],
)
def test_the_host_field_is_the_upstreams(url: str, host: str) -> None:
    assert values(upstream(url).encode_head(b"GET", b"/v1/x", b""), "host") == [host]


def test_a_via_of_the_clients_is_kept_in_front_of_ours() -> None:
    """RFC 9110 section 7.6.3; the loop check needs the whole chain."""
    assert values(upstream().encode_head(b"GET", b"/v1/x", b"", b"1.1 a, 1.1 b"), "via") == [
        "1.1 a, 1.1 b, 1.1 clawgate-me"
    ]


def test_the_operators_own_lines_stand_beside_the_credential() -> None:
    plan = upstream(credential=HeaderToken("X-Proxy-Token", KEY), extra=b"openai-project: p\r\n")
    head = plan.encode_head(b"POST", b"/v1/x", b"")
    assert values(head, "x-proxy-token") == [KEY] and values(head, "openai-project") == ["p"]
    assert values(head, "authorization") == []


def test_the_secrets_are_the_credentials() -> None:
    assert upstream().secrets == (KEY.encode(),)


@pytest.mark.parametrize(
    "spelt",
    [
        'k/e+y"ü012345',
        r"k/e+y\"ü012345",
        r"k\/e+y\"ü012345",
        r"k/e+y\"\u00fc012345",
        r"k/e\u002By\u0022ü012345",
    ],
)
def test_a_secret_is_known_however_it_is_written_into_json(spelt: str) -> None:
    """Writers escape what they like: a slash (PHP), what is not ASCII (Python), what HTML reads (.NET)."""
    one = upstream(credential=Basic('user:k/e+y"ü012345'))
    assert spelt.encode() in one.secrets


def test_no_repr_shows_the_key() -> None:
    one = upstream()
    plan = UpstreamConfig(
        name="x",
        endpoint=UpstreamEndpoint(origin=one.origin, policy=OPEN),
        prefix="",
        credential=bearer(KEY),
    )
    for text in (repr(one), str(one), repr(one.pool), repr(plan)):
        assert "canary" not in text
