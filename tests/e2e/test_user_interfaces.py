"""What user interfaces and frameworks send, byte for byte, is understood: sessions, their own tasks, results of tools.

The bodies were recorded from langchain-openai 1.7, pydantic-ai 2.68, openai-node 7.59, the AI SDK 7.0 and llm 0.36,
with other ids; those of Open WebUI and LibreChat follow their sources
(`backend/open_webui/routers/openai.py` and `utils/task.py`; `packages/api/src/endpoints`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clawgate.state.records import Extent
from tests.agents.agent_stand import AgentStand, echoes, serving_agents
from tests.agents.model_stand import DONE, call_of, chunk_of
from tests.peers.connection import Request
from tests.peers.faults import sse_response
from tests.peers.script import Script

CHAT_ID = ("X-OpenWebUI-Chat-Id", "0b3c8a52-9c56-4d0c-8f43-1f1a2b6f9d11")
OPEN_WEBUI = (
    ("Accept", "*/*"),
    ("User-Agent", "Python/3.11 aiohttp/3.12.15"),
    ("X-OpenWebUI-User-Name", "Ann%20Example"),
    ("X-OpenWebUI-User-Id", "7d8c3f9e-1f0b-4b59-8f0e-0d6b5f1f6a10"),
    ("X-OpenWebUI-User-Email", "ann@example.com"),
    ("X-OpenWebUI-User-Role", "user"),
)
STREAM = '{"stream": true, "model": "openclaw", "messages": %s, "stream_options": {"include_usage": true}}'
TITLE = (
    "### Task:\nGenerate a concise, 3-5 word title with an emoji summarizing the chat history.\n### Guidelines:\n"
    '- The title should clearly represent the main theme.\n### Output:\nJSON format: { "title": "your title" }\n'
    "### Chat History:\n<chat_history>\nUSER: hi\nASSISTANT: hi (1)\n</chat_history>"
)
FOLLOW_UP = (
    "### Task:\nSuggest 3-5 relevant follow-up questions or prompts that the user might naturally ask next.\n"
    "### Guidelines:\n- Write all follow-up questions from the user's point of view.\n### Output:\nJSON format: "
    '{ "follow_ups": ["Question 1?"] }\n### Chat History:\n<chat_history>\nUSER: hi\nASSISTANT: hi (1)\n'
    "</chat_history>"
)


def turns(*texts: str) -> list[dict[str, str]]:
    roles = ("user", "assistant")
    return [{"role": roles[number % 2], "content": text} for number, text in enumerate(texts)]


def open_webui(*texts: str) -> bytes:
    return (STREAM % json.dumps(turns(*texts))).encode()


def task(prompt: str) -> bytes:
    body = {"model": "openclaw", "messages": turns(prompt), "stream": False, "max_tokens": 1000}
    return json.dumps(body).encode()


def contents(messages: Any) -> list[str]:
    return [message["content"] for message in messages]


async def stored(stand: AgentStand, key: str) -> list[str]:
    return contents([turn.message for turn in await stand.turns(key)])


async def test_a_chat_of_open_webui_is_a_session_without_its_tasks(tmp_path: Path) -> None:
    """Title and follow-up questions come with the chat's id, and between its turns."""
    headers = (*OPEN_WEBUI, CHAT_ID)
    key = f"agent:main:openwebui:{CHAT_ID[1]}"
    async with serving_agents(tmp_path) as stand:
        first = await stand.ask(open_webui("hi"), *headers)
        for prompt in (TITLE, FOLLOW_UP):
            assert (await stand.ask(task(prompt), *headers)).status == 200
            assert len(stand.sent[-1]) == 1
        second = await stand.ask(open_webui("hi", "hi (1)", "more"), *headers)
        assert first.header("x-clawgate-session") == second.header("x-clawgate-session") == key
        assert b'"usage":{"prompt_tokens":' in second.body and second.body.endswith(b"data: [DONE]\n\n")
        assert contents(stand.sent[-1]) == ["hi", "hi (1)", "more"]
        assert await stored(stand, key) == ["hi", "hi (1)", "more", "more (3)"]


async def test_a_chat_of_open_webui_is_what_its_user_sees_of_it(tmp_path: Path) -> None:
    """Messages are edited and deleted, responses too, regenerated and continued; files come with the last message."""
    headers, key = (*OPEN_WEBUI, CHAT_ID), f"agent:main:openwebui:{CHAT_ID[1]}"
    system = {"role": "system", "content": "Be kind."}
    lists = [
        ["hi"],
        ["hi"],  # regenerated
        ["hello"],  # edited
        ["hello", "hello (2)", "<source>file</source>more"],
        [
            "hello",
            "hello (2)",
            "more",
            "<source>file</source>more (4)",
            "x",
        ],  # the file was for its message alone
        ["hello", "hello (2)", "more", "<source>file</source>more (4)", "x"],
        ["hello", "hello (2)", "y"],
        ["hello", "hello (2), edited", "z"],
        ["hello", "hello (2), edited", "z", "z (4)"],  # continued
    ]
    async with serving_agents(tmp_path) as stand:
        for texts in lists:
            body = (STREAM % json.dumps([system, *turns(*texts)])).encode()
            assert (await stand.ask(body, *headers)).status == 200
            assert contents(stand.sent[-1][1:]) == texts
            assert (await stored(stand, key))[:-1] == texts
        async with stand.store() as store:
            everything = await store.session("token", key, Extent(with_replaced=True))
        assert everything is not None
        texts = contents([turn.message for turn in everything.turns])
        assert [texts.count(text) for text in ("hi", "hello (2)", "x", "x (6)", "y (4)")] == [1, 1, 1, 2, 1]


async def test_a_client_with_the_chats_id_alone_may_send_its_last_message(tmp_path: Path) -> None:
    async with serving_agents(tmp_path) as stand:
        for text in ("one", "two", "two"):
            await stand.ask(open_webui(text), CHAT_ID)
        assert contents(stand.sent[-1]) == ["one", "one (1)", "two", "two (3)", "two"]


async def test_a_temporary_chat_is_not_stored(tmp_path: Path) -> None:
    headers = (*OPEN_WEBUI, (CHAT_ID[0], "local:Y3vXb2kQmW"))
    async with serving_agents(tmp_path) as stand:
        for texts in (("hi",), ("hi", "hi (1)", "more")):
            response = await stand.ask(open_webui(*texts), *headers)
            assert response.status == 200 and not response.header("x-clawgate-session")
            assert contents(stand.sent[-1]) == list(texts)
        async with stand.store() as store:
            assert await store.session("token", "agent:main:openwebui:local:Y3vXb2kQmW") is None


async def test_a_conversation_of_librechat_is_a_session_by_its_header(tmp_path: Path) -> None:
    """It sends the user's id with each conversation: the header has to be the stronger one."""
    body = (
        '{"model":"openclaw","user":"6650f0c1a2b3c4d5e6f70819","stream_options":{"include_usage":true},'
        '"stream":true,"messages":%s}'
    )
    async with serving_agents(tmp_path) as stand:
        for conversation in ("c-1", "c-2"):
            header = ("x-openclaw-session-key", conversation)
            for texts in (("hi",), ("hi", "hi (1)", "more")):
                await stand.ask((body % json.dumps(turns(*texts))).encode(), header)
                assert contents(stand.sent[-1]) == list(texts)
            assert len(await stored(stand, f"agent:main:{conversation}")) == 4


@pytest.mark.parametrize(
    "header", [("x-openclaw-session-key", "{{LIBRECHAT_BODY_CONVERSATIONID}}"), (CHAT_ID[0], "{{CHAT_ID}}")]
)
async def test_a_placeholder_is_no_session(tmp_path: Path, header: tuple[str, str]) -> None:
    """All conversations would be in it."""
    async with serving_agents(tmp_path) as stand:
        response = await stand.ask(open_webui("hi"), header)
        assert response.status == 400 and response.json()["error"]["param"] == header[0].lower()
        assert stand.sent == []


TOOL = (
    '"tools":[{"type":"function","function":{"name":"weather","description":"w","parameters":{"properties":'
    '{"city":{"type":"string"}},"required":["city"],"type":"object"}}}]'
)
CALL = r'"function":{"name":"weather","arguments":"{\"city\": \"Z\\u00fcrich\"}"}'
RESULTS = {
    "langchain": (
        '{"model":"openclaw","stream":false,"messages":[{"content":"sys","role":"system"},'
        '{"content":"tool","role":"user"},{"content":null,"role":"assistant","tool_calls":[{"type":"function",'
        r'"id":"call_1","function":{"name":"weather","arguments":"{\"city\": \"Zürich\"}"}}]},'
        '{"content":[{"type":"text","text":"12"}],"role":"tool","tool_call_id":"call_1"}],' + TOOL + "}"
    ),
    "pydantic-ai": (
        '{"model":"openclaw","stream":false,"messages":[{"role":"system","content":"sys"},'
        '{"role":"user","content":"tool"},{"role":"assistant","content":null,"tool_calls":[{"id":"call_1",'
        r'"type":"function","function":{"name":"weather","arguments":"{\"city\":\"Zürich\"}"}}]},'
        '{"role":"tool","tool_call_id":"call_1","content":"12"}],"tool_choice":"auto",' + TOOL + "}"
    ),
    "openai-node": (
        '{"model":"openclaw","messages":[{"role":"user","content":"tool"},{"role":"assistant","content":null,'
        r'"tool_calls":[{"id":"call_1","type":"function","function":{"arguments":"{\"city\": \"Z\\u00fcrich\"}",'
        '"name":"weather"}}]},{"role":"tool","tool_call_id":"call_1","content":"12"}],' + TOOL
        + ',"tool_choice":"auto","stream":true}'
    ),
    "AI SDK": (
        '{"model":"openclaw","messages":[{"role":"user","content":"tool"},{"role":"assistant","content":null,'
        r'"tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather",'
        r'"arguments":"{\"city\":\"Zürich\"}"}}]},{"role":"tool","tool_call_id":"call_1","content":"{\"t\":12}"}],'
        + TOOL + ',"tool_choice":"auto","stream":true,"stream_options":{"include_usage":true}}'
    ),
    "llm": (
        '{"model":"openclaw","stream":true,"messages":[{"role":"user","content":"tool"},{"role":"assistant",'
        '"content":null,"tool_calls":[{"type":"function","id":"call_1",' + CALL
        + '}]},{"role":"tool","tool_call_id":"call_1","content":"12"}],"stream_options":{"include_usage":true},'
        + TOOL + "}"
    ),
    "Open WebUI": (
        '{"stream": true, "model": "openclaw", "messages": [{"role": "user", "content": "tool"}, '
        '{"role": "assistant", "content": "", "tool_calls": [{"index": 0, "id": "call_1", "type": "function", '
        + CALL + '}]}, {"role": "tool", "tool_call_id": "call_1", "content": "12"}], '
        '"stream_options": {"include_usage": true}, ' + TOOL + "}"
    ),
}  # fmt: skip


def calls_the_tool(request: Request) -> Script:
    """A model that calls the tool, and repeats its result."""
    if json.loads(request.body)["messages"][-1]["role"] == "tool":
        return echoes(request)
    call = call_of("weather", '{"city": "Z\\u00fcrich"}', id="call_1")
    return sse_response([chunk_of({"role": "assistant"}), call, chunk_of(reason="tool_calls"), DONE])


@pytest.mark.parametrize("headers", [(), (("x-openclaw-session-key", "loop"),)], ids=["stateless", "session"])
@pytest.mark.parametrize("client", RESULTS)
async def test_results_of_tools_continue_the_run(
    tmp_path: Path, client: str, headers: tuple[tuple[str, str], ...]
) -> None:
    """Clients write the arguments of their call anew: with other spaces, and other escapes."""
    second = RESULTS[client].encode()
    opened = json.loads(second)
    opened["messages"] = [message for message in opened["messages"] if message["role"] in ("system", "user")]
    async with serving_agents(tmp_path, calls_the_tool) as stand:
        first = await stand.ask(json.dumps(opened).encode(), *headers)
        assert first.status == 200 and b"call_1" in first.body
        response = await stand.ask(second, *headers)
        sent = [message for message in stand.sent[-1] if message["role"] != "system"]
    assert response.status == 200 and b"12" in response.body
    assert [message["role"] for message in sent] == ["user", "assistant", "tool"]
    assert json.loads(sent[1]["tool_calls"][0]["function"]["arguments"]) == {"city": "Zürich"}
