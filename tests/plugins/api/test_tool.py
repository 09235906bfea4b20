"""The values of a tool cannot be changed by whoever holds them."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields

import pytest

from clawgate.plugins.api import ToolCall, ToolFailed, ToolResult
from clawgate.testing.plugins.fake_host import tool_call


def test_a_call_is_read_only_and_has_nothing_but_the_call() -> None:
    call = tool_call("find", city="Ulm")
    assert {field.name for field in fields(ToolCall)} == {"id", "name", "arguments", "agent", "session"}
    with pytest.raises(FrozenInstanceError):
        call.agent = "other"  # type: ignore[misc]  # that is the claim
    assert call.arguments == {"city": "Ulm"} and call.name == "find"


def test_a_result_is_no_error_unless_it_says_so() -> None:
    assert not ToolResult("text").is_error
    assert ToolFailed("pass a city").message == str(ToolFailed("pass a city")) == "pass a city"
