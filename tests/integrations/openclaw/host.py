"""The real OpenClaw in a home of its own: its commands, its gateway, and the processes that belong to them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from clawgate.processes.supervision.subreaper import descendants, process_table
from tests.e2e.offline import why_not
from tests.e2e.waiting import poll
from tests.ports import free_ports

ROOT = Path(__file__).parents[3]
PACKAGES = ROOT / "integrations" / "openclaw"
OPENCLAW = Path(os.environ.get("CLAWGATE_TEST_OPENCLAW", "/nonexistent"))
MISSING = why_not(OPENCLAW, "CLAWGATE_TEST_OPENCLAW does not name the folder of an installed OpenClaw")
needs_openclaw = pytest.mark.skipif(bool(MISSING), reason=MISSING)
VERSION = "" if MISSING else json.loads((OPENCLAW / "package.json").read_text())["version"]
INSTALL_FLAGS: dict[str, tuple[str, ...]] = {
    "2026.3.28": (),
    "2026.5.12": ("--dangerously-force-unsafe-install",),
}
"""Of versions that are tried by hand; the flags of the others answer what they ask at a terminal."""
HIDES_SECRETS = VERSION != "2026.3.28"
"""Whether its prompts do not show a secret that is typed."""
START_SECONDS = 240.0
"""OpenClaw takes 5 s where nothing else runs, and a minute beside other tests."""
GATEWAY_TOKEN = "gt-2Wm8ZpQv6TxLk3Nd"


_COLD_STARTS = 25
"""How many times as long as that of `clawgate --version` the start of an engine may take: the bar is 3 s, and 0.11 s
were measured for that command."""


def longest_cold_start() -> float:
    """Return the bar in seconds, as this machine is now."""
    took = []
    for _ in range(5):
        began = time.monotonic()
        subprocess.run([sys.executable, "-m", "clawgate", "--version"], check=True, capture_output=True)
        took.append(time.monotonic() - began)
    return _COLD_STARTS * min(took)


class Host:
    """OpenClaw with its state below ``folder``. ``port`` is its gateway's, ``bridge_port`` for the child."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / ".openclaw"
        self.state.mkdir(mode=0o700)
        self.port = free_ports(2)
        self.bridge_port = self.port + 1
        self.config = self.state / "openclaw.json"
        self.write(
            {
                "gateway": {
                    "mode": "local",
                    "port": self.port,
                    "bind": "loopback",
                    "auth": {"mode": "token", "token": GATEWAY_TOKEN},
                    "http": {"endpoints": {"chatCompletions": {"enabled": True}}},
                },
            }
        )
        # of this environment alone: the plugin has to find the interpreter by the program of the same name
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.environment = {"HOME": str(folder), "PATH": path, "DO_NOT_TRACK": "1", "TERM": "xterm"}

    def write(self, config: dict[str, Any]) -> None:
        self.config.write_text(json.dumps(config))
        self.config.chmod(0o600)

    def read(self) -> Any:
        return json.loads(self.config.read_text())

    def words(self, *arguments: str) -> list[str]:
        return ["node", str(OPENCLAW / "openclaw.mjs"), *arguments]

    def run(self, *arguments: str, status: int | None = 0) -> str:
        done = subprocess.run(
            self.words(*arguments),
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
        shown = done.stdout + done.stderr
        assert status is None or done.returncode == status, shown
        return shown

    def install(self, package: str) -> str:
        flags = INSTALL_FLAGS.get(VERSION, ("--force", "--accept-capabilities"))
        return self.run("plugins", "install", str(PACKAGES / package), *flags)

    @contextlib.contextmanager
    def gateway(self, started: str = "listening") -> Iterator[Gateway]:
        log = self.folder / "gateway.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                self.words("gateway", "run"),
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        gateway = Gateway(self, process, log)
        try:
            gateway.until(started)
            yield gateway
        finally:
            gateway.stop()


class Gateway:
    """OpenClaw's running gateway."""

    def __init__(self, host: Host, process: subprocess.Popen[bytes], log: Path) -> None:
        self.host, self.process, self.log = host, process, log
        self._read_to = log.stat().st_size

    def until(self, text: str) -> None:
        """Wait for the log to have this."""

        def shown() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            return text in self.log.read_bytes()[self._read_to :].decode(errors="replace")

        poll(shown, f"the log to have {text!r}", within=START_SECONDS)

    def complete(self, *, stream: bool = False, model: str = "") -> tuple[int, str]:
        """Return status and body of a chat completion, of the default model if none is named."""
        return self._complete(self.host.port, stream=stream, model=model)

    def complete_directly(self) -> int:
        """Return the status of a chat completion of the bridge."""
        return self._complete(self.host.bridge_port)[0]

    def _complete(self, port: int, *, stream: bool = False, model: str = "") -> tuple[int, str]:
        body = {"model": "openclaw", "stream": stream, "messages": [{"role": "user", "content": "hi"}]}
        request = Request(
            f"http://127.0.0.1:{port}/v1/chat/completions",
            data=json.dumps(body).encode(),
            headers={
                "authorization": f"Bearer {GATEWAY_TOKEN}",
                "content-type": "application/json",
                "x-openclaw-model": model,
                "x-openclaw-scopes": "operator.write",  # wanted by 2026.3.28
            },
        )
        try:
            with urlopen(request, timeout=200) as response:
                return response.status, response.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()

    def kill(self) -> None:
        """Kill all of the host at once, since one process that is left keeps its lock; our engines are spared."""
        while found := _hosts_own(self.host.folder):
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    kill(pid)
            self.process.wait()

    def stop(self) -> None:
        """Let it end in order, then what is left of it."""
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(60)
        self.kill()


def _processes(folder: Path) -> dict[int, list[bytes]]:
    """Return the command line of every process whose home is ``folder``, but for those that have ended."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"HOME={folder}".encode() in (path / "environ").read_bytes().split(b"\0"):
                found[int(path.name)] = (path / "cmdline").read_bytes().split(b"\0")
    return found


def engines(folder: Path) -> list[int]:
    """Return the processes of clawgate whose home is ``folder``."""
    return [pid for pid, words in _processes(folder).items() if b"clawgate" in words]


def _hosts_own(folder: Path) -> set[int]:
    """Return the processes whose home is ``folder`` that are neither an engine nor below one."""
    table, found = process_table(), set(_processes(folder))
    for pid in engines(folder):
        found -= {pid, *descendants(pid, table)}
    return found


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def started_at_of(pid: int) -> float:
    """Return when the process started, on the clock of the boot."""
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2].split()
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")
