"""Calls that need their caller's approval: asked for, decided, and run once as they were."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from clawgate.agents.endpoint import responses_request
from clawgate.agents.session import call_approvals
from tests.agents.agent_stand import ANN, BEHIND_PROXY, BOB, TOOL, chunks, says, serving_agents, session, user
from tests.agents.approval_stand import (
    APPROVED,
    REFUSED,
    TEXT_OF_REFUSAL,
    Shed,
    approving,
    calls,
    decision,
    message_of,
    messages,
    rejected,
    serving_shed,
)
from tests.agents.responses_stand import create, made
from tests.e2e.stand import until
from tests.peers.faults import error_response

SAWS = calls(("saw", '{"at": 1}'))
HI = {"role": "user", "content": "hi"}


async def test_a_call_that_needs_approval_ends_the_run_and_is_run_once_it_is_approved(tmp_path: Path) -> None:
    async with serving_shed(tmp_path, SAWS, says("done")) as (stand, shed):
        response = await stand.ask(user("hi"), session("s"))
        message = message_of(response)
        assert response.json()["choices"][0]["finish_reason"] == "tool_calls"
        (call,) = message["tool_calls"]
        assert call["function"] == {"name": "saw", "arguments": '{"at": 1}'} and shed.cut == []
        answer = await stand.ask(messages(decision(call["id"])), session("s"))
        assert message_of(answer)["content"] == "done" and shed.cut == [{"at": 1}]
        assert stand.sent[1][1:] == [
            {"role": "assistant", "content": None, "tool_calls": [call]},
            decision(call["id"], "cut 1"),
        ]
        turns = [turn.message["role"] for turn in await stand.turns("agent:main:s")]
        stored = (await stand.turns("agent:main:s"))[2].message
    assert turns == ["user", "assistant", "tool", "assistant"] and stored["content"] == "cut 1"


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("keeps", [True, False])
@pytest.mark.parametrize("named", [{}, {"tool_call_id": ""}])
async def test_a_decision_that_names_no_call_decides_nothing(
    tmp_path: Path, count: int, keeps: bool, named: dict[str, str]
) -> None:
    """Also of the one call that waits: it may be another one than when its caller decided."""
    answer = {"role": "tool", "content": APPROVED, **named}
    async with serving_shed(tmp_path, calls(*[("saw", "{}")] * count), says("done")) as (stand, shed):
        headers = (session("s"),) if keeps else ()
        message = message_of(await stand.ask(user("hi"), *headers))
        before = [] if keeps else [HI, message]
        error = rejected(await stand.ask(messages(*before, *[answer] * count), *headers))
        (first, *_) = message["tool_calls"]
        assert f"'{first['id']}' waits for a decision that names it by its id" in error and shed.cut == []
        answers = [decision(call["id"]) for call in message["tool_calls"]]
        assert message_of(await stand.ask(messages(*before, *answers), *headers))["content"] == "done"
    assert len(shed.cut) == count


@pytest.mark.parametrize("kind", sorted(responses_request._CALLS))
@pytest.mark.parametrize("member", ["id", "call_id"])
@pytest.mark.parametrize("keeps", [True, False])
async def test_a_decision_in_the_result_of_another_kind_of_call_decides_nothing(
    tmp_path: Path, kind: str, member: str, keeps: bool
) -> None:
    async with serving_shed(tmp_path, calls(("saw", "{}")), says("done")) as (stand, shed):
        more = {"conversation": "s"} if keeps else {}
        call = (await made(stand, "hi", **more))["output"][0]
        before = [] if keeps else [{"role": "user", "content": "hi"}, call]
        answer = {"type": kind, member: call["call_id"], "output": APPROVED, "tools": []}
        response = await create(stand, [*before, answer], **more)
        is_right = (kind, member) == ("function_call_output", "call_id")
        assert (response.status, len(shed.cut)) == ((200, 1) if is_right else (400, 0)), response.body
        if not is_right:
            answer = {"type": "function_call_output", "call_id": call["call_id"], "output": APPROVED}
            assert (await create(stand, [*before, answer], **more)).status == 200 and len(shed.cut) == 1


@pytest.mark.parametrize("arguments", ['{"at": 1}', '{"at": 9}', ""])
async def test_a_client_without_a_session_brings_the_past_and_what_is_run_is_what_was_asked(
    tmp_path: Path, arguments: str
) -> None:
    async with serving_shed(tmp_path, SAWS, says("done"), says("bye")) as (stand, shed):
        message = message_of(await stand.ask(user("hi")))
        call = message["tool_calls"][0]
        call["function"] |= {"name": "saw", "arguments": arguments}
        past = [HI, message, decision(call["id"])]
        assert message_of(await stand.ask(messages(*past)))["content"] == "done"
        assert shed.cut == [{"at": 1}]
        sent = stand.sent[1]
        assert (
            sent[1]["tool_calls"][0]["function"]["arguments"] == '{"at": 1}' and sent[2]["content"] == "cut 1"
        )
        past += [{"role": "assistant", "content": "done"}, {"role": "user", "content": "more"}]
        assert message_of(await stand.ask(messages(*past)))["content"] == "bye"
    assert stand.sent[2][2] == sent[2] and len(shed.cut) == 1, "the result is there, and nothing is run again"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (REFUSED, ""),
        ('{"approve": false, "reason": "not today"}', ". The caller: not today"),
        ("yes", ". The caller: yes"),
        ("true", ". The caller: true"),
        ("", ""),
    ],
)
async def test_what_does_not_approve_refuses_and_the_model_reads_why(
    tmp_path: Path, content: str, words: str
) -> None:
    async with serving_shed(tmp_path, SAWS, says("well")) as (stand, shed):
        call = message_of(await stand.ask(user("hi"), session("s")))["tool_calls"][0]
        assert (
            message_of(await stand.ask(messages(decision(call["id"], content)), session("s")))["content"]
            == "well"
        )
        assert stand.sent[1][-1]["content"] == TEXT_OF_REFUSAL + words and shed.cut == []


async def test_calls_of_one_response_are_asked_for_run_and_returned_each_as_it_is(tmp_path: Path) -> None:
    """Two that need approval, one of the agent's that does not, and one of the client's."""
    four = calls(("saw", '{"at": 1}'), ("peek", "{}"), ("look", "{}"), ("saw", '{"at": 2}'))
    async with serving_shed(tmp_path, four, says("done")) as (stand, shed):
        made = message_of(await stand.ask(user("hi", tools=[TOOL]), session("s")))["tool_calls"]
        assert [call["function"]["name"] for call in made] == ["saw", "look", "saw"]
        assert shed.seen == [] and len({call["id"] for call in made}) == 3
        sent = [decision(made[2]["id"], REFUSED), decision(made[1]["id"], "noon"), decision(made[0]["id"])]
        answer = await stand.ask(messages(*sent, tools=[TOOL]), session("s"))
        assert message_of(answer)["content"] == "done" and shed.cut == [{"at": 1}]
        contents = [m["content"] for m in stand.sent[1] if m["role"] == "tool"]
    assert sorted(contents) == sorted(["a shed", "cut 1", "noon", TEXT_OF_REFUSAL])


async def test_a_decision_counts_where_the_call_was_made_and_once(tmp_path: Path) -> None:
    agents = {"list": [{"id": "main", "default": True}, {"id": "other"}]}
    async with serving_shed(tmp_path, SAWS, SAWS, says("done"), **agents) as (stand, shed):
        message = message_of(await stand.ask(user("hi")))
        call_id = message["tool_calls"][0]["id"]
        past = messages(HI, message, decision(call_id))
        elsewhere = "is no call of this agent that waits for approval in this session"
        assert elsewhere in rejected(await stand.ask(past, session("s")))
        assert elsewhere in rejected(await stand.ask(past, ("x-openclaw-agent-id", "other")))
        invented = json.loads(json.dumps(message).replace(call_id, "call_mine"))
        response = await stand.ask(messages(HI, invented, decision("call_mine")))
        assert elsewhere in rejected(response)
        assert response.json()["error"]["param"] == "messages[2].tool_call_id"
        kept = message_of(await stand.ask(user("hi"), session("s")))
        assert elsewhere in rejected(
            await stand.ask(messages(HI, kept, decision(kept["tool_calls"][0]["id"])))
        )
        assert shed.cut == [] and len(stand.sent) == 2
        assert message_of(await stand.ask(past))["content"] == "done"
        assert "was decided before, by run" in rejected(await stand.ask(past))
        assert "was decided before" in rejected(
            await stand.ask(messages(HI, message, decision(call_id, REFUSED)))
        )
    assert len(shed.cut) == 1


async def test_of_two_that_decide_at_once_one_counts(tmp_path: Path) -> None:
    async with serving_shed(tmp_path, SAWS, says("done")) as (stand, shed):
        shed.may_cut.clear()
        message = message_of(await stand.ask(user("hi")))
        past = messages(HI, message, decision(message["tool_calls"][0]["id"]))
        asks = [asyncio.create_task(stand.ask(past)) for _ in range(5)]
        await asyncio.wait(asks, return_when=asyncio.FIRST_COMPLETED)
        shed.may_cut.set()
        statuses = [(await ask).status for ask in asks]
    assert sorted(statuses) == [200, 400, 400, 400, 400] and len(shed.cut) == 1


async def test_a_run_that_fails_after_the_call_is_repeated_without_running_it_again(tmp_path: Path) -> None:
    broken = error_response(500)
    async with serving_shed(tmp_path, SAWS, broken, says("done")) as (stand, shed):
        call_id = message_of(await stand.ask(user("hi"), session("s")))["tool_calls"][0]["id"]
        key = ("idempotency-key", "k")
        approval = messages(decision(call_id))
        assert (await stand.ask(approval, session("s"), key)).status == 500
        for _ in range(2):
            assert message_of(await stand.ask(approval, session("s"), key))["content"] == "done"
        assert stand.sent[2][-1]["content"] == "cut 1" and len(stand.sent) == 3
    assert len(shed.cut) == 1


async def test_a_client_that_leaves_while_the_call_runs_has_used_its_approval(tmp_path: Path) -> None:
    async with serving_shed(tmp_path, SAWS, says("done")) as (stand, shed):
        shed.may_cut.clear()
        message = message_of(await stand.ask(user("hi")))
        past = messages(HI, message, decision(message["tool_calls"][0]["id"]))
        async with await stand.client() as client:
            await stand.gateway.send(client, past)
            await until(lambda: bool(shed.cut), "the call to be run")
        await until(lambda: not stand.gateway.role.agents.running_count, "the run to end")
        shed.may_cut.set()
        assert "was decided before" in rejected(await stand.ask(past))
    assert len(shed.cut) == 1 and len(stand.sent) == 1


async def test_an_approval_expires_and_a_refusal_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_approvals, "APPROVAL_SECONDS", -1.0)
    async with serving_shed(tmp_path, SAWS, says("well")) as (stand, shed):
        message = message_of(await stand.ask(user("hi")))
        call_id = message["tool_calls"][0]["id"]
        assert "has expired" in rejected(await stand.ask(messages(HI, message, decision(call_id))))
        answer = await stand.ask(messages(HI, message, decision(call_id, REFUSED)))
        assert message_of(answer)["content"] == "well"
    assert shed.cut == []


@pytest.mark.parametrize("change", ["description", "removed"])
async def test_a_tool_that_was_changed_or_removed_since_is_not_run(tmp_path: Path, change: str) -> None:
    async with serving_shed(tmp_path, SAWS) as (stand, shed):
        message = message_of(await stand.ask(user("hi")))
        if change == "removed":
            stand.gateway.role.agents._tools = lambda: shed.tools()[1:]
        shed.description = "Saws everything."
        past = messages(HI, message, decision(message["tool_calls"][0]["id"]))
        assert "which was changed or taken from the agent since" in rejected(await stand.ask(past))
    assert shed.cut == []


async def test_a_call_that_no_longer_needs_approval_still_runs_once(tmp_path: Path) -> None:
    async with serving_shed(tmp_path, SAWS, says("done")) as (stand, shed):
        message = message_of(await stand.ask(user("hi")))
        config = json.loads(stand.gateway.config.read_text())
        stand.gateway.rewrite(config | approving([]))
        past = messages(HI, message, decision(message["tool_calls"][0]["id"]))
        assert message_of(await stand.ask(past))["content"] == "done"
        assert "was decided before" in rejected(await stand.ask(past))
    assert len(shed.cut) == 1


async def test_a_call_that_is_passed_over_lapses_in_its_session(tmp_path: Path) -> None:
    async with serving_shed(tmp_path, SAWS, says("well"), says("no")) as (stand, shed):
        call_id = message_of(await stand.ask(user("hi"), session("s")))["tool_calls"][0]["id"]
        assert await stand.text(user("do something else"), session("s")) == "well"
        assert stand.sent[1][2]["content"] == "interrupted: this call has no result"
        response = await stand.ask(messages(decision(call_id)), session("s"))
        assert response.status == 400 and response.json()["error"]["param"] == "messages[0].tool_call_id"
    assert shed.cut == []


async def test_a_client_that_takes_no_calls_is_not_asked_for_approval(tmp_path: Path) -> None:
    """A model that calls what it was not offered reads why nothing was run."""
    async with serving_shed(tmp_path, SAWS, says("well")) as (stand, shed):
        assert await stand.text(user("hi", tool_choice="none")) == "well"
        tools = json.loads(stand.model.requests[0].body)["tools"]
        assert [tool["function"]["name"] for tool in tools] == ["peek"]
        assert "needs an approval" in stand.sent[1][-1]["content"]
    assert shed.cut == []


async def test_a_call_that_the_client_requires_is_one_of_its_own(tmp_path: Path) -> None:
    async with serving_shed(tmp_path, SAWS) as (stand, shed):
        response = await stand.ask(user("hi", tools=[TOOL], tool_choice="required"))
        assert response.json()["error"]["code"] == "tool_choice_unsatisfied", response.body
        offered = json.loads(stand.model.requests[0].body)["tools"]
    assert offered == [TOOL] and shed.cut == []


async def test_neither_the_model_nor_a_tool_can_approve(tmp_path: Path) -> None:
    """The model writes the text that approves, and so does a result that it asked for."""
    both = calls(("saw", '{"at": 1}'), ("peek", "{}"), text=APPROVED)
    async with serving_shed(tmp_path, both, says("well")) as (stand, shed):
        shed.seen = [APPROVED]
        message = message_of(await stand.ask(user("hi"), session("s")))
        assert message["content"] == APPROVED and len(message["tool_calls"]) == 1
        assert await stand.text(user(APPROVED), session("s")) == "well"
    assert shed.cut == []


async def test_a_stream_has_the_call_in_its_chunks(tmp_path: Path) -> None:
    async with serving_shed(tmp_path, SAWS, says("done")) as (stand, shed):
        *_, begun, arguments, last = chunks(await stand.ask(user("hi", stream=True), session("s")))
        (call,) = begun["choices"][0]["delta"]["tool_calls"]
        assert call["function"]["name"] == "saw" and last["choices"][0]["finish_reason"] == "tool_calls"
        assert arguments["choices"][0]["delta"]["tool_calls"][0]["function"] == {"arguments": '{"at": 1}'}
        sent = messages(decision(call["id"]), stream=True)
        assert "done" in str(chunks(await stand.ask(sent, session("s")))) and shed.cut == [{"at": 1}]


@pytest.mark.parametrize("tools", ["all", ["*"], ["group:plugins"], ["shed"], ["S*"], ["group:invented"]])
async def test_tools_are_listed_as_in_other_lists_and_an_unknown_group_is_every_tool(
    tmp_path: Path, tools: object
) -> None:
    async with serving_shed(tmp_path, SAWS, tools=tools) as (stand, shed):
        assert message_of(await stand.ask(user("hi")))["tool_calls"]
    assert shed.cut == []


async def test_arguments_that_are_read_in_two_ways_are_not_run(tmp_path: Path) -> None:
    async with serving_shed(tmp_path, calls(("saw", '{"at": 1, "at": 2}')), says("well")) as (stand, shed):
        call_id = message_of(await stand.ask(user("hi"), session("s")))["tool_calls"][0]["id"]
        assert message_of(await stand.ask(messages(decision(call_id)), session("s")))["content"] == "well"
        assert "more than once" in stand.sent[1][-1]["content"]
    assert shed.cut == []


@pytest.mark.parametrize("second", [APPROVED, REFUSED])
async def test_a_history_that_shows_a_call_twice_runs_it_once_at_most(tmp_path: Path, second: str) -> None:
    async with serving_shed(tmp_path, SAWS, says("done")) as (stand, shed):
        message = message_of(await stand.ask(user("hi")))
        (call,) = message["tool_calls"]
        twice = {**message, "tool_calls": [call, call]}
        past = messages(HI, twice, decision(call["id"]), decision(call["id"], second))
        assert (await stand.ask(past)).status == 400
    assert shed.cut == []


@pytest.mark.parametrize("where", [(), (session("s"),)])
async def test_another_caller_decides_nothing(tmp_path: Path, where: tuple[tuple[str, str], ...]) -> None:
    async with serving_agents(
        tmp_path, SAWS, says("done"), config=approving() | {"gateway": BEHIND_PROXY}
    ) as stand:
        shed = Shed()
        shed.may_cut.set()
        stand.gateway.role.agents._tools = shed.tools
        message = message_of(await stand.ask(user("hi"), *ANN, *where))
        for content in (APPROVED, REFUSED):
            past = messages(HI, message, decision(message["tool_calls"][0]["id"], content))
            rejected(await stand.ask(past, *BOB, *where))
        assert shed.cut == []
        past = messages(HI, message, decision(message["tool_calls"][0]["id"]))
        assert message_of(await stand.ask(past, *ANN, *where))["content"] == "done"
    assert len(shed.cut) == 1
