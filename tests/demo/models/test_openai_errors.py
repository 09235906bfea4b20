"""The model refuses as OpenAI does, and only what it is told to refuse."""

from __future__ import annotations

import json

import pytest

from demo.models.openai_errors import ModelError, parse, refuse_by_model_id


def test_an_error_has_openais_shape() -> None:
    error = ModelError(418, "no", param="p", code="c", headers={"A": "b"})
    assert (error.status, error.headers) == (418, {"A": "b"})
    assert error.body == {
        "error": {"message": "no", "type": "invalid_request_error", "param": "p", "code": "c"}
    }


@pytest.mark.parametrize("data", [b"", b"null", b'"x"', b"1", b'{"model":1}', b'{"model":null}', b"{}"])
def test_what_names_no_model_is_400(data: bytes) -> None:
    with pytest.raises(ModelError) as caught:
        parse(data)
    assert caught.value.status == 400


def test_a_body_is_given_back_as_it_is() -> None:
    assert parse(b'{"model":"m","x":[1]}') == {"model": "m", "x": [1]}


@pytest.mark.parametrize(
    "name",
    [
        "m", "error", "error-", "error-200", "error-399", "error-600", "error-4x0", "error--400", "errors-400",
        "an-error-400",
    ],
)  # fmt: skip
def test_only_a_model_id_that_names_an_error_is_refused(name: str) -> None:
    refuse_by_model_id({"model": name})


@pytest.mark.parametrize("status", [400, 401, 404, 418, 429, 499, 500, 503, 599])
def test_a_model_id_chooses_the_status(status: int) -> None:
    """Also one without a name of its own; servers' faults are told apart, and 429 says when to come back."""
    with pytest.raises(ModelError) as caught:
        refuse_by_model_id({"model": f"error-{status}"})
    error = caught.value
    assert error.status == status and json.dumps(error.body)
    kind = error.body["error"]["type"]
    assert kind == (
        "requests" if status == 429 else "server_error" if status >= 500 else "invalid_request_error"
    )
    assert ("Retry-After" in error.headers) is (status == 429)
