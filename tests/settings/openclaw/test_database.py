"""The place of the database: which source counts, and that no message and no log has its password."""

from __future__ import annotations

from pathlib import Path

import pytest

from clawgate.policy.redaction import Redactor
from clawgate.settings.openclaw.config_file import ConfigFile, read_config
from clawgate.settings.openclaw.database import database_setting
from clawgate.settings.openclaw.gateway import GatewayFlags, gateway_settings
from clawgate.settings.openclaw.own_settings import check_database
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.redaction import redact

URL = "postgresql://ann:s3cret-canary@db.example/clawgate"
KEY = "plugins.entries.clawgate.config.database"


def file_with(folder: Path, database: str | None = None, **variables: str) -> ConfigFile:
    path = folder / "openclaw.json"
    own = (
        ""
        if database is None
        else f'plugins: {{ entries: {{ clawgate: {{ config: {{ database: "{database}" }} }} }} }}'
    )
    path.write_text(f"{{ {own} }}")
    path.chmod(0o600)
    return read_config(path, {"OPENCLAW_STATE_DIR": str(folder), **variables}, required=True)


def test_the_variable_precedes_the_file_and_the_file_the_default(tmp_path: Path) -> None:
    default = database_setting(file_with(tmp_path))
    assert (default.url, default.origin) == (str(tmp_path / "clawgate" / "state.db"), "the default")
    named = database_setting(file_with(tmp_path, "/srv/state.db"))
    assert (named.url, named.origin) == ("/srv/state.db", KEY)
    wins = database_setting(file_with(tmp_path, "/srv/state.db", CLAWGATE_DATABASE_URL=URL))
    assert (wins.url, wins.origin) == (URL, "environment variable CLAWGATE_DATABASE_URL")


def test_a_variable_may_hold_the_password_alone(tmp_path: Path) -> None:
    file = file_with(
        tmp_path, "postgresql://ann:${DB_PASSWORD}@db.example/clawgate", DB_PASSWORD="s3cret-canary"
    )
    assert database_setting(file).url == URL


@pytest.mark.parametrize("text", ["postgresql://ann:${DB_PASSWORD}@h/d", "${DB_URL}"])
def test_a_variable_that_is_not_set_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsInvalid, match=rf"{KEY}: DB_\w+ is not set"):
        database_setting(file_with(tmp_path, text))


@pytest.mark.parametrize(
    "value", [URL, "postgres://h/d", "postgresql:///d?host=/run/pg", "/a", "~/a", "sqlite:////a"]
)
def test_a_place_that_can_be_one(value: str) -> None:
    assert check_database(value) == value


WRONG = [
    "state.db",
    "mysql://ann:canary@h/d",
    "postgresql://ann:canary/x@h/d",
    "postgresql://ann:canary@h:99999/d",
    "postgresql://ann:canary@h",
    "postgresql://ann@h/d?password=canary",
    "postgresql://ann:canary@[h/d",
    " /a",
    "/a\t",
    "",
    "sqlite://",
]


@pytest.mark.parametrize("value", WRONG)
def test_a_place_that_cannot_be_one_is_refused_without_printing_it(tmp_path: Path, value: str) -> None:
    with pytest.raises(ValueError, match=r"has|must be|cannot") as caught:
        check_database(value)
    assert "canary" not in str(caught.value)
    if value:  # an empty variable is an unset one
        with pytest.raises(SettingsInvalid, match="CLAWGATE_DATABASE_URL") as invalid:
            database_setting(file_with(tmp_path, CLAWGATE_DATABASE_URL=value))
        assert "canary" not in str(invalid.value)


@pytest.mark.parametrize("value", [value for value in WRONG if "\t" not in value])
def test_a_wrong_one_in_the_file_is_a_problem_of_its_key(tmp_path: Path, value: str) -> None:
    with pytest.raises(SettingsInvalid, match=KEY) as caught:
        file_with(tmp_path, value)
    assert "canary" not in str(caught.value)


def test_the_password_is_not_shown_wherever_it_is_set(tmp_path: Path) -> None:
    for file in (file_with(tmp_path, URL), file_with(tmp_path, CLAWGATE_DATABASE_URL=URL)):
        assert "s3cret-canary" in file.secrets()
        assert "canary" not in Redactor(file.secrets()).redact(f"{URL} and s3cret-canary")
        assert "canary" not in repr(database_setting(file))
    assert "canary" not in str(redact(dict(file_with(tmp_path, URL).raw)))


def test_a_gateway_is_not_stopped_by_a_database_that_cannot_be_one(tmp_path: Path) -> None:
    """Its models are served; only the runs of agents need one."""
    token = {"OPENCLAW_GATEWAY_TOKEN": "t0ken-of-the-gateway"}
    good = gateway_settings(file_with(tmp_path, URL, **token), GatewayFlags())
    assert good.database == URL and "canary" not in repr(good)
    assert gateway_settings(file_with(tmp_path, "${DB_URL}", **token), GatewayFlags()).database is None
