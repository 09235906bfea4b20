"""Starts a gateway in the background and waits until it serves.

The gateway runs in a session of its own, without a terminal.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clawgate.processes.instance.health_client import check_health
from clawgate.processes.instance.instance_lock import RunningInstance, find_instance
from clawgate.settings.private_folder import make_private_folder

_POLL_SECONDS = 0.05
_HEALTH_SECONDS = 2.0
_TERMINATE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class LaunchFailed:
    """The gateway does not serve. ``status`` is its exit status, None if it was ended for taking too long."""

    status: int | None
    last_lines: tuple[str, ...]


def gateway_command(*arguments: str) -> list[str]:
    """Return the command for this installation. -P: no module is imported from the working folder."""
    return [sys.executable, "-P", "-m", "clawgate", *arguments]


def launch(
    command: Sequence[str],
    folder: Path,
    *,
    output: Path,
    environment: Mapping[str, str],
    seconds: float,
    progress: Callable[[float], None] = lambda seconds: None,
) -> RunningInstance | LaunchFailed:
    """Start ``command`` in the background and wait until it is announced in ``folder`` and healthy.

    Its stdout and stderr go to ``output``, which is truncated. ``progress`` is called repeatedly with the elapsed
    seconds. A process that is not healthy within ``seconds`` is ended.
    """
    make_private_folder(output.parent)
    fd = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=fd,
            stderr=fd,
            env=dict(environment),
            start_new_session=True,
        )
    finally:
        os.close(fd)
    start = time.monotonic()
    try:
        while (elapsed := time.monotonic() - start) < seconds:
            progress(elapsed)
            if child.poll() is not None:
                return LaunchFailed(child.returncode, last_lines(output))
            if (running := serving_instance(folder, child.pid)) is not None:
                child.returncode = 0  # it outlives us: no status will be collected
                return running
            time.sleep(_POLL_SECONDS)
    except BaseException:
        _terminate(child)
        raise
    _terminate(child)
    return LaunchFailed(None, last_lines(output))


def serving_instance(folder: Path, pid: int | None = None) -> RunningInstance | None:
    """Return the gateway of ``folder`` if it is healthy and, if ``pid`` is given, that process."""
    running = find_instance(folder)
    if running is None or running.url is None or pid not in (None, running.pid):
        return None
    return running if is_healthy(running) else None


def is_healthy(running: RunningInstance) -> bool:
    """Check the health at the address that the instance announced."""
    host, port, tls = endpoint_of(running.url or "")
    return check_health(host, port, seconds=_HEALTH_SECONDS, instance=running.instance, tls=tls).ok


def endpoint_of(url: str) -> tuple[str, int, bool]:
    """Return host, port and whether TLS is used, of a URL that a gateway announced."""
    scheme, _, rest = url.partition("://")
    host, _, port = rest.partition("/")[0].rpartition(":")
    return host.strip("[]"), int(port) if port.isdecimal() else 0, scheme == "https"


def last_lines(path: Path, count: int = 20) -> tuple[str, ...]:
    """Return the last lines of a text file; none if it cannot be read."""
    try:
        text = path.read_bytes()[-65_536:].decode("utf-8", "replace")
    except OSError:
        return ()
    return tuple(text.splitlines()[-count:])


def _terminate(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(_TERMINATE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
