"""Who listens on a port of this machine? From /proc, so on Linux only; elsewhere nobody knows."""

from __future__ import annotations

import contextlib
from pathlib import Path

_LISTEN = "0A"
PROC = Path("/proc")


def port_owner(port: int, proc: Path = PROC) -> str | None:
    """`name (pid N)` of a process that listens on the TCP port, or None where that cannot be seen."""
    inodes = {inode for table in ("tcp", "tcp6") for inode in _listening(proc / "net" / table, port)}
    if not inodes:
        return None
    links = {f"socket:[{inode}]" for inode in inodes}
    for folder in proc.iterdir():
        # Other users' processes, and those that end while we look, are simply not the answer.
        with contextlib.suppress(OSError):
            if folder.name.isdecimal() and _has_one_of(folder, links):
                return f"{(folder / 'comm').read_text().strip()} (pid {folder.name})"
    return None


def _listening(table: Path, port: int) -> list[str]:
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return []
    rows = [line.split() for line in lines]
    return [row[9] for row in rows if row[3] == _LISTEN and int(row[1].rpartition(":")[2], 16) == port]


def _has_one_of(folder: Path, links: set[str]) -> bool:
    return any(str(entry.readlink()) in links for entry in (folder / "fd").iterdir())
