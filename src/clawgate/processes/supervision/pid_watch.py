"""Is the process that serves in place of a child of ours still there? Told at the moment of its end, where that can be.

On Linux, by a handle of the process, which the running loop watches. Elsewhere nobody tells, and one has to ask.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Callable

PID = re.compile(r"\(pid (\d+)\)$")
"""In `name (pid N)`, as `port_owner` says it."""


class PidWatcher:
    """Of one process at a time. ``tell`` is called on the loop, once, with what was asked to be watched."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._watched: str | None = None
        self._handle = -1

    def watch(self, process: str | None) -> None:
        """Of this process and no other one; None: of nobody."""
        if process == self._watched:
            return
        self.close()
        self._watched = process
        found = PID.search(process or "")
        if found is None or sys.platform != "linux":
            return
        try:
            self._handle = os.pidfd_open(int(found[1]))
        except ProcessLookupError:
            asyncio.get_running_loop().call_soon(self._ended)
        except OSError:  # an old kernel, or no descriptor is left: then it is asked for as elsewhere
            return
        else:
            asyncio.get_running_loop().add_reader(self._handle, self._ended)

    def close(self) -> None:
        if self._handle >= 0:
            asyncio.get_running_loop().remove_reader(self._handle)
            os.close(self._handle)
        self._watched, self._handle = None, -1

    def _ended(self) -> None:
        process = self._watched
        self.close()
        if process is not None:
            self._tell(process)
