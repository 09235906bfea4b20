"""What a run does next, by what happened: every row without a model, a tool or a clock."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgate.agents.run.step import (
    Action,
    Call,
    CallModel,
    Completion,
    Finish,
    GiveUp,
    Run,
    RunLimits,
    RunPlan,
    RunTools,
    Usage,
    after_completion,
    after_model_call,
    after_tools,
    begin,
)
from clawgate.errors import UpstreamMalformed

HELLO = {"role": "user", "content": "hi"}


def tool(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": {}}}


def run_of(**plan: Any) -> Run:
    return Run(plan=RunPlan(**plan), messages=(HELLO,))


def completion(
    *calls: str, text: str = "", reason: str = "stop", tokens: int = 10, cost: Any = 0
) -> Completion:
    """``calls`` are names of tools; the id of each is its name and number."""
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if calls:
        message["tool_calls"] = [
            {"id": f"{name}{n}", "type": "function", "function": {"name": name, "arguments": "{}"}}
            for n, name in enumerate(calls)
        ]
    usage = Usage(tokens, cost=None if cost is None else Decimal(cost))
    return Completion(message, "tool_calls" if calls else reason, usage)


def names(action: Action) -> list[str]:
    assert isinstance(action, RunTools | Finish)
    return [call.name for call in action.calls]


def test_the_first_action_is_a_model_call_with_the_messages_and_all_tools() -> None:
    run = run_of(tools=(tool("own"),), client_tools=(tool("theirs"),), options={"temperature": 0})
    assert begin(run) == CallModel(
        {"temperature": 0, "messages": [HELLO], "tools": [tool("own"), tool("theirs")]}
    )


@pytest.mark.parametrize("reason", ["stop", "length", "content_filter"])
def test_text_ends_the_run_with_the_reason_of_the_model(reason: str) -> None:
    run, action = after_completion(run_of(), completion(text="hello", reason=reason))
    assert action == Finish(reason)
    assert run.turns == ({"role": "assistant", "content": "hello"},) and run.text == "hello"


def test_calls_of_the_agents_tools_are_run_and_the_model_is_asked_again() -> None:
    run, action = after_completion(run_of(tools=(tool("own"),)), completion("own", "own"))
    assert isinstance(action, RunTools) and [call.id for call in action.calls] == ["own0", "own1"]
    run, action = after_tools(run, [(call, f"result of {call.id}") for call in action.calls])
    assert isinstance(action, CallModel)
    assert [(m["role"], m.get("tool_call_id")) for m in action.fields["messages"]] == [
        ("user", None), ("assistant", None), ("tool", "own0"), ("tool", "own1"),
    ]  # fmt: skip


def test_calls_of_the_clients_tools_end_the_run() -> None:
    _, action = after_completion(run_of(client_tools=(tool("theirs"),)), completion("theirs"))
    assert isinstance(action, Finish) and action.finish_reason == "tool_calls" and names(action) == ["theirs"]


def test_of_both_kinds_the_agents_are_run_first_and_the_clients_returned() -> None:
    run = run_of(tools=(tool("own"),), client_tools=(tool("theirs"),))
    run, action = after_completion(run, completion("theirs", "own"))
    assert isinstance(action, RunTools) and names(action) == ["own"]
    run, action = after_tools(run, [(action.calls[0], "done")])
    assert isinstance(action, Finish) and [call.id for call in action.calls] == ["theirs0"]
    assert [turn["role"] for turn in run.turns] == ["assistant", "tool"]


def asking(*guarded: str) -> Run:
    tools = (tool("own"), tool("risky"))
    return run_of(
        tools=tools,
        client_tools=(tool("theirs"),),
        guarded=frozenset(guarded),
        new_id=lambda number: f"new{number}",
    )


def test_a_call_that_needs_approval_ends_the_run_under_an_id_of_ours() -> None:
    run, action = after_completion(asking("risky"), completion("risky", "theirs"))
    assert isinstance(action, Finish) and action.finish_reason == "tool_calls"
    assert [call.id for call in action.calls] == ["new0", "theirs1"]
    assert [call["id"] for call in run.turns[0]["tool_calls"]] == ["new0", "theirs1"]


def test_what_needs_no_approval_is_run_before_the_rest_is_returned() -> None:
    run, action = after_completion(asking("risky"), completion("risky", "own", "theirs"))
    assert isinstance(action, RunTools) and names(action) == ["own"]
    _, action = after_tools(run, [(action.calls[0], "done")])
    assert isinstance(action, Finish) and [call.id for call in action.calls] == ["new0", "theirs2"]


def test_a_run_begins_with_the_calls_that_were_approved_and_the_model_gets_their_results() -> None:
    call = Call("new0", "risky", "{}")
    sent = (HELLO, {"role": "tool", "tool_call_id": "new0", "content": ""}, HELLO)
    run = replace(asking("risky"), messages=sent, approved=(call,))
    assert begin(run) == RunTools((call,))
    run, action = after_tools(run, [(call, "done")])
    assert isinstance(action, CallModel) and run.turns == () and run.tool_calls == 1
    assert action.fields["messages"] == [HELLO, sent[1] | {"content": "done"}, HELLO]


def test_calls_that_need_approval_count_for_the_limit() -> None:
    run = asking("risky")
    run = replace(run, plan=replace(run.plan, limits=RunLimits(max_tool_calls=1)))
    assert isinstance(after_completion(run, completion("risky", "own"))[1], GiveUp)


def test_a_tool_that_nobody_has_is_run_so_that_the_model_reads_what_is_wrong() -> None:
    _, action = after_completion(run_of(), completion("invented"))
    assert names(action) == ["invented"] and isinstance(action, RunTools)


def test_a_required_call_leaves_the_model_no_other_tool() -> None:
    action = begin(run_of(tools=(tool("own"),), client_tools=(tool("theirs"),), required=True))
    assert isinstance(action, CallModel)
    assert action.fields["tools"] == [tool("theirs")] and action.fields["tool_choice"] == "required"


def test_a_named_call_is_sent_by_its_name() -> None:
    action = begin(run_of(client_tools=(tool("a"), tool("b")), required=True, required_name="b"))
    assert isinstance(action, CallModel)
    assert action.fields["tool_choice"] == {"type": "function", "function": {"name": "b"}}


@pytest.mark.parametrize(
    ("name", "made", "message"),
    [
        (None, (), "tool_choice=required was not satisfied by the agent response"),
        ("b", (), "tool_choice required a b tool call, but the agent did not produce one"),
        ("b", ("a",), "tool_choice required a b tool call, but the agent did not produce one"),
    ],
)
def test_a_required_call_that_is_missing_is_a_failure(
    name: str | None, made: tuple[str, ...], message: str
) -> None:
    run = run_of(client_tools=(tool("a"), tool("b")), required=True, required_name=name)
    _, action = after_completion(run, completion(*made, text="no"))
    assert isinstance(action, GiveUp)
    assert (action.error.code, action.error.message) == ("tool_choice_unsatisfied", message)


def asked_again(run: Run, given: Completion) -> Action:
    """The action after an completion that called the agent's own tool."""
    run, action = after_completion(after_model_call(run), given)
    assert isinstance(action, RunTools)
    return after_tools(run, [(call, "") for call in action.calls])[1]


@pytest.mark.parametrize(
    ("limits", "given", "setting"),
    [
        ({"max_turns": 1}, completion("own"), "maxTurns"),
        ({"max_tokens": 10}, completion("own", tokens=10), "maxTokens"),
        ({"max_cost": Decimal("0.5")}, completion("own", cost="0.5"), "maxCost"),
        ({"max_cost": Decimal("0.5")}, completion("own", cost=None), "maxCost"),
    ],
    ids=["turns", "tokens", "cost", "a cost that is not known"],
)
def test_a_limit_that_is_reached_ends_the_run(
    limits: dict[str, Any], given: Completion, setting: str
) -> None:
    action = asked_again(run_of(tools=(tool("own"),), limits=RunLimits(**limits)), given)
    assert isinstance(action, GiveUp)
    assert action.error.code == "run_limit_exceeded" and setting in action.error.message


@pytest.mark.parametrize(
    ("limits", "given"),
    [
        ({"max_turns": 2}, completion("own")),
        ({"max_tokens": 11}, completion("own", tokens=10)),
        ({"max_cost": Decimal("0.6")}, completion("own", cost="0.5")),
    ],
    ids=["turns", "tokens", "cost"],
)
def test_a_limit_that_is_not_reached_does_not(limits: dict[str, Any], given: Completion) -> None:
    action = asked_again(run_of(tools=(tool("own"),), limits=RunLimits(**limits)), given)
    assert isinstance(action, CallModel)


def test_more_tool_calls_than_allowed_are_not_begun() -> None:
    run = run_of(tools=(tool("own"),), limits=RunLimits(max_tool_calls=2))
    assert isinstance(after_completion(run, completion("own", "own"))[1], RunTools)
    _, action = after_completion(run, completion("own", "own", "own"))
    assert isinstance(action, GiveUp) and "maxToolCalls" in action.error.message


def test_usage_is_the_sum_of_all_answers_and_an_unknown_cost_stays_unknown() -> None:
    run, _ = after_completion(run_of(), completion(tokens=3, cost="0.1"))
    run, _ = after_completion(run, completion(tokens=4, cost=None))
    run, _ = after_completion(run, completion(tokens=5, cost="0.1"))
    assert run.usage == Usage(12, cost=None)


@given(st.lists(st.lists(st.sampled_from(["own", "theirs", "invented"]), max_size=4), max_size=8))
def test_every_call_is_answered_by_a_tool_or_handed_to_the_client(script: list[list[str]]) -> None:
    """Whatever a model calls: each result follows its call, and no limit is passed."""
    run = run_of(
        tools=(tool("own"),), client_tools=(tool("theirs"),), limits=RunLimits(max_turns=5, max_tool_calls=6)
    )
    action = begin(run)
    for number, made in enumerate(script):
        if not isinstance(action, CallModel):
            break
        given = completion(*made)
        for call in given.message.get("tool_calls", ()):
            call["id"] += f"-{number}"
        run, action = after_completion(after_model_call(run), given)
        if isinstance(action, RunTools):
            run, action = after_tools(run, [(call, "") for call in action.calls])
    assert run.model_calls <= 5 and run.tool_calls <= 6
    called: list[str] = []
    for turn in run.turns:
        called += [call["id"] for call in turn.get("tool_calls", ())]
        if turn["role"] == "tool":
            called.remove(turn["tool_call_id"])
    if isinstance(action, Finish):
        assert called == [call.id for call in action.calls]
    if isinstance(action, CallModel):
        assert called == []


def test_a_run_is_a_value() -> None:
    run = run_of()
    after_completion(run, completion(text="hello"))
    assert run == replace(run, turns=()) == run_of()


def test_calls_of_a_completion_that_was_cut_are_returned_as_cut() -> None:
    given = replace(completion("theirs"), finish_reason="length")
    _, action = after_completion(run_of(client_tools=(tool("theirs"),)), given)
    assert isinstance(action, Finish) and action.finish_reason == "length" and names(action) == ["theirs"]


@pytest.mark.parametrize("member", ["reasoning_content", "reasoning", "reasoning_details", "thinking_blocks"])
def test_a_model_that_only_reasoned_is_followed_by_the_next_one_with_the_same_request(member: str) -> None:
    response = completion(text="")
    response.message[member] = "hm"
    run, action = after_completion(run_of(), response)
    assert isinstance(action, CallModel) and isinstance(action.error, UpstreamMalformed)
    assert run.turns == () and action.fields == _fields_of(begin(run_of()))


def _fields_of(action: object) -> dict[str, Any]:
    assert isinstance(action, CallModel)
    return action.fields


@pytest.mark.parametrize("how", [{"text": "a"}, {"reason": "length"}, {"reason": "content_filter"}])
def test_a_run_that_reasoned_and_says_how_it_ended_is_complete(how: dict[str, Any]) -> None:
    response = completion(**how)
    response.message["reasoning_content"] = "hm"
    _, action = after_completion(run_of(), response)
    assert action == Finish(how.get("reason", "stop"))


def test_a_run_that_reasoned_at_its_end_is_complete_when_the_client_has_text() -> None:
    response = completion(text="")
    response.message["reasoning_content"] = "hm"
    _, action = after_completion(replace(run_of(), text="I look it up."), response)
    assert action == Finish("stop")
