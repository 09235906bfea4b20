"""How a token is gotten is read from OpenClaw's keys and our own, and what is missing is named."""

from __future__ import annotations

from typing import Any

import pytest

from clawgate.settings.openclaw.mcp_servers import McpServerEntry, mcp_servers
from tests.settings.openclaw.test_mcp_servers import OWN, config

SERVER = {"url": "https://mcp.example/mcp", "auth": "oauth"}
CLIENT = {"clientId": "me", "clientSecret": "a-secret-value-1", "issuer": "https://login.example"}


def read(oauth: dict[str, Any], own: dict[str, Any], unset: tuple[str, ...] = ()) -> McpServerEntry:
    (found,) = mcp_servers(config({"docs": {**SERVER, "oauth": oauth}}, docs={"oauth": own}), unset)
    return found


def test_a_login_needs_nothing_but_auth() -> None:
    found = read({}, {})
    assert found.is_used and found.oauth is not None and not found.oauth.is_headless
    assert found.oauth.redirect_url == "http://127.0.0.1:8989/oauth/callback"


def test_a_server_without_auth_has_no_client() -> None:
    (found,) = mcp_servers(config({"docs": {"url": SERVER["url"]}}), ())
    assert found.oauth is None


@pytest.mark.parametrize(
    ("oauth", "own", "text"),
    [
        ({"authProfileId": "x"}, {}, "mcp.servers.docs.oauth.authProfileId: is a login of OpenClaw"),
        (
            {"identity": "per-requester"},
            {},
            "mcp.servers.docs.oauth.identity: per-requester is not supported",
        ),
        ({"clientMetadataUrl": "http://a.example/b"}, {}, "oauth.clientMetadataUrl: is no https URL"),
        ({"redirectUrl": "ftp://a"}, {}, "mcp.servers.docs.oauth.redirectUrl: "),
        (
            {},
            {**CLIENT, "issuer": "https://a.example/?x"},
            f"{OWN}.docs.oauth.issuer: must not carry a query",
        ),
        ({}, {"clientId": "me"}, f"{OWN}.docs.oauth.issuer: is missing"),
        ({}, {"clientSecret": CLIENT["clientSecret"]}, f"{OWN}.docs.oauth.clientId: is missing"),
        ({}, {"grant": "client_credentials"}, f"{OWN}.docs.oauth.clientId: is missing"),
        ({}, {"grant": "client_credentials", "clientId": "me"}, f"{OWN}.docs.oauth.clientSecret: is missing"),
        ({}, {**CLIENT, "privateKeyFile": "k.pem"}, f"{OWN}.docs.oauth.privateKeyFile: counts for"),
    ],
)
def test_what_makes_a_login_impossible_is_named(
    oauth: dict[str, Any], own: dict[str, Any], text: str
) -> None:
    found = read(oauth, own)
    assert (
        not found.is_used and text in str(found.problem) and "so the server is not used" in str(found.problem)
    )


def test_a_secret_whose_variable_is_not_set_is_no_secret() -> None:
    key = f"{OWN}.docs.oauth.clientSecret"
    found = read({}, {"clientId": "me", "issuer": "https://login.example"}, (key,))
    assert not found.is_used and f"{key} refers to a variable that is not set" in str(found.problem)


@pytest.mark.parametrize(
    ("url", "may"),
    [
        ("https://anything.example/token", True),
        ("http://127.0.0.1:9/token", True),
        ("http://login.example/token", False),
        ("http://issuer.example/token", True),
    ],
)
def test_what_is_not_encrypted_goes_to_hosts_of_the_config_alone(url: str, may: bool) -> None:
    client = read({}, {**CLIENT, "issuer": "http://issuer.example"}).oauth
    assert client is not None and client.may_send(url) is may
