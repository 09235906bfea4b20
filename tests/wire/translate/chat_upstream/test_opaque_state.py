"""What an upstream signed survives in an id or signature, and nothing else is taken for it."""

from __future__ import annotations

import base64
import re
import zlib

import pytest

from clawgate.wire.translate.chat_upstream import opaque_state
from clawgate.wire.translate.chat_upstream.opaque_state import MARK, OpaqueState, pack, split

STATE = OpaqueState("p", call={"extra_content": {"google": {"thought_signature": "SIG=="}}})


def test_a_state_survives_in_an_id_of_letters_that_anthropic_accepts() -> None:
    packed = "call_1" + pack(STATE)
    assert re.fullmatch("[a-zA-Z0-9_-]+", packed)
    assert split(packed) == ("call_1", STATE)


def test_nothing_is_no_state() -> None:
    assert pack(OpaqueState("p")) == "" and split("call_1") == ("call_1", None)


@pytest.mark.parametrize(
    "damage", ["", "x", "é", "=" * 8, base64.urlsafe_b64encode(zlib.compress(b"[1]")).decode()]
)
def test_what_cannot_be_read_is_part_of_the_id(damage: str) -> None:
    assert split(f"a{MARK}{damage}") == (f"a{MARK}{damage}", None)


def test_a_state_that_grows_beyond_measure_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    large = pack(OpaqueState("p", message={"extra_content": "a" * 100_000}))
    assert split(large)[1] is not None
    monkeypatch.setattr(opaque_state, "MAX_BYTES", 1000)
    assert len(large) < 1000 and split(large) == (large, None)
