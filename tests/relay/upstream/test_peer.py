"""The peer of a connection is the address that was checked, or there is no connection."""

from __future__ import annotations

from typing import Any, cast

import pytest

from clawgate.relay.upstream.peer import check_peer


class Connected:
    def __init__(self, peer: tuple[object, ...] | None) -> None:
        self.peer, self.aborted = peer, False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self.peer if name == "peername" else default

    def abort(self) -> None:
        self.aborted = True


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        (("127.0.0.1", 80), "127.0.0.1"),
        (("::1", 80, 0, 0), "0:0:0:0:0:0:0:1"),
        (("::ffff:127.0.0.1", 80, 0, 0), "::ffff:7f00:1"),
        (("fd00::1%eth0", 80, 0, 2), "fd00::1"),
    ],
)
def test_the_checked_address_is_the_peer(peer: tuple[object, ...], address: str) -> None:
    connected = Connected(peer)
    check_peer(cast(Any, connected), address)
    assert not connected.aborted


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        (("127.0.0.2", 80), "127.0.0.1"),
        (("169.254.169.254", 80), "93.184.216.34"),
        (("::2", 80, 0, 0), "::1"),
        (None, "127.0.0.1"),
        (("", 80), "127.0.0.1"),
    ],
)
def test_another_peer_is_aborted(peer: tuple[object, ...] | None, address: str) -> None:
    connected = Connected(peer)
    with pytest.raises(ConnectionAbortedError, match="instead of"):
        check_peer(cast(Any, connected), address)
    assert connected.aborted
