"""An id is one that Anthropic accepts, of its own in the conversation, and the same for a call and its result."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgate.wire.translate.openai_to_anthropic.call_ids import CallIds, tool_id


@given(st.text(max_size=80))
def test_every_id_becomes_one_that_anthropic_accepts(sent: str) -> None:
    assert re.fullmatch("[a-zA-Z0-9_-]{1,64}", tool_id(sent)) and tool_id(tool_id(sent)) == tool_id(sent)


def test_ids_of_which_the_same_letters_are_left_stay_apart() -> None:
    assert tool_id("toolu_01-A") == "toolu_01-A" and tool_id("a" * 64) == "a" * 64
    sent = ("functions.f:0", "functions_f:0", "functions_f_0", "", "ü" * 200, "a" * 65, "a" * 66)
    assert len({tool_id(one) for one in sent}) == len(sent)


@pytest.mark.parametrize("sent", ["call_0", "", "f.g:0"])
def test_a_repeated_id_is_another_one_and_results_follow_the_calls(sent: str) -> None:
    ids = CallIds()
    ids.begin_message()
    calls = [ids.of_call(sent), ids.of_call(sent)]
    assert [ids.of_result(sent), ids.of_result(sent), ids.of_result(sent)] == [*calls, calls[1]]
    ids.begin_message()
    unanswered = ids.of_call(sent)
    ids.begin_message()
    latest = ids.of_call(sent)
    assert ids.of_result(sent) == latest and len({*calls, unanswered, latest}) == 4


def test_a_result_without_a_call_keeps_its_id() -> None:
    ids = CallIds()
    assert ids.of_result("x") == "x"
    ids.begin_message()
    first = ids.of_call("y")
    ids.begin_message()
    ids.of_call("z")
    assert ids.of_result("y") == first == "y"
