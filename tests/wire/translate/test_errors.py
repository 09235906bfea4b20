"""Whatever an upstream says when it refuses, the client reads its message in the client's own dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clawgate.wire.translate import errors as upstream_errors
from clawgate.wire.translate.errors import UpstreamError, parse_error


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error":{"message":"No.","type":"t","code":"c","param":"p"}}', "No."),
        (b'{"type":"error","error":{"type":"overloaded_error","message":"Busy."},"request_id":"r"}', "Busy."),
        (b'{"error":"No."}', "No."),
        (b'{"message":"No."}', "No."),
        (b'{"detail":"Not Found"}', "Not Found"),
        (b'{"detail":[{"loc":["body"],"msg":"wrong"}]}', '[{"loc":["body"],"msg":"wrong"}]'),
        (b'[{"error":{"message":"No."}}]', "No."),
        (b"upstream connect error", "upstream connect error"),
        (b"<html><body>502</body></html>", "an HTML page"),
        (b"", "an empty body"),
        (b"\xff\xfe", "\ufffd"),
        (b"{}", "without an error message"),
        (b'{"error":{"message":null}}', "without an error message"),
        (b'{"error":{"message":["a"]}}', '["a"]'),
        (b"null", "without an error message"),
    ],
)
def test_the_message_is_found_in_any_form(body: bytes, message: str) -> None:
    assert message in parse_error(body, 502).message


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (
            400,
            {"type": "invalid_request_error", "message": "m"},
            "invalid_request_error",
            "invalid_request_error",
        ),
        (
            401,
            {"type": "authentication_error", "message": "m"},
            "authentication_error",
            "authentication_error",
        ),
        (404, {"type": "not_found_error", "message": "m"}, "invalid_request_error", "not_found_error"),
        (429, {"type": "rate_limit_error", "message": "m"}, "rate_limit_error", "rate_limit_error"),
        (529, {"type": "overloaded_error", "message": "m"}, "service_unavailable", "overloaded_error"),
        (402, {"type": "billing_error", "message": "m"}, "insufficient_quota", "billing_error"),
        (500, {"message": "m"}, "api_error", None),
        (418, {"message": "m"}, "invalid_request_error", None),
    ],
)
def test_a_chat_client_gets_openais_type_and_anthropics_as_the_code(
    status: int, body: dict[str, str], kind: str, code: str | None
) -> None:
    error = parse_error(json.dumps({"type": "error", "error": body}).encode(), status)
    told = json.loads(upstream_errors.chat_body(error, status))["error"]
    assert told == {"message": "m", "type": kind, "code": code, "param": None}


@pytest.mark.parametrize(
    ("status", "error", "named"),
    [
        (400, {"type": "invalid_request_error", "param": "messages"}, "invalid_request_error"),
        (401, {"type": "invalid_request_error", "code": "invalid_api_key"}, "authentication_error"),
        (403, {}, "permission_error"),
        (404, {"type": "invalid_request_error", "code": "model_not_found"}, "not_found_error"),
        (413, {}, "request_too_large"),
        (429, {"type": "requests", "code": "rate_limit_exceeded"}, "rate_limit_error"),
        (429, {"type": "insufficient_quota", "code": "insufficient_quota"}, "billing_error"),
        (500, {"type": "server_error"}, "api_error"),
        (503, {}, "overloaded_error"),
        (504, {}, "timeout_error"),
    ],
)
def test_an_anthropic_client_reads_the_type_that_its_status_has(
    status: int, error: dict[str, str], named: str
) -> None:
    found = parse_error(json.dumps({"error": {"message": "m", **error}}).encode(), status)
    told = json.loads(upstream_errors.messages_body(found, status))
    assert told["type"] == "error" and told["error"]["type"] == named and told["error"]["message"] == "m"
    assert told["error"].get("param") == error.get("param")


@pytest.mark.parametrize(
    ("code", "read_as"),
    [("c", "c"), (502, "502"), ("", None), (True, None), (-1, None), (10**30, None), ([], None)],
)
def test_a_code_is_a_word_or_a_status(code: object, read_as: str | None) -> None:
    assert parse_error(json.dumps({"error": {"message": "m", "code": code}}).encode(), 500).code == read_as


def test_in_a_stream_there_is_no_status_and_the_type_decides() -> None:
    error = UpstreamError("Busy.", "overloaded_error")
    assert b'"type":"service_unavailable"' in upstream_errors.chat_event(error)
    assert b'"type":"overloaded_error"' in upstream_errors.messages_event(error)
    assert b'"type":"overloaded_error"' in upstream_errors.messages_event(
        UpstreamError("B", "server_error", "overloaded")
    )
    assert b'"type":"rate_limit_error"' in upstream_errors.messages_event(UpstreamError("B", None, "429"))
    assert b'"type":"api_error"' in upstream_errors.messages_event(UpstreamError("Hm.", "odd"))


@pytest.mark.parametrize(
    "body",
    [b"nonsense", b"[]", b'{"id":"c","choices":[],"error":null}', b'{"type":"message_start","message":{}}'],
)
def test_what_may_be_a_response_is_no_error(body: bytes) -> None:
    assert upstream_errors.find_error(body) is None


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"error": {"message": "m", "code": 502}}, 502),
        ([{"error": {"message": "m", "code": 503, "status": "UNAVAILABLE"}}], 503),
        ({"error": {"message": "m", "code": "429"}}, 429),
        ({"error": {"message": "m", "code": 200}}, None),
        ({"error": {"message": "m", "type": "server_error"}}, None),
        ({"error": {"message": "m", "type": "rate_limit_error"}}, 429),
        ({"error": {"message": "m", "code": "rate_limit_exceeded"}}, 429),
        ({"error": {"message": "m", "code": "model_not_found", "type": "invalid_request_error"}}, 404),
        ({"error": {"message": "m", "type": "invalid_request_error"}}, 400),
        ({"error": {"message": "m", "type": "insufficient_quota"}}, 402),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "m"}}, 503),
        ({"type": "error", "error": {"type": "authentication_error", "message": "m"}}, None),
        ({"error": {"message": "m", "code": 403}}, None),
        ({"type": "error", "error": {"type": "timeout_error", "message": "m"}}, 504),
        ({"error": "m"}, None),
        ({"choices": [{"error": {"message": "m", "code": 502}, "finish_reason": "error"}]}, 502),
    ],
)
def test_an_error_with_status_200_has_the_status_that_it_means(body: Any, status: int | None) -> None:
    """It decides what the client sees, and whether a fallback may do better."""
    error = upstream_errors.find_error(json.dumps(body).encode())
    assert error is not None
    failure = error.as_failure("http://up")
    assert failure.status == status and failure.message.startswith("http://up reported an error")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["error", "message", "type", "code", "param", "detail"]), inner)
    ),
    max_leaves=6,
)


@given(
    st.binary(max_size=50) | json_values.map(lambda value: json.dumps(value).encode()), st.integers(100, 599)
)
@example(b"\x1c", 500)
@example("\u2003".encode(), 500)
def test_no_body_is_too_strange(body: bytes, status: int) -> None:
    error = parse_error(body, status)
    assert error.message.strip()
    assert json.loads(upstream_errors.chat_body(error, status))["error"]["message"] == error.message
    assert json.loads(upstream_errors.messages_body(error, status))["error"]["message"] == error.message


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"detail":' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"code":' + b"9" * 9000 + b',"message":"m"}',
    ],
)
def test_nesting_and_numbers_without_measure_are_only_an_error(body: bytes) -> None:
    assert parse_error(body, 500).message
