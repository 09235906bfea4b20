"""Names the command that installs an extra of clawgate into the Python that runs it.

Must name that Python: a bare ``pip`` is another one unless the environment is active, and Debian's refuses (PEP 668).
"""

from __future__ import annotations

import shlex
import sys


def install_command(extra: str) -> str:
    return f"{shlex.quote(sys.executable)} -m pip install 'clawgate[{extra}]'"
