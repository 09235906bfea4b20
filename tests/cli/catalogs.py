"""A config with one provider of each kind, as a file and as what it makes."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from clawgate.cli.main import clawgate
from clawgate.providers.catalog import Catalog, build_catalog
from clawgate.settings.schema.openclaw import OpenClawConfig

CONFIG = """\
// mine
{
  gateway: { mode: "local" },
  models: { providers: {
    owl: { baseUrl: "http://127.0.0.1:9/v1", api: "openai-completions", apiKey: "bridge",
      request: { allowPrivateNetwork: true,
                 auth: { mode: "header", headerName: "X-Proxy-Token", value: "canary-owl-token" } },
      models: [{ id: "qwen", name: "Qwen", contextWindow: 131072, input: ["text", "image"] }] },
    hut: { baseUrl: "http://10.0.0.5:8000/v1", api: "openai-completions", apiKey: "canary-hut-key" },
    far: { baseUrl: "https://far.test", api: "anthropic-messages", apiKey: "canary-far-key" },
    lan: { baseUrl: "https://lan.test", api: "openai-completions", apiKey: "${NO_SUCH_KEY}" },
  } },
  agents: { defaults: {
    model: { primary: "owl/qwen", fallbacks: ["far/sonnet"] },
    models: { "owl/qwen": { alias: "fast" }, "far/sonnet": { alias: "smart" } },
  } },
}
"""


def config_file(folder: Path, text: str = CONFIG) -> Path:
    path = folder / "openclaw.json"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def catalog() -> Catalog:
    import pyjson5

    found = pyjson5.decode(CONFIG)
    del found["models"]["providers"]["lan"]["apiKey"]
    return build_catalog(
        OpenClawConfig.model_validate(found), {"models.providers.lan.apiKey": "NO_SUCH_KEY"}, {}
    )


def alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of this machine's user reaches a command."""
    monkeypatch.setenv("HOME", str(folder))
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("OPENCLAW_STATE_DIR", "OPENCLAW_CONFIG_PATH", "OPENCLAW_HOME"):
        monkeypatch.delenv(name, raising=False)


def run_models(path: Path, *arguments: str) -> Result:
    """``clawgate models`` with the config file at ``path``; whatever it says, it is no secret."""
    found = CliRunner().invoke(clawgate, ["models", *arguments, "--config", str(path)])
    assert "canary" not in found.output and "Traceback" not in found.output
    return found


def refused_as(found: Result, path: Path, says: str) -> bool:
    """Whether a command ended with this reason and left the file as it was."""
    told = says in found.stderr and "Config was not changed" in found.stderr
    return found.exit_code == 1 and told and path.read_text(encoding="utf-8") == CONFIG
