"""Which fields cross, in each direction: what is listed, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawgate.policy.headers import (
    TO_CLIENT,
    TO_CLIENT_PREFIXES,
    TO_UPSTREAM,
    hop_by_hop_names,
    lines_to_client,
    lines_to_upstream,
)

CREDENTIALS = {
    b"authorization", b"x-api-key", b"api-key", b"x-proxy-token", b"cookie", b"proxy-authorization", b"x-goog-api-key",
    b"openai-organization", b"openai-project", b"set-cookie", b"www-authenticate", b"proxy-authenticate",
    b"authentication-info", b"x-auth-token", b"x-amz-security-token",
}  # fmt: skip
FRAMING = {
    b"host", b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade",
    b"content-length", b"expect", b"http2-settings", b"alt-svc",
}  # fmt: skip
TRACES = {
    b"via", b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"origin", b"referer", b"user-agent",
    b"accept-encoding", b"sec-fetch-site", b"x-http-method-override", b"server", b"x-powered-by", b"location",
    b"access-control-allow-origin", b"access-control-allow-credentials", b"access-control-allow-private-network",
    b"x-stainless-os", b"x-unknown", b"",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(CREDENTIALS | FRAMING | TRACES))
def test_what_never_goes_upstream(name: bytes) -> None:
    assert lines_to_upstream([(name, b"v")]) == b""


@pytest.mark.parametrize("name", sorted(CREDENTIALS | FRAMING | TRACES))
def test_what_never_comes_back(name: bytes) -> None:
    assert lines_to_client([(name, b"v")]) == b""


@pytest.mark.parametrize("name", sorted(TO_UPSTREAM))
def test_what_goes_upstream(name: bytes) -> None:
    assert lines_to_upstream([(name, b"v")]) == name + b": v\r\n"


@pytest.mark.parametrize(
    "name",
    [*sorted(TO_CLIENT), b"x-ratelimit-limit-requests", b"x-ratelimit-reset-tokens", b"x-ratelimit-",
     b"anthropic-ratelimit-tokens-remaining", b"x-clawgate-provider"],
)  # fmt: skip
def test_what_comes_back(name: bytes) -> None:
    """Among it Retry-After and every rate-limit field."""
    assert lines_to_client([(name, b"v")]) == name + b": v\r\n"


def test_the_lists_hold_no_credential_and_no_framing() -> None:
    for name in CREDENTIALS | FRAMING:
        assert name not in TO_UPSTREAM | TO_CLIENT
        assert not name.startswith(TO_CLIENT_PREFIXES)
    assert all(name == name.lower() for name in TO_UPSTREAM | TO_CLIENT)


def test_the_prefixes_open_one_direction_only() -> None:
    for prefix in TO_CLIENT_PREFIXES:
        assert lines_to_upstream([(prefix + b"x", b"v")]) == b""


@pytest.mark.parametrize("name", [b"x-ratelimit", b"ax-ratelimit-a", b"content-type2", b"retry-after-s"])
def test_a_name_that_only_looks_alike(name: bytes) -> None:
    assert lines_to_client([(name, b"v")]) == b""


def test_order_values_and_repetitions_are_kept() -> None:
    fields = [(b"accept", b"a"), (b"cookie", b"c"), (b"content-type", b"x; y=1"), (b"accept", b"")]
    assert lines_to_upstream(fields) == b"accept: a\r\ncontent-type: x; y=1\r\naccept: \r\n"


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (b"", set()), (b"close", set()), (b"keep-alive", set()), (b"Keep-Alive", set()), (b"Upgrade", set()),
        (b"close, Accept", {b"close", b"accept"}), (b"ACCEPT", {b"accept"}), (b" a ,\tb", {b"a", b"b"}),
        (b"CLOSE", {b"close"}), (b"a,,b", {b"a", b"", b"b"}),
    ],
)  # fmt: skip
def test_the_names_that_connection_declares(value: bytes, names: set[bytes]) -> None:
    assert hop_by_hop_names(value) == names


@pytest.mark.parametrize(
    "connection", [b"accept", b"Accept", b"close, Accept", b"accept ,keep-alive", b"x,\taccept\t,y"]
)
@pytest.mark.parametrize("where", [0, 1, 2])
def test_what_connection_names_stays_here(connection: bytes, where: int) -> None:
    """RFC 9110 section 7.6.1, wherever the Connection field stands, in both directions."""
    fields = [(b"accept", b"1"), (b"content-type", b"2")]
    fields.insert(where, (b"connection", connection))
    assert lines_to_upstream(fields) == b"content-type: 2\r\n"
    named = [
        (name, value.replace(b"ccept", b"ge") if name == b"connection" else value) for name, value in fields
    ]
    assert lines_to_client(named) == b"content-type: 2\r\n"


def test_several_connection_fields_count_together() -> None:
    fields = [
        (b"connection", b"accept"),
        (b"accept", b"1"),
        (b"content-type", b"2"),
        (b"connection", b"Content-Type"),
    ]
    assert lines_to_upstream(fields) == b""


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=12).map(bytes.lower), st.just(b"v")), max_size=8))
def test_nothing_but_the_lists_ever_crosses(fields: list[tuple[bytes, bytes]]) -> None:
    for lines, allowed, prefixes in (
        (lines_to_upstream(fields), TO_UPSTREAM, ()),
        (lines_to_client(fields), TO_CLIENT, TO_CLIENT_PREFIXES),
    ):
        expected = b"".join(
            name + b": v\r\n" for name, _ in fields if name in allowed or name.startswith(tuple(prefixes))
        )
        assert lines == expected
