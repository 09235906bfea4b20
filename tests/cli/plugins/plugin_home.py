"""A home folder for plugins, and `clawgate plugins` in it."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from clawgate.cli.main import clawgate

CONFIG = """\
// mine
{
  models: { providers: { "house-model": { baseUrl: "http://127.0.0.1:9/v1", api: "openai-completions", apiKey: "local1" } } },
  agents: { defaults: { model: { primary: "house", fallbacks: [] }, models: { "house-model/m": { alias: "house" } } } },
}
"""  # noqa: E501  # one line each, as people write it


def run(*arguments: str, says: str | None = None) -> Result:
    found = CliRunner().invoke(clawgate, ["plugins", *arguments], input=says)
    assert "Traceback" not in found.output, found.output
    return found


def installed(home: Path) -> list[str]:
    folder = home / ".openclaw" / "clawgate" / "plugins"
    return sorted(one.name for one in folder.iterdir()) if folder.is_dir() else []
