"""Writers of a config file that are killed with -9 at random instants, and somebody who looks what stands there then.

``python -m tests.e2e.config_writer_program FILE KILLS SEED`` prints one line of JSON. It has to be a process of its
own: it forks, and a test process has threads.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import sys
import time
from pathlib import Path

from clawgate.settings.atomic_write import BACKUPS, locked, read_optional, replace

MOST = 20
"""Writes that a writer gets done, at most, before it is killed in the midst of the next."""


def version(number: int) -> bytes:
    """A version says who it is, and a part of it is another text."""
    return b'{\n  "number": %d,\n  "filling": "%s"\n}\n' % (number, b"%d " % number * (number * 37 % 3000))


def number_of(content: bytes) -> int:
    """Which version this is; raises ValueError for anything that is not one, byte for byte."""
    number = int(content.split(b"\n")[1].removeprefix(b'  "number": ').removesuffix(b","))
    if content != version(number):
        raise ValueError("neither the old version nor the new one")
    return number


def write_for_ever(path: Path, number: int, report: int) -> None:
    """Write one version after the other, and tell each number when it stands."""
    while True:
        with locked(path):
            seen = read_optional(path)
            replace(path, version(number), old=seen)
        os.write(report, b"%d\n" % number)
        number += 1


def killed_writer(path: Path, number: int, writes: int, part: float) -> int:
    """Start a writer, kill it ``part`` of a write's time after it told ``writes`` of them.

    The last number that it told, or the one before its first.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        write_for_ever(path, number, writing)
    os.close(writing)
    told = b""
    began = time.monotonic()
    while told.count(b"\n") < writes:
        told += os.read(reading, 65_536)
    select.select(
        [], [], [], part * (time.monotonic() - began) / max(writes, 1)
    )  # the instant is what is random here
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    told += b"".join(iter(lambda: os.read(reading, 65_536), b""))
    os.close(reading)
    return int(told.split()[-1]) if told else number - 1


def main() -> None:
    """Kill writers, look each time."""
    path, kills, instants = Path(sys.argv[1]), int(sys.argv[2]), random.Random(int(sys.argv[3]))
    path.write_bytes(version(0))
    number, unreported, leftovers = 0, 0, 0
    for _ in range(kills):
        told = killed_writer(path, number + 1, instants.randint(1, MOST), instants.random())
        found = number_of(path.read_bytes())
        if found not in (told, told + 1):
            raise ValueError(f"{told} had been written, and {found} stands there")
        unreported += found != told
        for ending in BACKUPS:
            kept = path.with_name(path.name + ending)
            if kept.exists() and number_of(kept.read_bytes()) > found:
                raise ValueError("a backup is newer than the file")
        left = [entry.name for entry in path.parent.iterdir() if entry.name.startswith(f".{path.name}.new-")]
        leftovers += bool(left)
        if len(left) > 2:
            raise ValueError(f"what was left is not swept away: {left}")
        number = found
    counts = {"kills": kills, "writes": number, "leftovers": leftovers, "unreported": unreported}
    sys.stdout.write(json.dumps(counts) + "\n")


if __name__ == "__main__":
    main()
