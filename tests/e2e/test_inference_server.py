"""A server of one's own: llama.cpp behind nginx, with each guard, through a gateway and the official clients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from openai import OpenAI

from tests.e2e.certificates import Authority
from tests.e2e.gateway_stand import GATEWAY_TOKEN
from tests.e2e.inference_stand import (
    BASIC,
    GUARDS,
    MODEL,
    PASSWORD,
    TOKEN,
    Front,
    Gateway,
    gateway_process,
    llama_server,
    needs_server,
    nginx_front,
    provider_at,
)
from tests.e2e.processes import Process
from tests.e2e.stand import PATIENCE
from tests.e2e.tiny_gguf import WORDS

pytestmark = needs_server

ASK: Any = {"messages": [{"role": "user", "content": "Grüße"}], "max_tokens": 24, "temperature": 0}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with llama_server(tmp_path_factory.mktemp("llama")) as process:
        yield process


def streamed(client: OpenAI, model: str, **more: Any) -> tuple[str, list[Any]]:
    """The text of a stream, and its chunks."""
    chunks = list(client.chat.completions.create(model=model, stream=True, **{**ASK, **more}))
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices), chunks


def asked(client: OpenAI, model: str, **more: Any) -> Any:
    return client.chat.completions.create(model=model, **{**ASK, **more})


@pytest.fixture(scope="module")
def fronts(server: Process, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Front]]:
    """One nginx for each guard, and one with TLS as well."""
    folder = tmp_path_factory.mktemp("nginx")
    authority = Authority(folder, "private-ca")
    with (
        nginx_front(folder / "none", server.url, "none") as none,
        nginx_front(folder / "basic", server.url, "basic") as basic,
        nginx_front(folder / "bearer", server.url, "bearer") as bearer,
        nginx_front(folder / "header", server.url, "header") as header,
        nginx_front(folder / "tls", server.url, "basic", authority=authority) as tls,
    ):
        yield {"none": none, "basic": basic, "bearer": bearer, "header": header, "tls": tls}


@pytest.fixture(scope="module")
def gateway(fronts: dict[str, Front], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    providers = {guard: provider_at(fronts[guard].url, guard) for guard in ("basic", *GUARDS)}
    authority = fronts["tls"].folder.parent / "private-ca.pem"
    providers["tls"] = provider_at(fronts["tls"].url, "basic", tls={"ca": str(authority)})
    providers["tls-unknown"] = provider_at(fronts["tls"].url, "basic")
    for guard in GUARDS[1:]:
        providers[f"{guard}-wrong"] = provider_at(fronts[guard].url, guard)
        auth = providers[f"{guard}-wrong"]["request"]["auth"]
        auth["token" if "token" in auth else "value"] = "d3Jvbmc6d3Jvbmc="
    folder = tmp_path_factory.mktemp("kinds")
    with (
        llama_server(folder / "reasons", reasons=True, seed=6) as reasons,
        llama_server(folder / "calls", calls=True) as calls,
        gateway_process(
            folder / "gateway",
            providers | {"reasons": provider_at(reasons.url), "calls": provider_at(calls.url)},
        ) as running,
    ):
        yield running


@pytest.mark.parametrize("provider", [*GUARDS, "tls"])
def test_completions_are_made_and_streamed_through_nginx_with_each_guard(
    provider: str, gateway: Gateway
) -> None:
    with gateway.client() as client:
        whole = asked(client, f"{provider}/{MODEL}")
        text, chunks = streamed(client, f"{provider}/{MODEL}", stream_options={"include_usage": True})
    assert whole.choices[0].message.content == text and set(text.split()) <= set(WORDS)
    assert whole.usage.completion_tokens == chunks[-1].usage.completion_tokens > 0
    assert len(chunks) > 5


@pytest.mark.parametrize("guard", ["basic", "bearer", "header"])
def test_a_wrong_credential_is_reported_as_the_providers_and_never_shown(
    guard: str, gateway: Gateway
) -> None:
    """nginx rejects it with an HTML page."""
    with gateway.client() as client, pytest.raises(openai.APIStatusError) as caught:
        asked(client, f"{guard}-wrong/{MODEL}")
    assert caught.value.status_code == (403 if guard == "header" else 401)
    if guard != "header":
        assert f"check the credential of the provider '{guard}-wrong'" in caught.value.message
    for secret in (BASIC, PASSWORD, TOKEN):
        assert secret not in gateway.output + caught.value.response.text


def test_a_certificate_of_an_unknown_authority_is_refused_with_its_fix(gateway: Gateway) -> None:
    with gateway.client() as client, pytest.raises(openai.InternalServerError, match="TLS failed") as caught:
        asked(client, f"tls-unknown/{MODEL}")
    assert "CA file" in caught.value.message


def test_an_agent_speaks_with_the_model_whole_and_streamed(
    gateway: Gateway, fronts: dict[str, Front]
) -> None:
    with gateway.client() as client:
        whole = asked(client, "openclaw")
        text, _ = streamed(client, "openclaw")
        response = client.responses.create(model="openclaw", input="Grüße", max_output_tokens=24)
    assert set(whole.choices[0].message.content.split()) <= set(WORDS)
    assert set(text.split()) <= set(WORDS) and text
    assert response.output_text
    assert all('" 200 ' in line for line in fronts["basic"].log[-3:])


def test_a_conversation_that_is_too_long_says_so_in_each_dialect(gateway: Gateway) -> None:
    """llama.cpp: 400 `exceed_context_size_error`."""
    long: Any = [{"role": "user", "content": "the dog " * 2000}]
    with gateway.client() as client, claude(gateway) as claude_client:
        for model in (f"basic/{MODEL}", "openclaw"):
            with pytest.raises(openai.BadRequestError, match="exceeds the available context size"):
                client.chat.completions.create(model=model, messages=long)
        with pytest.raises(anthropic.BadRequestError, match="exceeds the available context size"):
            claude_client.messages.create(model=f"basic/{MODEL}", messages=long, max_tokens=9)


def claude(gateway: Gateway) -> anthropic.Anthropic:
    """Anthropic's own client for the gateway."""
    return anthropic.Anthropic(
        base_url=gateway.process.url, api_key=GATEWAY_TOKEN, max_retries=0, timeout=PATIENCE
    )


def test_anthropics_client_speaks_to_it_and_counts_tokens(gateway: Gateway) -> None:
    """llama.cpp begins a stream with a null where text may be: no text block begins with it."""
    messages: Any = [{"role": "user", "content": "Grüße"}]
    with claude(gateway) as client:
        whole = client.messages.create(model=f"basic/{MODEL}", messages=messages, max_tokens=24)
        with client.messages.stream(model=f"basic/{MODEL}", messages=messages, max_tokens=24) as stream:
            streamed = stream.get_final_message()
        counted = client.messages.count_tokens(model=f"basic/{MODEL}", messages=messages)
    for message in (whole, streamed):
        (block,) = message.content
        assert block.type == "text" and set(block.text.split()) <= set(WORDS)
        assert message.usage.output_tokens > 0
    assert counted.input_tokens > 0


def test_the_models_of_each_provider_are_listed(gateway: Gateway) -> None:
    with gateway.client() as client:
        assert {f"{guard}/{MODEL}" for guard in GUARDS} <= {model.id for model in client.models.list()}


def test_a_model_that_reasons_shows_its_thoughts_apart_from_its_text(gateway: Gateway) -> None:
    with gateway.client() as client, claude(gateway) as claude_client:
        whole = asked(client, f"reasons/{MODEL}").choices[0].message
        text, chunks = streamed(client, f"reasons/{MODEL}")
        deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
        thought = "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)
        assert thought and thought == whole.reasoning_content and text == whole.content
        message = claude_client.messages.create(
            model=f"reasons/{MODEL}", messages=ASK["messages"], max_tokens=400, extra_body={"temperature": 0}
        )
        assert [block.type for block in message.content] == ["thinking", "text"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_that_calls_tools_does_so_in_each_dialect(stream: bool, gateway: Gateway) -> None:
    asks: Any = {"model": f"calls/{MODEL}", "messages": ASK["messages"], "max_tokens": 400}
    schema = {"type": "object", "properties": {"where": {"enum": ["up", "down"]}}, "required": ["where"]}
    with gateway.client() as client, claude(gateway) as claude_client:
        tools: Any = [{"type": "function", "function": {"name": "look", "parameters": schema}}]
        if stream:
            chunks = list(client.chat.completions.create(**asks, tools=tools, stream=True, temperature=0))
            calls = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or []]
        else:
            calls = (
                client.chat.completions.create(**asks, tools=tools, temperature=0)
                .choices[0]
                .message.tool_calls
            )
        assert calls[0].function.name == "look"
        asks |= {"tools": [{"name": "look", "input_schema": schema}], "extra_body": {"temperature": 0}}
        if stream:
            with claude_client.messages.stream(**asks) as events:
                message = events.get_final_message()
        else:
            message = claude_client.messages.create(**asks)
        (used, *_) = (block for block in message.content if block.type == "tool_use")
        assert used.name == "look" and used.input in ({"where": "up"}, {"where": "down"})
