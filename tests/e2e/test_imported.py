"""What a role has imported once it has served a request: counted, so that start-up and memory do not grow unseen.

Modules of the standard library and of the machine are not counted: they differ from one Python to the next.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any, get_args

import pytest

from demo.models import openai_server as model
from demo.models.openai_server import build_model
from tests.e2e.gateway_stand import CHAT, GATEWAY_TOKEN, chat_provider, config_of, write_config
from tests.e2e.processes import environment, post_chat, role_command, started
from tests.e2e.stand import CLIENT_TOKEN, Kind
from tests.routing.gateway_server import agents_on

NOT_COUNTED = sys.stdlib_module_names | {"sitecustomize", "usercustomize"}  # Debian has the first
BUDGETS = {"bridge": 340, "server": 355, "gateway": 555, "gateway with agents": 905}
"""The most modules of each. To raise one is a decision: the commit says what the new modules are for."""
OF_AGENTS = ("clawgate.agents", "clawgate.state", "sqlalchemy", "alembic", "genai_prices", "httpx2", "mcp")
NOTED = """
import json, sys
from pathlib import Path
out = Path(sys.argv.pop(1))
from clawgate.cli.main import main
try:
    main()
finally:
    out.write_text(json.dumps(list(sys.modules)))
"""


def imported(role: str, folder: Path) -> set[str]:
    """Serve one request with a role as a process of its own; return the modules of ours and of third parties."""
    names = folder / "modules.json"
    is_relay = role in get_args(Kind)
    with model.running(build_model()) as url:
        command, variables = role_command("bridge" if role == "bridge" else "server", url)
        if not is_relay:
            config: dict[str, Any] = config_of({CHAT: chat_provider(url)})
            config["agents"] = {"defaults": {"model": {"primary": f"{CHAT}/gpt-4o-mini"}}}
            write_config(folder / "openclaw.json", agents_on(config, on=role != "gateway"))
            command = [
                *command[:3],
                "gateway",
                "run",
                "--port",
                "0",
                "--config",
                str(folder / "openclaw.json"),
            ]
            variables = {}
        command = [sys.executable, "-c", NOTED, str(names), *command[3:]]
        with started(command, folder / "role", environment(folder, **variables)) as process:
            name = {"gateway": f"{CHAT}/gpt-4o-mini", "gateway with agents": "openclaw"}.get(
                role, "gpt-4o-mini"
            )
            status, text = post_chat(process.port, name, CLIENT_TOKEN if is_relay else GATEWAY_TOKEN)
            assert status == 200 and text.endswith("data: [DONE]\n\n"), text
            process.send(signal.SIGTERM)
            process.wait()
    modules = json.loads(names.read_text())
    return {name for name in modules if name[0] != "_" and name.partition(".")[0] not in NOT_COUNTED}


@pytest.mark.parametrize("role", BUDGETS)
def test_a_role_imports_no_more_modules_than_its_budget(role: str, tmp_path: Path) -> None:
    modules = imported(role, tmp_path)
    assert len(modules) <= BUDGETS[role], f"{len(modules)}: {sorted(modules)}"
    assert BUDGETS[role] - len(modules) < 40, "lower the budget to what it is"
    if role != "gateway with agents":
        assert not [name for name in modules if name.startswith(OF_AGENTS)]
