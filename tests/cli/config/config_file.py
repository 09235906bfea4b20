"""A state folder with a config file, and `clawgate config` for it."""

from __future__ import annotations

from click.testing import CliRunner, Result

from clawgate.cli.main import clawgate

SECRET = "s3cret-0123456789-abcdef"


TEXT = f"""{{
  // mine
  gateway: {{ mode: "local", port: 18790, auth: {{ token: "{SECRET}" }} }},
  models: {{ providers: {{ owl: {{ baseUrl: "http://127.0.0.1:9/v1", models: [{{ id: "a" }}] }} }} }},
  agents: {{ defaults: {{ models: {{ "owl/a": {{ alias: "fast" }} }} }} }},
}}
"""


def run(*arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(clawgate, ["config", *arguments], input=given)
