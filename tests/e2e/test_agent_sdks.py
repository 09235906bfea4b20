"""OpenAI's client, driven against an agent, sees what it would see of OpenAI, and sessions where it requests them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pydantic
import pytest
from starlette.applications import Starlette

from demo.models import openai_server as model
from demo.models.openai_chat import reply_text, split
from demo.models.openai_server import build_model
from tests.agents.agent_stand import echoes
from tests.e2e.gateway_stand import CHAT, CHAT_KEY, Gateway, chat_provider, config_of, serving_gateway
from tests.e2e.test_gateway_sdks import ARGUMENTS, BOTH, CHAT_TOOLS, IMAGE, NAMES
from tests.e2e.waiting import poll
from tests.peers import faults
from tests.peers.upstream import FakeUpstream
from tests.routing.gateway_server import agents_on

SAID = "Grüße aus dem Test 🦞"
ASK: Any = [{"role": "user", "content": SAID}]
TEXT = reply_text(SAID)
STREAMED = pytest.mark.parametrize("streamed", [False, True])
OVERRIDE = "x-openclaw-model"


class Person(pydantic.BaseModel):
    name: str
    age: int


@dataclass(slots=True)
class AgentStand:
    gateway: Gateway
    model: Starlette

    @property
    def sent(self) -> Any:
        """The last body that the model got."""
        return json.loads(self.model.state.seen[-1].body)


def agent_config(url: str) -> dict[str, Any]:
    primary = {"model": {"primary": f"{CHAT}/gpt-4o-mini"}}
    entries: Any = {"main": {}, "research": {}}
    return agents_on(config_of({CHAT: chat_provider(url)}, agents={"defaults": primary, "entries": entries}))


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentStand]:
    app = build_model(api_key=CHAT_KEY, eager_tools=False)
    with (
        model.running(app) as url,
        serving_gateway(agent_config(url), tmp_path_factory.mktemp("gateway")) as gateway,
    ):
        yield AgentStand(gateway, app)


def chat(stand: AgentStand, messages: Any = ASK, *, streamed: bool = False, **more: Any) -> Any:
    """The first choice, and the usage; of a stream as the client adds it up."""
    given = {"model": "openclaw", "messages": messages, **more}
    with stand.gateway.openai() as client:
        if not streamed:
            whole = client.chat.completions.create(**given)
            return whole.choices[0], whole.usage
        with client.chat.completions.stream(**given, stream_options={"include_usage": True}) as stream:
            final = stream.get_final_completion()
            return final.choices[0], final.usage


def as_sent(message: Any) -> dict[str, Any]:
    """A message of the client, to be sent back."""
    made: dict[str, Any] = message.model_dump(exclude_none=True, exclude={"parsed"})
    for call in made.get("tool_calls", ()):
        call.pop("index", None)
        call["function"].pop("parsed_arguments", None)
    return made


@STREAMED
@pytest.mark.parametrize(
    "name", ["openclaw", "openclaw/default", "OpenClaw/Main", "openclaw:main", "agent:main"]
)
def test_text_and_usage(stand: AgentStand, name: str, streamed: bool) -> None:
    choice, usage = chat(stand, model=name, streamed=streamed)
    assert (choice.message.role, choice.message.content, choice.finish_reason) == ("assistant", TEXT, "stop")
    assert (usage.prompt_tokens, usage.completion_tokens) == (len(split(SAID)), len(split(TEXT)))


async def test_words_arrive_one_by_one_and_usage_where_it_is_requested(stand: AgentStand) -> None:
    async with stand.gateway.async_openai() as client:
        options: Any = ({}, {"stream_options": {"include_usage": True}})
        for more in options:
            stream: Any = await client.chat.completions.create(
                model="openclaw", messages=ASK, stream=True, **more
            )
            chunks = [chunk async for chunk in stream]
            deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
            assert deltas[0].role == "assistant"
            assert [delta.content for delta in deltas if delta.content] == list(split(TEXT))
            assert [chunk.usage is not None for chunk in chunks].count(True) == len(more)
            assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1


async def test_many_at_once_over_one_client(stand: AgentStand) -> None:
    """Each with its own text, half of them in one session each."""
    async with stand.gateway.async_openai() as client:

        async def one(number: int) -> None:
            said: Any = [{"role": "user", "content": f"number {number}"}]
            more: Any = {"user": f"many-{number}"} if number % 2 else {}
            made = await client.chat.completions.create(model="openclaw", messages=said, **more)
            assert made.choices[0].message.content == reply_text(f"number {number}")

        async with asyncio.TaskGroup() as group:
            for number in range(20):
                group.create_task(one(number))


@STREAMED
@pytest.mark.parametrize("user", ["", "tools-{}"])
def test_parallel_tools_there_and_back(stand: AgentStand, streamed: bool, user: str) -> None:
    """Both calls with their arguments; both results reach the model under the ids of their calls."""
    more: dict[str, Any] = {"tools": CHAT_TOOLS}
    if user:
        more["user"] = user.format(streamed)
    choice, _ = chat(stand, BOTH, streamed=streamed, **more)
    calls = choice.message.tool_calls
    assert choice.finish_reason == "tool_calls"
    assert [(call.function.name, json.loads(call.function.arguments)) for call in calls] == [
        (name, ARGUMENTS) for name in NAMES
    ]
    results = [{"role": "tool", "tool_call_id": call.id, "content": "12 C"} for call in calls]
    choice, _ = chat(stand, [*BOTH, as_sent(choice.message), *results], streamed=streamed, **more)
    assert choice.finish_reason == "stop" and choice.message.content
    sent = stand.sent["messages"]
    assert [turn["role"] for turn in sent] == ["user", "assistant", "tool", "tool"]
    assert [turn["tool_call_id"] for turn in sent[2:]] == [call.id for call in calls]


@STREAMED
def test_results_alone_continue_a_session(stand: AgentStand, streamed: bool) -> None:
    more: Any = {"tools": CHAT_TOOLS, "user": f"results-alone-{streamed}"}
    choice, _ = chat(stand, BOTH, streamed=streamed, **more)
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": "12 C"} for call in choice.message.tool_calls
    ]
    choice, _ = chat(stand, results, streamed=streamed, **more)
    assert choice.finish_reason == "stop"
    assert [turn["role"] for turn in stand.sent["messages"]] == ["user", "assistant", "tool", "tool"]


def test_a_tool_by_its_name_none_required_and_one_at_a_time(stand: AgentStand) -> None:
    named = {"type": "function", "function": {"name": "clock"}}
    choice, _ = chat(stand, tools=CHAT_TOOLS, tool_choice=named)
    assert [call.function.name for call in choice.message.tool_calls] == ["clock"]
    assert stand.sent["tool_choice"] == named
    choice, _ = chat(stand, BOTH, tools=CHAT_TOOLS, tool_choice="none")
    assert choice.message.tool_calls is None and choice.message.content
    choice, _ = chat(stand, BOTH, tools=CHAT_TOOLS, tool_choice="required", parallel_tool_calls=False)
    assert len(choice.message.tool_calls) == 1


@STREAMED
def test_structured_output_is_parsed(stand: AgentStand, streamed: bool) -> None:
    given: Any = {"model": "openclaw", "messages": ASK, "response_format": Person}
    with stand.gateway.openai() as client:
        if streamed:
            with client.chat.completions.stream(**given) as stream:
                parsed = stream.get_final_completion().choices[0].message.parsed
        else:
            parsed = client.chat.completions.parse(**given).choices[0].message.parsed
    assert parsed == Person(name="Zürich", age=1)
    assert stand.sent["response_format"]["json_schema"]["strict"] is True


def test_tools_are_parsed_by_the_client(stand: AgentStand) -> None:
    tool = openai.pydantic_function_tool(Person)
    with stand.gateway.openai() as client:
        made = client.chat.completions.parse(
            model="openclaw", messages=ASK, tools=[tool], tool_choice="required"
        )
    calls = made.choices[0].message.tool_calls or []
    assert [call.function.parsed_arguments for call in calls] == [Person(name="Zürich", age=1)]


def test_images_arrive_byte_for_byte(stand: AgentStand) -> None:
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{IMAGE}"}}
    choice, _ = chat(stand, [{"role": "user", "content": [{"type": "text", "text": SAID}, image]}])
    assert choice.message.content == TEXT
    assert image in stand.sent["messages"][0]["content"]


@pytest.mark.parametrize(
    "named", [{"user": "ann"}, {"extra_headers": {"x-openclaw-session-key": "ann-2"}}], ids=["user", "header"]
)
@STREAMED
def test_a_session_remembers_what_is_new_alone(stand: AgentStand, named: Any, streamed: bool) -> None:
    named = json.loads(json.dumps(named).replace("ann", f"ann-{streamed}"))
    chat(stand, streamed=streamed, **named)
    chat(stand, [{"role": "user", "content": "and now?"}], streamed=streamed, **named)
    assert [turn["content"] for turn in stand.sent["messages"]] == [SAID, TEXT, "and now?"]
    chat(stand, [{"role": "user", "content": "and now?"}], streamed=streamed)
    assert len(stand.sent["messages"]) == 1  # without a name it is another one each time


def test_headers_name_agent_run_and_session(stand: AgentStand) -> None:
    with stand.gateway.openai() as client:
        raw = client.chat.completions.with_raw_response.create(
            model="openclaw/research", messages=ASK, user="raw", store=True, metadata={"a": "b"}
        )
    assert raw.headers["x-clawgate-agent"] == "research"
    assert raw.headers["x-clawgate-session"] == "agent:research:openai-user:raw"
    assert raw.headers["x-clawgate-ignored"] == "metadata, store"
    assert raw.headers["cache-control"] == "no-store"
    assert raw.parse().id == f"chatcmpl_{raw.headers['x-clawgate-run']}"


@STREAMED
def test_a_key_makes_a_repeat_the_same_response(stand: AgentStand, streamed: bool) -> None:
    key = {"Idempotency-Key": f"sdk-{streamed}"}
    with stand.gateway.openai() as client:
        made = [
            client.chat.completions.with_raw_response.create(
                model="openclaw", messages=ASK, stream=streamed, extra_headers=key
            )
            for _ in range(2)
        ]
        bodies = [list(raw.http_response.iter_bytes()) for raw in made]
        requests = len(stand.model.state.seen)
        assert b"".join(bodies[0]) == b"".join(bodies[1])
        assert [raw.headers.get("x-clawgate-repeated") for raw in made] == [None, "true"]
        with pytest.raises(openai.ConflictError) as caught:
            client.chat.completions.create(model="openclaw", messages=BOTH, extra_headers=key)
    assert caught.value.code == "idempotency_mismatch"
    assert len(stand.model.state.seen) == requests


def test_a_stream_is_resumed_behind_the_last_event(stand: AgentStand) -> None:
    """The client leaves in the middle, and comes back for the rest: none is missing, none comes twice."""
    given: Any = {"model": "openclaw", "messages": ASK, "stream": True}
    with stand.gateway.openai() as client:
        create = client.chat.completions.with_streaming_response.create
        with create(**given, extra_headers={"x-clawgate-disconnect": "detach"}) as first:
            lines = first.iter_lines()
            begin = [next(lines) for _ in range(12)]
        (*_, last) = (line for line in begin if line.startswith("id: "))
        with create(**given, extra_headers={"Last-Event-ID": last.removeprefix("id: ")}) as second:
            rest = list(second.iter_lines())
    seen = begin[: begin.index(last) + 2]
    chunks = [json.loads(line[6:]) for line in [*seen, *rest] if line.startswith("data: {")]
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == TEXT
    assert rest[-2:] == ["data: [DONE]", ""] and len({chunk["id"] for chunk in chunks}) == 1


@pytest.mark.parametrize(
    ("given", "kind", "code", "param"),
    [
        ({"model": "openclaw/nope"}, openai.BadRequestError, "invalid_request", "model"),
        ({"temperature": 9}, openai.BadRequestError, "invalid_request", "temperature"),
        ({"n": 2}, openai.BadRequestError, "invalid_request", "n"),
        ({"logprobs": True}, openai.BadRequestError, "invalid_request", "logprobs"),
        ({"messages": []}, openai.BadRequestError, "invalid_request", "messages"),
        ({"tool_choice": "required"}, openai.BadRequestError, "invalid_request", "tool_choice"),
        ({"extra_headers": {OVERRIDE: "nope/m"}}, openai.NotFoundError, "model_not_found", "model"),
        ({"extra_headers": {"x-openclaw-session-key": "cron:1"}}, openai.BadRequestError, "invalid_request",
         "x-openclaw-session-key"),
        ({"extra_headers": {"Last-Event-ID": "nope-3"}}, openai.NotFoundError, "run_not_found", "last-event-id"),
        ({"messages": [{"role": "tool", "tool_call_id": "c", "content": "x"}]}, openai.BadRequestError,
         "invalid_request", "messages[0].tool_call_id"),
    ],
)  # fmt: skip
@STREAMED
def test_what_is_wrong_with_a_request_is_known_before_it_starts(
    stand: AgentStand, given: Any, kind: type[openai.APIStatusError], code: str, param: str, streamed: bool
) -> None:
    with stand.gateway.openai() as client, pytest.raises(kind) as caught:
        client.chat.completions.create(**{"model": "openclaw", "messages": ASK, "stream": streamed, **given})
    assert (caught.value.code, caught.value.param) == (code, param)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (404, openai.NotFoundError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
def test_a_failure_of_the_model_has_its_class_or_is_in_the_stream(
    stand: AgentStand, status: int, kind: type[openai.APIStatusError]
) -> None:
    """A stream has begun already: the client raises what it raises for an error of OpenAI in a stream."""
    given: Any = {"model": "openclaw", "messages": ASK, "extra_headers": {OVERRIDE: f"{CHAT}/error-{status}"}}
    with stand.gateway.openai() as client:
        with pytest.raises(kind) as caught:
            client.chat.completions.create(**given)
        with pytest.raises(openai.APIError) as in_stream:
            list(client.chat.completions.create(**given, stream=True))
    code = "upstream_unauthorized" if status == 401 else "upstream_failed"
    assert (caught.value.status_code, caught.value.code, in_stream.value.code) == (status, code, code)
    assert caught.value.response.headers.get("retry-after") == ("7" if status == 429 else None)


@STREAMED
@pytest.mark.parametrize(("fault", "code"), [("cut", "upstream_closed"), ("error", "upstream_failed")])
def test_a_stream_that_breaks_never_looks_finished(
    stand: AgentStand, fault: str, code: str, streamed: bool
) -> None:
    given: Any = {
        "model": "openclaw",
        "messages": ASK,
        "extra_headers": {OVERRIDE: f"{CHAT}/{fault}-in-stream"},
    }
    reasons: list[str | None] = []

    def read(client: openai.OpenAI) -> None:
        chunks: Any = client.chat.completions.create(**given, stream=streamed)
        for chunk in chunks:
            reasons.append(chunk.choices[0].finish_reason)  # noqa: PERF401  # what came before the exception counts

    with stand.gateway.openai() as client, pytest.raises(openai.APIError) as caught:
        read(client)
    assert caught.value.code == code and set(reasons) <= {None}


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "retried"}], ids=["no key", "key"])
@pytest.mark.parametrize("status", [429, 503])
async def test_the_clients_own_retry_succeeds(status: int, headers: dict[str, str], tmp_path: Path) -> None:
    """A run that failed is no result for its key."""
    async with FakeUpstream(faults.error_response(status), echoes) as upstream:
        with serving_gateway(agent_config(upstream.url), tmp_path) as gateway:
            async with gateway.async_openai().with_options(max_retries=1) as client:
                made = await client.chat.completions.create(
                    model="openclaw", messages=ASK, extra_headers=headers
                )
        assert len(upstream.requests) == 2
    assert made.choices[0].message.content == f"{SAID} (1)"


def test_a_timeout_of_the_client_ends_the_run(stand: AgentStand) -> None:
    given: Any = {"model": "openclaw", "messages": ASK, "extra_headers": {OVERRIDE: f"{CHAT}/hang"}}
    with stand.gateway.openai(timeout=0.3) as client, pytest.raises(openai.APITimeoutError):
        client.chat.completions.create(**given)
    poll(lambda: stand.gateway.quiet, "the model to be free again")


def test_the_models_are_the_agents_and_the_models(stand: AgentStand) -> None:
    with stand.gateway.openai() as client:
        assert [one.id for one in client.models.list()] == [
            "openclaw", "openclaw/default", "openclaw/main", "openclaw/research", f"{CHAT}/gpt-4o-mini",
        ]  # fmt: skip
        for name in ("openclaw", "openclaw/main", f"{CHAT}/gpt-4o-mini"):
            assert client.models.retrieve(name).id == name
        for path in ("/models/openclaw/main", "/models/openclaw%2Fmain"):
            assert client.get(path, cast_to=dict)["id"] == "openclaw/main"
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve("openclaw/nope")


def test_embeddings_need_a_model_of_the_agents_memory(stand: AgentStand) -> None:
    with stand.gateway.openai() as client:
        with pytest.raises(openai.InternalServerError) as caught:
            client.embeddings.create(model="openclaw", input="a")
        made = client.embeddings.create(
            model="openclaw", input=["a", "b"], extra_headers={OVERRIDE: f"{CHAT}/text-embedding-3-small"}
        )
    assert caught.value.code == "provider_not_configured"
    assert len(made.data) == 2


def test_a_wrong_token_learns_nothing(stand: AgentStand) -> None:
    with stand.gateway.openai(key="not-the-token") as client:
        for call in (client.models.list, lambda: client.models.retrieve("openclaw/nope")):
            with pytest.raises(openai.AuthenticationError):
                call()
        with pytest.raises(openai.AuthenticationError) as caught:
            client.chat.completions.create(model="openclaw/nope", messages=ASK)
    assert caught.value.code == "invalid_token"
