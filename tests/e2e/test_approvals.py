"""Stock clients of each dialect approve and refuse calls, also after a restart, and as users of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from tests.agents.agent_stand import AgentStand, says
from tests.agents.approval_stand import APPROVED, REFUSED, TEXT_OF_REFUSAL, calls, serving_shed
from tests.routing.gateway_server import CLIENT_TOKEN

SAWS = calls(("saw", '{"at": 1}'))
DECISIONS = pytest.mark.parametrize("content", [APPROVED, REFUSED])


def openai_client(stand: AgentStand) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{stand.gateway.url}/v1", api_key=CLIENT_TOKEN, max_retries=0)


def assert_decided(stand: AgentStand, cut: list[dict[str, Any]], content: str) -> None:
    is_approved = content == APPROVED
    assert cut == ([{"at": 1}] if is_approved else [])
    assert stand.sent[-1][-1]["content"] == ("cut 1" if is_approved else TEXT_OF_REFUSAL)


@DECISIONS
@pytest.mark.parametrize("streamed", [False, True])
async def test_chat_completions(tmp_path: Path, content: str, streamed: bool) -> None:
    asked: Any = [{"role": "user", "content": "hi"}]
    async with serving_shed(tmp_path, SAWS, says("done")) as (stand, shed), openai_client(stand) as client:
        if streamed:
            async with client.chat.completions.stream(model="openclaw", messages=asked) as stream:
                choice: Any = (await stream.get_final_completion()).choices[0]
        else:
            choice = (await client.chat.completions.create(model="openclaw", messages=asked)).choices[0]
        (call,) = choice.message.tool_calls
        assert (choice.finish_reason, call.function.name, call.function.arguments) == (
            "tool_calls",
            "saw",
            '{"at": 1}',
        )
        past = [*asked, choice.message.model_dump(exclude_none=True, exclude={"parsed"})]
        past += [{"role": "tool", "tool_call_id": call.id, "content": content}]
        made = await client.chat.completions.create(model="openclaw", messages=past)
        assert made.choices[0].message.content == "done"
        assert_decided(stand, shed.cut, content)


@DECISIONS
@pytest.mark.parametrize("stored", [True, False])
async def test_responses(tmp_path: Path, content: str, stored: bool) -> None:
    async with serving_shed(tmp_path, SAWS, says("done")) as (stand, shed), openai_client(stand) as client:
        first = await client.responses.create(model="openclaw", input="hi", store=stored)
        (call,) = (item for item in first.output if item.type == "function_call")
        assert (call.name, call.arguments) == ("saw", '{"at": 1}')
        output: Any = {"type": "function_call_output", "call_id": call.call_id, "output": content}
        if stored:
            made = await client.responses.create(
                model="openclaw", input=[output], previous_response_id=first.id
            )
        else:
            past: Any = [{"role": "user", "content": "hi"}, *(item.model_dump() for item in first.output)]
            made = await client.responses.create(model="openclaw", input=[*past, output], store=False)
        assert made.output_text == "done"
        assert_decided(stand, shed.cut, content)


@DECISIONS
async def test_messages(tmp_path: Path, content: str) -> None:
    async with (
        serving_shed(tmp_path, SAWS, says("done")) as (stand, shed),
        anthropic.AsyncAnthropic(
            base_url=stand.gateway.url, auth_token=CLIENT_TOKEN, api_key=None, max_retries=0
        ) as client,
    ):
        given: Any = {"model": "openclaw", "max_tokens": 100}
        asked: Any = {"role": "user", "content": "hi"}
        first = await client.messages.create(**given, messages=[asked])
        (call,) = (block for block in first.content if block.type == "tool_use")
        assert (first.stop_reason, call.name, call.input) == ("tool_use", "saw", {"at": 1})
        result: Any = {"type": "tool_result", "tool_use_id": call.id, "content": content}
        said: Any = {"role": "assistant", "content": first.content}
        made = await client.messages.create(
            **given, messages=[asked, said, {"role": "user", "content": [result]}]
        )
        assert [block.text for block in made.content if block.type == "text"] == ["done"]
        assert_decided(stand, shed.cut, content)


async def test_what_decides_nothing_is_an_error_of_the_clients_api(tmp_path: Path) -> None:
    async with serving_shed(tmp_path, SAWS) as (stand, shed), openai_client(stand) as client:
        first = await client.responses.create(model="openclaw", input="hi")
        output: Any = {"type": "function_call_output", "call_id": "call_" + "0" * 34, "output": APPROVED}
        with pytest.raises(openai.BadRequestError) as caught:
            await client.responses.create(model="openclaw", input=[output], previous_response_id=first.id)
    assert caught.value.code in ("approval_invalid", "invalid_request") and shed.cut == []


async def test_a_call_is_approved_after_a_restart(tmp_path: Path) -> None:
    asked: Any = [{"role": "user", "content": "hi"}]
    headers = {"x-openclaw-session-key": "s"}
    async with serving_shed(tmp_path, SAWS) as (stand, _), openai_client(stand) as client:
        first = await client.chat.completions.create(model="openclaw", messages=asked, extra_headers=headers)
        (call,) = first.choices[0].message.model_dump()["tool_calls"]
    decision: Any = [{"role": "tool", "tool_call_id": call["id"], "content": APPROVED}]
    async with serving_shed(tmp_path, says("done")) as (stand, shed), openai_client(stand) as client:
        made = await client.chat.completions.create(
            model="openclaw", messages=decision, extra_headers=headers
        )
        assert made.choices[0].message.content == "done"
        assert_decided(stand, shed.cut, APPROVED)
