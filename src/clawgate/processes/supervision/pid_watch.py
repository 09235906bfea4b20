"""Reports the exit of a process that is not our child, as an adopted program.

By a pidfd that the running loop watches, so on Linux only; elsewhere nothing is reported and probes have to find out.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Callable

PID = re.compile(r"\(pid (\d+)\)$")
"""In ``name (pid N)``, the form that `port_owner` returns."""


class PidWatcher:
    """Watches one process at a time. ``on_exit`` is called once, on the loop, with the watched ``name (pid N)``."""

    def __init__(self, on_exit: Callable[[str], None]) -> None:
        self._on_exit = on_exit
        self._watched: str | None = None
        self._pidfd = -1

    def watch(self, process: str | None) -> None:
        """Watch ``process`` instead of an earlier one; None: watch none."""
        if process == self._watched:
            return
        self.close()
        self._watched = process
        match = PID.search(process or "")
        if match is None or sys.platform != "linux":
            return
        try:
            self._pidfd = os.pidfd_open(int(match[1]))
        except ProcessLookupError:
            asyncio.get_running_loop().call_soon(self._exited)
        except OSError:  # an old kernel, or no descriptor left: probes have to find out, as elsewhere
            return
        else:
            asyncio.get_running_loop().add_reader(self._pidfd, self._exited)

    def close(self) -> None:
        if self._pidfd >= 0:
            asyncio.get_running_loop().remove_reader(self._pidfd)
            os.close(self._pidfd)
        self._watched, self._pidfd = None, -1

    def _exited(self) -> None:
        process = self._watched
        self.close()
        if process is not None:
            self._on_exit(process)
