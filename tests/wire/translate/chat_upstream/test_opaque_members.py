"""Opaque members that a stream sends in pieces are whole when the client gets them, and are sent once."""

from __future__ import annotations

from clawgate.wire.translate.chat_upstream.opaque_members import OpaqueMembers

TEXT = {"type": "reasoning.text", "index": 0}


def test_pieces_of_reasoning_are_joined_and_sealed_entries_stay_apart() -> None:
    members = OpaqueMembers()
    for entry in (
        {**TEXT, "text": "a"},
        {**TEXT, "text": "b", "signature": None},
        {**TEXT, "signature": "s"},
        {"type": "reasoning.encrypted", "index": 0, "data": "x"},
        {"type": "reasoning.encrypted", "index": 0, "data": "y"},
        {"type": "reasoning.text", "index": 1, "text": "c"},
        "odd",
    ):
        members.add({"reasoning_details": [entry]})
    assert members.message["reasoning_details"] == [
        {**TEXT, "text": "ab", "signature": "s"},
        {"type": "reasoning.encrypted", "index": 0, "data": "x"},
        {"type": "reasoning.encrypted", "index": 0, "data": "y"},
        {"type": "reasoning.text", "index": 1, "text": "c"},
        "odd",
    ]


def test_what_was_sent_is_not_sent_again_until_more_comes() -> None:
    members = OpaqueMembers()
    assert members.take() is None
    members.add({"extra_content": {"a": 1}})
    assert members.take() == {"extra_content": {"a": 1}} and members.take() is None
    members.add({"extra_content": {"b": 2}})
    members.sent_in_call(0, {})
    assert members.take() is None
    assert members.message == {"extra_content": {"a": 1, "b": 2}}


def test_members_of_a_call_that_come_behind_its_id_are_not_sent_yet() -> None:
    members = OpaqueMembers()
    assert not members.is_unsent(0, {})
    members.sent_in_call(0, {})
    assert members.is_unsent(0, {"extra_content": 1})
    members.sent_in_call(1, {"extra_content": 1})
    assert not members.is_unsent(1, {"extra_content": 1})
