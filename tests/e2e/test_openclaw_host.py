"""OpenClaw itself accepts what clawgate writes, retries by the text of an error, and serves our commands.

Skipped without OpenClaw: `npm install openclaw@2026.9.6` somewhere, with the Node that it needs on the PATH, and set
CLAWGATE_TEST_OPENCLAW to its package folder. Skipped as well where it could reach a network, since it looks for models
there by itself: run it in a network namespace, as `.ci/run` does.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from clawgate.cli.auth.wizard.config_edits import with_provider
from clawgate.cli.auth.wizard.credential_block import KINDS, with_credential
from clawgate.cli.auth.wizard.targets import ProviderTargets
from clawgate.plugins.api import Answers
from clawgate.plugins.api.provider import ConfigChange
from clawgate.settings.schema.openclaw import OpenClawConfig
from clawgate.wire.dialect import Dialect
from tests.cli.command import command
from tests.cli.gateway_home import TOKEN
from tests.e2e.offline import why_not
from tests.e2e.waiting import poll
from tests.ports import free_port
from tests.relay.response.openclaw import retry_reason
from tests.relay.response.test_error_response import MESSAGES, RETRIED, messages_of
from tests.test_errors import make

PACKAGE = Path(os.environ.get("CLAWGATE_TEST_OPENCLAW", "/nonexistent"))
MISSING = why_not(PACKAGE, "CLAWGATE_TEST_OPENCLAW does not name the folder of an installed OpenClaw")
"""Why OpenClaw cannot be run here; empty where it can."""
pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)

CLASSIFY = """
const found = await Promise.all(process.argv.slice(1).map(async path => Object.values(await import(path))));
const classify = found.flat().find(one => one.name === "classifyFailoverSignal");
const texts = JSON.parse(await new Response(process.stdin).text());
console.log(JSON.stringify(texts.map(message => classify({ message, provider: "clawgate" })?.reason ?? null)));
process.exit(0);
"""


def run(*command: str, home: Path, given: str = "") -> str:
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "DO_NOT_TRACK": "1"}
    done = subprocess.run(
        command, check=False, input=given, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_openclaw_retries_every_text_as_a_direct_connection(tmp_path: Path) -> None:
    """And the copy of its rules with which the other tests decide agrees with it."""
    texts = [
        text
        for kind in RETRIED
        for dialect in (Dialect.CHAT, Dialect.MESSAGES)
        for message in MESSAGES
        for text in messages_of(make(kind, message), dialect)
    ]
    modules = [str(path) for path in sorted((PACKAGE / "dist").glob("classify-*.mjs"))]
    given = run(
        "node", "--input-type=module", "-e", CLASSIFY, *modules, home=tmp_path, given=json.dumps(texts)
    )
    reasons = json.loads(given)
    assert reasons == [retry_reason(text) for text in texts] and all(reasons)


@pytest.mark.parametrize("api", ["openai-completions", "openai-responses", "anthropic-messages"])
def test_openclaw_accepts_every_credential_that_the_wizard_writes(tmp_path: Path, api: str) -> None:
    text = '{"gateway": {"mode": "local"}}'
    for kind in KINDS:
        for name, url in (("near", "http://127.0.0.1:9/v1"), ("far", "https://models.example/v1")):
            block: dict[str, Any] = {"baseUrl": url, "api": api, "models": [{"id": "m", "name": "m"}]}
            change = ConfigChange(
                plugin_config={},
                provider=with_credential(block, kind, "X-Token", "dXNlcjpwYXNz"),
                aliases={f"{kind}-{name}": f"{kind}-{name}/m"},
                default_model=f"{kind}-{name}/m",
            )
            text = with_provider(text, f"{kind}-{name}", change, plugin=None, default=True)
    folder = tmp_path / ".openclaw"
    folder.mkdir(mode=0o700)
    (folder / "openclaw.json").write_text(text)
    assert "Config valid" in run("node", str(PACKAGE / "openclaw.mjs"), "config", "validate", home=tmp_path)


def test_openclaw_accepts_the_settings_of_owl_that_the_wizard_moves(tmp_path: Path) -> None:
    pem = tmp_path / "ca.pem"
    pem.write_text("-----BEGIN CERTIFICATE-----\nQQ==\n-----END CERTIFICATE-----\n")
    settings = {
        "baseUrl": "https://owl.test",
        "username": "me",
        "password": "pä ss:",
        "timeouts": {"idle": 9},
    }
    raw = {"gateway": {"mode": "local"}, "plugins": {"entries": {"owl": {"config": settings}}}}
    target = ProviderTargets(OpenClawConfig.model_validate(raw), raw, tmp_path, {}).find("owl", new=True)
    answers = {**target.provider.previous_answers(raw), "ca_file": str(pem), "models": "qwen"}
    change = target.provider.config_change(Answers(answers))
    text = with_provider(json.dumps(raw), "owl", change, plugin=target.plugin, default=True)
    folder = tmp_path / ".openclaw"
    folder.mkdir(mode=0o700)
    (folder / "openclaw.json").write_text(text)
    shown = run("node", str(PACKAGE / "openclaw.mjs"), "config", "validate", home=tmp_path)
    assert "Config valid" in shown and "plugin not found: owl" not in shown
    block = json.loads(text)["models"]["providers"]["owl"]
    assert block["baseUrl"] == "https://owl.test/v1" and block["request"]["tls"]["ca"] == pem.read_text()


def test_our_commands_speak_with_openclaws_gateway(tmp_path: Path) -> None:
    state, port = tmp_path / ".openclaw", free_port()
    state.mkdir()
    gateway = {"mode": "local", "port": port, "bind": "loopback", "auth": {"mode": "token", "token": TOKEN}}
    (state / "openclaw.json").write_text(json.dumps({"gateway": gateway, "plugins": {"enabled": False}}))
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "DO_NOT_TRACK": "1"}
    url = f"ws://127.0.0.1:{port}"
    with subprocess.Popen(
        ["node", str(PACKAGE / "openclaw.mjs"), "gateway", "run"],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:

            def ours(*arguments: str) -> subprocess.CompletedProcess[str]:
                home = {"OPENCLAW_GATEWAY_TOKEN": TOKEN}
                return command(*arguments, "--url", url, folder=tmp_path, environment=home)

            poll(lambda: ours("gateway", "health").returncode == 0, "OpenClaw to be healthy")
            assert "Models: not reported" in ours("gateway", "status").stdout
            for arguments in (("models", "list"), ("sessions", "list"), ("logs", "--limit", "1")):
                done = ours(*arguments)
                assert done.returncode == 0, done.stderr
        finally:
            process.terminate()
