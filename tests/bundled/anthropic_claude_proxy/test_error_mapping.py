"""A failure of Claude keeps its own status, however the proxy wraps it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgate.bundled.anthropic_claude_proxy.error_mapping import map_error
from tests.bundled.anthropic_claude_proxy.stand_in import FAULTS, PAGE, WRAPPED, error_body

WHAT_IT_IS = {
    "400": 400, "403": 403, "404": 404, "key": 401, "login": 401, "429": 429, "500": 502, "529": 529, "turns": 502,
}  # fmt: skip


def told(kind: str, message: str) -> bytes:
    return json.dumps(error_body(kind, message)).encode()


@pytest.mark.parametrize("fault", FAULTS)
def test_an_answer_gets_the_status_that_claude_gave(fault: str) -> None:
    status, kind, message = FAULTS[fault]
    found = map_error(status, told(kind, message))
    assert (found.status if found is not None else status) == WHAT_IT_IS[fault]


@pytest.mark.parametrize("fault", FAULTS)
def test_an_error_event_gets_it_as_well(fault: str) -> None:
    """The status of a stream is 200 when it fails."""
    _, kind, message = FAULTS[fault]
    found = map_error(200, told(kind, message))
    assert found is not None and found.status == WHAT_IT_IS[fault]


def test_the_words_are_those_of_the_api() -> None:
    found = map_error(500, told("api_error", FAULTS["404"][2]))
    assert found is not None and found.message == "Claude responded with 404: model: claude-opus-4.6"


def test_an_error_that_was_wrapped_by_the_other_dialect_is_unwrapped_twice() -> None:
    inner = json.dumps(error_body("api_error", FAULTS["403"][2]))
    found = map_error(500, told("upstream_error", inner))
    assert found is not None and (found.status, found.message) == (
        403,
        "Claude responded with 403: not for you",
    )


@pytest.mark.parametrize("rest", ["", "overloaded", "{", '{"error": 1}', "[]", "\x1b[2J"])
def test_what_follows_the_status_may_be_anything(rest: str) -> None:
    found = map_error(500, told("api_error", f"{WRAPPED}529 {rest}"))
    assert found is not None and found.status == 529 and found.message.isprintable()


@pytest.mark.parametrize("number", ["200", "999", "42", "5000"])
def test_only_a_status_of_an_error_is_one(number: str) -> None:
    assert map_error(500, told("api_error", f"{WRAPPED}{number} {{}}")) is None


def test_a_page_is_no_answer_of_a_proxy() -> None:
    found = map_error(503, PAGE)
    assert found is not None and found.status == 502 and "web page" in found.message


def test_the_key_of_the_proxy_itself_is_told_from_the_login_of_claude() -> None:
    found = map_error(401, told("authentication_error", "Invalid or missing API key"))
    assert found is not None and found.status == 401 and "MERIDIAN_API_KEY" in found.message


def test_an_answer_that_claude_code_made_up_says_what_to_look_at() -> None:
    chunk = {"model": "<synthetic>", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    found = map_error(200, json.dumps(chunk, separators=(",", ":")).encode())
    assert found is not None and found.status == 502 and "claude login" in found.message


def test_a_proxy_that_is_asked_in_the_wrong_dialect_says_which_setting_is_wrong() -> None:
    body = {"error": {"message": "Not found", "type": "invalid_request_error", "code": "not_found"}}
    found = map_error(404, json.dumps(body).encode())
    assert found is not None and found.status == 502 and "openai-completions" in found.message


@pytest.mark.parametrize("status", [200, 500])
def test_a_killed_program_is_a_bad_gateway(status: int) -> None:
    found = map_error(status, told("api_error", "Claude Code process terminated by signal SIGKILL"))
    assert found is not None and found.status == 502


@pytest.mark.parametrize("body", [b"", b"null", b"{}", b'{"error":{}}', b"[" * 100_000, b"\xff"])
def test_an_event_that_says_nothing_is_a_failure_all_the_same(body: bytes) -> None:
    found = map_error(200, body)
    assert found is not None and found.status == 502


@pytest.mark.parametrize("body", [b"", b"404 Not Found", b"{}"])
def test_what_it_does_not_know_it_leaves_alone(body: bytes) -> None:
    assert map_error(404, body) is None


@given(st.sampled_from([200, 400, 401, 429, 500, 502, 503]), st.text(), st.text())
def test_every_verdict_is_a_failure_in_one_line(status: int, kind: str, message: str) -> None:
    found = map_error(status, told(kind, message))
    assert found is None or (400 <= found.status <= 599 and found.message.isprintable())
    assert found is not None or status != 200
