from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgate.wire.http.gzip_body import GzipBody

ROOM = 1_000_000


def fed(wire: bytes, size: int, room: int = ROOM) -> tuple[bytes, GzipBody]:
    body, content = GzipBody(), b""
    for at in range(0, len(wire), size):
        content += body.feed(wire[at : at + size], room - len(content))
    return content, body


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.integers(1, 50))
def test_a_body_is_the_same_however_it_is_split(members: list[bytes], size: int) -> None:
    content, body = fed(b"".join(map(gzip.compress, members)), size)
    assert content == b"".join(members)
    assert body.ended


@given(st.integers(0, 40), st.integers(1, 50))
def test_a_cut_body_has_not_ended(left: int, size: int) -> None:
    wire = gzip.compress(b"content of some length")
    assert not fed(wire[: min(left, len(wire) - 1)], size)[1].ended


def test_a_bomb_fills_what_there_is_room_for() -> None:
    bomb = gzip.compress(gzip.compress(b"\0" * 30_000_000) * 100)
    assert len(fed(gzip.compress(b"\0" * 30_000_000), 4096, room=750_001)[0]) == 750_001
    assert len(fed(bomb, 4096, room=10)[0]) == 10


@pytest.mark.parametrize("size", [20, 65_536])
def test_a_body_of_countless_members_is_rejected(size: int) -> None:
    assert fed(gzip.compress(b"") * 499 + gzip.compress(b"content"), size)[0] == b"content"
    with pytest.raises(ValueError, match="it has more than 500 members"):
        fed(gzip.compress(b"") * 501, size)


def test_what_follows_the_last_member_is_ignored() -> None:
    assert fed(gzip.compress(b"content") + b"padding", 3)[0] == b"content"


@pytest.mark.parametrize("wire", [b"plain", b"\x1f\x8b\x08\0garbage garbage garbage", b"\x1f\x1f"])
def test_what_is_not_gzip_is_rejected(wire: bytes) -> None:
    with pytest.raises(ValueError, match="Error"):
        fed(wire, 100)


def test_damage_in_a_later_member_is_rejected() -> None:
    with pytest.raises(ValueError, match="Error"):
        fed(gzip.compress(b"a") + gzip.compress(b"b" * 100)[:-8] + b"\0" * 8, 100)
