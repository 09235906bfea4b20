"""Keeps the login at each MCP server with OAuth: tokens, the client that was registered, and who issued them.

Law: a login counts for the URL that it was made for. The file is private, and is replaced as a whole; one that others
have access to is not used.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from clawgate.settings.openclaw.mcp_servers import McpServerEntry
from clawgate.settings.private_folder import make_private_folder, replace_private
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.regular_file import exposure, read_regular

_VERSION = 1
_LOCK_SECONDS = 30.0
_POLL_SECONDS = 0.05
_SECRETS = ("access_token", "refresh_token", "client_secret")


class Login:
    """The login at one server. Without ``path`` it is kept in memory, for as long as this object is."""

    def __init__(self, path: Path | None, url: str) -> None:
        self.path = path
        self._url = url
        self._seen: tuple[int, int, int] | None = None
        self._parts: Mapping[str, Any] = {}
        self.problem = ""
        """Why the file is not used, if it is there."""

    def read(self) -> Mapping[str, Any]:
        """Return what is kept; the file is read again when it has changed. Of a damaged file nothing is kept."""
        if self.path is None:
            return self._parts
        try:
            status = self.path.stat()
        except OSError:
            self._seen, self._parts, self.problem = None, {}, ""
            return self._parts
        seen = status.st_ctime_ns, status.st_size, status.st_ino
        if seen != self._seen:
            exposed = exposure(self.path, status)
            self.problem = str(exposed) if exposed is not None else ""
            self._seen, self._parts = seen, {} if self.problem else _read(self.path, self._url)
        return self._parts

    @property
    def is_made(self) -> bool:
        return bool(self.read().get("tokens"))

    def secrets(self) -> list[str]:
        """Return what must not be shown."""
        parts = [part for part in self.read().values() if isinstance(part, Mapping)]
        return [value for part in parts for name in _SECRETS if isinstance(value := part.get(name), str)]

    def write(self, **parts: Any) -> None:
        """Keep ``parts`` beside what is kept. Raises OSError."""
        document = {**self.read(), **parts}
        if self.path is None:
            self._parts = document
            return
        make_private_folder(self.path.parent)
        replace_private(
            self.path, json.dumps({"version": _VERSION, "url": self._url, **document}, indent=1).encode()
        )

    def forget(self) -> bool:
        """Remove the login; return whether there was one. Raises OSError."""
        self._parts = {}
        if self.path is None or not self.path.exists():
            return False
        self.path.unlink()
        return True

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """Hold the login alone, among all processes: many servers end it where a refresh token is used twice."""
        if self.path is None:
            yield
            return
        make_private_folder(self.path.parent)
        lock = os.open(
            self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
        )
        try:
            async with asyncio.timeout(_LOCK_SECONDS):
                while not _is_taken(lock):  # noqa: ASYNC110  # no event reports it
                    await asyncio.sleep(_POLL_SECONDS)
            yield
        finally:
            os.close(lock)


def _is_taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(path: Path, url: str) -> Mapping[str, Any]:
    try:
        found = read_regular(path)
        document: Any = json.loads(found[0] if found is not None else b"")
        if document["version"] == _VERSION and document["url"] == url:
            return {name: part for name, part in document.items() if name not in ("version", "url")}
    except (SettingsInvalid, ValueError, KeyError, TypeError, RecursionError):
        pass
    return {}


def login_of(folder: Path, entry: McpServerEntry) -> Login:
    """Return where the login at a server is kept: for a client that logs in itself in memory alone.

    ``folder`` is that of all that is kept of servers.
    """
    client = entry.oauth
    is_kept = client is not None and not client.is_headless
    path = folder / "logins" / f"{entry.prefix}.json" if is_kept else None
    return Login(path, client.url if client is not None else "")


def missing_login(folder: Path, entry: McpServerEntry) -> tuple[str, str] | None:
    """Return why the server that a person has to log in at has no login, and what to do; None for any other."""
    if not entry.is_used or entry.oauth is None or entry.oauth.is_headless:
        return None
    kept = login_of(folder, entry)
    return (
        None
        if kept.is_made
        else (kept.problem or "there is no login", f"run: clawgate mcp login {entry.name}")
    )
