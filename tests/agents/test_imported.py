"""A gateway without agents imports nothing of them."""

from __future__ import annotations

import json
import subprocess
import sys


def test_the_gateway_starts_without_the_agents() -> None:
    code = (
        "import json, sys, clawgate.app.gateway, clawgate.app.run, clawgate.cli.gateway.run, clawgate.control.api; "
        "print(json.dumps(sorted(sys.modules)))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60).stdout
    modules = json.loads(printed)
    assert "clawgate.routing.router" in modules
    assert not [name for name in modules if name.startswith(("clawgate.agents", "clawgate.state"))]
