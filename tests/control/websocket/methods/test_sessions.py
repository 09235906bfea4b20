"""Sessions of the caller: listed, read, changed and deleted, and never another caller's."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.agents.agent_stand import serving_agents, session, user
from tests.control.websocket.socket_stand import SocketClient, connected

MAIN, OTHER = "agent:main:main", "agent:main:trip"


@contextlib.asynccontextmanager
async def two_sessions(folder: Path) -> AsyncIterator[SocketClient]:
    """A client that has said "hi" in its main session, and then, over HTTP, "rome" in another."""
    async with serving_agents(folder) as stand, connected(stand.gateway.url) as client:
        await client.call("sessions.send", {"key": "main", "message": "hi", "idempotencyKey": "k1"})
        await client.event("chat", state="final")
        await stand.text(user("rome", model="openclaw/main"), session(OTHER))
        yield client


async def test_sessions_are_listed_newest_first_page_by_page(tmp_path: Path) -> None:
    async with two_sessions(tmp_path) as client:
        first = await client.call("sessions.list", {"limit": 1})
        assert [row["key"] for row in first["sessions"]] == [OTHER]
        assert (first["count"], first["totalCount"], first["hasMore"], first["nextOffset"]) == (1, 2, True, 1)
        rest = await client.call("sessions.list", {"offset": 1, "includeLastMessage": True})
        assert [(row["key"], row["lastMessagePreview"]) for row in rest["sessions"]] == [(MAIN, "hi (1)")]
        assert (rest["hasMore"], rest["nextOffset"]) == (False, None)


@pytest.mark.parametrize(
    ("params", "keys"),
    [
        ({"search": "TRIP"}, [OTHER]),
        ({"agentId": "main"}, [OTHER, MAIN]),
        ({"agentId": "nope"}, []),
        ({"activeMinutes": 1}, [OTHER, MAIN]),
    ],
    ids=str,
)
async def test_a_list_is_filtered(tmp_path: Path, params: dict[str, Any], keys: list[str]) -> None:
    async with two_sessions(tmp_path) as client:
        assert [row["key"] for row in (await client.call("sessions.list", params))["sessions"]] == keys


async def test_a_session_is_read_in_each_form(tmp_path: Path) -> None:
    async with two_sessions(tmp_path) as client:
        texts = [
            message["content"][0]["text"]
            for message in (await client.call("sessions.get", {"key": MAIN}))["messages"]
        ]
        assert texts == ["hi", "hi (1)"]
        row = (await client.call("sessions.describe", {"key": MAIN}))["session"]
        assert (row["key"], row["agentId"]) == (MAIN, "main")
        previews = (await client.call("sessions.preview", {"keys": [MAIN, "agent:main:none"]}))["previews"]
        assert [(one["status"], len(one["items"])) for one in previews] == [("ok", 2), ("missing", 0)]
        found = {"ok": True, "key": MAIN, "agentId": "main"}
        assert await client.call("sessions.resolve", {"key": MAIN}) == found
        assert await client.call("sessions.resolve", {"sessionId": row["sessionId"]}) == found


async def test_a_session_that_is_not_there_has_nothing(tmp_path: Path) -> None:
    async with two_sessions(tmp_path) as client:
        none = {"key": "agent:main:none"}
        assert (await client.call("sessions.get", none))["messages"] == []
        assert (await client.call("sessions.describe", none))["session"] is None
        assert await client.call("sessions.resolve", {**none, "allowMissing": True}) == {"ok": False}
        assert "No session found" in (await client.error("sessions.resolve", none))["message"]
        assert (await client.call("sessions.delete", none))["deleted"] is False
        assert "by key or by sessionId" in (await client.error("sessions.resolve", {}))["message"]


async def test_a_model_is_set_and_returned_to_the_agents_own(tmp_path: Path) -> None:
    async with two_sessions(tmp_path) as client:
        for key in (MAIN, "agent:main:new"):
            found = await client.call("sessions.patch", {"key": key, "model": "up/other"})
            assert found["resolved"] == {"modelProvider": "up", "model": "other"}
        assert (await client.call("sessions.patch", {"key": MAIN, "model": None}))["resolved"] == {}
        assert (await client.call("sessions.patch", {"key": "agent:main:none", "model": None}))["entry"] == {}
        assert not [frame for frame in client.events if frame["event"] == "chat" and "model" in str(frame)]


@pytest.mark.parametrize("before", [None, "up/other"])
async def test_a_model_that_the_agent_may_not_use_changes_nothing(tmp_path: Path, before: str | None) -> None:
    async with two_sessions(tmp_path) as client:
        if before is not None:
            await client.call("sessions.patch", {"key": MAIN, "model": before})
        error = await client.error("sessions.patch", {"key": MAIN, "model": "nope/x"})
        assert error["details"]["code"] == "MODEL_NOT_FOUND"
        row = (await client.call("sessions.describe", {"key": MAIN}))["session"]
        assert row.get("model") == (None if before is None else "other")


@pytest.mark.parametrize("name", ["label", "pinned", "thinkingLevel"])
async def test_what_a_session_does_not_have_cannot_be_set(tmp_path: Path, name: str) -> None:
    async with two_sessions(tmp_path) as client:
        error = await client.error("sessions.patch", {"key": MAIN, name: True if name == "pinned" else "x"})
        assert (
            error["message"] == f"invalid sessions.patch params: at /{name}: not available here; leave it out"
        )


async def test_a_session_begins_anew_and_its_watchers_learn_of_it(tmp_path: Path) -> None:
    async with two_sessions(tmp_path) as client:
        assert await client.call("sessions.subscribe", {}) == {"subscribed": True}
        assert (await client.call("sessions.reset", {"key": MAIN}))["ok"]
        assert (await client.call("chat.history", {"sessionKey": MAIN}))["messages"] == []
        assert (await client.event("sessions.changed", reason="reset"))["sessionKey"] == MAIN


async def test_a_subscription_with_params_returns_their_list(tmp_path: Path) -> None:
    async with two_sessions(tmp_path) as client:
        found = await client.call("sessions.subscribe", {"limit": 1})
        assert [row["key"] for row in found["list"]["sessions"]] == [OTHER]


async def test_only_an_administrator_is_shown_where_the_database_is(tmp_path: Path) -> None:
    async with serving_agents(tmp_path) as stand:
        for scopes, shown in ((["operator.write"], False), (["operator.admin"], True)):
            async with connected(stand.gateway.url, scopes=scopes) as client:
                found = await client.call("sessions.list"), await client.call("status")
                subscribed = await client.call("sessions.subscribe", {"limit": 1})
                assert (str(tmp_path) in str([*found, subscribed])) is shown
                assert (found[0]["path"] != "", found[1]["sessions"]["paths"] != []) == (shown, shown)


async def test_a_session_is_deleted_but_for_the_main_one(tmp_path: Path) -> None:
    async with two_sessions(tmp_path) as client:
        assert "main session" in (await client.error("sessions.delete", {"key": MAIN}))["message"]
        assert "its transcript" in (
            await client.error("sessions.delete", {"key": OTHER, "deleteTranscript": False})
        )["message"]  # fmt: skip
        wrong = {"key": OTHER, "expectedSessionId": "of-another"}
        assert "expectedSessionId" in (await client.error("sessions.delete", wrong))["message"]
        assert await client.call("sessions.delete", {"key": OTHER}) == {
            "ok": True, "key": OTHER, "deleted": True, "archived": [],
        }  # fmt: skip
        assert [row["key"] for row in (await client.call("sessions.list"))["sessions"]] == [MAIN]


@pytest.mark.parametrize(
    ("params", "part"),
    [
        ({"key": "agent:nope:x"}, "Unknown agent 'nope'"),
        ({"key": "agent:main:x", "agentId": "other"}, "Unknown agent 'other'"),
        ({"key": "cron:x"}, "reserved internal session namespaces"),
        ({"key": "agent:main:"}, "must be `agent:<agentId>:<name>` or a name"),
        ({"key": "a\nb"}, "cannot be printed"),
    ],
    ids=str,
)
async def test_a_key_that_names_no_session_is_refused(
    tmp_path: Path, params: dict[str, Any], part: str
) -> None:
    async with two_sessions(tmp_path) as client:
        error = await client.error("sessions.get", params)
        assert part in error["message"] and "x-openclaw" not in error["message"]


async def test_previews_are_bounded(tmp_path: Path) -> None:
    """Each is a read of the database, and a message holds millions of keys."""
    async with serving_agents(tmp_path) as stand, connected(stand.gateway.url) as client:
        found = await client.call("sessions.preview", {"keys": ["main"] * 65})
        assert len(found["previews"]) == 64
