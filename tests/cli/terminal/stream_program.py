"""Runs commands, each in a child of its own, with standard streams that cannot be used; prints how each ended."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import sys

import clawgate
from clawgate.__main__ import main


def close_streams(closing: str, errors: int) -> None:
    """Make the standard streams of this process unusable; ``errors`` is where standard error is collected."""
    os.dup2(errors, 2)
    if closing in ("full", "errors full"):
        fd = os.open("/dev/full", os.O_WRONLY)
        os.dup2(fd, 1 if closing == "full" else 2)
        os.close(fd)
    elif closing == "reader gone":
        reader, writer = os.pipe()
        os.close(reader)
        os.dup2(writer, 1)
        os.close(writer)
    elif closing == "closed":
        os.close(1)
    elif closing == "all closed":
        for fd in (0, 1, 2):
            os.close(fd)
    if closing in ("whole", "errors full"):
        fd = os.open(os.devnull, os.O_WRONLY)
        os.dup2(fd, 1)
        os.close(fd)


def run(line: str, closing: str) -> tuple[int, str]:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        close_streams(closing, writer)
        os.close(writer)
        if "closed" in closing:  # as Python sets them at its start
            sys.stdout = None
        if closing == "all closed":
            sys.stdin = sys.stderr = None
        sys.argv = ["clawgate", *line.split()]
        main()  # ends the child, with all that Python does at the end of a process
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        text = stream.read().decode()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), text


if __name__ == "__main__":
    for module in pkgutil.walk_packages(clawgate.__path__, "clawgate."):
        if not module.name.startswith("clawgate.testing"):
            importlib.import_module(module.name)  # once, and not in each child
    for one in json.loads(sys.argv[2]):
        sys.stdout.write(json.dumps([one, *run(one, sys.argv[1])]) + "\n")
        sys.stdout.flush()  # the next child must not write it again
