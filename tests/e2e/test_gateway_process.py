"""The gateway as its user starts it: one command, one config file, and the official clients."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from anthropic import Anthropic
from openai import OpenAI
from starlette.applications import Starlette

from demo.models.anthropic_server import build_messages_model
from demo.models.openai_chat import reply_text
from demo.models.openai_server import build_model, running
from tests.e2e.gateway_stand import (
    CHAT,
    CHAT_KEY,
    CLAUDE,
    CLAUDE_KEY,
    GATEWAY_TOKEN,
    SECRETS,
    chat_provider,
    claude_provider,
    config_of,
    write_config,
)
from tests.e2e.processes import Process, environment, started
from tests.e2e.stand import PATIENCE
from tests.e2e.waiting import poll

SAID = "a private word"
ASK: Any = [{"role": "user", "content": SAID}]


@dataclass
class Running:
    """The process, its config file, and the models behind it."""

    process: Process
    config: Path
    chat: Starlette
    chat_url: str
    claude_url: str

    def openai(self) -> OpenAI:
        return OpenAI(
            base_url=f"{self.process.url}/v1", api_key=GATEWAY_TOKEN, max_retries=0, timeout=PATIENCE
        )

    def anthropic(self) -> Anthropic:
        return Anthropic(base_url=self.process.url, api_key=GATEWAY_TOKEN, max_retries=0, timeout=PATIENCE)

    @property
    def said(self) -> str:
        return self.process.out + self.process.err


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Running]:
    """Secrets stand in the file as references; the process finds them in its environment."""
    chat, claude = build_model(api_key=CHAT_KEY), build_messages_model(api_key=CLAUDE_KEY)
    env = environment(tmp_path, CHAT_KEY=CHAT_KEY, CLAUDE_KEY=CLAUDE_KEY, GATEWAY_TOKEN=GATEWAY_TOKEN)
    config = tmp_path / "my.json"
    command = [
        sys.executable,
        "-m",
        "clawgate",
        "gateway",
        "run",
        "--config",
        str(config),
        "--port",
        "0",
        "--verbose",
    ]
    with running(chat) as chat_url, running(claude) as claude_url:
        write_config(config, referring(chat_url, claude_url))
        with started(command, tmp_path / "gateway", env) as process:
            yield Running(process, config, chat, chat_url, claude_url)


def referring(chat_url: str, claude_url: str) -> dict[str, Any]:
    """A config without a secret in it."""
    providers = {
        CHAT: {**chat_provider(chat_url), "apiKey": "${CHAT_KEY}"},
        CLAUDE: {**claude_provider(claude_url), "apiKey": "${CLAUDE_KEY}"},
    }
    config = config_of(providers)
    config["gateway"]["auth"]["token"] = "${GATEWAY_TOKEN}"
    return config


def test_it_serves_reloads_and_stops_and_tells_no_secret(gateway: Running) -> None:
    """Both clients, both providers; an edited file counts without a signal; SIGTERM lets a stream end, then exit 0."""
    with gateway.openai() as openai, gateway.anthropic() as anthropic:
        for model in (f"{CHAT}/m", f"{CLAUDE}/m"):
            completion = openai.chat.completions.create(model=model, messages=ASK)
            assert completion.choices[0].message.content == reply_text(SAID)
            with anthropic.messages.stream(model=model, messages=ASK, max_tokens=99) as stream:
                assert stream.get_final_text() == reply_text(SAID)

        more = referring(gateway.chat_url, gateway.claude_url)
        more["models"]["providers"]["added"] = more["models"]["providers"][CHAT]
        write_config(gateway.config, more)
        poll(
            lambda: "added/gpt-4o-mini" in [model.id for model in openai.models.list()], "the added provider"
        )
        more["gateway"]["port"] = "x"
        write_config(gateway.config, more)
        poll(lambda: "NOT used" in gateway.said, "the complaint about the unusable file")
        assert openai.chat.completions.create(model="added/m", messages=ASK).choices

        words = openai.chat.completions.create(model=f"{CHAT}/delay-30", messages=ASK, stream=True)
        text = next(words).choices[0].delta.content or ""
        gateway.process.send()
        text += "".join(part.choices[0].delta.content or "" for part in words)
        assert text == reply_text(SAID)
    assert gateway.process.wait() == 0
    for secret in (*SECRETS, SAID):
        assert secret not in gateway.said
    assert "Traceback" not in gateway.said


def test_kill_9_of_a_model_is_an_exception_and_the_gateway_goes_on(gateway: Running, tmp_path: Path) -> None:
    """In the middle of a stream; the next request to another provider is served as if nothing had been."""
    command = [sys.executable, "-m", "demo.models.anthropic_server", "--port", "0"]
    with started(command, tmp_path / "model", environment(tmp_path, MODEL_API_KEY=CLAUDE_KEY)) as model:
        write_config(gateway.config, referring(gateway.chat_url, model.url))
        with gateway.anthropic() as anthropic, gateway.openai() as openai:
            poll(lambda: "config change applied" in gateway.said, "the other address")
            stream = openai.chat.completions.create(model=f"{CLAUDE}/delay-100", messages=ASK, stream=True)
            next(stream)
            model.popen.kill()
            with pytest.raises(Exception, match="closed the connection") as caught:
                list(stream)
            assert getattr(caught.value, "code", None) == "upstream_closed"
            message = anthropic.messages.create(model=f"{CHAT}/m", messages=ASK, max_tokens=99)
            assert message.content[0].type == "text" and message.content[0].text == reply_text(SAID)
