"""Each command of docs/server.md works as it is written: two terminals on an empty home folder, a model for the API.

Only the key, the token, ports and the address to listen on are replaced.
"""

from __future__ import annotations

import re
from pathlib import Path

from demo.models import openai_server as model
from demo.models.openai_server import build_model
from tests.e2e.certificates import Authority
from tests.e2e.terminal import READY, run, shell
from tests.e2e.test_documented_commands import activated, assert_understood, lines
from tests.e2e.test_first_hour import KEY, assert_streamed, empty_environment, pytestmark
from tests.e2e.waiting import poll
from tests.ports import free_port

__all__ = ["pytestmark"]

PAGE = "docs/server.md"


def test_the_page_leads_to_a_response_and_a_revoked_token_is_refused(tmp_path: Path) -> None:
    port = free_port()
    with model.running(build_model(api_key=KEY)) as upstream:
        home = tmp_path / "home"
        environment = activated(
            empty_environment(home, OPENAI_PROXY_PORT=str(port), OPENAI_BASE_URL=f"{upstream}/v1")
        )
        with shell(home, environment) as vps, shell(home, environment) as person:
            *before, add, serve = lines(PAGE, "Start it", {"sk-...": KEY})
            for line in before:
                assert_understood(line, run(vps, line))
            token = re.findall(r"^[\w-]{40,}$", run(vps, add), flags=re.MULTILINE)[0]
            vps.type(f"{serve}\n")
            vps.until("listening on")
            there, request, health = lines(PAGE, "Send a request", {"TOKEN": token, "8089": str(port)})
            run(person, there)
            assert_streamed(run(person, request))
            assert '"state":"reachable"' in run(person, health)
            file, install = lines(PAGE, "As a service")
            run(person, file)
            assert "server run" in run(person, install)
            listing, other, revoke = lines(PAGE, "Tokens")
            assert "alice" in run(person, listing)
            run(person, other)
            assert_understood(revoke, run(person, revoke))
            poll(lambda: "invalid_token" in run(person, request), "the revoked token to be refused")
            vps.type("\x03")
            vps.until(READY)


def test_the_server_of_the_page_has_a_certificate_and_a_name_behind_a_proxy(tmp_path: Path) -> None:
    port, home, ca = free_port(), tmp_path / "home", Authority(tmp_path, "authority")
    environment = activated(empty_environment(home, OPENAI_PROXY_PORT=str(port)))
    issued = ca.issue("127.0.0.1").file
    with shell(home, environment) as vps, shell(home, environment) as person:
        *before, add, _ = lines(PAGE, "Start it", {"sk-...": KEY})
        for line in (*before, add):
            run(vps, line)
        own, behind = lines(PAGE, "TLS")
        vps.type(
            own.replace("0.0.0.0", "127.0.0.1")
            .replace("fullchain.pem", str(issued))
            .replace("privkey.pem", str(issued))
            + "\n"
        )
        vps.until("listening on https://")
        assert '"ok":true' in run(
            person, f"curl -s --cacert {ca.file} https://127.0.0.1:{port}/health"
        ).replace(" ", "")
        vps.type("\x03")
        vps.until(READY)
        vps.type(f"{behind}\n")
        vps.until("listening on http://")
        named = f"curl -s http://127.0.0.1:{port}/health -H 'Host: proxy.example.com' -H 'X-Forwarded-For: 203.0.113.7'"
        assert '"ok":true' in run(person, named).replace(" ", "")
        vps.type("\x03")
        vps.until(READY)
