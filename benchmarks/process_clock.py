"""How much CPU time have these processes used up to now, exactly, and how much memory do they hold?

/proc/<pid>/stat counts in ticks of 10 ms and /proc/<pid>/schedstat is the main thread alone. The kernel
also keeps a CPU clock for each process that others may read (clock_getcpuclockid(3)): nanoseconds, all
threads, also those that have ended. Its clock id is made of the pid as below.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

_CPUCLOCK_SCHED = 2


def cpu_ns(pids: Iterable[int]) -> int:
    """CPU time, user and system, of these processes since each was started."""
    return sum(time.clock_gettime_ns((~pid << 3) | _CPUCLOCK_SCHED) for pid in pids)


def memory_kb(pids: Iterable[int]) -> tuple[int, int]:
    """Resident set and proportional set (shared pages divided among their users), in kB of 1024 bytes."""
    resident = proportional = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Rss:"):
                resident += int(line.split()[1])
            elif line.startswith("Pss:"):
                proportional += int(line.split()[1])
    return resident, proportional


def tree_of(root: int) -> list[int]:
    """This process and all its descendants that are alive."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if fields[0] != "Z":
            children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, at = [root], 0
    while at < len(found):
        found += children.get(found[at], [])
        at += 1
    return found
