"""Without a terminal flags and environment are enough; a sign-in that does not work writes nothing."""

from __future__ import annotations

from pathlib import Path

import pyjson5
import pytest
from click.testing import CliRunner

from clawgate.cli.main import clawgate
from tests.cli.auth.auth_command import KEY, login, run, untouched
from tests.cli.catalogs import alone
from tests.cli.model_list import ModelList


def test_the_environment_and_flags_are_enough(path: Path, server: ModelList) -> None:
    found = login(path, server, "--yes", "--key", "${HUT_KEY}", "--models", "qwen,llama", HUT_KEY=KEY)
    assert found.exit_code == 0 and server.asked == 1
    block = pyjson5.decode(path.read_text())["models"]["providers"]["hut2"]
    assert block["apiKey"] == "${HUT_KEY}" and [model["id"] for model in block["models"]] == ["qwen", "llama"]
    assert f"Updated config: {path}\n  Backup: {path}.bak\nProvider: hut2\n" in found.stdout
    assert (
        "Default model available: hut2/qwen (current default unchanged; run clawgate models set"
        in found.stdout
    )
    assert (
        "refers to the variable HUT_KEY" in found.stdout and "gateway start" in found.stdout.splitlines()[-1]
    )
    assert "// mine" in path.read_text() and "\x1b" not in found.stdout


def test_a_secret_comes_by_standard_input(path: Path, server: ModelList) -> None:
    found = login(
        path, server, "--yes", "--stdin-secret", "--set-default", "--models", "qwen", given=KEY + "\n"
    )
    config = pyjson5.decode(path.read_text())
    assert found.exit_code == 0 and found.stderr == "" and "Default model set to hut2/qwen" in found.stdout
    assert config["models"]["providers"]["hut2"]["apiKey"] == KEY
    assert config["agents"]["defaults"]["model"] == {"primary": "hut2/qwen", "fallbacks": ["far/sonnet"]}


def test_the_only_model_that_a_provider_lists_becomes_the_default_without_its_name(
    path: Path, server: ModelList
) -> None:
    found = login(path, server, "--yes", "--key", "${HUT_KEY}", "--set-default", HUT_KEY=KEY)
    assert found.exit_code == 1 and "name one with --models" in found.stderr and untouched(path)
    server.models = ["qwen"]
    found = login(path, server, "--yes", "--key", "${HUT_KEY}", "--set-default", "--models", "", HUT_KEY=KEY)
    assert found.exit_code == 1 and untouched(path)
    found = login(path, server, "--yes", "--key", "${HUT_KEY}", "--set-default", HUT_KEY=KEY)
    config = pyjson5.decode(path.read_text())
    assert found.exit_code == 0 and "Default model set to hut2/qwen" in found.stdout, found.output
    assert [model["id"] for model in config["models"]["providers"]["hut2"]["models"]] == ["qwen"]
    assert config["models"]["providers"]["hut2"]["apiKey"] == "${HUT_KEY}"


def test_a_secret_among_the_arguments_is_warned_of(path: Path, server: ModelList) -> None:
    assert "every user of this machine can see" in login(path, server, "--yes", "--key", KEY).stderr


def test_without_a_terminal_the_missing_flags_are_named(path: Path) -> None:
    found = run(path, "login", "--provider", "openai")
    assert found.exit_code == 1 and untouched(path)
    assert "API key: --key ..., or --stdin-secret, or the variable OPENAI_API_KEY" in found.stderr
    assert "--yes, to write" in found.stderr and "Config was not changed." in found.stderr
    found = run(path, "login", "--provider", "custom", "--yes", "--base-url", "http://127.0.0.1:9/v1")
    assert found.exit_code == 1 and untouched(path) and "--yes, to" not in found.stderr
    assert all(text in found.stderr for text in ("--id", "--key", "--private-network/--no-private-network"))


@pytest.mark.parametrize(
    "flags", [(), ("--key", ""), ("--auth", "basic"), ("--auth", "basic", "--login", "")]
)
def test_a_server_that_needs_no_credential_has_a_flag_that_is_named(
    path: Path, flags: tuple[str, ...]
) -> None:
    server = ("--id", "hut3", "--base-url", "https://hut.example/v1")
    found = run(path, "login", "--provider", "custom", "--yes", *server, *flags)
    assert found.exit_code != 0 and "if the server needs no credential: --auth none" in found.stderr


def test_without_a_terminal_nothing_is_written_without_a_yes(path: Path, server: ModelList) -> None:
    found = login(path, server, "--key", "${HUT_KEY}", HUT_KEY=KEY)
    assert found.exit_code == 1 and "pass --yes to confirm" in found.stderr and server.asked == 0
    assert untouched(path)


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("login",), 1, "not a terminal: name the provider with --provider: openai, anthropic"),
        (("login", "--provider", "owll", "--yes"), 1, "did you mean 'owl'?"),
        (("edit", "--provider", "gone", "--models", "a"), 1, "unknown provider 'gone'"),
        (("login", "--provider", "owll", "--no-such-flag"), 1, "did you mean 'owl'?"),
        (("edit", "--provider", "openai", "--yes"), 1, "'openai' is not in the config yet; to set it up"),
        (("edit", "--provider", "owl", "--yes", "--base-url", "ftp://x"), 2, "Base URL (--base-url): "),
        (("edit", "--provider", "lan", "--yes"), 2, "the variable NO_SUCH_KEY is not set here"),
        (("edit", "--provider", "owl", "--yes", "--nope"), 2, "No such option"),
        (("edit", "--provider", "owl", "--yes", "--set", "nope=1"), 2, "no such question"),
        (("edit", "--provider", "owl", "--yes"), 1, "unreachable"),
        (("edit", "--provider", "hut", "--yes", "--no-private-network"), 1, "blocked"),
        (("edit", "--provider", "owl", "--yes", "--stdin-secret"), 1, "standard input is empty"),
        (
            ("edit", "--provider", "far", "--yes", "--no-check", "--models", "", "--set-default"),
            1,
            "--models",
        ),
        (
            ("logout", "--provider", "nope", "--yes"),
            1,
            "'nope' is not in the config; it has: owl, hut, far, lan",
        ),
        (("logout", "--provider", "owl"), 1, "pass --yes to confirm"),
    ],
)
def test_what_is_refused_writes_nothing(
    path: Path, arguments: tuple[str, ...], status: int, says: str
) -> None:
    found = run(path, *arguments)
    assert found.exit_code == status and says in found.output and untouched(path)


def test_a_wrong_secret_fails_before_anything_is_written(path: Path, server: ModelList) -> None:
    found = login(path, server, "--yes", "--stdin-secret", given="canary-wrong-key")
    assert found.exit_code == 1 and "failed" in found.stdout and "unauthorized" in found.stdout
    assert "check the secret" in found.stdout and "--no-check" in found.stderr and untouched(path)


def test_an_edit_changes_only_what_the_flags_name(path: Path) -> None:
    found = run(path, "edit", "--provider", "far", "--yes", "--no-check", "--models", "sonnet,opus")
    far = pyjson5.decode(path.read_text())["models"]["providers"]["far"]
    assert found.exit_code == 0 and [model["id"] for model in far["models"]] == ["sonnet", "opus"]
    assert far["apiKey"] == "canary-far-key" and far["baseUrl"] == "https://far.test"
    again = run(path, "edit", "--provider", "far", "--yes", "--no-check")
    assert (again.exit_code, again.stdout) == (0, "No change: the config has all of this already.\n")


def test_the_first_login_makes_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone(tmp_path, monkeypatch)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    found = CliRunner().invoke(
        clawgate, ["models", "auth", "login", "--provider", "openai", "--yes", "--no-check"]
    )
    made = tmp_path / ".openclaw" / "openclaw.json"
    assert found.exit_code == 0 and "canary" not in found.output and made.stat().st_mode & 0o777 == 0o600
    assert pyjson5.decode(made.read_text())["models"]["providers"]["openai"]["apiKey"] == "${OPENAI_API_KEY}"


def test_logout_takes_all_that_leads_there(path: Path) -> None:
    found = run(path, "logout", "--provider", "owl", "--yes")
    config = pyjson5.decode(path.read_text())
    assert (
        found.exit_code == 0 and "Signed out: owl" in found.stdout and f"Backup: {path}.bak" in found.stdout
    )
    assert "there is no default model now" in found.stdout
    assert sorted(config["models"]["providers"]) == ["far", "hut", "lan"] and "owl" not in path.read_text()
    assert config["agents"]["defaults"]["model"] == {"fallbacks": ["far/sonnet"]}


def test_logout_says_that_a_variable_still_answers(path: Path) -> None:
    run(path, "login", "--provider", "openai", "--yes", "--no-check", OPENAI_API_KEY=KEY)
    found = run(path, "logout", "--provider", "openai", "--yes", OPENAI_API_KEY=KEY)
    assert "OPENAI_API_KEY is still set" in found.stdout
