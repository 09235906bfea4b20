"""Creates folders that only their owner may enter."""

from __future__ import annotations

from pathlib import Path


def make_private_folder(folder: Path) -> None:
    """Create ``folder`` and its missing parents with mode 0700, whatever the umask; existing ones keep their mode.

    ``Path.mkdir(mode=0o700, parents=True)`` creates the parents with the mode of the umask. Raises OSError.
    """
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except FileNotFoundError:
        make_private_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
