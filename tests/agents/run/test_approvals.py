"""What a client's tool messages decide, and what they do not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgate.agents.run.approvals import (
    LOST,
    Decisions,
    Place,
    approval_id,
    as_stored,
    decisions_of,
    ids_in,
    refusal_of,
    refused,
)
from clawgate.agents.run.history import INTERRUPTED, Composed
from clawgate.agents.run.step import Call
from clawgate.errors import ApprovalInvalid
from tests.agents.approval_stand import APPROVED, REFUSED, decision

ID = approval_id("ab" * 16, 0)
USER = {"role": "user", "content": "hi"}
PLACE = Place(agent="main", session="s", digests={"saw": "d"}, needed={"saw"}, now=100.0)


@dataclass(frozen=True)
class Stored:
    name: str = "saw"
    arguments: str = '{"at": 1}'
    definition: str = "d"
    agent: str = "main"
    session: str = "s"
    expires_at: float = 101.0
    decided_by: str | None = None
    result: str | None = None
    ended_as: int | None = None


def call_of(*ids: str, name: str = "saw", arguments: str = "{}") -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    made = [{"id": one, "type": "function", "function": function} for one in ids]
    return {"role": "assistant", "content": None, "tool_calls": made}


def composed(*new: dict[str, Any], past: tuple[dict[str, Any], ...] = ()) -> Composed:
    places = tuple(f"messages[{number}]" for number in range(len(new)))
    return Composed((*past, *new), new, 0, places=places)


def decide(*new: dict[str, Any], found: Stored | None = Stored(), place: Place = PLACE) -> Decisions:
    return decisions_of(composed(*new), {ID: found} if found is not None else {}, place)


def test_the_ids_of_a_run_are_its_own_and_have_no_more_characters_than_openai_takes() -> None:
    ids = [approval_id("ab" * 16, number) for number in (0, 9, 255, 256)]
    assert len(set(ids)) == 4 and max(map(len, ids)) <= 40
    assert ids_in([decision(one) for one in ids]) == ids
    assert ids_in([USER, decision("call_1"), decision(f"{ID}\0"), decision(ID), decision(ID)]) == [ID]


def test_what_is_run_is_what_was_stored() -> None:
    found = decide(USER, call_of(ID, name="look", arguments='{"at": 9}'), decision(ID))
    assert found.calls == (Call(ID, "saw", '{"at": 1}'),)
    assert (found.decided, found.texts) == ({ID: None}, {ID: INTERRUPTED})


@pytest.mark.parametrize(
    "content",
    [
        APPROVED,
        ' {"approve":true}\n',
        '{"approve": true, "reason": "fine"}',
        [{"type": "text", "text": APPROVED}],
    ],
)
def test_one_text_approves(content: object) -> None:
    assert refusal_of(decision(ID, content)) is None


@pytest.mark.parametrize(
    "content",
    [
        "",
        "yes",
        "true",
        "approve",
        "allow-once",
        '"approve"',
        "[true]",
        '{"approve": 1}',
        '{"approve": "true"}',
        '{"Approve": true}',
        '{"approve": true, "arguments": {"at": 9}}',
        '{"approve": true, "reason": 1}',
        '{"approve": false, "approve": true}',
        '{"approve": true, "approve": true}',
        "{'approve': true}",
        '{"approve": true} ok',
        f"Tool result: {APPROVED}",
        f"```json\n{APPROVED}\n```",
        "\ufeff" + APPROVED,
        [{"type": "text", "text": '{"approve"'}, {"type": "text", "text": ": true}"}],
        [{"type": "text", "text": APPROVED}, {"type": "image_url", "image_url": {"url": "data:"}}],
        [],
    ],
)
def test_nothing_that_is_like_it_does(content: object) -> None:
    assert str(refusal_of(decision(ID, content))).startswith(refused())


def test_an_error_of_the_client_approves_nothing_whatever_its_text() -> None:
    assert refusal_of(decision(ID, APPROVED, is_error=True)) is not None


@given(st.text())
def test_no_other_text_approves(text: str) -> None:
    assert refusal_of(decision(ID, text)) is not None


def test_the_model_reads_the_clients_words_as_far_as_they_have_a_bounded_length() -> None:
    assert refusal_of(decision(ID, REFUSED)) == refused()
    assert refusal_of(decision(ID, '{"approve": false, "reason": "no"}')) == refused("no")
    assert len(str(refusal_of(decision(ID, "x" * 100_000)))) < 3000


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        (None, "no call of this agent that waits"),
        (Stored(agent="other"), "no call of this agent that waits"),
        (Stored(session=""), "no call of this agent that waits"),
        (Stored(expires_at=100.0), "has expired"),
        (Stored(definition="e"), "which was changed or taken"),
        (Stored(name="axe"), "which was changed or taken"),
        (Stored(decided_by="r1"), "was decided before, by run r1"),
        (Stored(decided_by="r1", ended_as=499), "was decided before"),
        (Stored(decided_by="r1", result="cut"), "was decided before"),
        (Stored(decided_by="r1", result="cut", ended_as=200), "was decided before"),
    ],
)
def test_what_cannot_be_decided_is_an_error_with_its_place(found: Stored | None, problem: str) -> None:
    with pytest.raises(ApprovalInvalid, match=problem) as caught:
        decide(call_of(ID), decision(ID), found=found)
    assert caught.value.param == "messages[1].tool_call_id" and ID in caught.value.message


def test_a_refusal_counts_also_when_an_approval_would_not() -> None:
    for found in (Stored(expires_at=0.0), Stored(definition="e"), Stored()):
        refusal = decide(call_of(ID), decision(ID, REFUSED), found=found)
        assert (refusal.calls, refusal.decided) == ((), {ID: refused()})


def test_a_decision_of_a_run_that_failed_has_its_result_and_runs_nothing() -> None:
    found = decide(call_of(ID), decision(ID), found=Stored(decided_by="r1", result="cut", ended_as=502))
    assert found == Decisions((), {ID: "cut"}, {})


def test_a_decision_of_long_ago_reads_as_its_result_and_decides_nothing() -> None:
    past = (USER, call_of(ID), decision(ID), {"role": "assistant", "content": "done"}, USER)
    used = Stored(decided_by="r1", result="cut", ended_as=200)
    for found, text in ((used, "cut"), (Stored(), LOST), (replace(used, agent="other"), LOST), (None, LOST)):
        assert decide(*past, found=found) == Decisions((), {ID: text}, {})


def test_results_of_the_clients_own_tools_are_left_alone() -> None:
    sent = composed(call_of("mine", name="clock"), decision("mine", APPROVED))
    assert decisions_of(sent, {}, PLACE) == Decisions()
    assert as_stored(sent, {}, {}) == sent


def test_a_message_of_the_user_behind_a_decision_does_not_end_it() -> None:
    assert decide(call_of(ID), decision(ID), USER).calls


def test_the_model_reads_the_call_and_the_result_that_are_stored() -> None:
    sent = composed(call_of(ID, name="look", arguments='{"at": 9}'), decision(ID, "words", is_error=True))
    found = as_stored(sent, {ID: Stored()}, {ID: "text"})
    expected = (call_of(ID, arguments='{"at": 1}'), decision(ID, "text"))
    assert (found.messages, found.new) == (expected, expected)
