"""`clawgate doctor`: from nothing to a gateway that starts, with no prompt and no change without --fix."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pyjson5
import pytest
from click.testing import CliRunner

from clawgate.app.doctor import fixes
from clawgate.app.doctor.checks import Fix, FixableDiagnostic
from clawgate.cli import doctor
from clawgate.settings.diagnostic import Severity
from tests.cli.gateway_home import TOKEN, Home
from tests.private_file import write_private


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path)
    yield made
    made.close()


def test_a_sound_installation_has_no_problems(home: Home) -> None:
    home.configure()
    done = home.run("doctor", "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["ok"], found["done"]) == (0, True, [])
    assert not [finding for finding in found["findings"] if finding["severity"] == "error"]


def test_problems_are_printed_and_nothing_is_changed(home: Home) -> None:
    done = home.run("doctor")
    assert done.returncode == 1 and list(home.state.iterdir()) == []
    assert (
        "info    no token is set; the gateway makes one" in done.stdout
        and "to fix 1 of them: clawgate doctor --fix" in done.stdout
    )
    assert "fix: clawgate doctor --fix makes one" in done.stdout


def test_the_gateway_starts_after_fix(home: Home) -> None:
    """A token is made, and shown to nobody; the gateway of the next command lets its holder in."""
    done = home.run("doctor", "--fix", "--yes")
    config = pyjson5.decode((home.state / "openclaw.json").read_text())
    token = config["gateway"]["auth"]["token"]
    assert "Wrote config: " in done.stdout and token not in done.stdout + done.stderr
    assert config["gateway"]["mode"] == "local"
    assert home.gateway("start", "--port", "0").returncode == 0


def test_what_is_in_the_place_of_the_state_folder_is_one_error_with_the_next_step(home: Home) -> None:
    own = home.state / "clawgate"
    own.write_text("x")
    found = json.loads(home.run("doctor", "--json").stdout)
    (problem,) = [one for one in found["findings"] if "state folder" in one["what"]]
    assert problem["severity"] == "error" and problem["where"] == str(own)
    assert "OPENCLAW_STATE_DIR" in problem["fix"] and own.read_text() == "x"
    own.unlink()  # the fixture looks for a gateway in it
    assert not [one for one in found["findings"] if "not checked" in one["what"]]


def test_without_a_terminal_nothing_is_fixed(home: Home) -> None:
    done = home.run("doctor", "--fix")
    assert done.returncode == 1 and "pass --yes" in done.stderr and list(home.state.iterdir()) == []


def test_fix_repairs_modes_and_removes_leftovers(home: Home) -> None:
    home.configure()
    config, left = home.state / "openclaw.json", home.state / "clawgate" / "gateway.json"
    config.chmod(0o644)
    left.parent.mkdir(mode=0o755)
    left.write_text("{}")
    done = home.run("doctor", "--fix", "--yes", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 0 and found["ok"] and len(found["done"]) == 4, done.stdout + done.stderr
    assert not left.exists() and stat.S_IMODE(config.stat().st_mode) == 0o600
    assert stat.S_IMODE(left.parent.stat().st_mode) == 0o700


def test_variables_that_others_can_read_are_one_error_that_it_fixes(home: Home) -> None:
    home.configure(auth={"token": "${SOME_TOKEN}"})
    variables = write_private(home.state / ".env", f"SOME_TOKEN={TOKEN}\n", 0o644)
    found = json.loads(home.run("doctor", "--json").stdout)["findings"]
    (one,) = [finding for finding in found if finding["where"] == str(variables)]
    assert (one["severity"], one["fix"], one["canFix"]) == ("error", f"chmod 600 {variables}", True)
    assert home.run("doctor", "--fix", "--yes").returncode == 0
    assert stat.S_IMODE(variables.stat().st_mode) == 0o600


def test_no_secret_is_in_what_it_says(home: Home) -> None:
    home.configure()
    for arguments in ([], ["--json"]):
        done = home.run("doctor", *arguments, OPENCLAW_GATEWAY_PASSWORD=TOKEN[::-1])
        assert not [secret for secret in (TOKEN, TOKEN[::-1]) if secret in done.stdout + done.stderr]


def test_a_config_that_cannot_be_used_is_a_finding(home: Home) -> None:
    home.write("{gateway: {port: 'x'}}")
    done = home.run("doctor")
    assert done.returncode == 1 and "gateway.port" in done.stdout and "Traceback" not in done.stderr


def test_a_file_that_a_variable_names_is_made(home: Home) -> None:
    named = home.folder / "Elsewhere.json"
    done = home.run("doctor", "--fix", "--yes", OPENCLAW_CONFIG_PATH=str(named))
    assert f"Wrote config: {named}" in done.stdout and named.stat().st_mode & 0o777 == 0o600


def test_a_confirmation_shows_a_path_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    questions: list[str] = []

    def confirm(question: str, **_: object) -> bool:
        questions.append(question)
        return False

    monkeypatch.setattr(doctor, "confirm", confirm)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    fix = Fix("remove", "/Home/Me/Left")
    assert not doctor._confirmed(FixableDiagnostic((), "left behind", repair=fix), fix)
    assert questions == ["  Remove /Home/Me/Left?"]


def test_a_fix_that_fails_is_status_1_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where what it was to fix is a warning."""
    repair = Fix("close_to_others", "/etc/x", 0o600)
    warning = FixableDiagnostic(("x",), "is open", fix="close it", severity=Severity.WARNING, repair=repair)

    def fails(fix: Fix, environment: object) -> list[str]:
        raise fixes.CannotFix("Operation not permitted")

    monkeypatch.setattr(doctor, "_examine", lambda config: ([warning], ""))
    monkeypatch.setattr(fixes, "apply_fix", fails)
    done = CliRunner().invoke(doctor.doctor, ["--fix", "--yes", "--json"])
    found = json.loads(done.stdout)
    assert (done.exit_code, found["ok"], found["failed"]) == (1, False, [str(repair)])
    assert "Operation not permitted" in done.stderr
