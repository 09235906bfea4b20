"""A bare Debian host on this machine: a real systemd and a real sshd in namespaces of their own.

The root and the wheels are made once, by debootstrap and by pip, in the folder of `tests.deploy.debian`.
Who has entered the host's network reaches it at 127.0.0.1 and nothing else.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.deploy.debian import FOLDER, debian_root, output, why_no_debian

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "deploy" / "deploy.sh"
_PACKAGES = ("python3", "openssh-server", "sudo", "systemd", "systemd-sysv")
_CLONE_NEWNET = 0x40000000


def why_absent() -> str:
    """Why there can be no such host, "" if there can."""
    reason = why_no_debian(("ssh", "ssh-keygen", "ip", "nsenter"))
    return reason or ("" if importlib.util.find_spec("pip") else "this Python has no pip")


def host_root() -> Path:
    return debian_root("root", packages=_PACKAGES)


def wheelhouse(folder: Path, lock: str = "run") -> Path:
    """A wheelhouse as deploy/README.md makes it, for the Python of the host."""
    version = output("chroot", str(host_root()), "python3", "-c", "import sys; print(*sys.version_info[:2])")
    wheels = Path(FOLDER, "wheels" if lock == "run" else f"wheels-{lock}")
    pip = sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"
    if not wheels.exists():
        target = (
            "--only-binary",
            ":all:",
            "--python-version",
            ".".join(version.split()),
            "--dest",
            str(wheels),
        )
        file = str(ROOT / "requirements" / f"{lock}.lock")
        output(*pip, "download", *target, "--no-deps", "--require-hashes", "-r", file)
        output(*pip, "download", *target, "--no-deps", "pip")
    shutil.copytree(wheels, folder)
    output(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT))
    return folder


def next_release(wheels: Path, folder: Path, *, broken: bool = False) -> Path:
    """The same wheelhouse with another version of clawgate, which ``broken`` does not start."""
    shutil.copytree(wheels, folder)
    (old,) = folder.glob("clawgate-*.whl")
    version = old.name.split("-")[1]
    with (
        zipfile.ZipFile(old) as source,
        zipfile.ZipFile(folder / old.name.replace(version, "9.9.9"), "w") as made,
    ):
        for name in source.namelist():
            data = source.read(name)
            if name == "clawgate/__init__.py" or name.endswith(".dist-info/METADATA"):
                data = data.replace(version.encode(), b"9.9.9")
            if broken and name == "clawgate/app/server.py":
                data = b"raise SystemExit('a release that is broken')\n"
            made.writestr(name.replace(f"clawgate-{version}.", "clawgate-9.9.9."), data)
    old.unlink()
    return folder


@dataclass
class Host:
    """A running host. ``init`` is its systemd, as this machine numbers it."""

    init: int
    folder: Path
    network: int = field(repr=False)

    def run(self, *command: str, check: bool = True) -> str:
        """Run a command on the host as root, and return what it prints."""
        return output("nsenter", "-t", str(self.init), "-a", "-r", "-w", "--", *command, check=check)

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """This thread and what it starts are in the host's network."""
        own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            _set_network(self.network)
            yield
        finally:
            _set_network(own)
            os.close(own)

    def deploy(
        self, *arguments: str, port: str = "", target: str = "bare", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run deploy.sh against the host, from its own network."""
        with self.entered():
            return subprocess.run(
                [*self.command, *arguments, target, *filter(None, [port])],
                env=self.environment | environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )

    @property
    def command(self) -> list[str]:
        """deploy.sh, to which its arguments and "bare" are added."""
        return ["bash", str(SCRIPT), "--ssh-config", str(self.folder / "ssh_config")]

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LANG": "C.UTF-8"}

    def state(self) -> dict[str, str]:
        """What a deployment may change: each file of it with its time, mode and owner, and the services that run."""
        script = (
            "find /opt /etc /var/lib/clawgate-* -xdev -printf '%p %m %U %T@ %s\\n' 2>/dev/null; "
            "systemctl list-units --plain --no-legend 'clawgate*'; pgrep -u clawgate -a ."
        )
        return {
            line.split(" ", 1)[0]: line for line in self.run("sh", "-c", script, check=False).splitlines()
        }


@contextlib.contextmanager
def running_host(folder: Path) -> Iterator[Host]:
    """Boot a host from nothing, and end all of it."""
    key = folder / "key"
    output("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
    (folder / "ssh_config").write_text(
        f"Host bare\n HostName 127.0.0.1\n User root\n IdentityFile {key}\n StrictHostKeyChecking no\n"
        " UserKnownHostsFile /dev/null\n LogLevel ERROR\n"
    )
    script = Path(__file__).with_name("boot_host.sh")
    with (folder / "boot").open("wb") as log:
        popen = subprocess.Popen(
            [script, host_root(), f"{key}.pub"], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        init = _init_of(popen, folder / "boot")
        network = os.open(f"/proc/{init}/ns/net", os.O_RDONLY)
        try:
            host = Host(init, folder, network)
            _wait(
                lambda: (
                    host.run("systemctl", "is-system-running", check=False).strip() in ("running", "degraded")
                )
            )
            yield host
        finally:
            os.close(network)
    finally:
        popen.kill()  # with it goes init, and with that everything on the host
        popen.wait()
        _wait(lambda: _removed(f"clawgate-test-{popen.pid}"), "the host does not end")


def _init_of(popen: subprocess.Popen[bytes], log: Path) -> int:
    children = Path(f"/proc/{popen.pid}/task/{popen.pid}/children")

    def is_init() -> bool:
        assert popen.poll() is None, f"the host does not boot: {log.read_text()}"
        found = children.read_text().split()
        return bool(found) and b"systemd" in Path(f"/proc/{found[0]}/cmdline").read_bytes()

    _wait(is_init)
    return int(children.read_text().split()[0])


def _removed(cgroup: str) -> bool:
    """Remove the control groups that boot_host.sh has made; False while a process is still in one."""
    mounts = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
    for top in (Path(place) / cgroup for _, place, kind, *_ in mounts if kind == "cgroup2"):
        with contextlib.suppress(OSError):
            for folder in sorted((one for one in top.rglob("*") if one.is_dir()), reverse=True):
                folder.rmdir()
            top.rmdir()
        if top.exists():
            return False
    return True


def _wait(ready: Callable[[], bool], failure: str = "the host does not boot", within: float = 60.0) -> None:
    end = time.monotonic() + within
    while not ready():
        assert time.monotonic() < end, failure
        time.sleep(0.05)


def _set_network(descriptor: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Watch(threading.Thread):
    """Reads the command line of every process, and the environment of every ssh, over and over, for secrets."""

    def __init__(self, secrets: Mapping[str, bytes]) -> None:
        super().__init__(daemon=True)
        self.found: set[str] = set()
        self.seen: set[bytes] = set()
        self._secrets = secrets
        self._ended = threading.Event()

    def __enter__(self) -> Watch:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self.join()

    def run(self) -> None:
        while not self._ended.is_set():
            for process in Path("/proc").iterdir():
                if not process.name.isdecimal():
                    continue
                with contextlib.suppress(OSError):
                    line = (process / "cmdline").read_bytes()
                    self.seen.add(line.partition(b"\0")[0].rpartition(b"/")[2])
                    if line.startswith(b"ssh\0"):
                        line += (process / "environ").read_bytes()
                    self.found |= {
                        f"{name} in {line!r}" for name, secret in self._secrets.items() if secret in line
                    }
