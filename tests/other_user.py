"""A program of another user that listens on a loopback port, for tests of whom we trust. Needs root."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

NOBODY = 65_534

needs_another_user = pytest.mark.skipif(
    os.geteuid() != 0 or sys.platform != "linux", reason="has to start a process of another user"
)

_SCRIPT = """
import os, socket, sys
os.setgroups([]); os.setgid({uid}); os.setuid({uid})  # after the imports: the interpreter may be root's alone
server = socket.create_server(("127.0.0.1", {port}))
print(server.getsockname()[1], flush=True)
while True:
    client = server.accept()[0]
    sys.stdout.write(repr(client.recv(65536)) + "\\n"); sys.stdout.flush()
    client.sendall({response!r}); client.close()
"""


@contextlib.contextmanager
def listening_as(
    uid: int = NOBODY, port: int = 0, response: bytes = b""
) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Yield the port, and the program, which prints what it receives."""
    script = _SCRIPT.format(uid=uid, port=port, response=response)
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", script], stdout=subprocess.PIPE, cwd="/"
    ) as program:
        assert program.stdout is not None
        try:
            yield int(program.stdout.readline()), program
        finally:
            program.kill()
