"""The demo's child processes: started so that none can outlive the demo, watched, and stopped by pid.

Each child's stdin is a pipe that only the demo holds, so that the end of the demo, by kill -9 too, is the
end of stdin for them. It must not know what the children do, beyond GET /health saying that they are ready.
"""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clawgate.processes.port_owner import port_owner

PORT_TAKEN = 78
"""The exit code with which `clawgate ... run` says that its port is in use."""


class CannotStart(Exception):
    """Why the demo cannot continue, in lines for the person who started it."""


@dataclass(frozen=True, slots=True)
class Child:
    """A running child: `name` for people, where it listens, and the file that has all its output."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def last_lines(self, count: int = 12) -> str:
        """The end of the child's output."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])

    def died(self) -> str:
        """Empty while the child runs; afterwards the reason in lines, with the end of its output."""
        if self.process.poll() is None:
            return ""
        code = self.process.returncode
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return f"{self.name} (port {self.port}) {how}. Its last lines:\n{self.last_lines() or '(none)'}"


def environment(home: Path) -> dict[str, str]:
    """What a child may know: where programs and certificates are, and a home that is not the user's."""
    kept = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
    state = home / ".openclaw"
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        "HOME": str(home),
        "OPENCLAW_HOME": str(home),
        "OPENCLAW_STATE_DIR": str(state),
        "OPENCLAW_CONFIG_PATH": str(state / "openclaw.json"),
        "PYTHONUNBUFFERED": "1",
    }


def start(name: str, command: Sequence[str], port: int, folder: Path, extra: Mapping[str, str]) -> Child:
    """Start a child with the minimal environment and `extra`, its output in `<folder>/<name>.log`."""
    log = folder / f"{name}.log"
    home = folder / "home"
    given = environment(home)
    # The file that OPENCLAW_CONFIG_PATH names has to be there.
    config = Path(given["OPENCLAW_CONFIG_PATH"])
    if not config.exists():
        config.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        config.write_text("{}\n")
        config.chmod(0o600)
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**given, **extra},
            # Not where the demo was started: a .env or a module that lies there is none of ours.
            cwd=home,
            # Ctrl-C in the terminal is for the demo alone, which then stops the children in order.
            start_new_session=True,
        )
    return Child(name, process, port, log)


def wait_until_ready(child: Child, flag: str, limit: float = 20.0) -> float:
    """Wait for 200 on the child's /health; gives the seconds that it took. CannotStart says why not.

    `flag` is the option that chooses the child's port, for the advice when the port is taken.
    """
    began = time.monotonic()
    while time.monotonic() - began < limit:
        if reason := child.died():
            if child.process.returncode == PORT_TAKEN:
                raise CannotStart(taken(child.port, flag))
            raise CannotStart(reason)
        if _healthy(child.port):
            return time.monotonic() - began
        time.sleep(0.02)
    raise CannotStart(f"{child.name} is not ready after {limit:g} s. Its last lines:\n{child.last_lines()}")


def free_port(wanted: int, flag: str) -> int:
    """`wanted` if it can be listened on, any free one for 0. CannotStart if it is taken."""
    try:
        with socket.create_server(("127.0.0.1", wanted)) as sock:
            port: int = sock.getsockname()[1]
            return port
    except PermissionError:
        raise CannotStart(
            f"port {wanted} needs rights that you do not have; choose one above 1023 with {flag}"
        ) from None
    except OSError:
        raise CannotStart(taken(wanted, flag)) from None


def taken(port: int, flag: str) -> str:
    """One line that names the port, its owner if that can be seen, and what to do."""
    owner = port_owner(port) or "another program"
    return f"port {port} is in use by {owner}; choose another one with {flag} PORT"


def stop(children: Sequence[Child], say: Callable[[str], None], limit: float = 10.0) -> None:
    """Stop the children in this order: SIGTERM, wait, and kill what is still there after `limit` seconds."""
    for child in children:
        if child.process.poll() is None:
            child.process.terminate()
            try:
                child.process.wait(limit)
            except subprocess.TimeoutExpired:
                say(f"{child.name} did not stop within {limit:g} s and was killed")
                child.process.kill()
                child.process.wait()
        if child.process.stdin is not None:
            child.process.stdin.close()


def _healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
