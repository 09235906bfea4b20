"""Flags are made from the settings: each has one, with its variable and its default in its help."""

from __future__ import annotations

import re

import click
import pytest
from click.testing import CliRunner
from pydantic import BaseModel, Field, SecretStr

from clawgate.cli.main import clawgate
from clawgate.cli.relay.options import settings_options
from clawgate.settings.roles.bridge import BridgeSettings
from clawgate.settings.roles.relay import RelaySettings, flag_of
from clawgate.settings.roles.server import ServerSettings

ROLES = [("bridge", BridgeSettings, {"models"}), ("server", ServerSettings, set[str]())]


class Small(BaseModel):
    """One field of each kind."""

    needed: str = Field(description="Needed.", json_schema_extra={"env": ["A", "B"]})
    number: int = Field(5, description="A number.")
    share: float = Field(2.5, description="A share.")
    secret: SecretStr | None = Field(None, description="A secret.")
    yes: bool = Field(False, description="Yes or no.")
    words: tuple[str, ...] = Field((), description="Words.")
    named: dict[str, str] = Field(default_factory=dict, description="Named.")


def run(*arguments: str) -> tuple[int, str, dict[str, object]]:
    seen: dict[str, object] = {}

    @click.command()
    @settings_options(Small)
    def small(**given: object) -> None:
        seen.update(given)

    found = CliRunner().invoke(small, arguments)
    return found.exit_code, found.output, seen


def test_what_is_not_given_is_none() -> None:
    """So that the environment and the file get their turn; in particular no default of the model's."""
    assert run()[2] == {name: () if name == "words" else None for name in Small.model_fields}


@pytest.mark.parametrize(
    ("arguments", "name", "value"),
    [
        (["--needed", "x"], "needed", "x"), (["--number", "x"], "number", "x"), (["--yes"], "yes", True),
        (["--no-yes"], "yes", False), (["--words", "a", "--words", "b,c"], "words", ("a", "b,c")),
        (["--needed="], "needed", ""),
        (["--secret", "s"], "secret", "s"),
    ],
)  # fmt: skip
def test_what_is_given_stays_text(arguments: list[str], name: str, value: object) -> None:
    """Numbers are checked by the settings, which say more than click does."""
    status, _, seen = run(*arguments)
    assert status == 0 and seen[name] == value


def test_help_says_variable_default_and_need() -> None:
    text = re.sub(r"\s+", " ", run("--help")[1])
    for part in ("Needed. [env var: A, B; required]", "A number. [default: 5]", "A share. [default: 2.5]",
        "--secret SECRET",
                 "--number NUMBER", "--yes / --no-yes", "--named NAME:SECRET,..."):  # fmt: skip
        assert part in text
    assert "Undefined" not in text and "[]" not in text


@pytest.mark.parametrize(("role", "model", "left_out"), ROLES, ids=["bridge", "server"])
def test_every_setting_has_its_flag(role: str, model: type[RelaySettings], left_out: set[str]) -> None:
    found = CliRunner().invoke(clawgate, [role, "run", "--help"])
    assert found.exit_code == 0
    flags = set(re.findall(r"^  (--[a-z-]+)", found.output, re.MULTILINE))
    wanted = {flag_of(name) for name in model.model_fields if name not in left_out}
    of_host = {"--host-url", "--instance"} if role == "bridge" else set()
    assert flags - {"--help"} == wanted | of_host | {"--config", "--env-file"}
    for name in left_out:
        assert flag_of(name) not in flags
