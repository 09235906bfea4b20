"""A program that serves agents, and exits with what of theirs its event loop has imported.

Its argument is whether they are on at the start, or switched on later: `python -m tests.app.imports_on_loop off`.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from tests.peers.faults import sse_response
from tests.peers.upstream import FakeUpstream
from tests.routing.gateway_server import (
    CHAT,
    agents_on,
    config_of,
    provider,
    question,
    serving_gateway,
    write,
)

HEAVY = ("sqlalchemy", "genai_prices", "alembic", "asyncpg", "clawgate.agents", "clawgate.state")
CHUNK = b'data: {"choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}]}\n\n'
imported: list[str] = []


def note(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "import" and threading.current_thread() is threading.main_thread():
        imported.extend(arguments[0] for heavy in HEAVY if arguments[0].startswith(heavy))


async def main(folder: Path, *, starts_on: bool) -> None:
    async with FakeUpstream(sse_response([CHUNK, b"data: [DONE]\n\n"])) as model:
        config = config_of({"up": provider(model.url, models=[{"id": "m"}])}, primary="up/m")
        async with serving_gateway(folder, agents_on(config, on=starts_on)) as stand:
            tasks = [asyncio.create_task(make()) for make in stand.role.tasks]
            sys.addaudithook(note)
            if not starts_on:
                assert not any(name.startswith(HEAVY) for name in sys.modules)
                write(stand.config, agents_on(config))
            async with asyncio.timeout(60):
                while (await stand.ask(question("openclaw"), target=CHAT)).status == 404:
                    stand.role.periodic_tasks[0][1]()
                    await asyncio.sleep(0.01)
            assert (await stand.ask(question("openclaw"), target=CHAT)).status == 200
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(Path(folder), starts_on=sys.argv[1] == "on"))
    sys.exit(f"imported on the loop: {imported}" if imported else 0)
