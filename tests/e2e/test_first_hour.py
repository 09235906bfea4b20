"""From a fresh clone to a streamed answer: each command is printed by the one before, and no other is needed.

Law: the tests read the commands from the terminal; they know the answers to the wizard's prompts, as a person does.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from demo.models import openai_server as model
from demo.models.openai_server import build_model
from tests.bundled.anthropic_claude_proxy.host import command as claude_stand_in
from tests.e2e.processes import ROOT
from tests.e2e.terminal import READY, Terminal, run, shell
from tests.e2e.waiting import poll
from tests.ports import free_port

KEY = "sk-chat-8Vn3QwZr5TkXb2LmYd9P"
VENV = Path(sys.prefix)
MAX_COMMANDS = 6
"""`git clone` and `cd` among them."""


def is_up_to_date(venv: Path) -> bool:
    """Whether `scripts/setup` finds the environment of this clone finished, and so leaves it alone."""
    made_from = "".join((ROOT / name).read_text() for name in ("pyproject.toml", "requirements/dev.lock"))
    recipe = venv / "made-from.dev"
    return recipe.exists() and recipe.read_text().split("\n", 2)[-1] == f"{ROOT}\n{venv}\n{made_from}"


pytestmark = [
    pytest.mark.timeout(280),
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl"),
]

runs_setup = pytest.mark.skipif(
    not is_up_to_date(VENV), reason="scripts/setup would make the environment of the tests anew"
)

Answers = Sequence[tuple[str, str]]


@pytest.fixture
def model_url() -> Iterator[str]:
    with model.running(build_model(api_key=KEY)) as url:
        yield url


def empty_environment(home: Path, **more: str) -> dict[str, str]:
    """Nothing but what every machine has; the port is any free one."""
    home.mkdir(exist_ok=True)
    return {
        "HOME": str(home),
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "CLAWGATE_VENV": str(VENV),
        "OPENCLAW_GATEWAY_PORT": str(free_port()),
        "TERM": "dumb",
        **more,
    }


def claude_program(folder: Path) -> Path:
    """A folder for PATH with the program that the plugin starts by default."""
    programs = folder / "bin"
    programs.mkdir()
    (programs / "bunx").write_text(f"#!/bin/sh\nexec {' '.join(claude_stand_in())}\n")
    (programs / "bunx").chmod(0o755)
    return programs


def stop_gateway(environment: Mapping[str, str]) -> None:
    """Not at the terminal, where something else may be running after a failure."""
    subprocess.run(
        [VENV / "bin" / "clawgate", "gateway", "stop"],
        env=environment,
        check=False,
        capture_output=True,
        timeout=60,
    )


def next_of(shown: str) -> str:
    """The command that was printed last to be run next."""
    found = re.findall(r"^(?:Next: (.+)|(curl -N .+))$", shown, flags=re.MULTILINE)
    assert found, f"no next command:\n{shown}"
    return "".join(found[-1])


def follow(person: Terminal, first: str, answers: Answers) -> tuple[list[str], str]:
    """Run what each command prints, from ``first`` to a `curl`; return all of them, and the output of the last."""
    done, command = [], first
    while True:
        done.append(command)
        person.type(f"{command}\n")
        for prompt, text in answers if " models auth login" in command else ():
            person.answer(prompt, text)
        shown = person.until(READY)
        if command.startswith("curl"):
            return done, shown if "provider_unavailable" not in shown else once_it_is_up(person, command)
        command = next_of(shown)


def once_it_is_up(person: Terminal, command: str) -> str:
    """Send the request again until the program that the gateway starts has started."""
    shown: list[str] = []

    def responds() -> bool:
        shown.append(run(person, command))
        return "provider_unavailable" not in shown[-1]

    poll(responds, "a response of the supervised program")
    return shown[-1]


def assert_streamed(shown: str) -> None:
    chunks = re.findall(r"^data: (.*)$", shown, flags=re.MULTILINE)
    assert len(chunks) > 3 and chunks[-1] == "[DONE]", shown


def from_clone_to_response(home: Path, environment: Mapping[str, str], answers: Answers) -> str:
    """Follow the README's first command; return what was written to the config."""
    with shell(ROOT, environment) as person:
        try:
            done, shown = follow(person, "./scripts/setup", answers)
            assert_streamed(shown)
            assert len(["git clone", "cd", *done]) <= MAX_COMMANDS, done
        finally:
            stop_gateway(environment)
    return (home / ".openclaw" / "openclaw.json").read_text()


@runs_setup
def test_a_provider_of_ones_own_responds_after_six_printed_commands(tmp_path: Path, model_url: str) -> None:
    written = from_clone_to_response(
        tmp_path / "home",
        empty_environment(tmp_path / "home"),
        [
            ("Provider [openai]: ", "custom\n"),
            ("Name of the provider: ", "hut\n"),
            ("Base URL: ", f"{model_url}/v1\n"),
            ("Dialect [openai-completions]: ", "\n"),
            ("Credential [bearer]: ", "\n"),
            ("Secret (not shown): ", f"{KEY}\n"),
            ("private address? [y/n]: ", "y\n"),
            ("separated by commas: ", "1\n"),
            ("the default model? [Y/n]: ", "\n"),
            ("in the same file? [Y/n]: ", "\n"),
            ("? [Y/n]: ", "\n"),
        ],
    )
    assert '"hut"' in written


@runs_setup
def test_a_supervised_claude_proxy_responds_after_six_printed_commands(tmp_path: Path) -> None:
    environment = empty_environment(tmp_path / "home")
    environment["PATH"] = f"{claude_program(tmp_path)}:{environment['PATH']}"
    written = from_clone_to_response(
        tmp_path / "home",
        environment,
        [
            ("Provider [openai]: ", "anthropic-claude-proxy\n"),
            ("Host of the proxy [127.0.0.1]: ", "\n"),
            ("Port of the proxy [3456]: ", f"{free_port()}\n"),
            ("Models [", "\n"),
            ("Release of opencode-claude-max-proxy: ", "\n"),
            ("the default model? [Y/n]: ", "\n"),
            ("in the same file? [Y/n]: ", "\n"),
            ("? [Y/n]: ", "\n"),
        ],
    )
    assert '"anthropic-claude-proxy"' in written


def test_a_server_and_a_gateway_with_its_bridge_respond(tmp_path: Path, model_url: str) -> None:
    """One person at two terminals: the server's prints the command for the other."""
    readme = (ROOT / "README.md").read_text().partition("## The server")[2]
    make_token = re.findall(r"^export OPENAI_PROXY_TOKEN=.*$", readme, flags=re.MULTILINE)[0]
    port = str(free_port())
    server = empty_environment(
        tmp_path / "vps", OPENAI_API_KEY=KEY, OPENAI_BASE_URL=f"{model_url}/v1", OPENAI_PROXY_PORT=port
    )
    client = empty_environment(tmp_path / "home", PROXY_BRIDGE_PORT=str(free_port()))
    with shell(tmp_path, server) as vps, shell(tmp_path, client) as person:
        run(vps, f". {VENV}/bin/activate")
        run(vps, make_token)
        token = run(vps, "echo $OPENAI_PROXY_TOKEN").split()[0]  # behind it is the prompt of the environment
        vps.type("clawgate server run\n")
        vps.until("Next: ")
        login = vps.until("\n")
        try:
            done, shown = follow(
                person,
                login,
                [
                    ("Proxy token (not shown): ", f"{token}\n"),
                    ("Models: ", "1\n"),
                    ("Port of the local bridge [", "\n"),
                    ("the default model? [Y/n]: ", "\n"),
                    ("in the same file? [Y/n]: ", "\n"),
                    ("? [Y/n]: ", "\n"),
                ],
            )
            assert_streamed(shown)
            assert len(done) <= MAX_COMMANDS
        finally:
            stop_gateway(client)
            vps.type("\x03")
            vps.until(READY)


@runs_setup
def test_a_key_in_the_environment_is_enough_for_the_demo(tmp_path: Path, model_url: str) -> None:
    """`scripts/run` with OPENAI_API_KEY alone prints a `curl` line that works from another terminal."""
    environment = empty_environment(tmp_path / "home", OPENAI_API_KEY=KEY, OPENAI_BASE_URL=f"{model_url}/v1")
    with shell(ROOT, environment) as demo, shell(tmp_path, empty_environment(tmp_path / "home")) as person:
        demo.type("./scripts/run --gateway-port 0 --bridge-port 0 --server-port 0\n")
        shown = demo.until("Ctrl-C stops all of it.")
        assert_streamed(run(person, next_of(shown)))
        assert "./scripts/setup" in shown
        demo.type("\x03")
        demo.until(READY)


def test_a_second_provider_is_requested_at_once_while_the_gateway_runs(
    tmp_path: Path, model_url: str
) -> None:
    """`models auth login` prints the first request itself where a gateway runs, and `gateway start` does so again."""
    home = tmp_path / "home"
    program = f"{VENV}/bin/clawgate"
    login = (
        f"{program} models auth login --yes --provider custom --id hut --dialect openai-completions "
        f"--base-url {model_url}/v1 --auth bearer --key {KEY} --private-network --models gpt-4o-mini"
    )
    environment = empty_environment(home)
    with shell(tmp_path, environment) as person:
        try:
            assert next_of(run(person, f"{program} gateway start")) == f"{program} models auth login"
            for command in (login, f"{program} gateway start"):
                request = next_of(run(person, command))
                assert '"hut/gpt-4o-mini"' in request
                assert_streamed(run(person, request))
        finally:
            stop_gateway(environment)
