"""Run by test_supervision.py, to be killed: supervises a stand-in child and says the pids of all that came of it."""

from __future__ import annotations

import asyncio
import sys

from tests.processes.supervised import command, there, watched


async def main() -> None:
    what, port = sys.argv[1], int(sys.argv[2])
    async with watched(command(what, port), port) as it:
        await it.until(lambda shown: shown.state.healthy)
        sys.stdout.write(" ".join(map(str, there())) + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
