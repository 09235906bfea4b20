"""The demo's config is one that the gateway takes, and holds no secret."""

from __future__ import annotations

import stat
from pathlib import Path

from clawgate.providers.catalog import build_catalog
from clawgate.settings.openclaw.config_file import read_config
from demo.config import (
    ANTHROPIC,
    ANTHROPIC_KEY_VARIABLE,
    BRIDGE,
    openclaw_config,
    write_openclaw_config,
)


def test_both_providers_are_ready_once_their_secrets_are_there(tmp_path: Path) -> None:
    """With the variables set; without its key the provider that needs one is not."""
    path = tmp_path / ".openclaw" / "openclaw.json"
    write_openclaw_config(path, openclaw_config(1234, 5678, "gpt-4o-mini"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    environment = {
        "OPENCLAW_STATE_DIR": str(tmp_path),
        "OPENCLAW_GATEWAY_TOKEN": "a-token-of-the-demo",
        ANTHROPIC_KEY_VARIABLE: "a-key-of-the-demo",
    }
    for given, ready in (
        (environment, [BRIDGE, ANTHROPIC]),
        ({**environment, ANTHROPIC_KEY_VARIABLE: ""}, [BRIDGE]),
    ):
        file = read_config(path, given, required=True)
        catalog = build_catalog(file.config, file.unset, file.environment)
        assert [name for name, found in catalog.providers.items() if found.problem is None] == ready
        assert str(catalog.primary) == f"{BRIDGE}/gpt-4o-mini"
    assert "of-the-demo" not in path.read_text()
