"""A chat request is read with the fields that OpenAI's two APIs share."""

from __future__ import annotations

import pytest

from clawgate.errors import InvalidRequest
from clawgate.wire.json import strict
from clawgate.wire.translate.chat_to_responses.request_types import CHAT_REQUEST, FunctionMessage


def test_the_result_of_a_call_of_the_old_form_is_a_message() -> None:
    body = b'{"messages":[{"role":"function","name":"f","content":"ok"}],"store":true,"functions":[{"name":"f"}]}'
    request = strict.parse_request(body, CHAT_REQUEST)
    assert request.messages == [FunctionMessage("f", "ok")]
    assert request.store is True and request.functions is not None and request.functions[0].name == "f"


def test_a_wrong_type_is_rejected_by_its_path() -> None:
    with pytest.raises(InvalidRequest) as rejected:
        strict.parse_request(b'{"messages":[],"store":"yes"}', CHAT_REQUEST)
    assert rejected.value.param == "store"
