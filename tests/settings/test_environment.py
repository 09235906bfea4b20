"""Variables come from the process, a named file, the state folder and the config file, and nowhere else."""

from __future__ import annotations

import ast
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from clawgate.settings.environment import (
    Environment,
    full_environment,
    ignored_env_file,
    named_environment,
)
from clawgate.settings.problems import SettingsInvalid
from tests.private_file import write_private
from tests.settings.canary import CANARY

SOURCES = Path(__file__).parents[2] / "src" / "clawgate"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir(0o700)
    return folder


def process(state: Path, **variables: str) -> dict[str, str]:
    return {"OPENCLAW_STATE_DIR": str(state), **variables}


def test_the_first_source_that_has_a_value_counts_and_is_named(state: Path, tmp_path: Path) -> None:
    named = write_private(tmp_path / "my.env", "A=named\nB=named\n")
    own = write_private(state / ".env", "A=state\nB=state\nC=state\n")
    config = {"env": {"vars": {"A": "file", "B": "file", "C": "file", "D": "file"}}}
    found, problems = full_environment(named_environment(process(state, A="process"), str(named)), config)
    assert problems == [] and [found[name] for name in "ABCD"] == ["process", "named", "state", "file"]
    assert [found.origin(name) for name in "ABCD"] == [
        "environment variable A", f"B in {named}", f"C in {own}", "D in env.vars of the config file",
    ]  # fmt: skip
    assert found.files == (named, own)


@pytest.mark.parametrize(
    "name",
    [
        "npm_config_registry", "BUN_INSTALL", "NODE_EXTRA_CA_CERTS", "CLAUDE_CONFIG_DIR", "PROXY_BRIDGE_URL",
        "OPENAI_BASE_URL", "OPENAI_PROXY_HOST", "OPENAI_PROXY_TOKENS", "OPENCLAW_STATE_DIR", "SITE", "LD_PRELOAD",
    ],
)  # fmt: skip
def test_the_working_folder_sets_no_variable(
    state: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    working = tmp_path / "checkout"
    working.mkdir()
    write_private(working / ".env", f"{name}={CANARY}\n")
    monkeypatch.chdir(working)
    found, problems = full_environment(named_environment(process(state), None), {})
    assert problems == [] and CANARY not in found.values() and found.files == ()


def test_one_module_alone_reads_such_files() -> None:
    """A second reader would need its own rule for which files may be read."""
    readers = set()
    for path in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if any(module.partition(".")[0] == "dotenv" for module in modules):
                readers.add(path.relative_to(SOURCES).as_posix())
    assert readers == {"settings/environment.py"}


def test_a_file_of_the_working_folder_is_noted_unless_it_was_read(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ignored_env_file(tmp_path, Environment({})) is None
    write_private(tmp_path / ".env", f"A={CANARY}\n")
    note = ignored_env_file(tmp_path, Environment({}))
    assert note is not None and "--env-file .env" in str(note) and str(tmp_path / ".env") in str(note)
    assert CANARY not in str(note)
    monkeypatch.chdir(tmp_path)
    assert ignored_env_file(tmp_path, named_environment({}, ".env")) is None
    write_private(state / ".env", "A=1\n")
    assert ignored_env_file(state, full_environment(process(state), {})[0]) is None


def test_an_empty_variable_hides_no_other(state: Path) -> None:
    write_private(state / ".env", "A=state\n")
    assert full_environment(process(state, A=""), {})[0]["A"] == "state"


def test_a_file_that_is_named_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsInvalid, match=r"--env-file .*none: there is no such file; create it or leave"
    ):
        named_environment({}, str(tmp_path / "none"))


@pytest.mark.parametrize("content", [b"A=\xff\n", None])
def test_a_file_that_cannot_be_read_is_a_problem_with_its_name(
    state: Path, tmp_path: Path, content: bytes | None
) -> None:
    for path in (state / ".env", tmp_path / "my.env"):
        if content is None:
            path.mkdir()
        else:
            write_private(path, content)
    (problem,) = full_environment(process(state), {})[1]
    assert problem.location == str(state / ".env") and "cannot be read" in problem.message
    with pytest.raises(SettingsInvalid, match=r"my\.env: it cannot be read"):
        named_environment({}, str(tmp_path / "my.env"))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o666])
def test_a_file_that_others_have_access_to_is_not_used(state: Path, tmp_path: Path, mode: int) -> None:
    path = write_private(state / ".env", f"A={CANARY}\n", mode)
    found, (problem,) = full_environment(process(state), {})
    assert "A" not in found and found.files == ()
    named = write_private(tmp_path / "my.env", f"A={CANARY}\n", mode)
    with pytest.raises(SettingsInvalid) as caught:
        named_environment({}, str(named))
    says = f"other users have access to it (mode {mode:04o}); run: chmod 600"
    assert (str(problem), str(caught.value)) == (f"{path}: {says} {path}", f"{named}: {says} {named}")


@pytest.mark.parametrize("mode", [0o444, 0o440])
def test_a_file_that_is_a_mounted_secret_is_used(
    state: Path, tmp_path: Path, mode: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_private(state / ".env", "A=state\n", mode)
    named = write_private(tmp_path / "my.env", "B=named\n", mode)
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_flag=os.ST_RDONLY))
    found, problems = full_environment(named_environment(process(state), str(named)), {})
    assert (found["A"], found["B"], problems) == ("state", "named", [])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_a_mounted_state_file_of_another_user_is_used_where_the_group_is_ours(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a volume that Kubernetes mounts with fsGroup."""
    os.chown(write_private(state / ".env", "A=state\n", 0o440), 4711, os.getegid())
    assert "A" not in full_environment(process(state), {})[0]
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_flag=os.ST_RDONLY))
    assert full_environment(process(state), {})[0]["A"] == "state"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_a_state_file_of_another_user_is_used_only_in_a_folder_of_that_user(state: Path) -> None:
    path = write_private(state / ".env", "A=state\n")
    os.chown(path, 4711, -1)
    found, (problem,) = full_environment(process(state), {})
    assert "A" not in found and "uid 4711" in problem.message
    os.chown(state, 4711, -1)
    assert full_environment(process(state), {})[0]["A"] == "state"


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"env": []}, ("env",)),
        ({"env": {"vars": "x"}}, ("env", "vars")),
        ({"env": {"vars": {"A": 5, "B": "b"}}}, ("env", "vars", "A")),
    ],
)
def test_variables_of_the_config_file_have_to_be_text(
    state: Path, document: object, path: tuple[str, ...]
) -> None:
    _, (problem,) = full_environment(process(state), document)
    assert problem.path == path and "must be" in problem.message


def test_a_repr_shows_no_value() -> None:
    assert CANARY not in repr(Environment({"A": CANARY}))
