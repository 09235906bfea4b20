"""Executes a program as systemd does: descriptor 3 is the listening socket given as the first argument, a number.

The rest are the program and its arguments. Must run in the process that becomes the program, whose pid is passed.
"""

from __future__ import annotations

import os
import sys

os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid()), "LISTEN_FDNAMES": "clawgate.socket"}
os.execv(sys.argv[2], sys.argv[2:])
