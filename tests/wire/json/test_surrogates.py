"""No half of a character is left in JSON, and what looks like one and is none stays as it was."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgate.wire.json.surrogates import (
    REPLACEMENT,
    SurrogateJoiner,
    replace_invalid_bytes,
    replace_lone_surrogates,
)


@given(st.text(st.sampled_from('a\\"u\ud83d\ude00\ud83e🦞'), max_size=12))
def test_whatever_is_cut_can_be_written_and_the_rest_stays(text: str) -> None:
    mended = json.loads(replace_lone_surrogates(json.dumps(text).encode()))
    joined = json.loads(json.dumps(text))  # as JSON reads it: halves that met are one character
    assert mended == "".join("\ufffd" if "\ud800" <= sign <= "\udfff" else sign for sign in joined)


@pytest.mark.parametrize("json_text", [rb'"\\ud83d"', rb'"\ud83d\ude00"', b'"plain"'])
def test_what_is_no_half_stays(json_text: bytes) -> None:
    assert replace_lone_surrogates(json_text) == json_text == SurrogateJoiner().join(json_text)


def test_halves_in_neighbouring_events_are_put_together() -> None:
    joiner = SurrogateJoiner()
    assert joiner.join(rb'{"a":"x\ud83e"}') == b'{"a":"x"}'
    assert joiner.join(rb'{"a":"\udd9e\ud83d"}') == rb'{"a":"\ud83e\udd9e"}'
    assert joiner.join(rb'{"a":"\ude00y"}') == rb'{"a":"\ud83d\ude00y"}'
    assert joiner.join(rb'{"a":"\ude00"}') == rb'{"a":"\ufffd"}'


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (b'"plain"', '"plain"'),
        ('"Grüße 🦞"'.encode(), '"Grüße 🦞"'),
        (b'"a\xffb"', '"a\ufffdb"'),
        (b'"a\xf0\x9f\xa6"', '"a\ufffd"'),
        (b'"\xe2\x82"}', '"\ufffd"}'),
        (b'"\xc3"', '"\ufffd"'),
    ],
)
def test_bytes_that_are_no_character_read_as_one_that_says_so(sent: bytes, read: str) -> None:
    assert replace_invalid_bytes(sent).decode() == read


def test_many_halves_take_no_more_than_their_size() -> None:
    """Each could be an object of ours."""
    body = b'{"x":"%b"}' % (b"\\ud800ab" * 200_000)
    tracemalloc.start()
    assert replace_lone_surrogates(body).count(REPLACEMENT) == 200_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * len(body)
