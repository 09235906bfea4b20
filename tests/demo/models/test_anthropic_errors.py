"""Errors look as Anthropic's reference says, and a model id can ask for any of them."""

from __future__ import annotations

import pytest

from demo.models.anthropic_errors import KINDS, MessagesError, invalid, parse, refuse_by_model_id


@pytest.mark.parametrize(
    ("status", "kind"), [*KINDS.items(), (422, "invalid_request_error"), (503, "api_error")]
)
def test_the_status_decides_on_the_type(status: int, kind: str) -> None:
    with pytest.raises(MessagesError) as caught:
        refuse_by_model_id(f"error-{status}")
    body = caught.value.body("req_1")
    assert caught.value.status == status
    assert body == {
        "type": "error", "error": {"type": kind, "message": caught.value.message}, "request_id": "req_1",
    }  # fmt: skip


def test_a_rate_limit_says_when_to_come_back() -> None:
    with pytest.raises(MessagesError) as caught:
        refuse_by_model_id("error-429")
    assert caught.value.headers["retry-after"] == "7"
    assert caught.value.headers["anthropic-ratelimit-requests-remaining"] == "0"


@pytest.mark.parametrize("model", ["claude-demo", "error", "error-", "error-200", "error-4x4", "error-600"])
def test_other_models_are_served(model: str) -> None:
    refuse_by_model_id(model)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"7", b"{}", b'{"model":7}', b'{"model":""}', b"[" * 100_000]
)
def test_what_is_no_request_is_400(data: bytes) -> None:
    with pytest.raises(MessagesError) as caught:
        parse(data)
    assert caught.value.status == 400


def test_what_is_one_is_read() -> None:
    assert parse(b'{"model":"m","x":1}') == {"model": "m", "x": 1}
    assert invalid("x").status == 400
