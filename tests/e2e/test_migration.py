"""docs/migration.md, followed word by word: each block of it is used as it is written, but for addresses and keys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from demo.models import openai_server as model
from demo.models.openai_server import build_model
from tests.e2e.processes import post_chat
from tests.e2e.terminal import run, shell
from tests.e2e.test_documented_commands import activated, assert_understood, blocks, lines
from tests.e2e.test_first_hour import KEY, empty_environment, pytestmark, stop_gateway
from tests.ports import free_port
from tests.private_file import write_private

__all__ = ["pytestmark"]

PAGE = "docs/migration.md"


def token_of(home: Path) -> str:
    return str(json.loads((home / ".openclaw" / "openclaw.json").read_text())["gateway"]["auth"]["token"])


@pytest.mark.parametrize("name", ["smart", "careful"])
def test_a_config_of_litellm_serves_its_clients_under_their_names(tmp_path: Path, name: str) -> None:
    """`careful` has no key here: the request fails and goes to no other provider."""
    home = tmp_path / "home"
    environment = activated(empty_environment(home))
    (source,) = blocks(PAGE, "From LiteLLM", "yaml")
    with model.running(build_model(api_key=KEY)) as url, shell(home, environment) as person:
        (home / "litellm.yaml").write_text(source.replace("http://127.0.0.1:8000", url))
        try:
            show, *others = lines(PAGE, "From LiteLLM", {"LOCAL_KEY=...": f"LOCAL_KEY={KEY}"})
            assert '"written": false' in run(person, show)
            assert not (home / ".openclaw" / "openclaw.json").exists()
            shown = [run(person, line) for line in others]
            for line, output in zip(others, shown, strict=True):
                assert_understood(line, output)
            assert "First request" in shown[-1]
            status, text = post_chat(int(environment["OPENCLAW_GATEWAY_PORT"]), name, token_of(home))
            assert (status, "[DONE]" in text) == ((200, True) if name == "smart" else (503, False)), text
        finally:
            stop_gateway(environment)


def test_the_config_of_the_javascript_plugins_serves_as_it_is(tmp_path: Path) -> None:
    home = tmp_path / "home"
    environment = activated(empty_environment(home, PROXY_BRIDGE_TOKEN="bridge-token-8Vn3QwZr5Tk"))
    (config,) = blocks("docs/proxy-bridge.md", "Set it up", "json5")
    with model.running(build_model(api_key=None)) as url, shell(home, environment) as person:
        config = config.replace("https://proxy.example.com", url).replace("18800", str(free_port()))
        (home / ".openclaw").mkdir(mode=0o700)
        write_private(home / ".openclaw" / "openclaw.json", config)
        try:
            shown = [run(person, line) for line in lines(PAGE, "From the JavaScript plugins")]
            assert "Config valid" in shown[0] and "\nproxy-bridge:" not in shown[-1], shown[-1]
            token = run(person, "clawgate gateway token").split()[0]
            status, text = post_chat(int(environment["OPENCLAW_GATEWAY_PORT"]), "proxy-bridge/gpt-4o", token)
            assert status == 200 and text.endswith("data: [DONE]\n\n"), text
        finally:
            stop_gateway(environment)
