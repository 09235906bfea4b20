"""Makes the private folders of plugins: one for each plugin, and in it the working folder of each child.

Invariant: a folder that is returned has mode 0700 and belongs to the user of this process; it is not a link.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path

from clawgate.settings.private_folder import make_private_folder

FOLDER_MODE = 0o700
_OTHERS = 0o077
_NOT_IN_A_NAME = re.compile(r"[^a-z0-9]+")


def plugin_folder(state: Path, plugin: str) -> Path:
    """Return the plugin's own folder below ``state``, OpenClaw's state folder. Raises OSError."""
    folder = state / "clawgate"
    make_private_folder(folder)
    return _private(_private(folder / "plugin-state") / plugin)


def child_folder(plugin_folder: Path, child: str) -> Path:
    """Return the working folder of the child named ``child``. Raises OSError.

    A child must not run in the gateway's working directory: programs such as Claude Code read instructions and hooks
    from the folder that they are started in.
    """
    name = _NOT_IN_A_NAME.sub("-", child.lower()).strip("-")[:64]
    return _private(_private(plugin_folder / "children") / (name or "child"))


def _private(folder: Path) -> Path:
    folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
    info = folder.lstat()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.geteuid():
        raise OSError(errno.EPERM, "is not a folder of this user", str(folder))
    if info.st_mode & _OTHERS:
        folder.chmod(FOLDER_MODE)
    return folder
