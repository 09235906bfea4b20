"""deploy.sh as a person runs it: at a terminal, with prompts, and with a package index instead of a wheelhouse."""

from __future__ import annotations

import functools
import shlex
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.deploy.bare_host import Host, running_host, wheelhouse, why_absent
from tests.e2e.stand import OPENAI_KEY
from tests.e2e.terminal import terminal

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(bool(why_absent()), reason=why_absent()),
]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with running_host(tmp_path) as found:
        yield found


@pytest.fixture
def index(host: Host, tmp_path: Path) -> Iterator[str]:
    """A package index (PEP 503) at the host's loopback, with what the locks name and pip, but without clawgate."""
    for wheel in wheelhouse(tmp_path / "wheels", "all").glob("*.whl"):
        project = wheel.name.split("-")[0].replace("_", "-").replace(".", "-").lower()
        if project != "clawgate":
            folder = tmp_path / "index" / "simple" / project
            folder.mkdir(parents=True, exist_ok=True)
            wheel.rename(folder / wheel.name)
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "index"))
    with host.entered():
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/simple"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_package_index_serves_both_sides_and_extras_stay(host: Host, index: str) -> None:
    nowhere = host.deploy("--role", "gateway", PIP_INDEX_URL="http://127.0.0.1:9/simple")
    assert nowhere.returncode == 1 and "set PIP_INDEX_URL" in nowhere.stderr
    done = host.deploy("--role", "gateway", "--extras", "postgres,mcp", PIP_INDEX_URL=index)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "serves as clawgate-gateway-1.service" in done.stdout
    script = (
        "/opt/clawgate/releases/*/venv/bin/python -c 'import asyncpg, mcp' && ls -d /opt/clawgate/releases/*"
    )
    assert host.run("sh", "-c", script).strip().endswith("+mcp,postgres")
    assert "trafilatura" not in host.run(
        "sh", "-c", "ls /opt/clawgate/releases/*/venv/lib/python3*/site-packages"
    )
    before = host.state()
    again = host.deploy("--role", "gateway", PIP_INDEX_URL=index)
    assert again.returncode == 0 and "nothing to change" in again.stdout, again.stdout + again.stderr
    assert host.state() == before, "what is not given stays as it is"
    without = host.deploy("--role", "gateway", "--extras", "none", "--upgrade", PIP_INDEX_URL=index)
    assert without.returncode == 0, without.stdout + without.stderr
    missing = host.run(
        "sh", "-c", "/opt/clawgate/releases/*[0-9]/venv/bin/python -c 'import asyncpg'; echo $?"
    )
    assert missing.strip() == "1"


def test_at_a_terminal_what_is_missing_is_prompted_for(host: Host, tmp_path: Path) -> None:
    """The key is not shown, Ctrl-C at any prompt changes nothing, and the token is shown once."""
    wheels = wheelhouse(tmp_path / "wheels")
    words = [*host.command, "--offline", str(wheels), "bare"]
    kept = ["bash", "-c", f"trap : INT; {shlex.join(words)}; echo status=$?; stty -a"]
    before = host.state()
    for typed in ([], [f"{OPENAI_KEY}\n"]):
        with host.entered(), terminal(kept, tmp_path, host.environment, columns=200) as person:
            person.until("not shown: ")
            for text in typed:
                person.type(text)
                person.until("[Y/n] ")
            person.type("\x03")
            person.until("status=130")
            assert person.end() == 0 and " echo " in person.shown and OPENAI_KEY not in person.shown
        assert host.state() == before
    with host.entered(), terminal(words, tmp_path, host.environment, columns=200) as person:
        person.answer("not shown: ", f"{OPENAI_KEY}\n")
        person.answer("[Y/n] ", "n\n")
        assert person.end() == 1 and "--make-token" in person.shown
    assert host.state() == before
    with host.entered(), terminal(words, tmp_path, host.environment, columns=200) as person:
        person.answer("not shown: ", f"{OPENAI_KEY}\n")
        person.answer("[Y/n] ", "\n")
        assert person.end() == 0, person.shown
    assert OPENAI_KEY not in person.shown and "serves as clawgate-server-1.service" in person.shown
    assert person.shown.count("shown this once") == 1
