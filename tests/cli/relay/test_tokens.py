"""`clawgate server token`: a token is printed once, admits its caller within a second, and is refused when revoked."""

from __future__ import annotations

import json
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from click.testing import CliRunner

from clawgate.cli.main import clawgate
from tests.cli.command import command
from tests.e2e.processes import role_process
from tests.e2e.stand import BODY, CLIENT_TOKEN, PATH, until
from tests.peers import faults
from tests.peers.client import RawClient
from tests.peers.upstream import FakeUpstream

TOKEN = "canary-4Hj6-Rn1Bc"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tokens"


def token(file: Path, *arguments: str) -> CompletedProcess[str]:
    return command("server", "token", *arguments, "--proxy-tokens-file", str(file), folder=file.parent)


def test_a_token_is_printed_once_and_kept_as_a_hash(file: Path) -> None:
    """Alone on standard output, for a shell's $(...)."""
    done = token(file, "add", "alice")
    made = done.stdout.strip()
    assert done.returncode == 0 and len(made) == 43 and done.stdout == f"{made}\n"
    assert made not in file.read_text() + done.stderr
    shown = token(file, "list")
    assert shown.stdout.split() == ["Name", "Kept", "as", "alice", "sha256"] and made not in shown.stdout


def test_json_has_the_token_once(file: Path) -> None:
    done = json.loads(token(file, "add", "alice", "--json").stdout)
    assert (done["ok"], done["result"], done["name"], done["file"]) == (True, "added", "alice", str(file))
    assert len(done["token"]) == 43
    listed = json.loads(token(file, "list", "--json").stdout)
    assert listed["tokens"] == [{"name": "alice", "kept": "sha256"}] and listed["elsewhere"] == []
    revoked = json.loads(token(file, "revoke", "alice", "--json").stdout)
    assert (revoked["result"], revoked["left"]) == ("revoked", 0)
    failed = token(file, "revoke", "alice", "--json")
    assert failed.returncode == 2 and json.loads(failed.stdout)["action"] == "revoke"


def test_a_given_token_comes_on_standard_input_and_is_not_shown(file: Path) -> None:
    arguments = ["server", "token", "add", "bob", "--stdin-secret", "--proxy-tokens-file", str(file)]
    done = CliRunner().invoke(clawgate, arguments, input=f"{TOKEN}\n")
    assert done.exit_code == 0 and "added" in done.output and TOKEN not in done.output + file.read_text()
    again = CliRunner().invoke(clawgate, [*arguments, "--replace"], input=f"{TOKEN}\n")
    assert again.exit_code == 0 and "unchanged" in again.output
    empty = CliRunner().invoke(clawgate, arguments, input="")
    assert empty.exit_code == 2 and "its token is empty" in empty.output


def test_the_file_is_that_of_the_server(tmp_path: Path) -> None:
    """By variable or by config, as `server run` finds it; without one the command says where to name it."""
    variable = {"OPENAI_PROXY_TOKENS_FILE": str(tmp_path / "one"), "OPENAI_PROXY_TOKEN": TOKEN}
    assert command("server", "token", "add", "a", folder=tmp_path, environment=variable).returncode == 0
    listed = command("server", "token", "list", folder=tmp_path, environment=variable)
    assert "OPENAI_PROXY_TOKEN" in listed.stderr and TOKEN not in listed.stdout + listed.stderr
    config = tmp_path / "openclaw.json"
    config.touch(0o600)
    config.write_text('{plugins: {entries: {"openai-proxy": {config: {proxyTokensFile: "${PLACE}/two"}}}}}')
    named = command(
        "server",
        "token",
        "add",
        "b",
        "--config",
        str(config),
        folder=tmp_path,
        environment={"PLACE": str(tmp_path)},
    )
    assert named.returncode == 0 and (tmp_path / "one").exists() and (tmp_path / "two").exists()
    unset = command("server", "token", "add", "b", "--config", str(config), folder=tmp_path)
    assert unset.returncode == 2 and "PLACE" in unset.stderr
    nowhere = command("server", "token", "list", folder=tmp_path)
    assert (
        nowhere.returncode == 1 and "proxyTokensFile" in nowhere.stderr and "Traceback" not in nowhere.stderr
    )


def test_the_last_token_leaves_with_a_warning(file: Path) -> None:
    token(file, "add", "alice")
    done = token(file, "revoke", "alice")
    assert done.returncode == 0 and "no caller is admitted" in done.stderr
    assert "No token in" in token(file, "list").stdout


async def test_a_running_server_admits_what_is_added_and_refuses_what_is_revoked(
    tmp_path: Path, file: Path
) -> None:
    """No restart: it reads the changed file. The token that the environment gives stays."""
    made = token(file, "add", "alice").stdout.strip()
    async with FakeUpstream(faults.json_response({})) as upstream:
        with role_process(
            "server", upstream.url, tmp_path / "role", OPENAI_PROXY_TOKENS_FILE=str(file)
        ) as process:

            async def status(presented: str) -> int:
                async with await RawClient.open(process.url) as client:
                    await client.request(PATH, BODY, fields=(("Authorization", f"Bearer {presented}"),))
                    return (await client.response()).status

            assert await status(made) == 200
            assert token(file, "revoke", "alice").returncode == 0
            await until(lambda: "reloaded: default" in process.err, "the reload")
            assert await status(made) == 401
            second = token(file, "add", "bob").stdout.strip()
            await until(lambda: "reloaded: bob" in process.err, "the second reload")
            assert await status(second) == 200 and await status(CLIENT_TOKEN) == 200
            assert second not in process.err + process.out and made not in process.err + process.out
