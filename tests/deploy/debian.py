"""Debian root folders, each made once by debootstrap, in the one folder that CLAWGATE_TEST_DEBIAN names.

That folder may be absent or empty at first, and may be kept: a next run takes what is in it. Nothing in it is removed.
It takes root, a Debian with debootstrap, its package mirror, and some hundred megabytes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

FOLDER = os.environ.get("CLAWGATE_TEST_DEBIAN", "")


def why_no_debian(programs: Sequence[str] = ()) -> str:
    """Why no such root can be made and used, "" if it can."""
    if not FOLDER:
        return "CLAWGATE_TEST_DEBIAN names no folder for Debian roots, which are made in it"
    if os.geteuid() != 0:
        return "only root may make namespaces and run debootstrap"
    missing = [name for name in ("debootstrap", *programs) if shutil.which(name) is None]
    return f"these programs are absent: {', '.join(missing)}" if missing else ""


def debian_root(name: str, *, suite: str = "", packages: Sequence[str] = ()) -> Path:
    """The root ``name``, whole, made if need be: of ``suite`` or this machine's own, with ``packages``."""
    root = Path(FOLDER) / name
    if root.exists():
        return root
    Path(FOLDER).mkdir(parents=True, exist_ok=True)
    own, mirror = _this_machine()
    include = [f"--include={','.join(packages)}"] if packages else []
    with tempfile.TemporaryDirectory(dir=FOLDER, ignore_cleanup_errors=True) as folder:
        made = Path(folder, name)
        try:
            output("debootstrap", "--variant=minbase", *include, suite or own, str(made), mirror)
        except (AssertionError, subprocess.TimeoutExpired) as error:
            pytest.skip(f"this machine gets no packages for a Debian root: {str(error)[-300:]}")
        made.rename(root)
    return root


def _this_machine() -> tuple[str, str]:
    """The name of its own release, and the mirror that apt takes it from."""
    listed = output("apt-get", "indextargets", "--format", "$(CODENAME) $(REPO_URI)", "Created-By: Packages")
    name, mirror = next(
        line.split() for line in sorted(set(listed.splitlines())) if "-" not in line.split()[0]
    )
    return name, mirror


def output(*command: str, check: bool = True) -> str:
    """What a command prints. Raises AssertionError if it fails."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0 or not check, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout
