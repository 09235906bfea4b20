"""`clawgate egress validate` tries the config's policy, and fails where a check fails."""

from __future__ import annotations

import json
import socket

from tests.cli.gateway_home import Home


def test_a_config_whose_provider_is_reached_passes(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        home.configure(upstream=listener.getsockname()[1])
        found = home.run("egress", "validate", "--json")
    output = json.loads(found.stdout)
    assert found.returncode == 0 and output["ok"] is True, found.stdout
    assert {(one["requester"], one["expects"]) for one in output["checks"]} >= {
        ("provider:local", "reached"),
        ("provider:local", "refused"),
        ("tool:web_fetch", "refused"),
    }


def test_a_provider_that_is_down_fails(home: Home) -> None:
    found = home.run("egress", "validate")
    assert found.returncode == 1 and "connection refused" in found.stderr and "FAILED" in found.stdout
