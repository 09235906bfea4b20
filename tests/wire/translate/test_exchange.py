"""What both translations share: an error in the place of a response, and a field that is rejected by its path."""

from __future__ import annotations

import pytest

from clawgate.errors import InvalidRequest, UpstreamFailed, UpstreamMalformed
from clawgate.wire.openai.types import CHAT_RESPONSE
from clawgate.wire.translate.exchange import read_response, reject


def test_an_error_in_the_place_of_a_response_is_the_upstream_s_failure() -> None:
    with pytest.raises(UpstreamFailed, match="no more credit"):
        read_response(b'{"error": {"message": "no more credit"}}', CHAT_RESPONSE)
    with pytest.raises(UpstreamMalformed, match="cannot be read"):
        read_response(b"[]", CHAT_RESPONSE)


def test_a_rejected_field_is_named_in_the_message_and_as_the_parameter() -> None:
    with pytest.raises(InvalidRequest, match=r"'tools\[0\]' is of no use") as caught:
        reject("tools[0]", "is of no use")
    assert caught.value.param == "tools[0]"
