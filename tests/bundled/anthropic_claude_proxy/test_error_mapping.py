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
    found = map_error(500, told("api_error", f"{WRAPPED}{number} {{}}"))
    assert found is not None and found.status == 502


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


CLI = "Claude Code returned an error result: "
WHAT_THE_CLI_WRITES = {
    "There's an issue with the selected model (claude-opus-9). It may not exist or you may not have access to it. "
    "Run --model to pick a different model.": 404,
    "API Error (claude-opus-4-6): 404 not found": 404,
    "API Error 529 overloaded": 529,
    "API Error (429 rate limited)": 429,
    "Unable to connect to API (ECONNREFUSED)": 502,
    "Unable to connect to API: SSL certificate has expired": 502,
    "API Error: Connection error.": 502,
    "Request timed out": 504,
    "API Error: Rate limit reached": 429,
    "You've hit your limit · resets 3pm (UTC)": 429,
    "You're out of extra usage · resets 3pm": 429,
    "Repeated 529 Overloaded errors": 529,
    "Opus is experiencing high load, please use /model to switch to Sonnet": 529,
    "Credit balance is too low": 402,
    "Prompt is too long": 400,
    "Invalid API key · Please run /login": 401,
    "OAuth token revoked · Please run /login": 401,
    "something new": 502,
}


@pytest.mark.parametrize("text", WHAT_THE_CLI_WRITES)
@pytest.mark.parametrize("kind", ["api_error", "server_error", ""])
def test_one_failure_has_one_status_streamed_or_not(kind: str, text: str) -> None:
    found = {status: map_error(status, told(kind, CLI + text)) for status in (200, 500)}
    assert {one and one.status for one in found.values()} == {WHAT_THE_CLI_WRITES[text]}


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize(
    ("kind", "real"), [("not_found_error", 404), ("timeout_error", 504), ("new_error", 502)]
)
def test_the_type_decides_in_every_form(status: int, kind: str, real: int) -> None:
    found = map_error(status, told(kind, "no words that are known"))
    assert found is not None and found.status == real


def test_a_type_that_is_known_outweighs_words_that_a_message_quotes() -> None:
    found = map_error(500, told("invalid_request_error", "messages.0: 'limit reached' is no role"))
    assert found is not None and found.status == 400


def test_a_failure_that_cannot_be_read_is_the_same_in_both_forms() -> None:
    found = [map_error(status, b"Internal Server Error") for status in (200, 500)]
    assert [one and one.status for one in found] == [502, 502]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Try again in 37 seconds.", 37),
        ("rate limited, retry-after: 60", 60),
        ('{"retry_after": 12.2}', 13),
        ("resets in 2h", 7200),
        ("please retry in about 5 minutes", 300),
        ("try again in 250 ms", 1),
        ("resets 3pm", None),
        ("wait a moment", None),
    ],
)
@pytest.mark.parametrize("status", [200, 429])
def test_when_to_try_again_is_read_from_the_text(status: int, text: str, seconds: int | None) -> None:
    found = map_error(status, told("rate_limit_error", text))
    assert (found.retry_after if found is not None else None) == seconds


def test_only_a_failure_that_passes_has_a_time_to_try_again() -> None:
    found = map_error(500, told("api_error", "no such file; try again in 5 s"))
    assert found is not None and (found.status, found.retry_after) == (502, None)


@pytest.mark.parametrize("body", [b"", b"404 Not Found", b"{}"])
def test_what_it_does_not_know_it_leaves_alone(body: bytes) -> None:
    assert map_error(404, body) is None


@given(st.sampled_from([200, 400, 401, 429, 500, 502, 503]), st.text(), st.text())
def test_every_verdict_is_a_failure_in_one_line(status: int, kind: str, message: str) -> None:
    found = map_error(status, told(kind, message))
    assert found is None or (400 <= found.status <= 599 and found.message.isprintable())
    assert found is not None or status != 200
