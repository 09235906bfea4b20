"""The value of `config set`: JSON5 or text, from an argument or standard input, with its keys checked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.config.config_file import SECRET, TEXT, run


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        (["5"], 5),
        (["true"], True),
        (["null"], None),
        (["{a: [1, 'x'],}"], {"a": [1, "x"]}),
        (["gpt-4o"], "gpt-4o"),
        (["'quoted'"], "quoted"),
        (["5", "--string"], "5"),
        (["'5'", "--json-value"], "5"),
        (["--", "-5"], -5),
        ([""], ""),
        (["{a: 1"], "{a: 1"),
        (["{a: 1, a: 2}"], "{a: 1, a: 2}"),
    ],
)
def test_a_value_is_json5_if_it_can_be(file: Path, arguments: list[str], value: object) -> None:
    """As in OpenClaw; --string and --json-value leave no doubt."""
    assert run("set", "channels.x", *arguments).exit_code == 0
    assert json.loads(run("get", "channels.x", "--json").stdout) == value


def test_a_key_that_is_not_ours_is_written_with_a_warning(file: Path) -> None:
    """OpenClaw has more keys than clawgate reads; a slip is guessed at."""
    found = run("set", "channels.telegram.enabled", "true")
    assert found.exit_code == 0 and "clawgate does not read channels" in found.stderr
    assert "did you mean 'port'?" in run("set", "gateway.prt", "1").stderr


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("gateway.novelty", "true", "gateway.novelty"),
        ("gateway.http.endpoints.messages.enabled", "true", "gateway.http.endpoints.messages"),
        ("tools.x", "5", "tools.x"),
        ("novelty", "{}", "novelty"),
        (
            "models.providers.owl",
            '{models: [{id: "a", name: "A", zzz: 1}]}',
            "models.providers.owl.models[0].zzz",
        ),
        ("plugins.entries.proxy-bridge.zzz", "1", "plugins.entries.proxy-bridge.zzz"),
    ],
)
def test_a_key_that_openclaw_does_not_know_either_is_not_written(
    file: Path, path: str, value: str, named: str
) -> None:
    """Each of these objects is closed in OpenClaw: it would refuse its whole file, which was never clawgate's alone."""
    found = run("set", path, value)
    assert found.exit_code == 1 and found.stdout == "" and file.read_text() == TEXT, found.output
    assert f"{named} is a key of neither clawgate nor OpenClaw" in found.stderr
    assert "rejects its whole config for it" in found.stderr


def test_a_secret_that_was_given_as_a_key_is_not_shown(file: Path) -> None:
    found = run("set", f"gateway.auth.{SECRET}", "token")
    assert (
        found.exit_code == 1 and SECRET not in found.output and "gateway.auth contains a key" in found.stderr
    )


@pytest.mark.parametrize(
    ("path", "value", "at"),
    [
        ("models.providers.owl.api", "openai-response", "models.providers.owl.api"),
        ("models.providers.owl.models[0].api", "openai-response", "models.providers.owl.models[0].api"),
        (
            "models.providers.hut",
            '{baseUrl: "http://a.test", api: "openai-response"}',
            "models.providers.hut.api",
        ),
    ],
)
def test_a_dialect_that_openclaw_does_not_have_is_not_written(
    file: Path, path: str, value: str, at: str
) -> None:
    found = run("set", path, value)
    assert found.exit_code == 1 and file.read_text() == TEXT, found.output
    assert (
        f"Config validation failed: {at} (" in found.stderr
        and "did you mean 'openai-responses'?" in found.stderr
    )


def test_a_secret_comes_by_standard_input(file: Path) -> None:
    """Then it never stands among the arguments; there, a warning says so. It is not shown either way."""
    new = "another-s3cret-0123456789"
    found = run("set", "gateway.auth.token", "--stdin", given=new + "\n")
    assert found.exit_code == 0 and found.stderr == "" and new not in found.output
    assert file.read_text() == TEXT.replace(SECRET, new)
    found = run("set", "gateway.auth.token", SECRET)
    assert found.exit_code == 0 and "--stdin" in found.stderr and SECRET not in found.output
    assert run("set", "gateway.auth.token", "${A_TOKEN}").stderr.count("--stdin") == 0


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("gateway.tls.keyPath", "/etc/ssl/private/k.pem"),
        ("plugins.entries.openai-proxy.config.tlsKey", "/etc/ssl/private/k.pem"),
        ("plugins.entries.openai-proxy.config", "{clientCertificate: '/etc/c.pem', clientKey: '/etc/k.pem'}"),
        ("mcp.servers.a.clientKey", "/etc/ssl/private/k.pem"),
        ("channels.telegram.token_file", "/run/secrets/telegram"),
    ],
)
def test_the_path_of_a_secrets_file_is_no_secret(file: Path, path: str, value: str) -> None:
    """What gives it as an argument is not warned of it, and it is shown."""
    found = run("set", path, value)
    assert found.exit_code == 0 and "--stdin" not in found.stderr, found.output
    assert "REDACTED" not in run("get", path).stdout


def test_standard_input_is_text_by_default(file: Path) -> None:
    """A token of digits is no number; lines of JSON5 are welcome with --json-value."""
    assert run("set", "channels.x", "--stdin", given="123456\n").exit_code == 0
    assert run("get", "channels.x", "--json").stdout == '"123456"\n'
    assert run("set", "channels.x", "--stdin", "--json-value", given="{\n a: 1 }\n").exit_code == 0
    assert run("get", "channels.x.a").stdout == "1\n"
