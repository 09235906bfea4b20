"""`clawgate state`: a command creates and changes nothing unless it says so, and prints no password."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from clawgate.cli.main import clawgate
from clawgate.processes.instance.instance_lock import Instance
from clawgate.state.migrate import HEAD
from clawgate.state.store import open_store
from tests.ports import free_port
from tests.state.runs import Clock
from tests.state.runs import run as run_record
from tests.state.test_usage import used


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith(("OPENCLAW_", "CLAWGATE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OPENCLAW_STATE_DIR", str(tmp_path))
    return tmp_path


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(clawgate, ["state", *arguments])
    assert "Traceback" not in result.output and not isinstance(result.exception, OSError), result.output
    return result


def fill(home: Path) -> Path:
    path = home / "clawgate" / "state.db"

    async def work() -> None:
        store = await open_store(path, clock=Clock())
        await store.commit(run_record(usage=(used("1"),)))
        await store.close()

    asyncio.run(work())
    return path


def test_without_a_database_the_status_says_so_and_creates_none(home: Path) -> None:
    result = run("status")
    assert result.exit_code == 0 and "there is none yet" in result.stdout
    assert json.loads(run("status", "--json").stdout)["exists"] is False
    assert list(home.iterdir()) == []


def test_the_status_shows_place_version_and_rows(home: Path) -> None:
    path = fill(home)
    result = run("status", "--check")
    assert result.exit_code == 0
    for shown in (f"SQLite, {path} (the default)", f"Schema: {HEAD}", "Integrity: ok", "sessions     1"):
        assert shown in result.stdout
    found = json.loads(run("status", "--json").stdout)
    assert (found["ok"], found["version"], found["rows"]["turns"]) == (True, HEAD, 1)


def test_a_file_that_is_unusable_is_a_problem_and_stays_where_it_is(home: Path) -> None:
    path = fill(home)
    path.write_text("dear diary")
    path.chmod(0o644)
    result = run("status")
    assert result.exit_code == 1 and "not a database" in result.stderr
    assert json.loads(run("status", "--json").stdout)["ok"] is False
    assert path.read_text() == "dear diary" and stat.S_IMODE(path.stat().st_mode) == 0o644
    for command in (("migrate",), ("backup", str(home / "b.db"))):
        result = run(*command)
        assert result.exit_code == 1 and result.stderr.count("\n") == 1 and "not a database" in result.stderr
    assert path.read_text() == "dear diary"


def test_a_newer_schema_is_a_problem(home: Path) -> None:
    path = fill(home)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE clawgate_version SET version_num = '0099_contract'")
    result = run("status")
    assert result.exit_code == 1 and "0099_contract" in result.stdout and "newer one" in result.stderr


def test_migrate_creates_the_database_once(home: Path) -> None:
    assert run("migrate").stdout == f"Migrated to {HEAD}.\n"
    assert run("migrate", "--contract").stdout == f"Nothing to do: the schema is {HEAD}.\n"
    assert json.loads(run("migrate", "--json").stdout) == {"ok": True, "changed": False, "version": HEAD}


def test_a_backup_can_be_copied_back(home: Path) -> None:
    path, saved = fill(home), home / "saved.db"
    result = run("backup", str(saved))
    assert (
        result.exit_code == 0
        and "every row was compared" in result.stdout
        and "turns        1" in result.stdout
    )
    again = run("backup", str(saved))
    assert again.exit_code == 1 and "such a file already" in again.stderr
    path.unlink()
    restored = json.loads(run("copy", "--from", str(saved), "--json").stdout)
    assert restored["ok"] and restored["rows"]["usage"] == 1
    assert json.loads(run("status", "--json").stdout)["rows"] == restored["rows"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("backup", "/nonexistent/x.db"), "there is none yet"),
        (("copy",), "the configured database itself"),
        (("copy", "--from", "/nonexistent/x.db"), "there is no such file"),
    ],
)
def test_what_cannot_be_copied_is_one_error_line(home: Path, arguments: tuple[str, ...], says: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 1 and says in result.stderr and result.stderr.count("\n") == 1
    assert json.loads(run(*arguments, "--json").stdout)["ok"] is False


def test_a_backup_that_cannot_be_written_is_one_error_line(home: Path) -> None:
    fill(home)
    result = run("backup", "/nonexistent/x.db")
    assert result.exit_code == 1 and "cannot be written" in result.stderr and result.stderr.count("\n") == 1


def test_while_a_gateway_runs_nothing_is_copied(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = fill(home)
    monkeypatch.setenv("CLAWGATE_DATABASE_URL", str(home / "new.db"))
    instance = Instance.claim(path.parent)
    try:
        result = run("copy")
    finally:
        instance.release()
    assert result.exit_code == 1 and "clawgate gateway stop" in result.stderr
    assert not (home / "new.db").exists()
    assert run("copy").exit_code == 0


@pytest.mark.parametrize("command", [("status",), ("status", "--json"), ("migrate",), ("copy", "--json")])
def test_no_command_prints_the_password(
    home: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    fill(home)
    port = free_port()
    monkeypatch.setenv("CLAWGATE_DATABASE_URL", f"postgresql://ann:s3cret-canary@127.0.0.1:{port}/d")
    result = run(*command)
    assert result.exit_code == 1 and f"postgresql://127.0.0.1:{port}/d" in result.output
    assert "canary" not in result.output


def test_a_place_that_is_none_is_an_invalid_config(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAWGATE_DATABASE_URL", "mysql://ann:s3cret-canary@h/d")
    result = run("status")
    assert (
        result.exit_code == 2 and "CLAWGATE_DATABASE_URL" in result.stderr and "canary" not in result.output
    )
