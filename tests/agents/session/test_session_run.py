"""A run within its session: what it knows, and what it leaves."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from clawgate.state.records import Extent, RunRecord, StoredSession
from clawgate.state.store import Store
from tests.agents.agent_stand import (
    CALLS_LOOK,
    TOOL,
    chunks,
    hold_and_leave,
    says,
    serving_agents,
    session,
    user,
)
from tests.agents.model_stand import DONE, chunk_of, usage_of
from tests.e2e.stand import until
from tests.peers import faults


async def test_a_session_remembers_its_turns_as_real_turns(tmp_path: Path) -> None:
    async with serving_agents(tmp_path) as stand:
        await stand.text(user("one"), session("s"))
        await stand.text(user("two"), session("s"))
        assert stand.sent[1] == [
            {"role": "user", "content": "one"},
            {"role": "assistant", "content": "one (1)"},
            {"role": "user", "content": "two"},
        ]


async def test_a_run_reads_of_a_long_session_what_its_history_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a command all of it: it counts the turns."""
    read: list[int] = []
    whole = Store.session

    async def noted(store: Store, caller: str, key: str, extent: Extent) -> StoredSession | None:
        found = await whole(store, caller, key, extent)
        read.append(len(found.turns) if found is not None else 0)
        return found

    short = {"plugins": {"entries": {"clawgate": {"config": {"agents": {"main": {"historyTurns": 4}}}}}}}
    async with serving_agents(tmp_path, config=short) as stand:
        for number in range(14):
            await stand.text(user(f"u{number}"), session("s"))
        monkeypatch.setattr(Store, "session", noted)
        await stand.text(user("last"), session("s"))
        status = await stand.text(user("/status"), session("s"))
        assert read == [24, 1] and "30 messages" in status
        assert [message["content"] for message in stand.sent[-1] if message["role"] == "user"] == [
            "u12",
            "u13",
            "last",
        ]


async def test_a_request_without_a_session_has_no_history(tmp_path: Path) -> None:
    async with serving_agents(tmp_path) as stand:
        for _ in range(2):
            assert await stand.text(user("hi")) == "hi (1)"


@pytest.mark.parametrize(
    ("first", "again"),
    [
        ({"user": "ann"}, {"user": "ben"}),
        ({"session": "a"}, {"session": "b"}),
        ({"chat": "a"}, {"chat": "b"}),
    ],
    ids=["user", "key", "Open WebUI's chat"],
)
async def test_sessions_do_not_know_each_other(
    tmp_path: Path, first: dict[str, str], again: dict[str, str]
) -> None:
    def request(text: str, who: dict[str, str]) -> tuple[bytes, list[tuple[str, str]]]:
        headers = [session(who["session"])] if "session" in who else []
        headers += [("x-openwebui-chat-id", who["chat"])] if "chat" in who else []
        return user(text, **({"user": who["user"]} if "user" in who else {})), headers

    async with serving_agents(tmp_path) as stand:
        body, headers = request("canary", first)
        await stand.text(body, *headers)
        body, headers = request("hi", again)
        assert await stand.text(body, *headers) == "hi (1)"
        body, headers = request("more", first)
        assert await stand.text(body, *headers) == "more (3)"


async def test_calls_of_the_clients_tools_are_returned_and_their_results_continue(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, CALLS_LOOK, says("12 C")) as stand:
        response = await stand.ask(user("weather?", tools=[TOOL]), session("s"))
        message = response.json()["choices"][0]["message"]
        assert response.json()["choices"][0]["finish_reason"] == "tool_calls"
        (call,) = message["tool_calls"]
        assert call["function"] == {"name": "look", "arguments": '{"at":1}'}
        result = {"role": "tool", "tool_call_id": call["id"], "content": "12"}
        body = json.dumps({"messages": [result], "tools": [TOOL]}).encode()
        assert await stand.text(body, session("s")) == "12 C"
        roles = [(m["role"], m.get("tool_call_id")) for m in stand.sent[1]]
    assert roles == [("user", None), ("assistant", None), ("tool", "call-up-1")]


async def test_a_client_that_leaves_frees_the_model_and_the_turn_is_marked(tmp_path: Path) -> None:
    gates = [asyncio.Event(), asyncio.Event()]
    gates[0].set()
    script = faults.sse_gated(gates, [chunk_of({"content": "half"}), chunk_of(reason="stop")])
    async with serving_agents(tmp_path, script) as stand:
        await hold_and_leave(stand, session("s"))
        await until(lambda: not stand.model.open_connections, "the model to be freed")
        turns = await stand.turns("agent:main:s")
    assert [(turn.message["content"], turn.status) for turn in turns] == [
        ("hi", "interrupted"),
        ("half", "interrupted"),
    ]


async def test_usage_of_every_run_is_in_the_database(tmp_path: Path) -> None:
    async with serving_agents(tmp_path) as stand:
        await stand.text(user("hi"))
        await stand.text(user("hi"), session("s"))
        async with stand.store() as store:
            (row,) = await store.usage("agent")
    assert (row.key, row.runs, row.input_tokens, row.output_tokens) == ("main", 2, 6, 4)
    assert (
        row.unpriced_calls == 2
    )  # the price of a server of one's own is not known, which is not the same as free


async def test_a_run_whose_session_was_deleted_meanwhile_counts_what_it_used(tmp_path: Path) -> None:
    """Its turns belong to nothing, and are not stored."""
    gates = [asyncio.Event(), asyncio.Event()]
    gates[0].set()
    end = chunk_of(reason="stop") + usage_of(5, 1) + DONE
    script = faults.sse_gated(gates, [chunk_of({"content": "half"}), end])
    async with serving_agents(tmp_path, says("one"), script) as stand:
        await stand.text(user("hi"), session("s"))
        asked = asyncio.create_task(stand.ask(user("on"), session("s")))
        await until(lambda: len(stand.model.requests) == 2, "the second run")
        async with stand.store() as store:
            assert await store.delete_session("token", "agent:main:s")
            gates[1].set()
            response = await asked
            (used,) = await store.usage("agent")
            assert await store.session("token", "agent:main:s") is None
    assert response.json()["error"]["code"] == "session_conflict"
    assert (used.runs, used.input_tokens) == (2, 8)


async def test_a_run_that_fails_by_a_defect_counts_what_it_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clawgate.agents.run.driver.step.after_completion", lambda *_: 1 / 0)
    async with serving_agents(tmp_path, says("one")) as stand:
        assert (await stand.ask(user("hi"))).status == 500
        async with stand.store() as store:
            (used,) = await store.usage("agent")
    assert (used.runs, used.input_tokens) == (1, 3)


async def test_a_session_keeps_the_model_that_a_command_sets(tmp_path: Path) -> None:
    async with serving_agents(tmp_path) as stand:
        await stand.text(user("one"), session("s"))
        assert "up/other" in await stand.text(user("/model other"), session("s"))
        await stand.text(user("two"), session("s"))
        await stand.text(user("three"), session("t"))
        await stand.text(user("/model default"), session("s"))
        await stand.text(user("four"), session("s"))
        models = [json.loads(request.body)["model"] for request in stand.model.requests]
        histories = [len(messages) for messages in stand.sent]
    assert models == ["m", "other", "m", "m"]
    assert histories == [1, 3, 1, 5]  # a command is no turn of the conversation


async def test_new_begins_the_session_anew(tmp_path: Path) -> None:
    async with serving_agents(tmp_path) as stand:
        await stand.text(user("canary"), session("s"))
        await stand.text(user("/new"), session("s"))
        assert await stand.text(user("hi"), session("s")) == "hi (1)"


async def test_new_counts_for_a_client_that_sends_the_whole_conversation(tmp_path: Path) -> None:
    """Else its next message would bring the old session back."""
    messages: list[dict[str, str]] = []
    async with serving_agents(tmp_path) as stand:
        for text in ("one", "/status", "/new", "two", "three"):
            messages.append({"role": "user", "content": text})
            reply = await stand.text(json.dumps({"messages": messages}).encode(), session("s"))
            messages.append({"role": "assistant", "content": reply})
        turns = await stand.turns("agent:main:s")
    assert [[one["content"] for one in sent] for sent in stand.sent[1:]] == [
        ["two"],
        ["two", "two (1)", "three"],
    ]
    assert len(turns) == 4


async def test_a_client_may_change_what_is_before_the_turns_that_are_read(tmp_path: Path) -> None:
    short = {"plugins": {"entries": {"clawgate": {"config": {"agents": {"main": {"historyTurns": 4}}}}}}}
    messages: list[dict[str, str]] = []
    async with serving_agents(tmp_path, config=short) as stand:
        for number in range(16):
            messages.append({"role": "user", "content": f"u{number}"})
            reply = await stand.text(json.dumps({"messages": messages}).encode(), session("s"))
            messages.append({"role": "assistant", "content": reply})
        changed = [*messages[:2], {"role": "user", "content": "changed"}]
        await stand.text(json.dumps({"messages": changed}).encode(), session("s"))
        turns = await stand.turns("agent:main:s")
    assert [one["content"] for one in stand.sent[-1]] == ["u0", "u0 (1)", "changed"]
    assert [one.message["content"] for one in turns] == ["u0", "u0 (1)", "changed", "changed (3)"]


async def test_a_run_that_fails_replaces_nothing(tmp_path: Path) -> None:
    first, again = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "a (1)"}], "b"
    second = [*first, {"role": "user", "content": again}]
    async with serving_agents(tmp_path, says("a (1)"), says("b (3)"), faults.error_response(500)) as stand:
        await stand.text(user("a"), session("s"))
        await stand.text(json.dumps({"messages": second}).encode(), session("s"))
        failed = await stand.ask(json.dumps({"messages": second}).encode(), session("s"))
        turns = await stand.turns("agent:main:s")
    assert failed.status >= 500
    assert [one.message["content"] for one in turns] == ["a", "a (1)", "b", "b (3)"]


async def test_a_command_is_streamed_like_any_response(tmp_path: Path) -> None:
    async with serving_agents(tmp_path) as stand:
        made = chunks(await stand.ask(user("/help", stream=True)))
        assert not stand.model.requests
    assert "/model list" in made[1]["choices"][0]["delta"]["content"]
    assert made[2]["choices"][0]["finish_reason"] == "stop"


async def test_a_client_that_leaves_while_its_run_is_stored_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run of the session begins behind it."""
    storing, gate, commit = asyncio.Event(), asyncio.Event(), Store.commit

    async def slow_commit(store: Store, record: RunRecord) -> None:
        storing.set()
        await gate.wait()
        await commit(store, record)

    monkeypatch.setattr(Store, "commit", slow_commit)
    async with serving_agents(tmp_path) as stand:
        async with await stand.client() as client:
            await stand.gateway.send(client, user("one"), session("s"))
            await storing.wait()
        next_turn = asyncio.create_task(stand.text(user("two"), session("s")))
        await stand.gateway.ask(None, target="/health")  # the disconnect was seen by then
        assert len(stand.model.requests) == 1, "the session is not free yet"
        gate.set()
        assert await next_turn == "two (3)"
