"""How does a gateway get into the background, and when may its starter say that it is there?

It is started in a session of its own, without a terminal; its starter stays until it serves or has failed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clawgate.processes.instance.health_client import ask_health
from clawgate.processes.instance.instance_lock import RunningInstance, find

_LOOK_EVERY_SECONDS = 0.05
_ANSWER_SECONDS = 2.0
_END_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Failed:
    """It does not serve. ``status`` is how it ended; None if it had to be ended because it took too long."""

    status: int | None
    last_lines: tuple[str, ...]


def gateway_command(*arguments: str) -> list[str]:
    """The command that runs this very installation. -P: no module is taken from the folder that it starts in."""
    return [sys.executable, "-P", "-m", "clawgate", *arguments]


def launch(
    command: Sequence[str],
    folder: Path,
    *,
    output: Path,
    environment: Mapping[str, str],
    seconds: float,
    progress: Callable[[float], None] = lambda seconds: None,
) -> RunningInstance | Failed:
    """Start ``command`` in the background and wait until it announced itself in ``folder`` and answers.

    What it prints goes to ``output``, which begins anew. ``progress`` is called again and again with the seconds that
    have passed. What does not serve within ``seconds`` is ended: a start that failed leaves nothing behind.
    """
    output.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
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
    begun = time.monotonic()
    try:
        while (passed := time.monotonic() - begun) < seconds:
            progress(passed)
            if child.poll() is not None:
                return Failed(child.returncode, last_lines(output))
            if (running := serving(folder, child.pid)) is not None:
                child.returncode = 0  # it goes on without us: there is no end of it to be waited for
                return running
            time.sleep(_LOOK_EVERY_SECONDS)
    except BaseException:
        _end(child)
        raise
    _end(child)
    return Failed(None, last_lines(output))


def serving(folder: Path, pid: int | None = None) -> RunningInstance | None:
    """The gateway of ``folder`` if it answers that it is this one, and well; with ``pid``, only that process."""
    running = find(folder)
    if running is None or running.url is None or pid not in (None, running.pid):
        return None
    return running if is_well(running) else None


def is_well(running: RunningInstance) -> bool:
    """Whether it answers at the address that it announced."""
    host, port, tls = place_of(running.url or "")
    return ask_health(host, port, seconds=_ANSWER_SECONDS, instance=running.instance, tls=tls).ok


def place_of(url: str) -> tuple[str, int, bool]:
    """Host, port and whether it is encrypted, of a URL that a gateway announced."""
    scheme, _, rest = url.partition("://")
    host, _, port = rest.partition("/")[0].rpartition(":")
    return host.strip("[]"), int(port) if port.isdecimal() else 0, scheme == "https"


def last_lines(path: Path, count: int = 20) -> tuple[str, ...]:
    """The last lines of a text file."""
    try:
        text = path.read_bytes()[-65_536:].decode("utf-8", "replace")
    except OSError:
        return ()
    return tuple(text.splitlines()[-count:])


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
