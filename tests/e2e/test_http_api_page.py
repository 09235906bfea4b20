"""Each command of docs/openai-http-api.md works as it is written, one after another in one shell; so does its program.

Only the address is replaced.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from demo.models import openai_server as model
from demo.models.openai_server import build_model
from tests.e2e.gateway_stand import provider
from tests.e2e.processes import ROOT, started
from tests.e2e.test_documented_commands import GATEWAY, activated, blocks
from tests.e2e.test_first_hour import KEY, empty_environment, pytestmark

__all__ = ["pytestmark"]

PAGE = "docs/openai-http-api.md"
BLOCK = "\x1e"


@dataclass(frozen=True, slots=True)
class Walk:
    """What was shown by the commands of each section, what the model got, and the address."""

    shown: Mapping[str, str]
    model: Starlette
    url: str
    environment: Mapping[str, str]

    def values(self, section: str) -> list[Any]:
        """The JSON values that were shown, none of them an error."""
        text, decoder, found = self.shown[section].strip(), json.JSONDecoder(), []
        while text := text[max(text.find("{"), 0) :] if "{" in text else "":
            value, end = decoder.raw_decode(text)
            assert not value.get("error"), value
            found.append(value)
            text = text[end:]
        return found

    def texts(self, section: str) -> list[str]:
        return [value["choices"][0]["message"]["content"] for value in self.values(section)]

    def requests(self, said: str) -> list[Any]:
        """The bodies that the model got with this text in the last message."""
        bodies = [json.loads(seen.body) for seen in self.model.state.seen]
        return [body for body in bodies if said in json.dumps(body["messages"][-1])]


def sections(page: str = PAGE) -> dict[str, str]:
    """The commands of each section, by its heading."""
    found = re.split(r"^##+ (.*)$", (ROOT / page).read_text(), flags=re.MULTILINE)
    scripts = {
        heading: "".join(re.findall(r"^```sh\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL))
        for heading, text in zip(found[1::2], found[2::2], strict=True)
    }
    return {heading: script for heading, script in scripts.items() if script}


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    with walking(tmp_path_factory.mktemp("page"), sections()) as walk:
        yield walk


@contextlib.contextmanager
def walking(folder: Path, parts: Mapping[str, str], **config: Any) -> Iterator[Walk]:
    """Run the commands of all parts in one shell, at a gateway with further blocks of a config."""
    environment = activated(empty_environment(folder / "home"))
    url = f"http://127.0.0.1:{environment['OPENCLAW_GATEWAY_PORT']}"
    app = build_model(api_key=KEY, eager_tools=False)
    with model.running(app) as upstream:
        state = folder / "home" / ".openclaw"
        state.mkdir(mode=0o700)
        file = state / "openclaw.json"
        file.touch(0o600)
        openai = provider(f"{upstream}/v1", "openai-completions", KEY, "gpt-4o", "gpt-4o-mini")
        made = {
            "gateway": {"mode": "local"},
            "models": {"providers": {"openai": openai}},
            "agents": {"defaults": {"model": {"primary": "openai/gpt-4o-mini"}}},
        }
        file.write_text(json.dumps(made | config))
        with started(["clawgate", "gateway", "run"], folder / "gateway", environment):
            script = "".join(f"{part}\nprintf '%s' '{BLOCK}'\n" for part in parts.values())
            done = subprocess.run(
                ["bash", "-eu", "-c", script.replace(GATEWAY, url)],
                env=environment, cwd=folder, capture_output=True, text=True, timeout=120, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout + done.stderr
            yield Walk(dict(zip(parts, done.stdout.split(BLOCK), strict=False)), app, url, environment)


def shape(value: Any) -> Any:
    """The names in a value, and the types of what they have."""
    if isinstance(value, dict):
        return {name: shape(member) for name, member in value.items()}
    return [shape(item) for item in value] if isinstance(value, list) else type(value).__name__


def test_the_quick_start_shows_what_the_page_shows(walk: Walk) -> None:
    (expected,) = blocks(PAGE, "Quick start", "json")
    (value,) = walk.values("Quick start")
    assert shape(value) == shape(json.loads(expected))
    assert value["model"] == "openclaw"


def test_a_session_remembers_and_has_commands(walk: Walk) -> None:
    assert len(walk.texts("Sessions")) == 2
    (body,) = walk.requests("What is my name?")
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]
    (status,) = walk.texts("Slash commands")
    assert "Session: agent:main:my-app, 4 messages" in status


def test_a_stream_ends_and_is_resumed(walk: Walk) -> None:
    assert walk.shown["Streaming"].endswith("data: [DONE]\n\n")
    rest = walk.shown["To resume a stream"]
    numbers = [int(number) for number in re.findall(r"^id: \w+-(\d+)$", rest, flags=re.MULTILINE)]
    assert numbers[0] == 4 and numbers == list(range(4, 4 + len(numbers)))
    assert rest.endswith("data: [DONE]\n\n") and len(walk.requests("Count to ten.")) == 1


def test_the_result_of_a_tool_continues_the_session(walk: Walk) -> None:
    (text,) = walk.texts("Tools")
    (body,) = walk.requests("12 C, rain")
    assert text and [turn["role"] for turn in body["messages"]] == ["user", "assistant", "tool"]


def test_a_repeat_is_the_same_response(walk: Walk) -> None:
    first, second = walk.values("Repeats: Idempotency-Key")
    assert first == second and len(walk.requests("Order a lobster.")) == 1


def test_images_models_and_direct_use_work(walk: Walk) -> None:
    assert len(walk.texts("Images")) == 1
    models, one, direct = walk.values("Models")
    assert [entry["id"] for entry in models["data"]][:2] == ["openclaw", "openclaw/default"]
    assert one["id"] == "openclaw/default" and direct["model"] == "gpt-4o"


def test_a_response_is_continued_and_deleted(walk: Walk) -> None:
    second, deleted = walk.values("Responses")
    (body,) = walk.requests("What is my dog called?")
    assert body["messages"][0]["content"] == "My dog is called Rex."
    assert second["previous_response_id"] == deleted["id"] and deleted["deleted"] is True


def test_the_other_doors_respond(walk: Walk) -> None:
    (message,) = walk.values("Anthropic's API")
    assert message["type"] == "message" and len(walk.requests("Which day is after Monday?")) == 1
    (found,) = walk.values("Capabilities")
    assert found["endpoints"]["/v1/responses"]["agents"] == {"on": True}


def test_no_section_with_commands_is_left_out(walk: Walk) -> None:
    assert list(walk.shown)[: len(sections())] == list(sections())


def test_the_program_of_the_page_prints_a_streamed_response(walk: Walk) -> None:
    program, _langchain = blocks(PAGE, "Clients", "python")
    token = subprocess.run(
        ["clawgate", "gateway", "token"], env=walk.environment, capture_output=True, text=True, check=True
    ).stdout.strip()
    done = subprocess.run(
        [sys.executable, "-c", program.replace(GATEWAY, walk.url)],
        env={**walk.environment, "CLAWGATE_TOKEN": token},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "Say hello." in done.stdout
