"""`clawgate` dispatches, quickly: help loads nothing heavy, and importing the package touches nothing."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from clawgate import __version__
from clawgate.cli.main import clawgate
from clawgate.plugins.host.manifest import OWN_COMMANDS
from tests.cli.command import command


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_names_every_command(flag: str) -> None:
    found = CliRunner().invoke(clawgate, [flag])
    assert found.exit_code == 0
    for name in ("bridge", "server"):
        assert name in found.output


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_the_version(flag: str) -> None:
    found = CliRunner().invoke(clawgate, [flag])
    assert (found.exit_code, found.output) == (0, f"clawgate {__version__}\n")


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["--nonsense"], ["bridge", "nonsense"], ["server", "--x"], []]
)
def test_what_is_no_command_ends_with_the_usage(arguments: list[str]) -> None:
    """With status 2, and on standard error, so that no script takes it for an answer."""
    found = CliRunner().invoke(clawgate, arguments)
    assert found.exit_code == 2 and "Usage: " in found.stderr and found.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense", "--json"], ["--nonsense", "--json"], ["models", "nonsense", "--json"],
        ["models", "set", "--json"], ["models", "set", "no/such", "--json"], ["config", "get", "--json"],
        ["config", "get", "no.such", "--json"], ["config", "get", "a..b", "--json"],
        ["route", "explain", "--client", "x", "--json"], ["plugins", "inspect", "nonsense", "--json"],
        ["models", "list", "--config", "nowhere", "--json"], ["gateway", "stop", "--nonsense", "--json"],
        ["proxy-bridge", "nonsense", "--json"], ["sessions", "show", "no", "--json"],
        ["agents", "show", "no", "--json"], ["usage", "--since", "no", "--json"],
        ["agent", "--message", "hi", "--json"], ["agent", "--json"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_with_json_a_failure_is_an_object_too(arguments: list[str], tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path), "OPENCLAW_STATE_DIR": str(tmp_path)}
    found = CliRunner().invoke(clawgate, arguments, env=env)
    output = json.loads(found.stdout)
    assert found.exit_code in (1, 2) and output["ok"] is False and found.stderr
    assert output["error"] in found.stderr or arguments[0] == "proxy-bridge"
    without = CliRunner().invoke(clawgate, arguments[:-1], env=env)
    assert (without.exit_code, without.stdout) == (found.exit_code, "")


def test_a_value_that_is_named_as_the_flag_is_none() -> None:
    found = CliRunner().invoke(clawgate, ["config", "get", "--", "--json"])
    assert found.exit_code != 0 and found.stdout == ""


@pytest.mark.parametrize(
    ("name", "meant"),
    [("confg", "config"), ("gatway", "gateway"), ("model", "models"), ("proxybridge", "proxy-bridge"),
     ("anthropic-claude-prxy", "anthropic-claude-proxy"), ("hlep", "help")],
)  # fmt: skip
def test_a_typo_is_answered_with_the_command_that_was_meant(name: str, meant: str) -> None:
    for arguments in ([name], [name, "status"], ["help", name]):
        found = CliRunner().invoke(clawgate, arguments)
        assert (found.exit_code, found.stdout) == (2, "")
        assert found.stderr.endswith(f"Error: No such command '{name}'. Did you mean '{meant}'?\n")


@pytest.mark.parametrize("name", ["anthropic", "openai", "claude-proxy", "openai-proxy-bridge", "no\x1b[31m"])
def test_no_command_of_another_provider_is_suggested(name: str) -> None:
    found = CliRunner().invoke(clawgate, [name, "status"])
    assert found.exit_code == 2 and "Did you mean" not in found.stderr and "\x1b" not in found.stderr


def test_no_plugin_can_have_a_command_of_clawgate() -> None:
    """Whoever reads manifests knows them all; it must not import the commands for that."""
    assert set(clawgate.list_commands(click.Context(clawgate))) == OWN_COMMANDS


HEAVY = ["uvicorn", "uvloop", "pydantic", "starlette", "msgspec", "pyjson5", "httptools", "rich", "asyncio"]


@pytest.mark.parametrize("arguments", ["['--help']", "['--version']"])
def test_help_imports_nothing_heavy(tmp_path: Path, arguments: str) -> None:
    code = (
        "import sys, json; from clawgate.cli.main import clawgate; "
        f"clawgate({arguments}, standalone_mode=False); print(json.dumps(sorted(sys.modules)))"
    )
    found = command(folder=tmp_path, code=code)
    assert found.returncode == 0, found.stderr
    loaded = set(json.loads(found.stdout.splitlines()[-1]))
    assert not loaded & set(HEAVY)


IMPORT_ALL = """
import json, os, pkgutil, sys, sysconfig
roots = [os.path.realpath(path) for path in {*sys.path[1:], sys.prefix, sys.base_prefix, SRC}]
seen = []
def hook(event, arguments):
    if event.startswith(("socket.", "subprocess.", "os.fork", "os.exec", "os.system", "shutil.", "os.remove",
    "os.rename",
                         "os.mkdir", "os.rmdir", "os.chmod", "os.putenv", "urllib.", "http.")):
        if event != "socket.gethostname":
            seen.append(event)
    elif event == "open" and isinstance(arguments[0], (str, bytes)):
        path, mode = os.path.realpath(os.fsdecode(arguments[0])), arguments[1] or "r"
        if set(str(mode)) & set("wax+") or not path.startswith((*roots, "/proc/", "/sys/")):  # psutil and friends
            seen.append(f"open {path} {mode}")
sys.addaudithook(hook)
import clawgate
names = [found.name for found in pkgutil.walk_packages(clawgate.__path__, "clawgate.")]
for name in names:
    if not name.startswith("clawgate.testing"):
        __import__(name)
print(json.dumps([len(names), seen]))
"""


def test_importing_the_package_touches_no_network_and_no_file(tmp_path: Path) -> None:
    """Every module of ours is imported; nothing is opened but modules, nothing written, nobody called."""
    source = str(Path(__file__).parents[2] / "src")
    found = command(folder=tmp_path, code=IMPORT_ALL.replace("SRC", repr(source)))
    assert found.returncode == 0, found.stderr
    count, seen = json.loads(found.stdout.splitlines()[-1])
    assert count > 40 and seen == []
    assert list(tmp_path.iterdir()) == []


INTERRUPTED = """
import sys
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "clawgate.cli.main":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupting())
from clawgate.__main__ import main
main()
"""


def test_ctrl_c_ends_a_command_that_is_still_loading(tmp_path: Path) -> None:
    """Status 130, and nothing of a traceback."""
    found = command(folder=tmp_path, code=INTERRUPTED)
    assert (found.returncode, found.stdout, found.stderr) == (130, "", "")
