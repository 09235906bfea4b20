"""A client is given the secret of the config, never that of another gateway; `gateway token` has the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from clawgate.cli.credential import read_secret, why_none
from clawgate.cli.errors import CommandFailed
from clawgate.cli.paths import find_paths
from tests.cli.catalogs import CONFIG, alone, config_file


@pytest.mark.parametrize(
    ("auth", "value", "why"),
    [
        ('token: "canary-9f8e7d6c5b4a39281706"', "canary-9f8e7d6c5b4a39281706", None),
        ('mode: "none"', None, "clients need no token"),
        ('mode: "password"', None, "set gateway.auth.password or OPENCLAW_GATEWAY_PASSWORD"),
        ("", None, "makes one at its first start"),
    ],
)
def test_the_secret_of_the_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, auth: str, value: str | None, why: str | None
) -> None:
    alone(tmp_path, monkeypatch)
    path = config_file(tmp_path, CONFIG.replace("gateway: { ", f"gateway: {{ auth: {{ {auth} }}, "))
    file, secret = read_secret(find_paths(str(path)))
    assert (secret.value if secret else None) == value
    assert why is None or why in why_none(file)


def test_an_unusable_config_ends_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone(tmp_path, monkeypatch)
    with pytest.raises(CommandFailed, match="2"):
        read_secret(find_paths(str(config_file(tmp_path, "{"))))
