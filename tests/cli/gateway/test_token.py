"""`clawgate gateway token` prints the token and nothing else on standard output, or says why there is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.gateway_home import TOKEN, Home
from tests.private_file import write_private

OTHER = "canary-other-Wm4yRb8TqLz6Hd1s"
VARIABLE = "OPENCLAW_GATEWAY_TOKEN"


def test_a_token_of_the_file_is_printed_alone(home: Home) -> None:
    done = home.gateway("token")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{TOKEN}\n", "")
    shown = json.loads(home.gateway("token", "--json").stdout)
    path = home.state / "openclaw.json"
    assert (shown["ok"], shown["kind"], shown["token"]) == (True, "token", TOKEN)
    assert shown["source"].startswith(f"{path}:1:")


@pytest.mark.parametrize(
    ("auth", "environment", "printed", "note"),
    [
        ({"token": TOKEN}, {VARIABLE: OTHER}, OTHER, f"token from environment variable {VARIABLE}"),
        ({}, {VARIABLE: OTHER}, OTHER, f"token from environment variable {VARIABLE}"),
        ({"token": "${GATE}"}, {"GATE": OTHER}, OTHER, ", which refers to GATE"),
        ({"token": {"source": "env", "id": "GATE"}}, {"GATE": OTHER}, OTHER, ", which refers to GATE"),
        ({"password": OTHER}, {}, OTHER, "password from "),
        ({"mode": "password", "password": OTHER}, {}, OTHER, "password from "),
    ],
)
def test_another_source_is_named_beside_it(
    auth: dict[str, Any], environment: dict[str, str], printed: str, note: str, home: Home
) -> None:
    """On standard error, so that ``$(clawgate gateway token)`` is the token alone."""
    home.configure(auth=auth)
    done = home.gateway("token", **environment)
    assert (done.returncode, done.stdout) == (0, f"{printed}\n") and note in done.stderr
    assert printed not in done.stderr
    assert (
        note.removeprefix("token from ").removeprefix("password from ")
        in home.gateway("token", "--json", **environment).stdout
    )


def test_an_environment_file_counts(home: Home) -> None:
    home.configure(auth={})
    write_private(home.state / ".env", f"{VARIABLE}={OTHER}\n")
    done = home.gateway("token")
    assert done.stdout == f"{OTHER}\n" and f"token from {VARIABLE} in {home.state / '.env'}" in done.stderr
    (home.state / ".env").unlink()
    named = write_private(home.folder / "own.env", f"{VARIABLE}={OTHER}\n")
    assert home.gateway("token", "--env-file", str(named)).stdout == f"{OTHER}\n"


BEHIND_A_PROXY = {"mode": "trusted-proxy", "trustedProxy": {"userHeader": "x-user"}}


@pytest.mark.parametrize(
    ("gateway", "status", "reason"),
    [
        ({"auth": {}}, 1, "the gateway makes one at its first start: clawgate gateway start"),
        ({"auth": {}, "bind": "lan"}, 1, "make one with: clawgate doctor --fix"),
        ({"auth": {"mode": "none"}}, 1, "clients need no token"),
        ({"auth": {"mode": "password"}}, 1, "no password is set"),
        ({"auth": BEHIND_A_PROXY, "trustedProxies": ["10.0.0.1"]}, 1, "the reverse proxy names the caller"),
        ({"auth": {"token": "${NOT_SET}"}}, 2, "NOT_SET is not set"),
        ({"auth": {"token": "***"}}, 2, "is a redaction placeholder"),
        ({"port": "x"}, 2, "gateway.port"),
    ],
)
def test_without_one_the_reason_is_printed(
    gateway: dict[str, Any], status: int, reason: str, home: Home
) -> None:
    home.configure(**gateway)
    done = home.gateway("token")
    assert (done.returncode, done.stdout) == (status, "") and reason in done.stderr
    as_json = home.gateway("token", "--json")
    shown = json.loads(as_json.stdout)
    assert as_json.returncode == status and shown["ok"] is False and "token" not in shown
    assert reason in "; ".join([shown["error"], *shown.get("problems", ())])


def test_a_token_that_the_running_gateway_does_not_take_is_not_printed(home: Home) -> None:
    """It was started with a flag, whose value no other process knows."""
    assert home.gateway("start", "--token", OTHER, "--port", "0").returncode == 0
    done = home.gateway("token")
    assert (done.returncode, done.stdout) == (1, "")
    assert "does not use the token of the config" in done.stderr and VARIABLE in done.stderr
    assert home.gateway("token", **{VARIABLE: OTHER}).stdout == f"{OTHER}\n"


def test_the_token_of_a_running_gateway_is_printed(home: Home) -> None:
    home.configure(auth={})
    assert home.gateway("start").returncode == 0
    token = home.gateway("token")
    assert token.returncode == 0 and len(token.stdout.strip()) >= 43


def test_another_config_than_that_of_the_running_gateway_is_noted(home: Home) -> None:
    home.gateway("start")
    other = home.folder / "other.json"
    other.touch(0o600)
    other.write_text(json.dumps({"gateway": {"auth": {"token": OTHER}}}))
    done = home.gateway("token", "--config", str(other))
    assert done.stdout == f"{OTHER}\n" and "the running gateway uses another config" in done.stderr
