"""`clawgate server`: a random token, and no start without what is required."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from clawgate.cli.main import clawgate
from clawgate.settings.secrets import token_problem
from tests.cli.command import command

KEY, TOKEN = "sk-canary-8Vz3-Lm5Yt", "canary-4Hj6-Rn1Bc"
BASE = ["server", "run", "--port", "0", "--openai-api-key", KEY, "--proxy-token", TOKEN]


def test_a_new_token_is_strong_and_never_the_same() -> None:
    """32 bytes of randomness, alone on one line, and what the server itself accepts."""
    made = [CliRunner().invoke(clawgate, ["server", "new-token"]) for _ in range(50)]
    tokens = {found.stdout for found in made}
    assert len(tokens) == 50 and all(found.exit_code == 0 for found in made)
    for token in tokens:
        assert token.endswith("\n") and len(token.strip()) == 43 and token_problem(token.strip()) is None
        assert "," not in token and ":" not in token


def test_without_a_key_or_a_token_it_does_not_start(tmp_path: Path) -> None:
    found = command("server", "run", folder=tmp_path)
    assert found.returncode == 2 and "OPENAI_API_KEY" in found.stderr
    found = command("server", "run", "--openai-api-key", KEY, folder=tmp_path)
    assert found.returncode == 2 and "no token is set" in found.stderr and "canary" not in found.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--proxy-token", "short"], "new-token"),
        (["--proxy-tokens", f"default:{TOKEN}x"], "the name 'default'"),
        (["--proxy-tokens", f"a:{TOKEN}"], "same token"),
        (["--proxy-tokens-file", "none"], "there is no such file"),
        (["--proxy-tokens-file", "open"], "chmod 600"),
        (["--tls-key", "k"], "is missing; set both"),
        (["--max-auth-failures", "0"], "maxAuthFailures"),
        (["--workers", "0"], "workers"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_used_is_refused(tmp_path: Path, arguments: list[str], says: str) -> None:
    (tmp_path / "open").write_text(f"alice:{TOKEN}y\n")
    (tmp_path / "open").chmod(0o644)
    found = command(*BASE, *arguments, folder=tmp_path)
    assert found.returncode == 2 and says in found.stderr and "Traceback" not in found.stderr
    assert "canary" not in found.stderr + found.stdout


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ('{"openai-proxy": {"$include": "limits.json"}}', "$include"),
        ('{"openai-proxy": {config: {"$include": "limits.json"}}}', "$include"),
        ('{"$include": "limits.json"}', "$include"),
        ('{"openai-proxy": []}', "must be an object"),
        ('{"openai-proxy": null}', "must be an object"),
        ('{"openai-proxy": {config: null}}', "must be an object"),
        ('{"openai-proxy": {configs: {models: ["gpt-a"]}}}', "did you mean 'config'?"),
        ('{"openai-proxy": {models: ["gpt-a"]}}', "move it to"),
        ('{"openai_proxy": {config: {models: ["gpt-a"]}}}', "did you mean 'openai-proxy'?"),
        ('{"openai-proxy": {config: {modles: ["gpt-a"]}}}', "did you mean 'models'?"),
    ],
)
def test_limits_that_cannot_be_read_are_not_passed_over(tmp_path: Path, entries: str, says: str) -> None:
    """It would serve every model; `config validate` finds the same."""
    path = tmp_path / "openclaw.json"
    path.touch(0o600)
    path.write_text(f"{{plugins: {{entries: {entries}}}}}")
    found = command(*BASE, "--config", str(path), folder=tmp_path)
    assert found.returncode == 2 and says in found.stderr and str(path) in found.stderr
    found = command("config", "validate", "--config", str(path), folder=tmp_path)
    assert found.returncode == 1 and says in found.stderr


@pytest.mark.parametrize(
    "arguments",
    [["--organization", "a\nb"], ["--project", " p"], ["--tls-certificate", "/none", "--tls-key", "/none"],
    ["--host", "a..b"]],
    ids=["organization", "project", "TLS files", "host"],
)  # fmt: skip
def test_no_setting_ends_in_a_traceback(tmp_path: Path, arguments: list[str]) -> None:
    found = command(*BASE, *arguments, folder=tmp_path)
    assert "Traceback" not in found.stderr and found.returncode in (1, 2)
