"""What goes wrong at a server of one's own, behind a real nginx: each failure is one that its user understands."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from tests.e2e.inference_stand import (
    MODEL,
    Gateway,
    gateway_process,
    llama_server,
    needs_server,
    nginx_front,
    provider_at,
)
from tests.e2e.processes import Process
from tests.e2e.test_inference_server import ASK, asked, claude, streamed

pytestmark = needs_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with llama_server(tmp_path_factory.mktemp("llama"), key="llama-key-3Wz") as process:
        yield process


@contextlib.contextmanager
def silent_port(backlog: int) -> Iterator[str]:
    """An address that never answers; without a backlog nobody listens there."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        if backlog:
            held.listen(backlog)
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@pytest.fixture(scope="module")
def gateway(server: Process, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("fronts")
    key = "proxy_set_header Authorization 'Bearer llama-key-3Wz';"
    with (
        silent_port(0) as nobody,
        silent_port(64) as mute,
        nginx_front(folder / "down", nobody) as down,
        nginx_front(folder / "slow", mute, location="proxy_read_timeout 1s;") as slow,
        nginx_front(folder / "small", server.url, http="client_max_body_size 1k;", location=key) as small,
        nginx_front(folder / "closed", server.url, location="deny all;") as closed,
        nginx_front(folder / "gzip", server.url, location=key, http=GZIP) as gzip,
        nginx_front(folder / "hasty", server.url, location=key, http="keepalive_requests 2;") as hasty,
        nginx_front(folder / "buffered", server.url, location=key) as buffered,
        nginx_front(folder / "prefix", f"{server.url}/", path="/llm/", location=key) as prefix,
    ):
        fronts = {
            "down": down, "slow": slow, "small": small, "closed": closed, "gzip": gzip, "hasty": hasty,
            "buffered": buffered,
        }  # fmt: skip
        providers = {name: provider_at(front.url) for name, front in fronts.items()}
        providers["prefix"] = provider_at(f"{prefix.url}/llm")
        providers["wrong-path"] = provider_at(f"{small.url}/v1/chat")
        providers["own-key"] = {**provider_at(server.url), "apiKey": "llama-key-3Wz"}
        providers["own-key-wrong"] = {**provider_at(server.url), "apiKey": "llama-key-4Xy"}
        providers["nobody"] = provider_at(nobody)
        providers["not-tls"] = provider_at(server.url.replace("http", "https", 1))
        own = {"providers": {"not-tls": {"timeouts": {"connect": 1}}}}
        with gateway_process(
            folder / "gateway", providers, more={"plugins": {"entries": {"clawgate": {"config": own}}}}
        ) as running:
            yield running


GZIP = "gzip on; gzip_min_length 1; gzip_proxied any; gzip_types application/json text/event-stream;"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("provider", "status", "words"),
    [
        ("down", 502, "it does not reach the model server behind it"),
        ("slow", 504, "took longer than a proxy in front of it waits"),
        ("closed", 403, "check the credential of the provider 'closed'"),
        ("nobody", 503, "connection refused"),
        ("not-tls", 504, "does the URL have to begin with http://?"),
        ("own-key-wrong", 401, "check the credential of the provider 'own-key-wrong'"),
    ],
)
def test_a_failure_has_its_status_and_names_its_likely_cause(
    provider: str, status: int, words: str, stream: bool, gateway: Gateway
) -> None:
    """In OpenAI's dialect and, translated, in Anthropic's; nginx itself sends an HTML page."""
    more: Any = {"messages": ASK["messages"], "max_tokens": 9, "stream": stream}
    with gateway.client() as client, claude(gateway) as claude_client:
        with pytest.raises(openai.APIStatusError) as caught:
            client.chat.completions.create(model=f"{provider}/{MODEL}", **more)
        assert (caught.value.status_code, words in caught.value.message) == (status, True), caught.value
        with pytest.raises(anthropic.APIStatusError) as translated:
            claude_client.messages.create(model=f"{provider}/{MODEL}", **more)
        assert (translated.value.status_code, words in str(translated.value)) == (status, True)


def test_a_request_that_is_too_large_for_the_proxy_names_its_limit(gateway: Gateway) -> None:
    long: Any = [{"role": "user", "content": "x" * 5000}]
    with gateway.client() as client:
        assert asked(client, f"small/{MODEL}").choices
        with pytest.raises(openai.APIStatusError, match="client_max_body_size") as caught:
            client.chat.completions.create(model=f"small/{MODEL}", messages=long)
    assert caught.value.status_code == 413


@pytest.mark.parametrize("provider", ["gzip", "hasty", "buffered", "prefix", "own-key"])
def test_a_proxy_may_compress_close_buffer_and_have_a_path(provider: str, gateway: Gateway) -> None:
    """Twelve requests over connections that nginx ends after two, and so on; translated ones too."""
    model = f"{provider}/{MODEL}"
    with gateway.client() as client, claude(gateway) as claude_client:
        for _ in range(4):
            text = asked(client, model).choices[0].message.content
            assert text and text == streamed(client, model)[0]
            assert claude_client.messages.create(model=model, messages=ASK["messages"], max_tokens=9).content


def test_an_agent_whose_model_server_is_down_says_what_is_wrong(gateway: Gateway) -> None:
    with gateway.client() as client, pytest.raises(openai.APIStatusError) as caught:
        asked(client, "openclaw")
    assert caught.value.status_code == 502 and "does not reach the model server" in caught.value.message


def test_a_proxy_that_dies_mid_stream_is_an_error_and_no_short_reply(tmp_path: Path) -> None:
    """While the client reads nothing, 20 MB of probabilities are more than any buffer in between holds."""
    long: Any = {"max_tokens": 900, "logprobs": True, "top_logprobs": 300, "extra_body": {"ignore_eos": True}}
    with (
        llama_server(tmp_path / "llama") as server,
        nginx_front(tmp_path / "nginx", server.url) as front,
        gateway_process(tmp_path / "gateway", {"own": provider_at(front.url)}) as gateway,
        gateway.client() as client,
    ):
        stream = client.chat.completions.create(model=f"own/{MODEL}", stream=True, **{**ASK, **long})
        next(stream)
        front.process.popen.kill()
        with pytest.raises(openai.APIError, match="closed the connection"):
            list(stream)
