"""How is a process started so that it surely ends with this run, whatever ends the run?

Each gets its own session (Ctrl-C reaches only us, and we stop the others in order), a kernel promise to be
told when we die (`kill -9` of us leaves nothing behind), a clean environment, and a stop by pid.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

from benchmarks.process_clock import tree_of

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)
_ROOT = Path(__file__).parent.parent


class Failed(Exception):
    """A contender did not do its job, with the reason; it gets no numbers for that scenario."""


class Started:
    """One running process and its descendants; a context manager that leaves none of them behind."""

    def __init__(
        self, command: list[str], env: dict[str, str], folder: Path, core: int | None, piped: bool = False
    ) -> None:
        self.log = folder / "output.log"
        base = {"PATH": os.environ.get("PATH", ""), "HOME": str(folder), "LANG": "C.UTF-8"}

        def in_child() -> None:
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            if core is not None:
                os.sched_setaffinity(0, {core})

        with self.log.open("ab") as log:
            self.began_ns = time.monotonic_ns()
            self.process = subprocess.Popen(
                command,
                env=base | env,
                cwd=folder,
                stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
                stdout=subprocess.PIPE if piped else log,
                stderr=log,
                text=True,
                start_new_session=True,
                preexec_fn=in_child,  # noqa: PLW1509 - this process has one thread
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def pids(self) -> list[int]:
        return tree_of(self.process.pid)

    def wait_listening(self, port: int, seconds: float) -> int:
        """Nanoseconds from the start until `port` accepted a connection."""
        while time.monotonic_ns() - self.began_ns < seconds * 1e9:
            with socket.socket() as probe:
                probe.settimeout(1)
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return time.monotonic_ns() - self.began_ns
            if self.process.poll() is not None:
                raise Failed(f"ended with status {self.process.returncode} at start: {self.last_words()}")
            time.sleep(0.001)
        raise Failed(f"not listening after {seconds} s: {self.last_words()}")

    def last_words(self) -> str:
        return self.log.read_text(errors="replace")[-600:].strip() if self.log.exists() else ""

    def stop(self) -> None:
        """SIGTERM, three seconds of grace, then SIGKILL for whatever is left of the session started here."""
        self.process.terminate()  # does nothing if it has ended; then it is reaped here
        until = time.monotonic() + 3
        while self.process.returncode is None and time.monotonic() < until:
            # WNOWAIT leaves a zombie, so that its id cannot be another's when the group is killed below
            if os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG):
                break
            time.sleep(0.005)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Partner(Started):
    """The fake upstream or the load generator: one JSON line in, one JSON line out."""

    def __init__(self, module: str, folder: Path, core: int | None) -> None:
        env = {"PYTHONPATH": str(_ROOT)}
        super().__init__([sys.executable, "-m", module], env, folder, core, piped=True)

    def tell(self, order: object) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Failed(f"the benchmark's own process has ended: {self.last_words()}") from None

    def hear(self, seconds: float) -> dict[str, Any]:
        """The next line; whole lines only are written, so a readable pipe has one."""
        stdout = self.process.stdout
        assert stdout is not None
        if not select.select([stdout], [], [], seconds)[0]:
            raise Failed(f"no result from the load generator within {seconds:.0f} s")
        line = stdout.readline()
        if not line:
            raise Failed(f"the benchmark's own process has ended: {self.last_words()}")
        heard: dict[str, Any] = json.loads(line)
        if "error" in heard:
            raise Failed(str(heard["error"]))
        return heard

    def stop(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        super().stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
