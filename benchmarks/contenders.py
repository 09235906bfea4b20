"""Who is compared, how is each started, and which credential swap does it owe?

Two roles. *bridge*: the client's Bearer is dropped and X-Proxy-Token is set. *server*: X-Proxy-Token is
dropped, the real key is set, and an access log is written, by nginx as well. `direct` is no contender: it is
the load generator talking to the upstream, the floor under every latency.
"""

from __future__ import annotations

import functools
import getpass
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Role = Literal["direct", "bridge", "server"]
Credential = tuple[str, str]

CLIENT_KEY = "sk-client-of-the-benchmark-0123456789"
REAL_KEY = "sk-bench-0123456789abcdef0123456789"
_RIVALS = Path(__file__).parent / "rivals"
_ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Place:
    """Where one started contender lives: its folder, its port, its upstream, and the token of this run."""

    folder: Path
    port: int
    upstream: int
    token: str


@dataclass(frozen=True)
class Launch:
    """What to execute; `env` is all the environment there is beside PATH, HOME and LANG."""

    command: list[str]
    env: dict[str, str]


@dataclass(frozen=True)
class Contender:
    name: str
    role: Role
    program: Path | None
    launch: Callable[[Place], Launch]
    version: Callable[[], str]
    absent: str = "not installed"


def credential_of_client(role: Role, token: str) -> Credential:
    return ("X-Proxy-Token", token) if role == "server" else ("Authorization", f"Bearer {CLIENT_KEY}")


def credential_upstream(role: Role, token: str) -> Credential:
    return ("authorization", f"Bearer {REAL_KEY}") if role == "server" else ("x-proxy-token", token)


def rules_for_upstream(token: str) -> dict[Role, dict[str, str]]:
    """What the upstream must find once and must never find, by role."""
    return {
        "direct": {"expected": "", "forbidden": ""},
        "bridge": {"expected": token, "forbidden": CLIENT_KEY},
        "server": {"expected": REAL_KEY, "forbidden": token},
    }


def _nginx_program() -> Path | None:
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    return _found("nginx", path)


def _found(name: str, path: str | None = None) -> Path | None:
    found = shutil.which(name, path=path)
    return Path(found) if found else None


def _clawgate_program() -> Path | None:
    beside = Path(sys.executable).parent / "clawgate"
    if not beside.exists():
        return None
    try:
        question = [str(beside), "bridge", "run", "--help"]
        asked = subprocess.run(question, capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return beside if asked.returncode == 0 else None


def _first_line(*command: str | Path | None) -> str:
    if not all(command):
        return ""
    words = [str(part) for part in command]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    return (done.stdout + done.stderr).strip().partition("\n")[0]


def _nginx(program: Path | None, place: Place, role: Role) -> Launch:
    name, value = credential_upstream(role, place.token)
    dropped, _ = credential_of_client(role, place.token)
    filled = {
        "USER": getpass.getuser(),
        "FOLDER": str(place.folder),
        "ACCESS_LOG": f"{place.folder}/access.log" if role == "server" else "off",
        "UPSTREAM": str(place.upstream),
        "PORT": str(place.port),
        "DROPPED": dropped,
        "SET": name,
        "VALUE": value,
    }
    text = (_RIVALS / "nginx.conf").read_text()
    for key, word in filled.items():
        text = text.replace(f"@{key}@", word)
    config = place.folder / "nginx.conf"
    config.write_text(text)
    files = ["-p", str(place.folder), "-e", f"{place.folder}/error.log", "-c", str(config)]
    return Launch([str(program), *files], {})


def _node(program: Path | None, place: Place) -> Launch:
    script = str(_RIVALS / "node_bridge.mjs")
    return Launch([str(program), script, str(place.port), str(place.upstream)], {"PROXY_TOKEN": place.token})


def _aiohttp(place: Place) -> Launch:
    module = "benchmarks.rivals.aiohttp_forwarder"
    command = [sys.executable, "-m", module, str(place.port), str(place.upstream)]
    return Launch(command, {"PROXY_TOKEN": place.token, "PYTHONPATH": str(_ROOT)})


def _our_bridge(program: Path | None, place: Place) -> Launch:
    remote = f"http://127.0.0.1:{place.upstream}"
    swap = ["--remote-url", remote, "--proxy-token", place.token, "--port", str(place.port)]
    return Launch([str(program), "bridge", "run", *swap], {"OPENCLAW_STATE_DIR": f"{place.folder}/state"})


def _our_server(program: Path | None, place: Place) -> Launch:
    env = {
        "OPENAI_API_KEY": REAL_KEY,
        "OPENAI_PROXY_TOKEN": place.token,
        "OPENAI_BASE_URL": f"http://127.0.0.1:{place.upstream}/v1",
        "OPENCLAW_STATE_DIR": f"{place.folder}/state",
    }
    return Launch([str(program), "server", "run", "--port", str(place.port), "--host", "127.0.0.1"], env)


def _aiohttp_version() -> str:
    return f"aiohttp {importlib.metadata.version('aiohttp')}, Python {platform.python_version()}"


@functools.cache
def all_contenders() -> list[Contender]:
    """In the order in which they take turns."""
    nginx, node, ours = _nginx_program(), _found("node"), _clawgate_program()
    python = Path(sys.executable)

    def nginx_version() -> str:
        return _first_line(nginx, "-v")

    def our_version() -> str:
        return _first_line(ours, "--version")

    not_ours = "`clawgate bridge run --help` does not work beside this Python"
    return [
        Contender("nginx", "bridge", nginx, lambda at: _nginx(nginx, at, "bridge"), nginx_version),
        Contender("nginx-log", "server", nginx, lambda at: _nginx(nginx, at, "server"), nginx_version),
        Contender("node", "bridge", node, lambda at: _node(node, at), lambda: _first_line(node, "--version")),
        Contender("aiohttp", "bridge", python, _aiohttp, _aiohttp_version),
        Contender("bridge", "bridge", ours, lambda at: _our_bridge(ours, at), our_version, not_ours),
        Contender("server", "server", ours, lambda at: _our_server(ours, at), our_version, not_ours),
    ]
