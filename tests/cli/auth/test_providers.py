"""`clawgate providers`: any id can be added by flags, a known one cannot, and what was added can be removed."""

from __future__ import annotations

from pathlib import Path

import pyjson5
import pytest
from click.testing import CliRunner, Result

from clawgate.cli.main import clawgate
from tests.cli.auth.auth_command import KEY, untouched
from tests.cli.model_list import ModelList


def run(path: Path, *arguments: str, given: str = "") -> Result:
    found = CliRunner().invoke(clawgate, ["providers", *arguments, "--config", str(path)], input=given)
    assert "canary" not in found.output and "Traceback" not in found.output
    return found


@pytest.mark.parametrize("place", [0, 3])
def test_any_id_can_be_added_and_removed(path: Path, server: ModelList, place: int) -> None:
    flags = ["--base-url", server.url, "--private-network", "--auth", "bearer", "--yes", "--stdin-secret"]
    found = run(path, "add", *flags[:place], "gpu-2", *flags[place:], given=KEY)
    assert found.exit_code == 0, found.output
    block = pyjson5.decode(path.read_text())["models"]["providers"]["gpu-2"]
    assert block["baseUrl"] == server.url and block["request"] == {"allowPrivateNetwork": True}
    assert "gpu-2" in run(path, "list").stdout == run(path).stdout
    assert run(path, "remove", "gpu-2", "--yes").exit_code == 0
    assert "gpu-2" not in path.read_text()


@pytest.mark.parametrize(
    ("name", "says"),
    [("owl", "models auth edit --provider owl"), ("My Owl", "is not an id"), ("a/b", "is not an id")],
)
def test_what_is_no_new_id_is_rejected(path: Path, name: str, says: str) -> None:
    found = run(path, "add", name, "--yes")
    assert found.exit_code != 0 and says in found.output and untouched(path)


def test_help_shows_a_flag_for_each_question(path: Path) -> None:
    found = run(path, "add", "hut-7", "--help")
    assert found.exit_code == 0 and "--base-url URL" in found.output and "HUT_7_API_KEY" in found.output
