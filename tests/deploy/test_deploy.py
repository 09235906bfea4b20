"""deploy.sh against a bare Debian with a real systemd and sshd: a healthy service, upgraded and rolled back."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clawgate.state.migrate import HEAD
from tests.deploy.bare_host import SCRIPT, Host, Watch, next_release, running_host, wheelhouse, why_absent
from tests.e2e.processes import fields_for, role_process
from tests.e2e.stand import BODY, CLIENT_TOKEN, OPENAI_KEY, PATH, PATIENCE, until
from tests.peers import faults
from tests.peers.client import RawClient
from tests.peers.connection import Request
from tests.peers.script import Script
from tests.peers.upstream import FakeUpstream

SERVED = "http://127.0.0.1:8089"
SECRETS = {"OPENAI_API_KEY": OPENAI_KEY, "OPENAI_PROXY_TOKEN": CLIENT_TOKEN}
CANARIES = {"the key": OPENAI_KEY.encode(), "the token": CLIENT_TOKEN.encode()}
_SCHEMA = """
import sqlite3
with sqlite3.connect({!r}) as database:
    print(*database.execute({!r}))
"""
STREAMS, REQUESTS, CLIENTS = 20, 1000, 10

on_a_host = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(why_absent()), reason=why_absent()),
]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wheelhouse(tmp_path_factory.mktemp("wheels") / "first")


@pytest.fixture(scope="module")
def newer(wheels: Path) -> Path:
    return next_release(wheels, wheels.parent / "newer")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with running_host(tmp_path) as found:
        yield found


class TestOnAHost:
    pytestmark = on_a_host

    def test_a_bare_host_becomes_a_healthy_server_and_shows_no_secret(self, host: Host, wheels: Path) -> None:
        """In no command line, no environment of ssh, no log, no history; the token only as its hash."""
        before = host.state()
        dry = host.deploy("--offline", str(wheels), "--dry-run", **SECRETS)
        assert dry.returncode == 0 and "would install" in dry.stdout, dry.stderr
        assert host.state() == before, "a dry run changes nothing"
        with Watch(CANARIES) as watch:
            done = host.deploy("--offline", str(wheels), **SECRETS)
        assert done.returncode == 0, done.stdout + done.stderr
        assert {b"ssh", b"bash"} <= watch.seen and not watch.found
        shown = done.stdout + done.stderr
        assert (
            "serves as clawgate-server-1.service" in shown
            and "export PROXY_BRIDGE_URL=http://127.0.0.1:8089" in shown
        )
        log = host.run("journalctl", "--no-pager")
        for name, secret in CANARIES.items():
            assert secret.decode() not in shown + log, name
        found = host.run(
            "sh", "-c", f"grep -rlaE '{OPENAI_KEY}|{CLIENT_TOKEN}' /etc /opt /root /var /tmp /run; true"
        )
        assert found.split() == ["/etc/clawgate/server.env"]
        assert host.run("stat", "-c", "%a %U", "/etc/clawgate/server.env").split() == ["600", "root"]
        assert host.run("stat", "-c", "%a %U", "/var/lib/clawgate-server/tokens").split() == [
            "600",
            "clawgate",
        ]
        exposure = host.run("systemd-analyze", "security", "--no-pager", "clawgate-server-1.service")
        assert float(re.findall(r"exposure level for \S+ ([\d.]+)", exposure.replace(":", ""))[0]) <= 2.0

        before = host.state()
        again = host.deploy("--offline", str(wheels), **SECRETS)
        assert again.returncode == 0 and "nothing to change" in again.stdout, again.stdout + again.stderr
        assert host.state() == before, "a second run changes nothing"

        gone = host.deploy("--uninstall")
        assert gone.returncode == 0, gone.stderr
        left = host.run(
            "sh", "-c", "find / -xdev -name '*clawgate*' -not -path '/proc/*'; pgrep -u clawgate -a .; true"
        )
        assert left.split() == ["/var/lib/clawgate-server"]

    async def test_an_upgrade_under_load_and_its_rollback(
        self, host: Host, wheels: Path, newer: Path, tmp_path: Path
    ) -> None:
        """20 streams are whole, every one of 1000 requests is responded to; the way back takes 5 seconds at most."""
        gate = asyncio.Event()
        opened = asyncio.Event()
        opened.set()

        def script(request: Request) -> Script:
            return faults.sse_gated([opened, gate]) if request.number < STREAMS else faults.json_response({})

        with host.entered():
            async with FakeUpstream(script) as upstream:
                variables = SECRETS | {"OPENAI_BASE_URL": f"{upstream.url}/v1"}
                done = await asyncio.to_thread(host.deploy, "--offline", str(wheels), **variables)
                assert done.returncode == 0, done.stdout + done.stderr
                streams = [await RawClient.open(SERVED, limit=PATIENCE) for _ in range(STREAMS)]
                for client in streams:
                    await client.request(PATH, BODY, fields=fields_for("server"))
                for client in streams:
                    await client.saw(faults.CHAT_FRAMES[0])
                stopped = asyncio.Event()
                load = asyncio.create_task(_load(stopped))
                await until(lambda: len(upstream.requests) > STREAMS + CLIENTS or load.done(), "the load")
                upgraded = await asyncio.to_thread(
                    host.deploy, "--offline", str(newer), "--upgrade", **variables
                )
                stopped.set()
                assert upgraded.returncode == 0, upgraded.stdout + upgraded.stderr
                assert "release 9.9.9-" in upgraded.stdout
                statuses = await load
                assert set(statuses) == {200} and len(statuses) >= REQUESTS
                assert "deactivating" in host.run(
                    "systemctl", "is-active", "clawgate-server-1.service", check=False
                )
                began = asyncio.get_running_loop().time()
                back = await asyncio.to_thread(host.deploy, "--rollback")
                assert back.returncode == 0, back.stdout + back.stderr
                seconds = int(re.findall(r"after (\d+) s", back.stdout)[0])
                assert seconds <= 5, f"{seconds} s, {asyncio.get_running_loop().time() - began:.1f} with ssh"
                assert "serves as clawgate-server-3.service" in back.stdout and "9.9.9" not in back.stdout
                gate.set()
                for client in streams:
                    response = await client.response()
                    assert response.complete and response.body == b"".join(faults.CHAT_FRAMES)
                    await client.close()
                bridge = role_process("bridge", SERVED, tmp_path / "bridge", PROXY_BRIDGE_TOKEN=CLIENT_TOKEN)
                with bridge as process:
                    async with await RawClient.open(process.url) as client:
                        await client.request(PATH, BODY)
                        assert (await client.response()).status == 200

    def test_a_release_that_does_not_start_leaves_the_old_one_serving(
        self, host: Host, wheels: Path, tmp_path: Path
    ) -> None:
        broken = next_release(wheels, tmp_path / "broken", broken=True)
        assert host.deploy("--offline", str(wheels), **SECRETS).returncode == 0
        other = host.deploy("--offline", str(broken), **SECRETS)
        assert other.returncode == 1 and "replace it with --upgrade" in other.stderr
        before = host.run("systemctl", "show", "-p", "MainPID", "clawgate-server-1.service")
        failed = host.deploy("--offline", str(broken), "--upgrade", **SECRETS)
        assert failed.returncode == 1 and "the old one goes on serving" in failed.stderr, (
            failed.stdout + failed.stderr
        )
        assert "a release that is broken" in failed.stderr, "its log is shown"
        assert host.run("systemctl", "show", "-p", "MainPID", "clawgate-server-1.service") == before
        again = host.deploy("--offline", str(wheels), **SECRETS)
        assert "nothing to change" in again.stdout, again.stdout + again.stderr
        nothing = host.deploy("--rollback")
        assert nothing.returncode == 1 and "no deployment before" in nothing.stderr

    def test_a_gateway_is_deployed_upgraded_and_rolled_back(
        self, host: Host, wheels: Path, newer: Path
    ) -> None:
        """Its config and its schema are those of the release that serves, and the newer database is kept."""
        done = host.deploy("--offline", str(wheels), "--role", "gateway")
        assert done.returncode == 0, done.stdout + done.stderr
        config = "/var/lib/clawgate-gateway/openclaw.json"
        first = host.run("cat", config)
        assert host.run("stat", "-c", "%a %U", config).split() == ["600", "clawgate"]
        home = "/var/lib/clawgate-gateway"
        migrate = (
            f"HOME={home} OPENCLAW_STATE_DIR={home} /opt/clawgate/releases/*/venv/bin/clawgate state migrate"
        )
        host.run("runuser", "-u", "clawgate", "--", "sh", "-c", migrate)
        up = host.deploy("--offline", str(newer), "--role", "gateway", "--upgrade")
        assert up.returncode == 0 and "release 9.9.9-" in up.stdout, up.stdout + up.stderr
        host.run("sh", "-c", f"echo '// of the newer release' >> {config}")
        host.run(
            "python3",
            "-c",
            _SCHEMA.format(f"{home}/clawgate/state.db", "UPDATE clawgate_version SET version_num='0099_x'"),
        )
        back = host.deploy("--role", "gateway", "--rollback")
        assert back.returncode == 0 and "9.9.9" not in back.stdout, back.stdout + back.stderr
        assert host.run("cat", config) == first
        for name, version in (("state.db", HEAD), ("state.db.of-2", "0099_x")):
            read = _SCHEMA.format(f"{home}/clawgate/{name}", "SELECT version_num FROM clawgate_version")
            assert version in host.run("python3", "-c", read)
        assert host.deploy("--role", "gateway", "--uninstall").returncode == 0

    def test_what_is_wrong_with_the_host_is_named_with_the_next_step(self, host: Host, wheels: Path) -> None:
        offline = "--offline", str(wheels)
        missing = host.deploy(*offline)
        assert missing.returncode == 1 and "OPENAI_API_KEY is not set; export" in missing.stderr
        no_token = host.deploy(*offline, OPENAI_API_KEY=OPENAI_KEY)
        assert no_token.returncode == 1 and "--make-token" in no_token.stderr
        nowhere = host.deploy("--offline", "/nonexistent", **SECRETS)
        assert nowhere.returncode == 1 and "how to make a wheelhouse" in nowhere.stderr
        quoted = host.deploy(*offline, **SECRETS | {"OPENAI_API_KEY": f"'{OPENAI_KEY}'"})
        assert quoted.returncode == 1 and "a quote" in quoted.stderr and OPENAI_KEY not in quoted.stderr
        for action in ("--upgrade", "--rollback"):
            nothing = host.deploy(*offline, action, **SECRETS)
            assert nothing.returncode == 1 and "no server is deployed" in nothing.stderr
        bad = host.deploy(*offline, **SECRETS | {"OPENAI_PROXY_TOKEN": "short"})
        assert (
            bad.returncode == 1
            and "shorter than 16" in bad.stderr
            and "the token cannot be used" in bad.stderr
        )
        host.run(
            "sh",
            "-c",
            "useradd -m deployer && cp -r /root/.ssh /home/deployer && chown -R deployer /home/deployer",
        )
        powerless = host.deploy(*offline, target="deployer@bare", **SECRETS)
        assert powerless.returncode == 1 and "allow it in /etc/sudoers.d" in powerless.stderr
        host.run("sh", "-c", "echo 'deployer ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/deployer")
        made = host.deploy(*offline, "--make-token", target="deployer@bare", OPENAI_API_KEY=OPENAI_KEY)
        assert made.returncode == 0, made.stdout + made.stderr
        (token,) = re.findall(r"PROXY_BRIDGE_TOKEN=(\S{43}) ", made.stdout)
        assert token not in host.run("journalctl", "--no-pager") + host.run("cat", "/etc/clawgate/server.env")
        before = host.run("systemctl", "show", "-p", "MainPID", "clawgate-server-1.service")
        taken = host.deploy(*offline, "--listen", "0.0.0.0", port="22", **SECRETS)
        assert taken.returncode == 1 and "0.0.0.0:22 cannot be used" in taken.stderr, taken.stderr
        assert host.run("systemctl", "show", "-p", "MainPID", "clawgate-server-1.service") == before
        moved = host.deploy(*offline, port="8090")
        assert moved.returncode == 0 and "PROXY_BRIDGE_URL=http://127.0.0.1:8090" in moved.stdout, (
            moved.stderr
        )
        back = host.deploy("--rollback")
        assert back.returncode == 0, back.stderr
        assert "127.0.0.1:8089" in host.run("systemctl", "show", "-p", "Listen", "clawgate-server.socket")


async def _load(stopped: asyncio.Event) -> list[int]:
    """Send at least `REQUESTS`, and until ``stopped``: each on a connection of its own."""

    async def one_after_another() -> list[int]:
        statuses: list[int] = []
        while len(statuses) < REQUESTS // CLIENTS or not stopped.is_set():
            async with await RawClient.open(SERVED, limit=PATIENCE) as client:
                await client.request(PATH, BODY, fields=fields_for("server"))
                statuses.append((await client.response()).status)
        return statuses

    found = await asyncio.gather(*(one_after_another() for _ in range(CLIENTS)))
    return [status for part in found for status in part]


# Without a host


def script(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", SCRIPT, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--nonsense", "me@host"], "no such option; see: deploy/deploy.sh --help"),
        (["--role"], "--role needs a value"),
        (["--role", "bridge", "me@host"], "use server or gateway"),
        (["--upgrade", "--rollback", "me@host"], "choose one"),
        (["me@host", "x"], "is not a port"),
        (["me@host", "1", "2"], "one host and one port"),
        (["--listen", "$(id)", "me@host"], "is not an address"),
        (["me@host; id"], "is no host"),
    ],
)
def test_a_wrong_command_line_is_refused_before_anything_is_done(arguments: list[str], says: str) -> None:
    done = script(*arguments)
    assert done.returncode == 1 and says in done.stderr and not done.stdout


def test_help_and_usage() -> None:
    assert script("--help").stdout.startswith("usage: deploy/deploy.sh") and script().returncode == 2


def test_shellcheck_has_no_complaint() -> None:
    program = shutil.which("shellcheck") or shutil.which("shellcheck", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("there is no shellcheck")
    files = SCRIPT, Path(__file__).with_name("boot_host.sh")
    done = subprocess.run(
        [program, "--severity=warning", *files], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout
