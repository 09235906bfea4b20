"""A secret that was given as a flag is not readable by other users: not at start, not after a restart by exec."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from clawgate.cli.main import clawgate
from clawgate.processes.argv_redaction import mask_arguments, secret_flags

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="nothing is changed elsewhere")

LOOK = """
import json, os, sys
def shown():
    return open("/proc/self/cmdline", encoding="utf-8", errors="replace").read().split("\\0")[3:-1]
"""
REDACT = """
from clawgate.processes.argv_redaction import redact_argv
redact_argv(["canary-one", "canary-two-canary-one", "nowhere", ""])
sys.stdout.write(json.dumps([shown(), sys.argv[1:]]))
"""
RESTART = """
before = shown()
from clawgate.processes.argv_redaction import hand_over_arguments, hide_arguments
hide_arguments()
print(json.dumps([before, shown(), sys.argv[1:]]), flush=True)
if os.environ.get("LIVES", "") != "xx":
    arguments, variables = hand_over_arguments()
    os.execve(sys.executable, arguments, os.environ | variables | {"LIVES": os.environ.get("LIVES", "") + "x"})
"""
AT_IMPORT = """
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "clawgate.cli":
            sys.stdout.write(json.dumps([shown(), sys.argv[1:], "click" in sys.modules]))
            sys.stdout.flush()
            os._exit(0)
sys.meta_path.insert(0, Finder())
from clawgate.__main__ import main
main()
"""


def run(program: str, *arguments: str) -> list[list[list[str]]]:
    done = subprocess.run(
        [sys.executable, "-c", LOOK + program, *arguments],
        capture_output=True,
        text=True,
        check=True,
        encoding="utf-8",
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@on_linux
def test_known_secrets_are_overwritten_wherever_they_are_and_kept_for_ourselves() -> None:
    """In the same places, whatever is around them; the longest first."""
    given = [
        "--a",
        "canary-one",
        "--b=canary-one",
        "n:canary-two-canary-one,m:canary-one",
        "canary",
        "\u00e9",
    ]
    one, two = "*" * 10, "*" * 21
    expected = ["--a", one, f"--b={one}", f"n:{two},m:{one}", "canary", "\u00e9"]
    assert run(REDACT, *given) == [[expected, given]]


@on_linux
def test_flags_are_overwritten_before_the_command_is_imported() -> None:
    given = ["gateway", "run", "--token", "canary-token", "--port", "1"]
    assert run(AT_IMPORT, *given) == [[["gateway", "run", "--token", "*" * 12, "--port", "1"], given, False]]


@on_linux
def test_after_a_restart_they_are_never_on_the_command_line_and_still_known() -> None:
    given = ["--token", "canary", "x\u00e9"]
    hidden = ["--token", "******", "x\u00e9"]
    first, *restarted = run(RESTART, *given)
    assert first == [given, hidden, given]
    assert restarted == [[hidden, hidden, given]] * 2


@pytest.mark.parametrize(
    ("arguments", "masked"),
    [
        ("--token canary --port 1", "--token ****** --port 1"),
        ("--token=canary x", "--token=****** x"),
        ("--openai-api-key=a=b", "--openai-api-key=***"),
        ("--token --token --token", "--token ******* --token"),
        ("config set gateway.auth.token canary", "config set gateway.auth.token ******"),
        ("config set gateway.port 1", "config set gateway.port 1"),
        ("--upstream-proxy http://u:canary@h:1", "--upstream-proxy http://********@h:1"),
        ("--upstream-proxy=http://u:canary@h:1", "--upstream-proxy=http://********@h:1"),
        ("/home/key.d/python -m clawgate", "/home/key.d/python -m clawgate"),
        ("a@b http://h/", "a@b http://h/"),
    ],
)
def test_what_is_masked(arguments: str, masked: str) -> None:
    assert mask_arguments(arguments.encode().split(b" ")) == masked.encode().split(b" ")


def options_of(command: click.Command) -> Iterator[click.Option]:
    yield from (option for option in command.params if isinstance(option, click.Option))
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from options_of(found)


def test_the_options_that_take_a_secret_are_known_by_their_names() -> None:
    options = {option.opts[0]: "SECRET" in (option.metavar or "") for option in options_of(clawgate)}
    secrets = {name for name, takes_secret in options.items() if takes_secret}
    assert {"--token", "--password", "--proxy-token", "--openai-api-key"} <= secrets
    assert set(secret_flags(list(options))) == secrets - {
        "--upstream-proxy"
    }  # a URL, whose password is masked
