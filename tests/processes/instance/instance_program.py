"""Claims a folder and prints the result; then executes one command per line of standard input."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from clawgate.processes.instance.instance_lock import AlreadyRunning, Instance


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


folder = Path(sys.argv[1])
try:
    instance = Instance.claim(folder)
except AlreadyRunning as error:
    holder = error.holder
    say("held", holder and holder.pid, holder and holder.url)
    sys.exit(78)
say("claimed", instance.id)
for line in sys.stdin:
    match line.strip():
        case "announce":
            instance.announce("http://127.0.0.1:1", 1, folder / "c.json", None, flags=("--port", "1"))
        case "release":
            instance.release()
        case "fork":
            if (pid := os.fork()) == 0:
                instance.release()
                os._exit(0)
            os.waitpid(pid, 0)
        case "exec":
            environment = os.environ | instance.hand_over()
            os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)
    say("done")
