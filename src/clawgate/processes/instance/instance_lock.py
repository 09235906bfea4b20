"""Ensures that one gateway runs per state folder, and finds it: a lock that the kernel releases with the process.

Invariant: files only describe the lock's holder; without a held lock they are ignored, whatever a killed process left.
The lock file identifies its holder at once; the announcement file is added when requests are served.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clawgate import __version__
from clawgate.processes.instance.pid_identity import identity_of
from clawgate.settings.private_folder import make_private_folder, replace_private

LOCK_VARIABLE = "CLAWGATE_LOCK_FD"
"""Environment variable of a process that executed itself: the descriptor that holds the lock."""

_LOCK_NAME, _ANNOUNCEMENT_NAME = "gateway.lock", "gateway.json"
_ATTEMPTS = 25
_ATTEMPT_INTERVAL_SECONDS = 0.02
_MAX_BYTES = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningInstance:
    """The holder of the lock. ``url`` and the following fields are set once it serves.

    ``is_visible``: its process can be signalled from this one; not if it runs in another container.
    """

    pid: int
    identity: str
    since: datetime
    is_visible: bool
    url: str | None = None
    port: int | None = None
    instance: str | None = None
    version: str | None = None
    config: str | None = None
    log: str | None = None
    flags: tuple[str, ...] = ()
    key: str = field(default="", repr=False)

    def __str__(self) -> str:
        at = f" at {self.url}" if self.url else ", not serving yet"
        return f"pid {self.pid}{at}, since {self.since.astimezone():%Y-%m-%d %H:%M:%S}"


class AlreadyRunning(Exception):
    """Another process is the gateway of this state folder: ``holder``, or None if it cannot be identified."""

    def __init__(self, folder: Path, holder: RunningInstance | None) -> None:
        self.holder = holder
        super().__init__(f"a gateway already runs for {folder} ({holder or 'not identified'})")


class Instance:
    """The right to be the gateway of a folder, from `claim` until `release` or the end of the process."""

    def __init__(self, folder: Path, fd: int) -> None:
        self._fd = fd
        self._announcement = folder / _ANNOUNCEMENT_NAME
        self._pid = os.getpid()
        self.id = secrets.token_hex(6)
        """Also reported by /health, so that a client can verify that it reached this process."""
        self.key = secrets.token_urlsafe(16)
        """What commands of this user present to /health to learn the state of each provider."""

    @classmethod
    def claim(
        cls, folder: Path, *, environment: Mapping[str, str] | None = None, chosen_id: str | None = None
    ) -> Instance:
        """Take the lock. The folder is created with mode 0700. Raises `AlreadyRunning`, OSError.

        After `hand_over` and an exec the process still holds the lock and keeps it. ``chosen_id`` replaces the random
        id: a program that starts this one can choose it.
        """
        make_private_folder(folder)
        path = folder / _LOCK_NAME
        fd = _inherited_lock(path, os.environ if environment is None else environment)
        os.environ.pop(LOCK_VARIABLE, None)
        if fd is None:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                _lock(fd, folder)
            except BaseException:
                os.close(fd)
                raise
        instance = cls(folder, fd)
        instance.id = chosen_id or instance.id
        instance._sign()
        return instance

    def _sign(self) -> None:
        """Write the holder into the lock file; one write below the page size, so that readers see all or nothing."""
        text = json.dumps({"pid": self._pid, "identity": identity_of(self._pid), "since": _now()}).encode()
        os.pwrite(self._fd, text, 0)
        os.ftruncate(self._fd, len(text))
        self._announcement.unlink(missing_ok=True)  # of a killed process

    def announce(
        self, url: str, port: int, config: Path, log: Path | None, *, flags: Sequence[str] = ()
    ) -> None:
        """Write where this process serves. ``flags``: those it was started with, without secrets."""
        announcement = {
            "pid": self._pid,
            "identity": identity_of(self._pid),
            "url": url,
            "port": port,
            "instance": self.id,
            "version": __version__,
            "startedAt": _now(),
            "config": str(config.absolute()),
            "log": str(log.absolute()) if log else None,
            "flags": list(flags),
            "key": self.key,
        }
        replace_private(self._announcement, json.dumps(announcement, indent=2).encode() + b"\n")

    def hand_over(self) -> dict[str, str]:
        """Keep the lock over an exec; return the environment variables that the next program needs."""
        self._announcement.unlink(missing_ok=True)
        os.set_inheritable(self._fd, True)
        return {LOCK_VARIABLE: str(self._fd)}

    def release(self) -> None:
        """Remove the announcement and release the lock. Does nothing the second time or in a forked child."""
        if self._fd < 0 or os.getpid() != self._pid:
            return
        with contextlib.suppress(OSError):  # the folder may be gone
            self._announcement.unlink()
        os.ftruncate(self._fd, 0)  # this process may live on without being the holder
        os.close(self._fd)
        self._fd = -1


def find_instance(folder: Path) -> RunningInstance | None:
    """Return the holder of the folder's lock; None if it is not held, whatever the files contain."""
    try:
        fd = os.open(folder / _LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _read_holder(fd, folder / _ANNOUNCEMENT_NAME)
        return None
    finally:
        os.close(fd)  # releases the shared lock


def _inherited_lock(path: Path, environment: Mapping[str, str]) -> int | None:
    """Return the descriptor of the lock that this process held before its exec; None if there is none."""
    text = environment.get(LOCK_VARIABLE, "")
    if not text.isdecimal():
        return None
    fd = int(text)
    try:
        held, current = os.fstat(fd), path.stat()
        if (held.st_dev, held.st_ino) != (current.st_dev, current.st_ino):
            return None
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return None
    os.set_inheritable(fd, False)
    return fd


def _lock(fd: int, folder: Path) -> None:
    """Take the lock. Retries, because `find_instance` of another process may hold it for an instant."""
    for attempt in range(_ATTEMPTS):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise
        else:
            return
        holder = _read_holder(fd, folder / _ANNOUNCEMENT_NAME)
        if (holder is not None and holder.is_visible) or attempt == _ATTEMPTS - 1:
            raise AlreadyRunning(folder, holder)
        time.sleep(_ATTEMPT_INTERVAL_SECONDS)


def _read_holder(fd: int, announcement: Path) -> RunningInstance | None:
    """Read the holder from the lock file, and the announcement if it is by the same process."""
    signed = _json_object(os.pread(fd, _MAX_BYTES, 0))
    pid, identity, since = signed.get("pid"), signed.get("identity"), _timestamp(signed.get("since"))
    if not (isinstance(pid, int) and isinstance(identity, str) and since is not None):
        return None
    try:
        announced = _json_object(announcement.read_bytes()[:_MAX_BYTES])
    except OSError:
        announced = {}
    if (announced.get("pid"), announced.get("identity")) != (pid, identity):
        announced = {}
    texts = {
        key: value
        for key in ("url", "instance", "version", "config", "log", "key")
        if isinstance(value := announced.get(key), str)
    }
    port, flags = announced.get("port"), announced.get("flags")
    return RunningInstance(
        pid=pid,
        identity=identity,
        since=_timestamp(announced.get("startedAt")) or since,
        is_visible=identity_of(pid) == identity,
        port=port if isinstance(port, int) else None,
        flags=tuple(map(str, flags)) if isinstance(flags, list) else (),
        **texts,
    )


def _json_object(content: bytes) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _timestamp(text: object) -> datetime | None:
    try:
        timestamp = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return timestamp if timestamp.tzinfo else None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
