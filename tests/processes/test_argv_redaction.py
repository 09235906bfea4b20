"""What was given as a flag is not for every user of the machine to read."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from pathlib import Path
from clawgate.processes.argv_redaction import redact_argv
redact_argv(["canary-one", "canary-two-canary-one", "nowhere", ""])
sys.stdout.write(repr((Path("/proc/self/cmdline").read_bytes().split(b"\\0")[3:-1], sys.argv[1:])))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="nothing is changed elsewhere")
def test_secrets_are_blotted_out_of_what_others_see_and_kept_for_ourselves() -> None:
    """In the same places, whatever stands around them; the longest first."""
    given = [
        "--a",
        "canary-one",
        "--b=canary-one",
        "n:canary-two-canary-one,m:canary-one",
        "canary",
        "\u00e9",
    ]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *given], capture_output=True, text=True, check=True, encoding="utf-8"
    )
    one, two = "*" * 10, "*" * 21
    seen = ["--a", one, f"--b={one}", f"n:{two},m:{one}", "canary", "\u00e9"]
    assert done.stdout == repr(([text.encode() for text in seen], given))
