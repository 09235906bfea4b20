"""A token is gotten by a login or by the client itself, is renewed, and goes to nobody but the server it is for."""

from __future__ import annotations

import asyncio
import json
import stat
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from clawgate.agents.tools.mcp.logins import login_of
from clawgate.agents.tools.mcp.pins import pins_folder
from clawgate.agents.tools.mcp.servers import McpServers
from clawgate.plugins.api import ToolResult
from clawgate.policy.egress.policy import NO_RULES, NetworkRules
from clawgate.policy.egress.rules import Rule
from clawgate.relay.upstream.dial import Dialer
from clawgate.settings.openclaw.mcp_servers import McpServerEntry
from tests.agents.tools.mcp.http_stand import listening
from tests.agents.tools.mcp.mcp_stand import NOW, call, entries, failure_of, tools_of
from tests.agents.tools.mcp.oauth_stand import OAuthServer

SECRET = "s3cret-of-the-client"


@asynccontextmanager
async def serving(**changes: Any) -> AsyncIterator[OAuthServer]:
    server = OAuthServer(**changes)
    async with listening(server):
        yield server


def entry_of(server: OAuthServer, oauth: dict[str, Any] | None = None, **block: Any) -> McpServerEntry:
    own = {"allowPrivateNetwork": True, "oauth": oauth or {}}
    found = {"url": f"{server.url}/mcp", "transport": "streamable-http", "auth": "oauth", **block}
    return entries({"docs": found}, docs=own)[0]


def client_of(server: OAuthServer, **more: Any) -> dict[str, Any]:
    return {
        "grant": "client_credentials",
        "issuer": server.url,
        "clientId": "me",
        "clientSecret": SECRET,
        **more,
    }


async def visit(url: str) -> Mapping[str, str]:
    """Allow the access, as a browser does, and return what it comes back with."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:
            return None

    def get() -> Mapping[str, str]:
        try:
            urllib.request.build_opener(Stay).open(url)
        except urllib.error.HTTPError as error:
            return dict(parse_qsl(urlsplit(error.headers["location"]).query))
        raise AssertionError("no redirect")

    return await asyncio.to_thread(get)


@asynccontextmanager
async def using(
    state: Path, entry: McpServerEntry, *, browser: Any = None, network: NetworkRules = NO_RULES
) -> AsyncIterator[McpServers]:
    assert entry.problem is None, entry.problem
    host = McpServers(state, Dialer(), wall_clock=lambda: NOW, random=lambda: 0.0, browser=browser)
    try:
        await host.use([entry], {}, network)
        yield host
    finally:
        await host.close()


async def logged_in(state: Path, entry: McpServerEntry, browser: Any = visit) -> None:
    async with using(state, entry, browser=browser) as host:
        assert await host.result_of("docs") == ("2025-11-25", "")


async def test_a_gateway_asks_nobody_and_names_the_command(tmp_path: Path) -> None:
    async with serving() as server, using(tmp_path, entry_of(server)) as host:
        assert "run: clawgate mcp login docs" in await failure_of(host, "docs")
        assert server.requests == [], "nothing is registered either"


async def test_a_login_serves_the_gateway_from_then_on(tmp_path: Path) -> None:
    async with serving() as server:
        entry = entry_of(server)
        await logged_in(tmp_path, entry)
        file = login_of(pins_folder(tmp_path), entry).path
        assert file is not None and stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        async with using(tmp_path, entry) as host:
            assert (await call(host, "docs__echo")).text == "session s2"
        (asked,) = server.forms("/authorize")
        assert asked["resource"] == f"{server.url}/mcp" and asked["scope"] == "read"
        assert asked["code_challenge_method"] == "S256"


async def test_a_token_that_expired_is_renewed_where_the_login_was_made(tmp_path: Path) -> None:
    async with serving(lifetime=-5) as server:
        entry = entry_of(server)
        with pytest.raises(AssertionError):  # it expires at once, so the login is not enough for a session
            await logged_in(tmp_path, entry)
        server.lifetime = 3600
        server.requests.clear()
        async with using(tmp_path, entry) as host:
            assert (await call(host, "docs__echo")).text.startswith("session")
        assert [path for path, _, _ in server.requests] == ["/token"], "no discovery: nobody can redirect it"
        (form,) = server.forms("/token")
        assert form["grant_type"] == "refresh_token" and form["refresh_token"].startswith("refresh-")
        assert form["resource"] == f"{server.url}/mcp"


async def test_a_token_that_the_server_rejects_is_renewed_once(tmp_path: Path) -> None:
    async with serving() as server:
        entry = entry_of(server)
        await logged_in(tmp_path, entry)
        async with using(tmp_path, entry) as host:
            await call(host, "docs__echo")
            server.valid.clear()
            server.requests.clear()
            assert (await call(host, "docs__echo")).text.startswith("session")
        assert len(server.forms("/token")) == 1


async def test_a_login_that_ended_is_said_with_the_command(tmp_path: Path) -> None:
    async with serving() as server:
        entry = entry_of(server)
        await logged_in(tmp_path, entry)
        server.valid.clear()
        server.refuses_refresh = True
        async with using(tmp_path, entry) as host:
            assert "its login has ended; run: clawgate mcp login docs" in await failure_of(host, "docs")


async def test_more_rights_need_another_login_that_asks_for_all(tmp_path: Path) -> None:
    async with serving() as server:
        entry = entry_of(server)
        await logged_in(tmp_path, entry)
        server.wanted_for_calls = "write"
        async with using(tmp_path, entry) as host:
            result = await call(host, "docs__echo")
            assert result.is_error and "(read write); run: clawgate mcp login docs" in result.text
            await logged_in(tmp_path, entry)
            assert server.forms("/authorize")[-1]["scope"] == "read write"
            assert not (await call(host, "docs__echo")).is_error, "the running gateway takes it"
        assert len([one for one in server.requests if one[0] == "/register"]) == 1


async def test_a_client_logs_in_itself_and_keeps_nothing(tmp_path: Path) -> None:
    async with serving() as server:
        async with using(tmp_path, entry_of(server, client_of(server))) as host:
            assert not (await call(host, "docs__echo")).is_error
        ((_, headers, form),) = [one for one in server.requests if one[0] == "/token"]
        assert form == {"grant_type": "client_credentials", "scope": "read", "resource": f"{server.url}/mcp"}
        assert headers["authorization"].startswith("Basic ") and SECRET not in json.dumps(server.requests)
    assert not list((tmp_path / "clawgate" / "mcp").rglob("logins*"))


async def test_the_secret_goes_to_no_server_but_the_configured_issuer(tmp_path: Path) -> None:
    async with serving() as other, serving() as server:
        server.named = other.url
        async with using(tmp_path, entry_of(server, client_of(server))) as host:
            reason = await failure_of(host, "docs")
    assert f"names the authorization server {other.url}" in reason and server.url in reason
    assert other.requests == [] and server.forms("/token") == []


@pytest.mark.parametrize("place", ["http://10.0.0.7", "http://169.254.169.254"])
async def test_a_server_cannot_lead_a_login_to_another_private_address(tmp_path: Path, place: str) -> None:
    """Its own allowPrivateNetwork counts for its own origin."""
    async with serving(authorization_server=place.replace("http", "https")) as server:
        async with using(tmp_path, entry_of(server), browser=visit) as host:
            assert place.removeprefix("http://") in await failure_of(host, "docs")
        assert server.forms("/authorize") == []


async def test_nothing_of_a_login_is_sent_unencrypted_to_another_host(tmp_path: Path) -> None:
    async with (
        serving(authorization_server="http://login.example") as server,
        using(tmp_path, entry_of(server), browser=visit) as host,
    ):
        assert "login.example/.well-known/oauth-authorization-server is not encrypted" in await failure_of(
            host, "docs"
        )


async def test_another_loopback_port_needs_a_rule_of_the_network(tmp_path: Path) -> None:
    rules = NetworkRules(allow=(Rule.parse("127.0.0.0/8"),))
    async with serving() as other, serving() as server:
        server.named = other.url
        async with using(tmp_path, entry_of(server), browser=visit) as host:
            assert "loopback address" in await failure_of(host, "docs")
            assert other.requests == []
        async with using(tmp_path, entry_of(server), browser=visit, network=rules) as host:
            await failure_of(host, "docs")  # the token of the other one is none of this server's
        assert other.forms("/token")


async def test_a_login_does_not_count_for_another_url(tmp_path: Path) -> None:
    async with serving() as server, serving() as other:
        await logged_in(tmp_path, entry_of(server))
        seen: list[str] = []
        moved = entry_of(other)
        async with using(tmp_path, moved) as host:
            assert "wants a login" in await failure_of(host, "docs")
        seen += [sent.get("authorization", "") for _, sent, _ in other.mcp.requests]
    assert not any(seen)


async def test_a_header_authorization_is_not_sent_beside_oauth(tmp_path: Path) -> None:
    """As in OpenClaw: exactly one credential leaves."""
    async with serving() as server:
        entry = entry_of(server, client_of(server), headers={"Authorization": "Bearer static", "X-Team": "a"})
        async with using(tmp_path, entry) as host:
            await call(host, "docs__echo")
        sent = {headers["authorization"] for _, headers, _ in server.mcp.requests}
        assert sent == {f"Bearer {token}" for token in server.valid}
        assert {headers["x-team"] for _, headers, _ in server.mcp.requests} == {"a"}
        assert not any("x-team" in headers for _, headers, _ in server.requests)


async def test_a_token_is_masked_in_what_models_read(tmp_path: Path) -> None:
    async with serving() as server, using(tmp_path, entry_of(server, client_of(server))) as host:
        await tools_of(host, "docs__echo")
        (token,) = server.valid
        server.mcp.text = f"you sent {token} and {SECRET}"
        result: ToolResult = await call(host, "docs__echo")
    assert result.text == "you sent *** and ***"


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"code": "c", "state": "another"}, "State parameter mismatch"),
        ({"error": "access_denied"}, "the login was refused: access_denied"),
        ({"code": "c", "iss": "https://evil.example"}, "iss mismatch"),
        ({"error": "access_denied", "iss": "https://evil.example"}, "iss mismatch"),
    ],
)
async def test_a_redirect_that_is_not_of_this_login_is_refused(
    tmp_path: Path, query: dict[str, str], reason: str
) -> None:
    async def browser(url: str) -> Mapping[str, str]:
        return {**dict(parse_qsl(urlsplit(url).query)), **query}

    async with serving() as server:
        async with using(tmp_path, entry_of(server), browser=browser) as host:
            assert reason in await failure_of(host, "docs")
        assert server.forms("/token") == []
