"""Starts the ``clawgate`` command, also as ``python -m clawgate``.

Must import nothing slow at the top: Ctrl-C is handled, and secrets are hidden from the process list, before that.
"""

from __future__ import annotations

import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command."""
    try:
        from clawgate.processes.argv_redaction import hide_arguments

        hide_arguments()
        from clawgate.cli.terminal.standard_streams import flush_and_exit, guard_standard_streams

        guard_standard_streams()
        from clawgate.cli.main import main as run

        try:
            run()
        except SystemExit as ended:
            flush_and_exit(ended.code)
    except KeyboardInterrupt:  # before a command was imported that handles it
        sys.exit(130)


if __name__ == "__main__":
    main()
