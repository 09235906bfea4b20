"""Writes a file that holds credentials as users have to: for its owner alone."""

from __future__ import annotations

from pathlib import Path


def write_private(path: Path, content: str | bytes, mode: int = 0o600) -> Path:
    """Make the file say this, whatever the umask, and return its path."""
    path.touch(0o600)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)
    return path
