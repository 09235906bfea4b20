"""Each provider's credential is listed by its kind, its ends and its place; also one that cannot be used yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from clawgate.cli.auth.listing import auth_rows, print_rows
from clawgate.providers.catalog import build_catalog
from clawgate.settings.openclaw.config_file import read_config
from tests.cli.catalogs import config_file


def test_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    environment = {"OPENAI_API_KEY": "canary-openai-key", "HOME": str(tmp_path)}
    file = read_config(config_file(tmp_path), environment, required=True)
    rows = auth_rows(file, build_catalog(file.config, file.unset, file.environment))
    assert {row.provider.id: (row.kind, row.source) for row in rows} == {
        "openai": ("bearer", "OPENAI_API_KEY (environment)"),
        "anthropic": ("none", ""),
        "owl": ("header X-Proxy-Token", "openclaw.json:7"),
        "hut": ("bearer", "openclaw.json:9"),
        "far": ("x-api-key", "openclaw.json:10"),
        "lan": ("bearer", "NO_SUCH_KEY (openclaw.json:11)"),
    }
    print_rows(rows)
    shown = capsys.readouterr().out
    assert "canary" not in shown and "lan: not ready: its credential is not set: set NO_SUCH_KEY" in shown
    assert shown.splitlines()[0].split() == ["Provider", "Auth", "Secret", "From", "Ready"]
