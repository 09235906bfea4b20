"""The command lines of README and docs work as they are written, on an empty home: they are read from the pages.

Only what stands for something else is replaced: an address, a port, a key.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from demo.models import openai_server as model
from demo.models.openai_server import build_model
from tests.e2e.guarded_model import guarded_model
from tests.e2e.processes import ROOT
from tests.e2e.terminal import READY, Terminal, run, shell
from tests.e2e.test_first_hour import (
    KEY,
    VENV,
    Answers,
    assert_streamed,
    claude_program,
    empty_environment,
    once_it_is_up,
    pytestmark,
    stop_gateway,
)
from tests.ports import free_port

__all__ = ["pytestmark"]

GATEWAY = "http://127.0.0.1:18789"


def blocks(page: str, heading: str, kind: str) -> list[str]:
    """The code blocks of this kind under a heading."""
    section = (ROOT / page).read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    assert section, f"{page} has no section '{heading}'"
    found: list[str] = re.findall(rf"^```{kind}\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL)
    return found


def lines(page: str, heading: str, replaced: Mapping[str, str] | None = None) -> list[str]:
    """The command lines under a heading, without their comments."""
    text = "".join(blocks(page, heading, "sh")).replace("\\\n", "")
    for old, new in (replaced or {}).items():
        assert old in text, f"{page} does not have {old}"
        text = text.replace(old, new)
    found = [re.sub(r"\s+# .*", "", line) for line in text.splitlines()]
    return [line for line in found if not re.match(r"pipx? |uv |\./scripts/", line)]


def assert_understood(line: str, shown: str) -> None:
    assert not re.search(r"Usage: |No such|command not found|Traceback|invalid configuration", shown), (
        f"{line}\n{shown}"
    )


def answer(person: Terminal, login: str, answers: Answers) -> None:
    person.type(f"{login}\n")
    for prompt, text in answers:
        person.answer(prompt, text)
    assert "Next: clawgate gateway start" in person.until(READY)


PAGE = "docs/custom-inference-api.md"


@pytest.mark.parametrize(
    ("heading", "address", "header", "model"),
    [
        (
            "vLLM",
            "http://127.0.0.1:8000",
            ("authorization", "Bearer sk-local-8Vn3QwZr"),
            "Qwen/Qwen2.5-1.5B-Instruct",
        ),
        (
            "llama.cpp behind nginx with user and password",
            "http://192.168.1.20:8080",
            ("authorization", f"Basic {base64.b64encode(b'owl:correct: horse battery').decode()}"),
            "qwen2.5-0.5b-instruct-q4_k_m.gguf",
        ),
        ("Ollama", "http://127.0.0.1:11434", None, "qwen2.5:0.5b"),
    ],
)
def test_the_page_of_a_server_of_ones_own_leads_to_a_response(
    tmp_path: Path, heading: str, address: str, header: tuple[str, str] | None, model: str
) -> None:
    environment = activated(empty_environment(tmp_path / "home"))
    url, home = f"http://127.0.0.1:{environment['OPENCLAW_GATEWAY_PORT']}", Path(environment["HOME"])
    (request,) = (line for line in lines(PAGE, "vLLM", {GATEWAY: url}) if line.startswith("curl"))
    with (
        guarded_model(header, "Basic", lists=model) as (server, guard),
        shell(home, environment) as gateway,
        shell(home, environment) as person,
    ):
        *before, serve = (
            line for line in lines(PAGE, heading, {address: server}) if not line.startswith("curl")
        )
        shown = [run(gateway, line) for line in before]
        assert "Next: clawgate gateway start" in shown[-1] and serve == "clawgate gateway run"
        gateway.type(f"{serve}\n")
        gateway.until("First request")
        assert_streamed(run(person, request))
        gateway.type("\x03")
        gateway.until(READY)
    assert all(one == ([header] if header else []) for one in guard.seen)
    written = (home / ".openclaw" / "openclaw.json").read_text()
    assert f'"{model}"' in written and "sk-local" not in written and "horse" not in written


def test_the_other_lines_of_that_page_do_what_they_say(tmp_path: Path) -> None:
    environment = activated(empty_environment(tmp_path / "home"))
    with shell(Path(environment["HOME"]), environment) as person:
        top = (ROOT / PAGE).read_text().partition("\n## ")[0]
        export, status = re.findall(r"^```sh\n(.*?)^```$", top, flags=re.MULTILINE | re.DOTALL)[
            0
        ].splitlines()
        assert_understood(export, run(person, export))
        shown = run(person, status)
        assert re.search(r"owl .*bearer .*ready", shown)
        of_a_block, of_the_variable = lines(PAGE, "A private network")
        assert "Updated plugins.entries.owl.config.allowPrivateNetwork" in run(person, of_the_variable)
        assert "Updated models.providers.owl.request.allowPrivateNetwork" in run(person, of_a_block)
        add, listing, remove = lines(PAGE, "More servers")
        flags = "--base-url https://gpu.test --auth none --no-check --yes"
        assert_understood(add, run(person, f"{add} {flags}"))
        assert "gpu-2" in run(person, listing)
        assert "Signed out: gpu-2" in run(person, f"{remove} --yes")


def activated(environment: dict[str, str]) -> dict[str, str]:
    return {**environment, "PATH": f"{VENV}/bin:{environment['PATH']}"}


def assert_page_leads_to_a_response(page: str, environment: dict[str, str], answers: Answers) -> None:
    """A plugin's page: the wizard, the gateway in one terminal, status and request in another."""
    url = f"http://127.0.0.1:{environment['OPENCLAW_GATEWAY_PORT']}"
    login, serve, status, request = lines(page, "Set it up", {GATEWAY: url})
    assert serve == "clawgate gateway run" and status.endswith(" status")
    home = Path(environment["HOME"])
    with shell(home, environment) as gateway, shell(home, environment) as person:
        answer(person, login, answers)
        gateway.type(f"{serve}\n")
        gateway.until("First request")
        assert_streamed(once_it_is_up(person, request))
        assert_understood(status, run(person, status))
        assert run(person, "echo $?").strip() == "0"
        gateway.type("\x03")
        gateway.until(READY)


def test_the_page_of_the_proxy_bridge_leads_to_a_response(tmp_path: Path) -> None:
    with model.running(build_model(api_key=None)) as remote:
        assert_page_leads_to_a_response(
            "docs/proxy-bridge.md",
            activated(empty_environment(tmp_path / "home", PROXY_BRIDGE_PORT=str(free_port()))),
            [
                ("URL of the remote proxy: ", f"{remote}\n"),
                ("Proxy token (not shown): ", "wizard-typed-token-17\n"),
                ("Models: ", "gpt-4o\n"),
                ("Port of the local bridge [", "\n"),
                ("in the same file? [Y/n]: ", "\n"),
                ("? [Y/n]: ", "\n"),
            ],
        )


def test_the_page_of_the_claude_proxy_leads_to_a_response(tmp_path: Path) -> None:
    environment = activated(empty_environment(tmp_path / "home"))
    environment["PATH"] = f"{claude_program(tmp_path)}:{environment['PATH']}"
    assert_page_leads_to_a_response(
        "docs/anthropic-claude-proxy.md",
        environment,
        [
            ("Host of the proxy [127.0.0.1]: ", "\n"),
            ("Port of the proxy [3456]: ", f"{free_port()}\n"),
            ("Models [", "\n"),
            ("Release of opencode-claude-max-proxy: ", "\n"),
            ("in the same file? [Y/n]: ", "\n"),
            ("? [Y/n]: ", "\n"),
        ],
    )


def test_the_gateway_of_its_page_works_with_its_config(tmp_path: Path) -> None:
    """The example of the config, and each command below it."""
    heading = "Config and commands"
    home = tmp_path / "home"
    environment = activated(empty_environment(home))
    with model.running(build_model(api_key=None)) as upstream, shell(home.parent, environment) as person:
        (config,) = blocks("docs/gateway.md", heading, "json5")
        (home / ".openclaw").mkdir(mode=0o700)
        path = home / ".openclaw" / "openclaw.json"
        path.touch(0o600)
        path.write_text(config.replace("http://127.0.0.1:8000/v1", f"{upstream}/v1"))
        try:
            shown = {
                line: run(person, line)
                for line in lines("docs/gateway.md", heading, {"'LOCAL_TOKEN=...'": "LOCAL_TOKEN=t"})
            }
        finally:
            stop_gateway(environment)
    for line, text in shown.items():
        assert_understood(line, text)
    assert "local/qwen3" in shown["clawgate gateway start"]
    assert upstream in shown["clawgate route explain fast"]
    assert "No such file" not in "".join(shown.values())


def test_server_and_bridge_of_the_readme_lead_to_a_response(tmp_path: Path) -> None:
    server, bridge = free_port(), free_port()
    with model.running(build_model(api_key=KEY)) as upstream:
        environment = activated(
            empty_environment(
                tmp_path / "home",
                OPENAI_BASE_URL=f"{upstream}/v1",
                OPENAI_PROXY_PORT=str(server),
                PROXY_BRIDGE_PORT=str(bridge),
            )
        )
        with (
            shell(tmp_path, environment) as vps,
            shell(tmp_path, environment) as local,
            shell(tmp_path, environment) as person,
        ):
            *exports, serve = lines("README.md", "The server: tokens instead of the key", {"sk-...": KEY})
            for line in exports:
                run(vps, line)
            token = run(vps, "echo $OPENAI_PROXY_TOKEN").split()[0]
            vps.type(f"{serve}\n")
            vps.until("listening on")
            replaced = {"=...": f"={token}", "https://proxy.example.com": f"http://127.0.0.1:{server}"}
            export, relay = lines("README.md", "The bridge: any client in front", replaced)
            run(local, export)
            local.type(f"{relay}\n")
            local.until("listening on")
            body = '{"model": "m", "stream": true, "messages": [{"role": "user", "content": "hello there"}]}'
            assert_streamed(
                run(
                    person,
                    f"curl -sN http://127.0.0.1:{bridge}/v1/chat/completions -H 'Authorization: Bearer any' "
                    f"-H 'Content-Type: application/json' -d '{body}'",
                )
            )
            for one in (local, vps):
                one.type("\x03")
                one.until(READY)


def test_the_first_request_of_the_readme_is_the_one_that_is_printed() -> None:
    """Address and model are those of a gateway with OPENAI_API_KEY alone."""
    from clawgate.cli.first_request import first_request

    login, start, request = lines("README.md", "Try it, install it")
    assert (login, start) == ("clawgate models auth login", "clawgate gateway start")
    printed = first_request(GATEWAY, "openai/gpt-4o-mini", "$(clawgate gateway token)").curl
    assert re.sub(r"\s+", " ", request) == printed


@pytest.mark.parametrize("page", ["docs/proxy-bridge.md", "docs/anthropic-claude-proxy.md"])
def test_a_plugin_page_names_the_installation_first(page: str) -> None:
    text = (ROOT / page).read_text()
    for way in ("pip install .", "pipx install .", "uv tool install ."):
        assert text.index(way) < text.index("\nclawgate models")
