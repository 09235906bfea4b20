"""Who is compared, how is each started, and of which version is it?

What each owes is its role (`roles.py`). Who translates is started as `translators.py` says.
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

from benchmarks import translators
from benchmarks.launch import Launch, Place
from benchmarks.roles import REAL_KEY, Role, credential_of_client, credential_upstream

_RIVALS = Path(__file__).parent / "rivals"
_ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Contender:
    name: str
    role: Role
    program: Path | None
    launch: Callable[[Place], Launch]
    version: Callable[[], str]
    absent: str = "not installed"
    relays: bool = True
    """Whether it takes part where bytes are passed on."""
    translates: bool = False
    slow: bool = False
    """Whether it translates so slowly that it is measured with few streams."""


def _found(name: str) -> Path | None:
    """The program, which Debian may have in a folder that is on the PATH of root alone."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    found = shutil.which(name, path=path)
    return Path(found) if found else None


def _clawgate_program(role: str) -> Path | None:
    beside = Path(sys.executable).parent / "clawgate"
    if not beside.exists():
        return None
    try:
        question = [str(beside), role, "run", "--help"]
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


def _config(template: str, place: Place, role: Role = "bridge") -> str:
    """Write a config file of ``rivals`` with its names filled in, and return its path."""
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
    text = (_RIVALS / template).read_text()
    for key, word in filled.items():
        text = text.replace(f"@{key}@", word)
    config = place.folder / template
    config.write_text(text)
    return str(config)


def _nginx(program: Path | None, place: Place, role: Role) -> Launch:
    config = _config("nginx.conf", place, role)
    files = ["-p", str(place.folder), "-e", f"{place.folder}/error.log", "-c", config]
    return Launch([str(program), *files], {})


def _caddy(program: Path | None, place: Place) -> Launch:
    config = _config("Caddyfile", place)
    return Launch([str(program), "run", "--config", config, "--adapter", "caddyfile"], {"GOMAXPROCS": "1"})


def _haproxy(program: Path | None, place: Place) -> Launch:
    return Launch([str(program), "-db", "-f", _config("haproxy.cfg", place)], {})


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
def all_contenders(litellm: Path | None = None) -> list[Contender]:
    """In the order in which they take turns. ``litellm``: the Python that has it, if it is not on PATH."""
    nginx, caddy, haproxy, node = map(_found, ("nginx", "caddy", "haproxy", "node"))
    rival = translators.litellm_program(litellm)
    ours, gateway = _clawgate_program("bridge"), _clawgate_program("gateway")
    python = Path(sys.executable)

    def nginx_version() -> str:
        return _first_line(nginx, "-v")

    def our_version() -> str:
        return _first_line(ours, "--version")

    def of_gateway(at: Place) -> Launch:
        return translators.our_gateway(gateway, at)

    def of_litellm(at: Place) -> Launch:
        return translators.litellm(rival, at)

    def litellm_version() -> str:
        return _first_line(rival, "--version")

    not_ours = "`clawgate bridge run --help` does not work beside this Python"
    no_gateway = "`clawgate gateway run --help` does not work beside this Python"
    no_litellm = "not installed; name the Python that has litellm[proxy] with --litellm"
    return [
        Contender("nginx", "bridge", nginx, lambda at: _nginx(nginx, at, "bridge"), nginx_version),
        Contender("nginx-log", "server", nginx, lambda at: _nginx(nginx, at, "server"), nginx_version),
        Contender(
            "caddy", "bridge", caddy, lambda at: _caddy(caddy, at), lambda: _first_line(caddy, "version")
        ),
        Contender(
            "haproxy", "bridge", haproxy, lambda at: _haproxy(haproxy, at), lambda: _first_line(haproxy, "-v")
        ),
        Contender("node", "bridge", node, lambda at: _node(node, at), lambda: _first_line(node, "--version")),
        Contender("aiohttp", "bridge", python, _aiohttp, _aiohttp_version),
        Contender("bridge", "bridge", ours, lambda at: _our_bridge(ours, at), our_version, not_ours),
        Contender("server", "server", ours, lambda at: _our_server(ours, at), our_version, not_ours),
        Contender("gateway", "gateway", gateway, of_gateway, our_version, no_gateway, translates=True),
        Contender(
            "litellm",
            "gateway",
            rival,
            of_litellm,
            litellm_version,
            no_litellm,
            relays=False,
            translates=True,
            slow=True,
        ),
    ]
