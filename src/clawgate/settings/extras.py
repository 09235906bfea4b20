"""Names what is not installed of an extra of clawgate, and the command that installs it into the Python that runs it.

Must name that Python: a bare ``pip`` is another one unless the environment is active, and Debian's refuses (PEP 668).
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable
from importlib.util import find_spec


def install_command(extra: str) -> str:
    """Return the command; an environment that `uv tool install` made has no pip of its own."""
    python = shlex.quote(sys.executable)
    tool = f"{python} -m pip install" if find_spec("pip") else f"uv pip install --python {python}"
    return f"{tool} 'clawgate[{extra}]'"


def missing_packages(packages: Iterable[str]) -> list[str]:
    return [package for package in packages if find_spec(package) is None]
