"""`clawgate bridge run` refuses what cannot be used, all of it at once, and shows no secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import command
from tests.private_file import write_private

TOKEN = "canary-9Kx2-Qw7Zp"


def test_nothing_set_names_every_way_to_set_it(tmp_path: Path) -> None:
    found = command("bridge", "run", folder=tmp_path)
    assert found.returncode == 2 and found.stdout == ""
    for part in (
        "invalid configuration:",
        "--remote-url",
        "PROXY_BRIDGE_URL",
        'plugins.entries."proxy-bridge".config.remoteUrl in ',
        "PROXY_BRIDGE_TOKEN",
    ):
        assert part in found.stderr
    assert "Traceback" not in found.stderr


def test_all_problems_come_at_once_with_their_places_and_no_secret(tmp_path: Path) -> None:
    config = tmp_path / "c.json5"
    config.write_text("{plugins: {entries: {'proxy-bridge': {config: {remotUrl: 1, idleTimeout: 0}}}}}")
    found = command(
        "bridge", "run", "--config", str(config), "--port", "x", "--remote-url", f"http://u:{TOKEN}@h",
        folder=tmp_path, environment={"PROXY_BRIDGE_TOKEN": f"{TOKEN} x"},
    )  # fmt: skip
    assert found.returncode == 2
    for part in (
        "remotUrl",
        "did you mean 'remoteUrl'",
        "idleTimeout",
        "(--port)",
        "(--remote-url)",
        "(environment variable PROXY_BRIDGE_TOKEN)",
    ):
        assert part in found.stderr
    assert "canary" not in found.stderr + found.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--host", "0.0.0.0"], "--bridge-token"),
        (["--host", "::"], "--bridge-token"),
        (["--upstream-proxy", f"http://u:{TOKEN}@h:x"], "upstreamProxy"),
        (["--upstream-proxy", f"socks5://u:{TOKEN}@h:1"], "upstreamProxy"),
        (["--remote-url", "https://h", "--ca-file", "/no/such/file"], "caFile"),
        (["--client-key", "k"], "clientCertificate"),
        (["--config", "/no/such/file"], "does not exist"),
        (["--env-file", "/no/such/file"], "there is no such file"),
    ],
    ids=["every IPv4", "every IPv6", "a proxy without port", "another proxy", "no CA", "no certificate",
    "no config", "no env"],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_before_anything_listens(
    tmp_path: Path, arguments: list[str], says: str
) -> None:
    base = ["bridge", "run", "--port", "0", "--remote-url", "http://h", "--proxy-token", TOKEN]
    found = command(*base, *arguments, folder=tmp_path)
    assert found.returncode == 2 and says in found.stderr
    assert "Traceback" not in found.stderr and "listening" not in found.stderr
    assert "canary" not in found.stderr + found.stdout


def test_files_of_variables_are_reported_at_start(tmp_path: Path) -> None:
    """The one that is named is read; the one of the working folder is not."""
    (tmp_path / ".env").write_text("PROXY_BRIDGE_URL=http://attacker.test\n")
    write_private(tmp_path / "my.env", "PROXY_BRIDGE_PORT=x\n")
    arguments = ["bridge", "run", "--proxy-token", TOKEN]
    unread = command(*arguments, folder=tmp_path)
    assert unread.returncode == 2 and "remoteUrl: is not set" in unread.stderr
    assert f"clawgate: {tmp_path / '.env'}: it is not read" in unread.stderr
    named = command(*arguments, "--env-file", "my.env", folder=tmp_path)
    assert "clawgate: environment file read: my.env\n" in named.stderr
    assert "bridgePort (PROXY_BRIDGE_PORT in my.env): must be" in named.stderr


@pytest.mark.parametrize("where", ["state/.env", "my.env"])
def test_variables_that_others_can_read_stop_it(tmp_path: Path, where: str) -> None:
    (tmp_path / "state").mkdir(0o700)
    path = write_private(tmp_path / where, f"PROXY_BRIDGE_TOKEN={TOKEN}\n", 0o644)
    arguments = ["--env-file", str(path)] if where == "my.env" else []
    found = command(
        "bridge",
        "run",
        "--remote-url",
        "http://h",
        *arguments,
        folder=tmp_path,
        environment={"OPENCLAW_STATE_DIR": "state"},
    )
    assert found.returncode == 2 and "listening" not in found.stderr and TOKEN not in found.stderr
    says = f"{where}: other users have access to it (mode 0644); run: chmod 600 "
    assert says in found.stderr
