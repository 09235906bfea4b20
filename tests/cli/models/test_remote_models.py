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
