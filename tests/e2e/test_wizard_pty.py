"""A person at a real terminal: dumb, 40 columns wide. A provider is set up; Ctrl-C anywhere leaves all as it was."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pyjson5
import pytest

from tests.cli.model_list import ModelList
from tests.e2e.terminal import Terminal
from tests.e2e.terminal import terminal as at_terminal

KEY = "canary-typed-key-0123"
TEXT = '{\n  // mine\n  gateway: { mode: "local" }\n}\n'


@pytest.fixture
def server() -> Iterator[ModelList]:
    found = ModelList(KEY)
    yield found
    found.close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    state = tmp_path / ".openclaw"
    state.mkdir(mode=0o700)
    (state / "openclaw.json").write_text(TEXT)
    (state / "openclaw.json").chmod(0o600)
    return tmp_path


def terminal(home: Path, *arguments: str) -> AbstractContextManager[Terminal]:
    """`clawgate models auth …` on a pseudo-terminal."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    words = [sys.executable, "-m", "clawgate", "models", "auth", *arguments]
    return at_terminal(words, home, kept | {"HOME": str(home), "TERM": "dumb"})


def conversation(server: ModelList) -> list[tuple[str, str]]:
    """Each prompt with its answer."""
    return [
        ("Provider [openai]: ", "custom\n"),
        ("Name of the provider: ", "hut\n"),
        ("Base URL: ", f"{server.url}\n"),
        ("Dialect [openai-completions]: ", "\n"),
        ("Credential [bearer]: ", "1\n"),
        ("Secret (not shown): ", f"{KEY}\n"),
        ("private address? [y/n]: ", "y\n"),
        ("separated by commas: ", "2, 1\n"),
        ("the default model? [Y/n]: ", "\n"),
        ("in the same file? [Y/n]: ", "\n"),
        ("? [Y/n]: ", "y\n"),
    ]


def test_a_provider_is_set_up(home: Path, server: ModelList) -> None:
    with terminal(home, "login") as person:
        for prompt, text in conversation(server):
            person.answer(prompt, text)
        assert person.end() == 0
    path = home / ".openclaw" / "openclaw.json"
    config = pyjson5.decode(path.read_text())
    assert config["models"]["providers"]["hut"]["apiKey"] == KEY and "// mine" in path.read_text()
    assert [model["id"] for model in config["models"]["providers"]["hut"]["models"]] == ["llama", "qwen"]
    assert config["agents"]["defaults"]["model"] == {"primary": "hut/llama"}
    token = config["gateway"]["auth"]["token"]
    assert len(token) >= 43 and token not in person.shown and path.stat().st_mode & 0o777 == 0o600
    assert "to print it: " in person.shown and person.shown.rstrip().endswith(" -m clawgate gateway start")
    assert KEY not in person.shown and "\x1b" not in person.shown
    assert f"Backup: {path}.bak" in person.shown and Path(f"{path}.bak").read_text() == TEXT


@pytest.mark.parametrize("at", range(11))
@pytest.mark.parametrize("key", ["\x03", "\x04"], ids=["ctrl-c", "end"])
def test_ctrl_c_and_the_end_of_the_input_leave_the_file_as_it_was(
    home: Path, server: ModelList, at: int, key: str
) -> None:
    with terminal(home, "login") as person:
        steps = conversation(server)
        for prompt, text in steps[:at]:
            person.answer(prompt, text)
        person.answer(steps[at][0], key)
        assert person.end() == 130
    assert "Config was not changed." in person.shown and "Traceback" not in person.shown
    assert (home / ".openclaw" / "openclaw.json").read_text() == TEXT
    assert [entry.name for entry in (home / ".openclaw").iterdir() if entry.is_file()] == ["openclaw.json"]


def test_what_is_wrong_is_told_as_it_is_typed(home: Path, server: ModelList) -> None:
    with terminal(home, "login", "--provider", "custom", "--id", "hut") as person:
        person.answer("Base URL: ", "ftp://here\n")
        person.until("! must look like")
        person.answer("Base URL: ", "\x03")
        assert person.end() == 130


def test_a_wrong_secret_can_be_mended(home: Path, server: ModelList) -> None:
    flags = ("--provider", "custom", "--id", "hut", "--base-url", server.url, "--auth", "bearer")
    with terminal(home, "login", *flags, "--dialect", "openai-completions", "--private-network") as person:
        person.answer("Secret (not shown): ", "canary-wrong-key\n")
        person.answer("separated by commas: ", "qwen\n")
        person.until("unauthorized")
        person.answer("What now? [edit]: ", "\n")
        for prompt in ("Name of the provider [hut]: ", "Base URL [", "Dialect [", "Credential ["):
            person.answer(prompt, "\n")
        person.answer("[Enter keeps c...y]: ", f"{KEY}\n")
        person.answer("private address? [Y/n]: ", "\n")
        person.answer("separated by commas [qwen]: ", "\n")
        person.until("ok: ")
        person.answer("the default model? [Y/n]: ", "n\n")
        person.answer("in the same file? [Y/n]: ", "n\n")
        person.answer("? [Y/n]: ", "\n")
        assert person.end() == 0
    assert KEY in (home / ".openclaw" / "openclaw.json").read_text() and "canary" not in person.shown


def test_logout_asks(home: Path, server: ModelList) -> None:
    path = home / ".openclaw" / "openclaw.json"
    with_owl = '{\n  models: { providers: { owl: { baseUrl: "https://owl.test/v1", apiKey: "canary-owl-key" } } }\n}\n'
    path.write_text(with_owl)
    for answer, status in (("n\n", 1), ("\n", 0)):
        assert path.read_text() == with_owl
        with terminal(home, "logout", "--provider", "owl") as person:
            person.answer("? [Y/n]: ", answer)
            assert person.end() == status
        assert "canary" not in person.shown
    assert "owl" not in path.read_text()
