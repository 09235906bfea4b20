"""Who is the one gateway of this state folder, and how is it found? A lock that the kernel takes back with the process.

Files are only descriptions: what a killed process left behind is never believed, because nobody holds its lock.
The lock file names its holder from the first moment; the announcement is added once requests are served.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import secrets
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clawgate import __version__
from clawgate.processes.instance.pid_identity import identity_of

LOCK_VARIABLE = "CLAWGATE_LOCK_FD"
"""In the environment of a process that goes on as itself after an exec: the descriptor that holds the lock."""

_TRIES = 25
_BETWEEN_TRIES_SECONDS = 0.02
_MOST_BYTES = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningInstance:
    """Who holds the lock. ``url`` and what follows is known once it serves.

    ``here``: its process can be seen from this one, and so be signalled; a holder in another container cannot.
    """

    pid: int
    identity: str
    since: datetime
    here: bool
    url: str | None = None
    port: int | None = None
    instance: str | None = None
    version: str | None = None
    config: str | None = None
    log: str | None = None
    flags: tuple[str, ...] = ()

    def __str__(self) -> str:
        at = f" at {self.url}" if self.url else ", not serving yet"
        return f"pid {self.pid}{at}, since {self.since.astimezone():%Y-%m-%d %H:%M:%S}"


class AlreadyRunning(Exception):
    """Another process is the gateway of this state folder; ``holder`` says which, as far as is known."""

    def __init__(self, what: str, folder: Path, holder: RunningInstance | None) -> None:
        self.holder = holder
        self.pid = holder.pid if holder else None
        self.url = holder.url if holder else None
        self.since = holder.since if holder else None
        who = f"({holder})" if holder else "(which one cannot be told)"
        super().__init__(f"a {what} already runs for {folder} {who}")


class Instance:
    """The right to be the one ``what`` of a folder. Made by `claim`; it ends with `release` or the process."""

    def __init__(self, folder: Path, what: str, fd: int) -> None:
        self._folder = folder
        self._what = what
        self._fd = fd
        self._pid = os.getpid()
        self.id = secrets.token_hex(6)
        """Told by /health as well: who asks there knows that it speaks to this very process."""

    @classmethod
    def claim(
        cls, folder: Path, *, what: str = "gateway", environment: Mapping[str, str] | None = None
    ) -> Instance:
        """Take the lock, or raise `AlreadyRunning`. The folder is made, for its owner alone.

        A process that went through `hand_over` and an exec still holds the lock and keeps it.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{what}.lock"
        fd = _handed_over(path, os.environ if environment is None else environment)
        os.environ.pop(LOCK_VARIABLE, None)
        if fd is None:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                _lock(fd, folder, what)
            except BaseException:
                os.close(fd)
                raise
        instance = cls(folder, what, fd)
        instance._sign()
        return instance

    def _sign(self) -> None:
        """Whose lock this is. Shorter than a page and written at once: a reader sees it whole or not at all."""
        text = json.dumps({"pid": self._pid, "identity": identity_of(self._pid), "since": _now()}).encode()
        os.pwrite(self._fd, text, 0)
        os.ftruncate(self._fd, len(text))
        with contextlib.suppress(FileNotFoundError):  # of one that was killed
            (self._folder / f"{self._what}.json").unlink()

    def announce(
        self, url: str, port: int, config: Path, log: Path | None, *, flags: Sequence[str] = ()
    ) -> None:
        """Say where this process serves. ``flags``: what it was started with; no secrets."""
        said = {
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
        }
        _write_whole(self._folder / f"{self._what}.json", json.dumps(said, indent=2).encode() + b"\n")

    def hand_over(self) -> dict[str, str]:
        """Keep the lock over an exec: the variables that the new program of this process has to find."""
        with contextlib.suppress(FileNotFoundError):  # it never served
            (self._folder / f"{self._what}.json").unlink()
        os.set_inheritable(self._fd, True)
        return {LOCK_VARIABLE: str(self._fd)}

    def release(self) -> None:
        """Take the announcement back and let go of the lock. Again, or in a forked child, it does nothing."""
        if self._fd < 0 or os.getpid() != self._pid:
            return
        with contextlib.suppress(OSError):  # a folder that is gone holds nothing to be taken back
            (self._folder / f"{self._what}.json").unlink()
        os.ftruncate(self._fd, 0)  # this process may live on, and is not the holder any more
        os.close(self._fd)
        self._fd = -1


def find(folder: Path, *, what: str = "gateway") -> RunningInstance | None:
    """Who holds the folder's lock now; None if nobody does, whatever files lie there."""
    try:
        fd = os.open(folder / f"{what}.lock", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _read_holder(fd, folder / f"{what}.json")
        return None
    finally:
        os.close(fd)  # and the lock of the one look with it


def _handed_over(path: Path, environment: Mapping[str, str]) -> int | None:
    """The descriptor of the lock that this process held before its exec, if it is that."""
    given = environment.get(LOCK_VARIABLE, "")
    if not given.isdecimal():
        return None
    fd = int(given)
    try:
        held, there = os.fstat(fd), path.stat()
        if (held.st_dev, held.st_ino) != (there.st_dev, there.st_ino):
            return None
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return None
    os.set_inheritable(fd, False)
    return fd


def _lock(fd: int, folder: Path, what: str) -> None:
    """Take it; a `find` of somebody else may have it for an instant, and is not mistaken for a gateway."""
    for attempt in range(_TRIES):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise
        else:
            return
        holder = _read_holder(fd, folder / f"{what}.json")
        if (holder is not None and holder.here) or attempt == _TRIES - 1:
            raise AlreadyRunning(what, folder, holder)
        time.sleep(_BETWEEN_TRIES_SECONDS)


def _read_holder(fd: int, announcement: Path) -> RunningInstance | None:
    """The holder in the lock file's words, and the announcement where it is by the same process."""
    signed = _object(os.pread(fd, _MOST_BYTES, 0))
    pid, identity, since = signed.get("pid"), signed.get("identity"), _moment(signed.get("since"))
    if not (isinstance(pid, int) and isinstance(identity, str) and since is not None):
        return None
    here = identity_of(pid) == identity
    try:
        said = _object(announcement.read_bytes()[:_MOST_BYTES])
    except OSError:
        said = {}
    if (said.get("pid"), said.get("identity")) != (pid, identity):
        said = {}
    texts = {
        key: value
        for key in ("url", "instance", "version", "config", "log")
        if isinstance(value := said.get(key), str)
    }
    port, flags = said.get("port"), said.get("flags")
    return RunningInstance(
        pid=pid,
        identity=identity,
        since=_moment(said.get("startedAt")) or since,
        here=here,
        port=port if isinstance(port, int) else None,
        flags=tuple(map(str, flags)) if isinstance(flags, list) else (),
        **texts,
    )


def _object(content: bytes) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _moment(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _write_whole(path: Path, content: bytes) -> None:
    """In one step, so that a reader sees the old content or the new one."""
    fd, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp: 0600
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
