"""What is the same for the services of all roles: what is carried into a unit, and which flags belong together."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from clawgate.cli.service import carried_variables, service_path, system_plan, take_system_flags
from clawgate.processes.instance.unit_files import SystemUnit


def test_path_is_carried_without_folders_that_depend_on_where_one_stands() -> None:
    carried = carried_variables({"PATH": "/a:./b::/c:/a", "OPENCLAW_HOME": "/h", "OPENAI_API_KEY": "canary"})
    assert carried == {"PATH": "/a:/c", "OPENCLAW_HOME": "/h"}
    assert carried_variables({"PATH": ""}) == {}


def test_each_role_has_a_file_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    found = {service_path(role) for role in ("gateway", "server")}
    assert found == {
        tmp_path / "systemd" / "user" / f"clawgate-{role}.service" for role in ("gateway", "server")
    }


def test_flags_of_a_system_service_need_system() -> None:
    given = {"system": None, "environment_file": "f", "instance": "", "unit_folder": None}
    with pytest.raises(click.UsageError, match="add --system USER"):
        take_system_flags(given)


@pytest.mark.parametrize("folder", [None, "/units"])
def test_units_for_another_folder_are_written_and_not_started(folder: str | None) -> None:
    unit = SystemUnit(("/p",), Path("/s"), role="server", user="u", listen=["127.0.0.1:1"], instance="3")
    plan = system_plan(unit, folder)
    place = Path(folder or "/etc/systemd/system")
    assert [*plan.files] == [place / "clawgate-server.socket", place / "clawgate-server-3.service"]
    assert [step[-1] for step in plan.steps] == (
        [] if folder else ["daemon-reload", "clawgate-server.socket", "clawgate-server-3.service"]
    )
