"""Where does a plugin come from: a folder, a wheel, PyPI, a git repository? Brings its files here; runs none of them.

Of PyPI only wheels are taken, since what builds another package is that package's own code. pip and git are the user's,
with their settings (index, proxy, keys); they are run without a shell, without hooks and with a time limit.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Literal

from clawgate.plugins.install.unpack import SourceRejected, copy_folder, shown, unpack_wheel

SECONDS = 180.0
"""For pip or git."""
_PACKAGE = re.compile(r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(==[A-Za-z0-9.!+]+)?\Z")
_GIT = re.compile(
    r"(?:git\+)?((?:https|ssh|file)://[^\s#]+|[\w.-]+@[\w.-]+:[^\s#]+)(?:#([\w.][\w./-]*))?\Z", re.ASCII
)
_USER_INFO = re.compile(r"(?<=://)[^/@]*@")
_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9._-]+)")
_SDIST = (".tar.gz", ".tgz", ".tar", ".zip", ".tar.bz2", ".tar.xz")


@dataclass(frozen=True, slots=True)
class Source:
    """``name`` is for people and for the record, without user and password; ``location`` is what is used."""

    kind: Literal["folder", "wheel", "pypi", "git"]
    location: str
    name: str
    revision: str = ""


@dataclass(frozen=True, slots=True)
class Fetched:
    """The files are in ``tree``. ``digest`` is SHA-256: of the wheel, else of all files; ``revision`` of a commit."""

    tree: Path
    digest: str
    revision: str = ""


def parse_source(text: str) -> Source:
    """What somebody means by a path, a name or a URL. Raises `SourceRejected`."""
    text = text.strip()
    if not text:
        raise SourceRejected(
            "a plugin comes from a folder, a wheel, a name on PyPI or a git URL; nothing was given"
        )
    path = Path(text).expanduser()
    if text.startswith("git+") or "://" in text or re.match(r"[\w.-]+@[\w.-]+:", text):
        match = _GIT.match(text)
        if match is None or match[1].startswith("-"):
            raise SourceRejected(
                f"'{shown(_USER_INFO.sub('', text))}' is no source: a git repository is https://…, ssh://… or "
                "git@host:path, with #branch or #tag behind it if you like"
            )
        return Source("git", match[1], f"git {_USER_INFO.sub('', match[1])}", match[2] or "")
    if path.is_dir():
        return Source("folder", str(path.absolute()), f"path {path.absolute()}")
    if path.is_file():
        if path.suffix == ".whl":
            return Source("wheel", str(path.absolute()), f"wheel {path.absolute()}")
        raise SourceRejected(
            _no_sdist(path.name) if path.name.endswith(_SDIST) else f"{path} is no folder and no wheel"
        )
    if _PACKAGE.match(text) and not text.endswith((*_SDIST, ".whl")):
        return Source("pypi", text, f"package index, {text}")
    raise SourceRejected(f"Plugin path not found: {shown(text)}")


def _no_sdist(name: str) -> str:
    return (
        f"{shown(name)} is a source archive, and building one runs its code before you could look at it; "
        "unpack it and give its folder, or give a wheel (made with: pip wheel --no-deps)"
    )


def fetch(source: Source, into: Path, environment: Mapping[str, str]) -> Fetched:
    """Bring the files to a new folder within ``into``. Raises `SourceRejected` with the reason."""
    tree = into / "tree"
    tree.mkdir(mode=0o700)
    try:
        match source.kind:
            case "folder":
                return Fetched(tree, copy_folder(Path(source.location), tree))
            case "wheel":
                return _from_wheel(Path(source.location), tree)
            case "pypi":
                return _from_wheel(_downloaded(source.location, into, environment), tree)
            case "git":
                return _cloned(source, into, tree, environment)
    except OSError as error:
        where = f" ({shown(str(error.filename))})" if error.filename else ""
        raise SourceRejected(f"its files cannot be copied: {error.strerror}{where}") from error


def _from_wheel(wheel: Path, tree: Path) -> Fetched:
    digest = unpack_wheel(wheel, tree)
    missing = missing_requirements(tree)
    if missing:
        raise SourceRejected(
            f"it needs {', '.join(missing)}, which this Python has not. A plugin is installed without what it needs; "
            f"install the package beside clawgate instead (pip install {wheel.name.partition('-')[0]}): "
            "clawgate finds it there"
        )
    return Fetched(tree, digest)


def missing_requirements(tree: Path) -> list[str]:
    """What a wheel's metadata ask for and is not installed; versions and conditions are not looked at."""
    found: list[str] = []
    for path in sorted(tree.glob("*.dist-info/METADATA")):
        head = path.read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
        for line in head.splitlines():
            match = _REQUIREMENT.match(line.removeprefix("Requires-Dist:"))
            if line.startswith("Requires-Dist:") and match is not None and ";" not in line:
                try:
                    distribution(match[1])
                except PackageNotFoundError:
                    found.append(match[1])
    return found


def _downloaded(package: str, into: Path, environment: Mapping[str, str]) -> Path:
    folder = into / "wheel"
    folder.mkdir(mode=0o700)
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"]
    more = ["--disable-pip-version-check", "--quiet", "--no-cache-dir", "--dest", str(folder), "--", package]
    problem = _ran([*pip, *more], into, environment, "pip")
    wheels = sorted(folder.glob("*.whl"))
    if problem is None and len(wheels) == 1:
        return wheels[0]
    if problem is not None and "No module named pip" in problem:
        raise SourceRejected(
            "this Python has no pip to ask the package index with; download the wheel yourself and give its path"
        )
    raise SourceRejected(
        f"pip found no wheel of '{package}': {problem or 'it downloaded nothing'}. If the index only has a source "
        "archive, unpack that and give its folder: a source archive is never built here, for that runs its code"
    )


def _cloned(source: Source, into: Path, tree: Path, environment: Mapping[str, str]) -> Fetched:
    clone = into / "clone"
    git = ["git", "-c", "core.hooksPath=/dev/null", "-c", "core.symlinks=true", "-c", "core.fsmonitor=false"]
    which = ["--branch", source.revision] if source.revision else []
    command = [
        *git,
        "clone",
        "--quiet",
        "--depth",
        "1",
        "--no-tags",
        "--template=",
        *which,
        "--",
        source.location,
    ]
    guarded = {
        **environment,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "https:ssh:file",
        "GIT_LFS_SKIP_SMUDGE": "1",
    }
    problem = _ran([*command, str(clone)], into, guarded, "git")
    if problem is not None:
        raise SourceRejected(f"git could not get {source.name}: {problem}")
    asked = subprocess.run(
        [*git, "rev-parse", "HEAD"],
        cwd=clone,
        env=guarded,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    return Fetched(tree, copy_folder(clone, tree), asked.stdout.strip())


def _ran(command: Sequence[str], folder: Path, environment: Mapping[str, str], name: str) -> str | None:
    """The reason that the program gave if it failed, else the last thing that it said; None if it did not fail."""
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
            timeout=SECONDS,
            start_new_session=True,
        )
    except FileNotFoundError:
        return f"{name} is not installed"
    except subprocess.TimeoutExpired:
        return f"{name} took longer than {SECONDS:g} s"
    if done.returncode == 0:
        return None
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    reasons = (line for line in lines if line.lower().startswith(("fatal: ", "error: ")))
    said = next(reasons, lines[-1] if lines else f"it ended with status {done.returncode}")
    return shown(_USER_INFO.sub("", said).rstrip("."))


def own_environment() -> dict[str, str]:
    """What pip and git get to see: the user's environment, but for what the gateway keeps there."""
    hidden = (
        "OPENCLAW_",
        "CLAWGATE_",
        "PROXY_BRIDGE_",
        "OPENAI_",
        "ANTHROPIC_",
        "CLAUDE_",
        "PYTHON",
        "GIT_DIR",
    )
    return {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
