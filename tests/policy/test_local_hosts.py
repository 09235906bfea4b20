"""Which hosts are this machine's."""

from __future__ import annotations

import pytest

from clawgate.policy.local_hosts import WILDCARDS, connectable, is_loopback


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.8.9.10",
        "::1",
        "[::1]",
        "::1%lo",
        "::ffff:127.0.0.1",
        "0:0:0:0:0:0:0:1",
        "localhost",
        "LocalHost",
        "localhost.",
    ],
)
def test_is_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["", "0.0.0.0", "::", "10.0.0.1", "169.254.169.254", "fe80::1%eth0", "localhost.example", "my-localhost",
     "127.0.0.1.example", "2130706433", "127.1", "::ffff:10.0.0.1"],
)  # fmt: skip
def test_is_not_loopback(host: str) -> None:
    """A wildcard is reached from other machines; a spelling that `inet_aton` takes is no address of a listener."""
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("host", "client"),
    [("0.0.0.0", "127.0.0.1"), ("", "127.0.0.1"), ("::", "::1"), ("10.0.0.1", "10.0.0.1"), ("localhost", "localhost")],
)  # fmt: skip
def test_a_client_connects_to_the_loopback_address_of_a_wildcard(host: str, client: str) -> None:
    assert connectable(host) == client
    assert (host in WILDCARDS) == (host != client)
