"""The pipeline buffer gives back the bytes in order, in small steps, and drops what was taken."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from clawgate.relay.downstream.pipeline import PIPELINE_LIMIT, PIPELINE_STEP, PipelineBuffer


@given(st.binary(max_size=40_000), st.lists(st.integers(0, PIPELINE_STEP), max_size=30))
def test_bytes_come_out_in_order_whatever_is_put_back(data: bytes, put_back: list[int]) -> None:
    buffer = PipelineBuffer(data)
    out = b""
    for most in [*put_back, *[0] * 10]:
        step = buffer.pop()
        count = min(most, len(step))
        out += step[: len(step) - count]
        buffer.put_back(count)
        assert out + bytes(buffer._data[buffer._at :]) == data


def test_a_step_is_small_and_an_empty_buffer_is_false() -> None:
    buffer = PipelineBuffer(b"x" * (PIPELINE_STEP + 1))
    assert len(buffer.pop()) == PIPELINE_STEP and buffer
    assert buffer.pop() == b"x" and not buffer
    assert buffer.pop() == b""


def test_a_buffer_is_full_beyond_its_limit_and_no_longer_when_bytes_were_taken() -> None:
    buffer = PipelineBuffer(b"x" * PIPELINE_LIMIT)
    before = buffer.is_full
    buffer.append(b"x")
    full = buffer.is_full
    buffer.pop()
    assert full and not before and not buffer.is_full


def test_what_was_taken_does_not_stay_in_memory() -> None:
    buffer = PipelineBuffer(b"")
    for _ in range(1000):
        buffer.append(b"x" * PIPELINE_STEP)
        buffer.pop()
    assert sys.getsizeof(buffer._data) < 4 * PIPELINE_LIMIT
