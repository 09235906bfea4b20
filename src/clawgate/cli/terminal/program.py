"""The way to call clawgate and curl from another shell, for commands that are printed to be copied."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

_NAME = "clawgate"
_PROXY_VARIABLES = ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")


def program(
    argv0: str | None = None,
    environment: Mapping[str, str] | None = None,
    python: str | None = None,
    *,
    in_this_shell: bool = False,
) -> str:
    """Return ``clawgate``, or its path where another shell would not find this installation, quoted for a shell.

    ``in_this_shell``: for the shell that runs this command, where an activated environment counts.
    """
    environment = os.environ if environment is None else environment
    called = Path(sys.argv[0] if argv0 is None else argv0)
    if called.name != _NAME:
        return f"{shlex.quote(python or sys.executable)} -m {_NAME}"
    found = shutil.which(_NAME, path=environment.get("PATH", os.defpath))
    folder = None if in_this_shell else environment.get("VIRTUAL_ENV")
    if found is not None and not (folder and Path(found).is_relative_to(folder)) and _is_same(found, called):
        return _NAME
    return shlex.quote(str(called.absolute()))


def names_proxy() -> bool:
    """Return whether the environment has clients send a request to this machine, and its token, to a proxy."""
    return any(map(os.environ.get, _PROXY_VARIABLES))


def local_curl() -> str:
    """Return the command for a request to this machine."""
    return "curl --noproxy '*'" if names_proxy() else "curl"


def _is_same(found: str, called: Path) -> bool:
    try:
        return Path(found).samefile(called)
    except OSError:
        return False
