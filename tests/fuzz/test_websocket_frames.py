"""Whatever bytes come on a WebSocket, nothing is raised, and how they are split changes nothing."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from clawgate.relay.downstream.websocket_messages import WebSocketMessages
from tests.relay.websocket_frames import CLOSE, close, frame, frames_of

LIMIT = 300
MANY = settings(max_examples=1000, deadline=None, derandomize=True, database=None)

PAYLOADS = st.one_of(
    st.binary(max_size=140), st.text(max_size=40).map(str.encode), st.just(b"\xe2\x82"), st.just(b"x" * 200)
)
FRAMES = st.one_of(
    st.builds(
        frame,
        st.sampled_from([0, 1, 1, 1, 0, 0, 2, 8, 9, 10, 3]),
        PAYLOADS,
        fin=st.booleans(),
        reserved=st.sampled_from([0, 0, 0, 0, 0, 1, 4]),
        masked=st.sampled_from([True, True, True, True, False]),
        wide=st.sampled_from([0, 0, 0, 8]),
    ),
    st.builds(close, st.sampled_from([None, 1000, 1005, 4000, 0]), st.just(b"bye")),
    st.binary(max_size=8),
)
STREAMS = st.lists(FRAMES, max_size=12).map(b"".join)

Outcome = tuple[list[str], bytes, tuple[int, str] | None]


def read(pieces: list[bytes]) -> Outcome:
    messages = WebSocketMessages(LIMIT)
    texts: list[str] = []
    written: list[bytes] = []
    for piece in pieces:
        for text in messages.feed(piece):
            texts.append(text)
            written += messages.pending()
        written += messages.pending()
    messages.feed_eof()
    written += messages.pending()
    assert messages.pending() == []
    assert written.count(b"") == 1 and written[-1] == b"", "the stream ends once, and nothing comes behind"
    return texts, b"".join(written), messages.end


@MANY
@given(STREAMS, st.lists(st.integers(0, 2_000), max_size=6))
def test_how_frames_are_split_changes_nothing(stream: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    whole = read([stream])
    assert read([stream[a:b] for a, b in pairwise(edges)]) == whole
    assert read([stream[at : at + 1] for at in range(len(stream))]) == whole
    texts, written, end = whole
    opcodes = [opcode for opcode, _ in frames_of(written)]
    assert CLOSE not in opcodes[:-1], "one close frame, and the last of all"
    assert end is not None and all(len(text) <= LIMIT for text in texts)
    assert (end[0] == 1006) is (CLOSE not in opcodes)
