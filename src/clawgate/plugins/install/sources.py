"""Fetches the files of a plugin from a folder, a wheel, PyPI or a git repository.

Must not run code of the plugin: from PyPI only wheels are accepted, because building any other package runs its code.
pip and git are the user's, with their settings (index, proxy, keys); they run without a shell, without hooks and with a
timeout.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from clawgate.plugins.install.requirements import unmet_requirements
from clawgate.plugins.install.unpack import SourceRejected, copy_folder, printable, unpack_wheel

TIMEOUT_SECONDS = 180.0
"""For pip or git."""
_PACKAGE = re.compile(r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(==[A-Za-z0-9.!+]+)?\Z")
_GIT = re.compile(
    r"(?:git\+)?((?:https|ssh|file)://[^\s#]+|[\w.-]+@[\w.-]+:[^\s#]+)(?:#([\w.][\w./-]*))?\Z", re.ASCII
)
_USER_INFO = re.compile(r"(?<=://)[^/@]*@")
_OWN_VARIABLES = (
    "OPENCLAW_",
    "CLAWGATE_",
    "PROXY_BRIDGE_",
    "OPENAI_",
    "ANTHROPIC_",
    "CLAUDE_",
    "PYTHON",
    "GIT_DIR",
)
_SDIST = (".tar.gz", ".tgz", ".tar", ".zip", ".tar.bz2", ".tar.xz")


@dataclass(frozen=True, slots=True)
class Source:
    """``name`` is for people and for the record, without user and password; ``location`` is what is fetched."""

    kind: Literal["folder", "wheel", "pypi", "git"]
    location: str
    name: str
    revision: str = ""


@dataclass(frozen=True, slots=True)
class FetchedFiles:
    """The files are in ``tree``. ``digest`` is SHA-256 of the wheel, or of all files; ``revision`` the git commit."""

    tree: Path
    digest: str
    revision: str = ""


def parse_source(text: str) -> Source:
    """Parse a path, a package name or a URL. Raises `SourceRejected`."""
    text = text.strip()
    if not text:
        raise SourceRejected(
            "no source was given; use a folder, a wheel, a package name on PyPI or a git URL"
        )
    path = Path(text).expanduser()
    if text.startswith("git+") or "://" in text or re.match(r"[\w.-]+@[\w.-]+:", text):
        match = _GIT.match(text)
        if match is None or match[1].startswith("-"):
            raise SourceRejected(
                f"'{printable(_USER_INFO.sub('', text))}' is not a source; a git repository is https://…, ssh://… or "
                "git@host:path, optionally with #branch or #tag"
            )
        return Source("git", match[1], f"git {_USER_INFO.sub('', match[1])}", match[2] or "")
    if path.is_dir():
        return Source("folder", str(path.absolute()), f"path {path.absolute()}")
    if path.is_file():
        if path.suffix == ".whl":
            return Source("wheel", str(path.absolute()), f"wheel {path.absolute()}")
        raise SourceRejected(
            _no_sdist(path.name) if path.name.endswith(_SDIST) else f"{path} is neither a folder nor a wheel"
        )
    if _PACKAGE.match(text) and not text.endswith((*_SDIST, ".whl")):
        return Source("pypi", text, f"package index, {text}")
    raise SourceRejected(f"Plugin path not found: {printable(text)}")


def _no_sdist(name: str) -> str:
    return (
        f"{printable(name)} is a source archive, and building one runs its code before you could inspect it; "
        "unpack it and use its folder, or use a wheel (made with: pip wheel --no-deps)"
    )


def fetch(source: Source, into: Path, environment: Mapping[str, str]) -> FetchedFiles:
    """Bring the files to a new folder within ``into``. Raises `SourceRejected`."""
    tree = into / "tree"
    tree.mkdir(mode=0o700)
    try:
        match source.kind:
            case "folder":
                return FetchedFiles(tree, copy_folder(Path(source.location), tree))
            case "wheel":
                return _from_wheel(Path(source.location), tree)
            case "pypi":
                return _from_wheel(_downloaded(source.location, into, environment), tree)
            case "git":
                return _cloned(source, into, tree, environment)
    except OSError as error:
        where = f" ({printable(str(error.filename))})" if error.filename else ""
        raise SourceRejected(f"its files cannot be copied: {error.strerror}{where}") from error


def _from_wheel(wheel: Path, tree: Path) -> FetchedFiles:
    digest = unpack_wheel(wheel, tree)
    if unmet := unmet_requirements(tree):
        raise SourceRejected(
            f"missing packages: {', '.join(unmet)}. A plugin is installed without its requirements; "
            f"install the package beside clawgate instead (pip install {wheel.name.partition('-')[0]}), where "
            "clawgate finds it"
        )
    return FetchedFiles(tree, digest)


def _downloaded(package: str, into: Path, environment: Mapping[str, str]) -> Path:
    folder = into / "wheel"
    folder.mkdir(mode=0o700)
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"]
    more = ["--disable-pip-version-check", "--quiet", "--no-cache-dir", "--dest", str(folder), "--", package]
    problem = _run([*pip, *more], into, environment, "pip")
    wheels = sorted(folder.glob("*.whl"))
    if problem is None and len(wheels) == 1:
        return wheels[0]
    if problem is not None and "No module named pip" in problem:
        raise SourceRejected(
            "this Python has no pip to search the package index; download the wheel yourself and use its path"
        )
    raise SourceRejected(
        f"pip found no wheel of '{package}': {problem or 'it downloaded nothing'}. If the index only has a source "
        "archive, unpack that and use its folder: a source archive is never built here, because that runs its code"
    )


def _cloned(source: Source, into: Path, tree: Path, environment: Mapping[str, str]) -> FetchedFiles:
    clone = into / "clone"
    git = ["git", "-c", "core.hooksPath=/dev/null", "-c", "core.symlinks=true", "-c", "core.fsmonitor=false"]
    which = ["--branch", source.revision] if source.revision else []
    how = ["--quiet", "--depth=1", "--no-tags", "--template=", *which]
    git_environment = {
        **environment,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "https:ssh:file",
        "GIT_LFS_SKIP_SMUDGE": "1",
    }
    command = [*git, "clone", *how, "--", source.location, str(clone)]
    problem = _run(command, into, git_environment, "git")
    if problem is not None:
        raise SourceRejected(f"git could not get {source.name}: {problem}")
    head = subprocess.run(
        [*git, "rev-parse", "HEAD"],
        cwd=clone,
        env=git_environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    return FetchedFiles(tree, copy_folder(clone, tree), head.stdout.strip())


def _run(command: Sequence[str], folder: Path, environment: Mapping[str, str], name: str) -> str | None:
    """Run a program. Return why it failed, by its error line or its last line; None if it succeeded."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**environment, "PYTHONSAFEPATH": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            check=False,
            timeout=TIMEOUT_SECONDS,
            start_new_session=True,
        )
    except FileNotFoundError:
        return f"{name} is not installed"
    except subprocess.TimeoutExpired:
        return f"{name} took longer than {TIMEOUT_SECONDS:g} s"
    if done.returncode == 0:
        return None
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    reasons = (line for line in lines if line.lower().startswith(("fatal: ", "error: ")))
    reason = next(reasons, lines[-1] if lines else f"it exited with status {done.returncode}")
    return printable(_USER_INFO.sub("", reason).rstrip("."))


def own_environment() -> dict[str, str]:
    """Return the environment for pip and git: the user's, without the variables of the gateway and its secrets."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OWN_VARIABLES)}
