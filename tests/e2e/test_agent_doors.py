"""OpenAI's client of the Responses API and Anthropic's client, driven against an agent of a real gateway."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pydantic
import pytest

from demo.models import openai_server as model
from demo.models.openai_chat import reply_text
from demo.models.openai_server import build_model
from tests.e2e.gateway_stand import CHAT, CHAT_KEY, Gateway, chat_provider, config_of, serving_gateway
from tests.routing.gateway_server import agents_on

SAID = "Grüße aus dem Test 🦞"


class Person(pydantic.BaseModel):
    name: str
    age: int


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    app = build_model(api_key=CHAT_KEY, eager_tools=False)
    primary = {"model": {"primary": f"{CHAT}/gpt-4o-mini"}}
    with model.running(app) as url:
        config = agents_on(
            config_of({CHAT: chat_provider(url)}, agents={"defaults": primary, "entries": {"main": {}}}),
            responses=True,
        )
        with serving_gateway(config, tmp_path_factory.mktemp("gateway")) as served:
            yield served


@pytest.fixture
def client(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with gateway.openai() as made:
        yield made


def test_a_response_is_made_streamed_and_parsed(client: openai.OpenAI) -> None:
    whole = client.responses.create(model="openclaw", input=SAID)
    assert whole.output_text == reply_text(SAID) and whole.status == "completed"
    with client.responses.stream(model="openclaw", input=SAID) as stream:
        kinds = [event.type for event in stream]
        assert stream.get_final_response().output_text == reply_text(SAID)
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed"
    parsed = client.responses.parse(model="openclaw", input="A person.", text_format=Person)
    assert isinstance(parsed.output_parsed, Person)


def test_a_response_is_continued_retrieved_listed_and_deleted(client: openai.OpenAI) -> None:
    first = client.responses.create(model="openclaw", input=SAID)
    second = client.responses.create(model="openclaw", input="again", previous_response_id=first.id)
    assert second.previous_response_id == first.id
    found = client.responses.retrieve(second.id)
    assert found.output_text == second.output_text and found.usage == second.usage
    (item,) = client.responses.input_items.list(second.id)
    assert item.type == "message"
    client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(first.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model="openclaw", input="x", previous_response_id=first.id)


def test_a_background_response_is_polled_followed_and_cancelled(client: openai.OpenAI) -> None:
    begun = client.responses.create(model="openclaw", input=SAID, background=True)
    until = time.monotonic() + 30
    while begun.status in ("queued", "in_progress") and time.monotonic() < until:
        begun = client.responses.retrieve(begun.id)
    assert begun.status == "completed" and begun.output_text == reply_text(SAID)
    assert client.responses.cancel(begun.id).status == "completed"
    events = list(client.responses.create(model="openclaw", input=SAID, background=True, stream=True))
    name = events[0].response.id  # type: ignore[union-attr]  # of a response that was created
    rest = list(client.responses.retrieve(name, stream=True, starting_after=2))
    assert [event.sequence_number for event in rest] == [event.sequence_number for event in events[3:]]


def test_a_tool_of_the_client_is_called_and_its_result_continues(client: openai.OpenAI) -> None:
    tool: Any = {
        "type": "function", "name": "weather", "strict": None, "parameters": {"type": "object", "properties": {}},
    }  # fmt: skip
    called = client.responses.create(
        model="openclaw", input="Use the weather tool.", tools=[tool], tool_choice="required"
    )
    (call,) = (item for item in called.output if item.type == "function_call")
    done = client.responses.create(
        model="openclaw",
        previous_response_id=called.id,
        tools=[tool],
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}],
    )
    assert done.status == "completed" and done.output_text


def test_a_conversation_is_made_and_continued(client: openai.OpenAI) -> None:
    item: Any = {"type": "message", "role": "user", "content": SAID}
    conversation = client.conversations.create(items=[item])
    assert client.conversations.retrieve(conversation.id) == conversation
    first = client.responses.create(model="openclaw", input="one", conversation=conversation.id)
    assert first.conversation is not None and first.conversation.id == conversation.id
    assert client.responses.create(model="openclaw", input="two", conversation=conversation.id).output_text
    listed = list(client.conversations.items.list(conversation.id, order="asc", limit=2))
    assert [item.type for item in listed] == ["message"] * 5
    assert client.conversations.delete(conversation.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model="openclaw", input="three", conversation=conversation.id)


def test_the_tokens_of_an_input_are_counted(client: openai.OpenAI) -> None:
    alone = client.responses.input_tokens.count(model="openclaw", input=SAID)
    one = client.responses.create(model="openclaw", input=SAID * 50)
    more = client.responses.input_tokens.count(model="openclaw", input=SAID, previous_response_id=one.id)
    assert more.input_tokens > 2 * alone.input_tokens > 0


def test_anthropics_client_speaks_to_an_agent(gateway: Gateway) -> None:
    with gateway.anthropic() as client:
        asked: Any = {"model": "openclaw", "max_tokens": 100, "messages": [{"role": "user", "content": SAID}]}
        (block,) = client.messages.create(**asked).content
        assert block.type == "text" and block.text == reply_text(SAID)
        with client.messages.stream(**asked) as stream:
            assert "".join(stream.text_stream) == reply_text(SAID)
        counted = client.messages.count_tokens(model="openclaw", messages=asked["messages"])
        assert counted.input_tokens > 0
        with pytest.raises(anthropic.BadRequestError):
            client.messages.create(**asked | {"model": "openclaw/nope"})
