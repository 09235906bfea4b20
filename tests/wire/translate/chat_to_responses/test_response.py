"""Counts, ends, errors and citations of a response, however a server spells them."""

from __future__ import annotations

from typing import Any

import pytest

from clawgate.wire.translate.chat_to_responses import response


@pytest.mark.parametrize(
    ("counts", "total", "cached", "reasoned"),
    [
        ({"input_tokens": 3, "output_tokens": 4, "total_tokens": 9}, 9, 0, 0),
        ({"input_tokens": "3", "output_tokens": 4.0}, 7, 0, 0),
        (
            {
                "input_tokens": 3,
                "output_tokens": 4,
                "input_tokens_details": {"cached_tokens": 2},
                "output_tokens_details": {"reasoning_tokens": 1},
            },
            7,
            2,
            1,
        ),
        ({"input_tokens": None, "output_tokens": -1, "input_tokens_details": []}, 0, 0, 0),
        (None, 0, 0, 0),
    ],
)
def test_counts_are_read_as_far_as_they_make_sense(
    counts: Any, total: int, cached: int, reasoned: int
) -> None:
    usage: Any = response.usage(counts)
    assert usage["total_tokens"] == total
    assert usage["prompt_tokens_details"]["cached_tokens"] == cached
    assert usage["completion_tokens_details"]["reasoning_tokens"] == reasoned


def test_what_was_written_into_the_cache_is_counted_where_the_server_says_so() -> None:
    usage: Any = response.usage({"input_tokens": 3, "input_tokens_details": {"cache_write_tokens": 2}})
    assert usage["prompt_tokens_details"] == {"cached_tokens": 0, "cache_write_tokens": 2}


@pytest.mark.parametrize("called", [True, False])
def test_a_limit_counts_for_more_than_a_call(called: bool) -> None:
    assert response.finish_reason("incomplete", {"reason": "max_output_tokens"}, called=called) == "length"
    assert response.finish_reason("completed", None, called=called) == ("tool_calls" if called else "stop")


def test_the_error_of_a_response_keeps_its_words() -> None:
    error = response.failure({"status": "failed", "error": {"code": "invalid_prompt", "message": "no"}})
    assert (error.message, error.code, error.meant_status) == ("no", "invalid_prompt", 400)
    assert "cancelled" in response.failure({"status": "cancelled", "error": None}).message
    assert response.failure(None).message


def test_a_citation_of_something_else_than_a_page_is_none() -> None:
    assert response.url_citation({"type": "file_citation", "file_id": "f"}, 0) is None
    assert response.url_citation("strange", 0) is None


def test_probabilities_have_what_the_sdk_requires() -> None:
    assert response.logprobs([{"token": "a", "logprob": -1.0, "x": 1}, "strange"]) == [
        {"token": "a", "logprob": -1.0, "bytes": None, "top_logprobs": []}
    ]
    assert response.logprobs("strange") == []


def test_arguments_may_be_an_object() -> None:
    assert (response.text_of({"a": 1}), response.text_of("x"), response.text_of(7)) == ('{"a":1}', "x", "")
