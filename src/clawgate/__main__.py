"""The ``clawgate`` command, and ``python -m clawgate``: begins with nothing that takes time, so Ctrl-C is heard."""

from __future__ import annotations

import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command."""
    try:
        from clawgate.cli.main import main as run

        run()
    except KeyboardInterrupt:  # before the command was there to say what that means for it
        sys.exit(130)


if __name__ == "__main__":
    main()
