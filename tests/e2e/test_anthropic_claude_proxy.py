"""A gateway that starts its Claude proxy: the official clients get answers, and failures are what they are."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from anthropic import Anthropic
from openai import OpenAI

from tests.bundled.anthropic_claude_proxy.host import command
from tests.e2e.gateway_stand import GATEWAY_TOKEN, config_of, write_config
from tests.e2e.processes import Process, environment, started
from tests.e2e.stand import PATIENCE
from tests.e2e.waiting import poll
from tests.ports import free_port

ID = "anthropic-claude-proxy"
MODELS = (
    "claude-opus-4.6",
    "claude-opus-4-6-thinking",
    "fault-404",
    "fault-key",
    "fault-529",
    "fault-cut",
    "fault-late",
    "served-by-claude-opus-4-7",
)
pytestmark = [pytest.mark.timeout(280), pytest.mark.slow]
"""Each starts three programs or more; on a machine that is busy that takes a while."""

ASK: Any = [{"role": "user", "content": "ping"}]


@dataclass
class Running:
    """The gateway, the records of its proxy, and the official clients."""

    process: Process
    records: Path
    environment: dict[str, str]

    @property
    def said(self) -> str:
        return self.process.out + self.process.err

    @property
    def pids(self) -> list[int]:
        return [int(pid) for pid in re.findall(r" info .*: ready, pid (\d+)", self.said)]

    def openai(self) -> OpenAI:
        return OpenAI(
            base_url=f"{self.process.url}/v1", api_key=GATEWAY_TOKEN, max_retries=0, timeout=PATIENCE
        )

    def anthropic(self) -> Anthropic:
        return Anthropic(base_url=self.process.url, api_key=GATEWAY_TOKEN, max_retries=0, timeout=PATIENCE)

    def bodies(self) -> list[dict[str, Any]]:
        """What the proxy was asked."""
        if not self.records.exists():
            return []
        return [json.loads(line)["body"] for line in self.records.read_text().splitlines()]

    def status(self) -> tuple[int, dict[str, Any]]:
        words = [sys.executable, "-m", "clawgate", ID, "status", "--json"]
        found = subprocess.run(
            words, env=self.environment, capture_output=True, timeout=PATIENCE, check=False
        )
        return found.returncode, json.loads(found.stdout)


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Running]:
    port, records = free_port(), tmp_path / "records"
    config = config_of(
        {
            ID: {
                "baseUrl": f"http://127.0.0.1:{port}",
                "api": "anthropic-messages",
                "request": {"allowPrivateNetwork": True},
                "models": [{"id": model, "name": model} for model in MODELS],
            }
        }
    )
    config["gateway"]["port"] = free_port()
    settings = {"port": port, "restartDelayMs": 5000, "command": command("--record", str(records))}
    config["plugins"] = {"entries": {ID: {"enabled": True, "config": settings}}}
    env = environment(tmp_path)
    state = Path(env["OPENCLAW_STATE_DIR"])
    state.mkdir(mode=0o700)
    write_config(state / "openclaw.json", config)
    words = [sys.executable, "-m", "clawgate", "gateway", "run", "--verbose"]
    with started(words, tmp_path / "gateway", env) as process:
        found = Running(process, records, env)
        poll(lambda: bool(found.pids), "a proxy that is ready")
        yield found


def test_the_official_clients_are_answered_and_the_proxy_lives_and_dies_with_the_gateway(
    gateway: Running,
) -> None:
    assert f"{ID}: starting proxy..." in gateway.said
    with gateway.openai() as chat, gateway.anthropic() as messages:
        parts = chat.chat.completions.create(model=f"{ID}/claude-opus-4.6", messages=ASK, stream=True)
        assert "".join(part.choices[0].delta.content or "" for part in parts if part.choices) == "pong"
        model = f"{ID}/claude-opus-4-6-thinking"
        with messages.messages.stream(model=model, messages=ASK, max_tokens=9000) as stream:
            assert stream.get_final_text() == "pong"
        assert messages.messages.create(model=model, messages=ASK, max_tokens=9000).stop_reason == "end_turn"
    bodies = gateway.bodies()
    assert {body["model"] for body in bodies} == {"claude-opus-4-6"}
    assert [body["stream"] for body in bodies] == [True, True, False]
    assert [body.get("thinking", {}).get("budget_tokens") for body in bodies] == [None, 4500, 4500]
    status, found = gateway.status()
    assert status == 0 and found["child"]["pid"] == gateway.pids[-1]

    gateway.process.send()
    assert gateway.process.wait() == 0
    with pytest.raises(ProcessLookupError):
        os.kill(gateway.pids[-1], 0)
    status, found = gateway.status()
    assert status == 1 and found["gateway"]["running"] is False


def test_the_model_that_really_served_is_named_in_every_form(gateway: Running) -> None:
    model = f"{ID}/served-by-claude-opus-4-7"
    with gateway.openai() as chat, gateway.anthropic() as messages:
        for stream in (True, False):
            one = chat.chat.completions.with_raw_response.create(
                model=model, messages=ASK, stream=stream, temperature=0.5, stop=["x"]
            )
            two = messages.messages.with_raw_response.create(
                model=model, messages=ASK, max_tokens=99, stream=stream
            )
            for response in (one, two):
                response.http_response.read()
                assert response.headers["x-clawgate-model"] == "claude-opus-4-7"
                assert response.headers["x-claude-session-id"]
            assert set(one.headers["x-clawgate-ignored"].split(", ")) == {"stop", "temperature"}
            assert two.headers["x-clawgate-ignored"] == "max_tokens"
        same = messages.messages.with_raw_response.create(
            model=f"{ID}/claude-opus-4.6", messages=ASK, max_tokens=99
        )
        assert same.headers["x-clawgate-model"] == "claude-opus-4.6"
    poll(lambda: gateway.said.count("was served by another model: claude-opus-4-7") == 4, "the log")


def test_wrapped_failures_are_the_exceptions_that_they_are(gateway: Running) -> None:
    with gateway.openai() as chat, gateway.anthropic() as messages:
        with pytest.raises(openai.NotFoundError):
            chat.chat.completions.create(model=f"{ID}/fault-404", messages=ASK)
        with pytest.raises(anthropic.AuthenticationError):
            messages.messages.create(model=f"{ID}/fault-key", messages=ASK, max_tokens=99)
        with pytest.raises(anthropic.APIStatusError) as caught:
            messages.messages.create(model=f"{ID}/fault-529", messages=ASK, max_tokens=99)
        assert caught.value.status_code == 529
        with pytest.raises(openai.NotFoundError):
            chat.chat.completions.create(model=f"{ID}/fault-404", messages=ASK, stream=True)
        with pytest.raises(anthropic.AuthenticationError):
            messages.messages.create(model=f"{ID}/fault-key", messages=ASK, max_tokens=99, stream=True)
        with pytest.raises(openai.APIError):
            list(chat.chat.completions.create(model=f"{ID}/fault-cut", messages=ASK, stream=True))
        with pytest.raises(openai.APIError):
            list(chat.chat.completions.create(model=f"{ID}/fault-late", messages=ASK, stream=True))
        with (
            pytest.raises(anthropic.APIStatusError, match="overloaded"),
            messages.messages.stream(model=f"{ID}/fault-late", messages=ASK, max_tokens=99) as stream,
        ):
            stream.until_done()


def test_while_the_proxy_is_down_requests_fail_at_once_and_it_comes_back(gateway: Running) -> None:
    with gateway.openai() as chat:
        os.kill(gateway.pids[0], signal.SIGKILL)

        refusals: list[tuple[int, str]] = []

        def status() -> int:
            try:
                chat.chat.completions.create(model=f"{ID}/claude-opus-4.6", messages=ASK)
            except openai.APIStatusError as error:
                refusals.append((error.status_code, error.message))
                return error.status_code
            return 200

        poll(lambda: status() == 503, "a refusal")
        poll(lambda: len(gateway.pids) == 2, "the second proxy")
        poll(lambda: status() == 200, "an answer")
    # Whether the gateway or the first request noticed it: nobody else was asked, and the reason names the provider.
    # Only one that had reached the program while it was dying is answered by its end.
    dying = refusals[:1] if refusals[0][0] == 502 and "before it responded" in refusals[0][1] else []
    assert {code for code, _ in refusals[len(dying) :]} == {503}, refusals
    assert all(ID in reason for _, reason in refusals[len(dying) :]), refusals
    assert len(gateway.bodies()) == 1
