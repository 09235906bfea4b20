"""Roles as real processes, started from nothing of the tester's own environment and stopped by pid.

All of a process's output lands in one file for each stream, so that it can be searched after its end.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.stand import CLIENT_TOKEN, OPENAI_KEY, PATIENCE, PROXY_TOKEN, Kind

ROOT = Path(__file__).parents[2]
"""Where the package `demo` is; the fake models are programs of it."""
_LISTENING = re.compile(r"listening on (https?://\S+)")


def environment(folder: Path, **more: str) -> dict[str, str]:
    """A home of its own and no proxy, key or token that is not given."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "PYTHONPATH") if name in os.environ}
    kept["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [kept.get("PYTHONPATH")])])
    home = folder / "home"
    home.mkdir(exist_ok=True)
    return {
        **kept,
        "HOME": str(home),
        "OPENCLAW_STATE_DIR": str(home / ".openclaw"),
        "PYTHONUNBUFFERED": "1",
        **more,
    }


@dataclass(slots=True)
class Process:
    """A child process whose output is in files; ``url`` once it said where it listens."""

    popen: subprocess.Popen[bytes]
    folder: Path
    url: str = ""

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def out(self) -> str:
        return (self.folder / "out").read_text(errors="replace")

    @property
    def err(self) -> str:
        return (self.folder / "err").read_text(errors="replace")

    def send(self, sig: signal.Signals = signal.SIGTERM) -> None:
        """A signal to this very process."""
        self.popen.send_signal(sig)

    async def ended(self, within: float = PATIENCE) -> int:
        """The exit status; a TimeoutError with the output if it goes on."""
        try:
            return await asyncio.to_thread(self.popen.wait, within)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"still running after {within} s: {self.err[-800:]}") from None

    def wait(self, within: float = PATIENCE) -> int:
        """As `ended`, for tests without a loop."""
        return self.popen.wait(within)

    def wait_until_listening(self) -> None:
        """``url`` is known afterwards."""
        end = time.monotonic() + PATIENCE
        while (found := _LISTENING.search(self.out + self.err)) is None:
            if self.popen.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"not listening, status {self.popen.poll()}: {self.out}{self.err}")
            time.sleep(0.01)
        self.url = found[1]


@contextlib.contextmanager
def started(
    command: Sequence[str],
    folder: Path,
    env: dict[str, str],
    *,
    listens: bool = True,
    pass_fds: Collection[int] = (),
) -> Iterator[Process]:
    """Run a command while the context lasts; it is killed, by its pid, if it is still there at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        popen = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=env,
            cwd=env["HOME"],
            close_fds=True,
            pass_fds=pass_fds,
        )
    process = Process(popen, folder)
    try:
        if listens:
            process.wait_until_listening()
        yield process
    finally:
        if popen.poll() is None:
            popen.kill()
        popen.wait()


def role_command(
    kind: Kind, upstream_url: str, *options: str, port: int = 0
) -> tuple[list[str], dict[str, str]]:
    """The command of a role and the variables that it needs."""
    command = [sys.executable, "-m", "clawgate", kind, "run", "--port", str(port), *options]
    if kind == "bridge":
        return command, {"PROXY_BRIDGE_URL": upstream_url, "PROXY_BRIDGE_TOKEN": PROXY_TOKEN}
    return command, {
        "OPENAI_BASE_URL": f"{upstream_url}/v1",
        "OPENAI_API_KEY": OPENAI_KEY,
        "OPENAI_PROXY_TOKEN": CLIENT_TOKEN,
    }


@contextlib.contextmanager
def role_process(
    kind: Kind,
    upstream_url: str,
    folder: Path,
    *options: str,
    port: int = 0,
    listens: bool = True,
    **env: str,
) -> Iterator[Process]:
    """A role as a process of its own."""
    command, variables = role_command(kind, upstream_url, *options, port=port)
    with started(
        command, folder, environment(folder.parent, **{**variables, **env}), listens=listens
    ) as process:
        yield process


@contextlib.contextmanager
def model_process(folder: Path, *options: str, api_key: str = OPENAI_KEY) -> Iterator[Process]:
    """The deterministic model, which refuses every key but ``api_key``."""
    command = [sys.executable, "-m", "demo.models.openai_server", "--port", "0", *options]
    with started(command, folder, environment(folder.parent, MODEL_API_KEY=api_key)) as process:
        yield process


def post_chat(port: int, model: str, token: str) -> tuple[int, str]:
    """The status and the whole stream of a request for chat completions."""
    body = {"model": model, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as client:
        client.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        response = client.getresponse()
        return response.status, response.read().decode()


def is_listening(port: int) -> bool:
    """Whether a connection to the port is accepted now."""
    with socket.socket() as sock:
        sock.settimeout(1)
        return sock.connect_ex(("127.0.0.1", port)) == 0


def fields_for(kind: Kind) -> tuple[tuple[str, str], ...]:
    """What a client of the role has to present."""
    return () if kind == "bridge" else (("Authorization", f"Bearer {CLIENT_TOKEN}"),)
