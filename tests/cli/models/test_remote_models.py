"""`models list --url`: the models that a gateway elsewhere has, and whether each can be used."""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner, Result

from clawgate.cli.main import clawgate
from tests.processes.instance.fake_gateway import FakeGateway, ok

GOOD = {
    "id": "m", "name": "M", "provider": "up", "available": True, "tags": ["default"], "alias": "best",
    "input": ["text", "image"], "contextWindow": 200_000,
}  # fmt: skip
BAD = {"id": "b", "name": "b", "provider": "down", "available": False, "unavailableReason": "missing-auth"}


def run(*arguments: str, models: list[dict[str, Any]]) -> Result:
    with FakeGateway(others=lambda *_: [ok({"models": models})]) as fake:
        return CliRunner().invoke(clawgate, ["models", "list", *arguments, "--url", fake.url, "--token", "t"])


def test_each_model_has_a_row() -> None:
    found = run(models=[GOOD, BAD])
    assert [row.split() for row in found.stdout.splitlines()[1:]] == [
        ["up/m", "text+image", "200000", "yes", "default,alias:best"],
        ["down/b", "-", "-", "no", "(missing-auth)"],
    ]
    assert found.exit_code == 0


def test_json_has_the_keys_of_the_local_list() -> None:
    output = json.loads(run("--json", "--provider", "up", models=[GOOD, BAD]).stdout)
    assert output["models"] == [
        {
            "key": "up/m", "name": "M", "input": "text+image", "contextWindow": 200_000, "available": True,
            "whyNot": None, "tags": ["default", "alias:best"],
        }
    ]  # fmt: skip


def test_the_status_is_1_where_none_is_available() -> None:
    assert run(models=[BAD]).exit_code == 1
    assert run(models=[]).exit_code == 0


def status(*arguments: str, health: dict[str, Any], models: list[dict[str, Any]]) -> Result:
    payloads = {"health": health, "models.list": {"models": models}}
    with FakeGateway(others=lambda method, _: [ok(payloads[method])]) as fake:
        return CliRunner().invoke(
            clawgate, ["models", "status", *arguments, "--url", fake.url, "--token", "t"]
        )


BROKEN = {"code": "provider_not_configured", "message": "no key\x1b[2J", "retryAfter": None}


def test_status_shows_each_provider_and_why_it_is_not_ready() -> None:
    found = status(health={"providers": {"up": None, "down": BROKEN}, "serving": None}, models=[GOOD, BAD])
    lines = [line.split() for line in found.stdout.splitlines()]
    assert ["Default", ":", "up/m"] in lines and ["Aliases", ":", "best", "->", "up/m"] in lines
    assert ["up", "1", "ready"] in lines and ["down", "1", "not", "ready"] in lines
    assert "no key" in found.stdout and "\x1b" not in found.stdout and found.exit_code == 0


def test_status_fails_where_requests_would_fail() -> None:
    serving = {**BROKEN, "status": 503}
    found = status("--json", health={"providers": {"down": BROKEN}, "serving": serving}, models=[BAD])
    output = json.loads(found.stdout)
    assert (found.exit_code, output["ok"], output["reason"]) == (1, False, BROKEN["message"])
    assert output["providers"] == [
        {"id": "down", "ready": False, "whyNotReady": BROKEN["message"], "models": 1}
    ]
    assert status(health={"providers": {"down": BROKEN}, "serving": serving}, models=[]).exit_code == 1


def test_status_of_openclaw_is_that_of_its_models() -> None:
    """Its health has no providers."""
    found = status("--json", health={"ok": True}, models=[GOOD, BAD])
    assert [(one["id"], one["ready"]) for one in json.loads(found.stdout)["providers"]] == [
        ("up", True), ("down", False),
    ]  # fmt: skip
    assert found.exit_code == 0
    assert status(health={"ok": True}, models=[BAD]).exit_code == 1


def test_status_elsewhere_sends_no_probes() -> None:
    assert status("--probe", health={}, models=[]).exit_code == 2
