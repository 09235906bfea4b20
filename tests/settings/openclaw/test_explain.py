"""Which value counts, and where it came from; secrets masked."""

from __future__ import annotations

from pathlib import Path

import pytest

from clawgate.settings.environment import Environment
from clawgate.settings.json5.file import json5_file
from clawgate.settings.key_path import KeyPath
from clawgate.settings.openclaw.explain import NOT_READ, ExplainedValue, explain
from clawgate.settings.secrets import PLACEHOLDER

BRIDGE: KeyPath = ("plugins", "entries", "proxy-bridge", "config")
TEXT = """{
  gateway: { port: 1, auth: { token: "plain-secret-1" } },
  models: { providers: { owl: { apiKey: "${OWL}" } } },
  plugins: { entries: { "proxy-bridge": { config: { proxyToken: "plain-secret-2" } } } },
  channels: { x: { botToken: "plain-secret-3" } },
}"""


STATE = {"OPENCLAW_STATE_DIR": "/nowhere"}


def explained(
    path: KeyPath, environment: dict[str, str] | None = None, env_file: dict[str, str] | None = None
) -> ExplainedValue:
    file = json5_file(Path("openclaw.json"), TEXT)
    variables = Environment(STATE | (environment or {})).below(env_file or {}, Path("my.env"))
    found = explain(path, file, variables)
    assert found is not None
    return found


def test_the_default_counts_where_nothing_else_is() -> None:
    found = explained(("gateway", "bind"))
    assert (found.value, found.source, found.in_file) == ("loopback", "default", None)


def test_the_file_wins_over_the_default() -> None:
    found = explained(("gateway", "port"))
    assert (found.value, found.source) == (1, "openclaw.json:2")
    assert "  default    18789" in found.lines()


def test_a_variable_wins_over_the_file() -> None:
    """What it wins over is told, too."""
    found = explained(("gateway", "port"), {"OPENCLAW_GATEWAY_PORT": "7"})
    assert (found.value, found.source) == ("7", "environment variable OPENCLAW_GATEWAY_PORT")
    assert "  overridden openclaw.json:2" in found.lines()


def test_the_named_env_file_counts_for_every_key() -> None:
    """For the gateway's own as for the roles', as `gateway run --env-file` and `bridge run --env-file` take them."""
    found = explained((*BRIDGE, "bridgePort"), env_file={"PROXY_BRIDGE_PORT": "7"})
    assert (found.value, found.source) == ("7", "PROXY_BRIDGE_PORT in my.env")
    both = explained((*BRIDGE, "bridgePort"), {"PROXY_BRIDGE_PORT": "8"}, {"PROXY_BRIDGE_PORT": "7"})
    assert both.value == "8"
    assert explained(("gateway", "port"), env_file={"OPENCLAW_GATEWAY_PORT": "7"}).value == "7"


@pytest.mark.parametrize("environment", [{}, {"OWL": "plain-secret-4"}])
def test_a_reference_is_shown_as_one(environment: dict[str, str]) -> None:
    """Whether its variable is set, not what it holds."""
    found = explained(("models", "providers", "owl", "apiKey"), environment)
    assert (found.value, found.references) == ("${OWL}", {"OWL": bool(environment)})
    assert f"  refers to  OWL, which is {'set' if environment else 'not set'}" in found.lines()


@pytest.mark.parametrize(
    ("path", "environment"),
    [
        (("gateway", "auth", "token"), {}),
        (("gateway", "auth"), {}),
        (("gateway", "auth", "token"), {"OPENCLAW_GATEWAY_TOKEN": "plain-secret-5"}),
        ((*BRIDGE, "proxyToken"), {}),
        ((*BRIDGE, "proxyToken"), {"PROXY_BRIDGE_TOKEN": "plain-secret-6"}),
        (("channels",), {}),
    ],
)
def test_a_secret_is_never_shown(path: KeyPath, environment: dict[str, str]) -> None:
    """Whatever it came from."""
    found = explained(path, environment)
    for shown in (str(found.lines()), str(found.as_json()), repr(found)):
        assert "plain-secret" not in shown and PLACEHOLDER in shown


def test_a_variable_of_the_config_file_itself_counts_below_all_others() -> None:
    text = "{env: {vars: {OPENCLAW_GATEWAY_PORT: '9'}}, gateway: {port: 1}}"
    file = json5_file(Path("openclaw.json"), text)
    found = explain(("gateway", "port"), file, STATE)
    assert found is not None
    assert (found.value, found.source) == ("9", "OPENCLAW_GATEWAY_PORT in env.vars of the config file")


def test_what_is_not_ours_is_said_to_be_openclaws() -> None:
    assert f"  {NOT_READ}" in explained(("channels", "x")).lines()


def test_what_nobody_knows_is_not_explained() -> None:
    file = json5_file(Path("openclaw.json"), "{}")
    assert explain(("gateway", "prt"), file, STATE) is None
