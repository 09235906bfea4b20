"""Builds an image in a Debian root folder and runs containers of it, with namespaces instead of Docker: for root.

The instructions of the Dockerfile are carried out one by one. A container has a read-only root, a volume, processes and
a network of its own (loopback alone), no capabilities, and a user that is in no /etc/passwd.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.deploy.dockerfile import Dockerfile, Stage, pairs

VOLUME = "var/lib/clawgate"
PATIENCE = 60.0


@dataclass(slots=True)
class Image:
    """``root`` holds its files, ``env`` its variables."""

    root: Path
    env: dict[str, str] = field(default_factory=dict)
    folder: str = "/"


class Builder:
    """``base``: a Debian root folder, which stays as it is. ``arguments``: what --build-arg gives."""

    def __init__(
        self, file: Dockerfile, context: Path, base: Path, work: Path, arguments: Mapping[str, str]
    ) -> None:
        self._file = file
        self._context = context
        self._base = base
        self._work = work
        self._arguments = arguments
        self._built: dict[str, Image] = {}

    def build(self, name: str) -> Image:
        if name not in self._built:
            stage = next(one for one in self._file.stages if one.name == name)
            below = None if stage.base.startswith("$") else self.build(stage.base)
            root = self._work / name
            subprocess.run(["cp", "-a", "--", below.root if below else self._base, root], check=True)
            image = Image(root, dict(below.env) if below else {}, below.folder if below else "/")
            self._built[name] = self._carry_out(stage, image)
        return self._built[name]

    def _carry_out(self, stage: Stage, image: Image) -> Image:
        given: dict[str, str] = {}
        for word, text in stage.steps:
            match word:
                case "ARG":
                    given |= {key: self._arguments.get(key, value) for key, value in pairs(text).items()}
                case "ENV":
                    image.env |= pairs(text)
                case "WORKDIR":
                    image.folder = text
                    (image.root / text.lstrip("/")).mkdir(parents=True, exist_ok=True)
                case "RUN":
                    run_step(image, text, given)
                case "COPY":
                    self._copy(image, text)
        return image

    def _copy(self, image: Image, text: str) -> None:
        words = text.split()
        source, ignored = self._context, shutil.ignore_patterns("__pycache__")
        if words[0].startswith("--from="):
            source, ignored = self.build(words.pop(0).removeprefix("--from=")).root, shutil.ignore_patterns()
        *names, to = words
        target = image.root / str(Path(image.folder, to)).lstrip("/")
        for name in names:
            path = source / name.lstrip("/")
            if path.is_dir():
                shutil.copytree(path, target, symlinks=True, dirs_exist_ok=True, ignore=ignored)
            else:
                file = target / path.name if to.endswith("/") else target
                file.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, file)


def run_step(image: Image, text: str, given: Mapping[str, str]) -> None:
    """A RUN, with the network and the package index of this machine, which leave nothing in the image."""
    path = image.env.get("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    env = {"DEBIAN_FRONTEND": "noninteractive", **given, **image.env, "PATH": path, "HOME": "/root"}
    mounts = {"/etc/resolv.conf": image.root / "etc/resolv.conf"}
    env |= {
        name: value for name, value in os.environ.items() if name in {"PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"}
    }
    if certificates := os.environ.get("PIP_CERT"):
        mounts[certificates] = image.root / "mnt" / "certificates.pem"
        env["PIP_CERT"] = "/mnt/certificates.pem"
    for place in mounts.values():
        place.touch()
    script = [
        "set -e",
        *(f"mount --bind {source} {place}" for source, place in mounts.items()),
        f"mount -t proc proc {image.root}/proc",
        f'exec chroot {image.root} /bin/sh -c "$1"',
    ]
    command = [
        "unshare",
        "--mount",
        "--pid",
        "--fork",
        "sh",
        "-c",
        "\n".join(script),
        "sh",
        f"cd {image.folder} && {text}",
    ]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    for place in mounts.values():
        place.unlink()
    assert done.returncode == 0, f"RUN {text}\n{(done.stdout + done.stderr)[-3000:]}"


@dataclass(slots=True)
class Container:
    """A container that runs. ``pid`` is its first process, as this machine numbers it."""

    popen: subprocess.Popen[bytes]
    pid: int
    log: Path
    user: int
    env: Mapping[str, str]

    @property
    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_for(self, pattern: str) -> re.Match[str]:
        end = time.monotonic() + PATIENCE
        while (found := re.search(pattern, self.text)) is None:
            if self.popen.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"no {pattern!r}, status {self.popen.poll()}: {self.text}")
            time.sleep(0.02)
        return found

    def execute(self, *command: str, user: int | None = None) -> subprocess.CompletedProcess[str]:
        """`docker exec`: a command in the namespaces and the root of the container."""
        user = self.user if user is None else user
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--pid", "--net", "--root", "--wd"]
        return subprocess.run(
            [*enter, f"--setuid={user}", f"--setgid={user}", *command],
            env=dict(self.env), capture_output=True, text=True, check=False, timeout=PATIENCE,
        )  # fmt: skip


@contextlib.contextmanager
def container(
    image: Image, volume: Path, log: Path, *command: str, user: int, env: Mapping[str, str], config: Path
) -> Iterator[Container]:
    """`docker run --read-only --cap-drop ALL --security-opt no-new-privileges --user`; HOME is not set.

    ``config`` is a folder that is mounted read-only.
    """
    root = image.root
    script = f"""set -e
        mount --bind {root} {root}
        mount --bind {volume} {root}/{VOLUME}
        mount --bind {config} {root}/mnt
        mount -o remount,ro,bind {root}/mnt
        mount -t proc proc {root}/proc
        mount -t tmpfs -o mode=1777,noexec tmpfs {root}/tmp
        mount -o remount,ro,bind {root}
        ip link set lo up
        exec chroot --userspec={user}:{user} --groups= {root} setpriv --no-new-privs "$@"
    """
    variables = {**image.env, **env}
    start = ["unshare", "--mount", "--pid", "--net", "--fork", "sh", "-c", script, "sh"]
    inside = ["env", "-i", *(f"{name}={value}" for name, value in variables.items()), *command]
    with log.open("wb") as out:
        popen = subprocess.Popen([*start, *inside], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    pid = first_process(popen, user)
    try:
        yield Container(popen, pid, log, user, variables)
    finally:
        # The first process of a namespace takes all others with it. --kill-child is lost where the user changes.
        if popen.poll() is None:
            os.kill(pid, signal.SIGKILL)
        popen.wait()


def first_process(popen: subprocess.Popen[bytes], user: int) -> int:
    """The process that `unshare` forked, once it has become ``user``, in its root."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and popen.poll() is None:
        with contextlib.suppress(OSError):
            for pid in Path(f"/proc/{popen.pid}/task/{popen.pid}/children").read_text().split():
                if Path(f"/proc/{pid}").stat().st_uid == user:
                    return int(pid)
        time.sleep(0.01)
    raise AssertionError(f"the container did not start, status {popen.poll()}")
