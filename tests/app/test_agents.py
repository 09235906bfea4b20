"""The agents of a gateway: nothing of them where they are off, and a database that comes when it is needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.agents.agent_stand import serving_agents, user

OFF = """
import sys
import clawgate.app.gateway
found = [name for name in sys.modules if name.startswith(("clawgate.agents", "clawgate.state", "sqlalchemy", "genai"))]
sys.exit(f"imported: {found}" if found else 0)
"""


def test_a_gateway_without_agents_imports_nothing_of_them() -> None:
    subprocess.run([sys.executable, "-c", OFF], check=True)


async def test_the_database_is_made_by_the_first_run(tmp_path: Path) -> None:
    async with serving_agents(tmp_path) as stand:
        database = tmp_path / "clawgate" / "state.db"
        assert not database.exists()
        await stand.text(user("hi"))
        assert database.stat().st_mode & 0o777 == 0o600


async def test_without_its_database_no_agent_runs_and_models_are_served(tmp_path: Path) -> None:
    """And a database that can be used again is, without a restart."""
    blocker = tmp_path / "clawgate"
    async with serving_agents(tmp_path) as stand:
        blocker.write_text("not a folder")
        response = await stand.ask(user("hi"))
        assert response.status == 503 and response.json()["error"]["code"] == "store_unavailable"
        assert not stand.model.requests
        assert (await stand.ask(user("hi", model="up/m"))).status == 200
        blocker.unlink()
        assert (await stand.ask(user("hi"))).status == 200
