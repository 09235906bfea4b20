"""The settings name exactly one credential, in every form of RFC 7617, or they are rejected with what to do."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from clawgate.bundled.owl.config import OwlCredential, OwlSettings
from clawgate.bundled.owl.plugin import plugin
from clawgate.plugins.host.discovery import find_plugins
from clawgate.plugins.host.loader import load_plugin, plugin_settings
from clawgate.settings.problems import SettingsInvalid

URL = "http://owl.test:8000/v1"
PASSWORDS = ["plain", "with: colons:", "with blank", "schlüssel-🦉", " outer ", "q" * 300, "\"'<>&%"]


def settings(environment: dict[str, str] | None = None, **block: Any) -> OwlSettings:
    loaded = load_plugin(next(one for one in find_plugins(Path("/none")) if one.id == plugin.id))
    found = plugin_settings(loaded, block, environment or {})
    assert isinstance(found, OwlSettings)
    return found


def credential(environment: dict[str, str] | None = None, **block: Any) -> OwlCredential:
    return settings(environment, baseUrl=URL, **block).credential()


def encoded(login: str) -> str:
    return base64.b64encode(login.encode()).decode()


def problem(environment: dict[str, str] | None = None, **block: Any) -> str:
    with pytest.raises(SettingsInvalid) as caught:
        settings(environment, **{"baseUrl": URL} | block)
    return str(caught.value)


@pytest.mark.parametrize("password", PASSWORDS)
def test_every_password_reaches_the_server_as_it_is(password: str) -> None:
    wanted = OwlCredential("basic", encoded(f"me:{password}"))
    assert credential(username="me", password=password) == wanted
    assert credential({"OWL_USERNAME": "me", "OWL_PASSWORD": password}) == wanted
    assert credential(auth="basic", apiKey=encoded(f"me:{password}")) == wanted


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("spell", [str, encoded], ids=["plain", "base64"])
def test_a_login_in_the_key_is_recognized(spell: Any, password: str) -> None:
    key = spell(f"me:{password}")
    assert credential({"OWL_API_KEY": key}) == OwlCredential(
        "basic", encoded(f"me:{password}"), is_recognized=True
    )
    assert not credential(auth="basic", apiKey=key).is_recognized


@pytest.mark.parametrize(
    "token",
    ["sk-abcdefgh", "canary-owl-token", "eyJhbGciOi.J9eyJz.dWIi", "0123456789abcdef0123456789abcdef",
     "AAAA1234+/zz==", "c2stYWJj"],
)  # fmt: skip
def test_a_token_stays_a_token(token: str) -> None:
    assert credential({"OWL_API_KEY": token}) == OwlCredential("bearer", token)
    assert credential(auth="header", headerName="X-Api-Key", apiKey=token) == OwlCredential("header", token)


def test_a_colon_in_a_token_of_bearer_is_sent_where_auth_says_so() -> None:
    assert credential(auth="bearer", apiKey="team:token") == OwlCredential("bearer", "team:token")
    assert credential(headerName="X-Key", apiKey="a:b") == OwlCredential("header", "a:b")


def test_without_a_credential_none_is_sent() -> None:
    assert credential() == OwlCredential("none")
    assert credential(auth="none", apiKey="canary-key", username="me") == OwlCredential(
        "none", unsent=("username", "apiKey")
    )


def test_what_is_not_sent_is_named() -> None:
    found = credential(auth="bearer", apiKey="canary-key", username="me", password="pw")
    assert found == OwlCredential("bearer", "canary-key", unsent=("username", "password"))
    assert credential(auth="basic", apiKey="canary-key", username="me", password="").unsent == ("apiKey",)


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        ({"username": "a:b", "password": "x"}, "colon"),
        ({"username": "me"}, "its password is not set"),
        ({"password": "x"}, "its username is not set"),
        ({"username": "me", "password": "x", "apiKey": "canary-key"}, "set auth to the one to send"),
        ({"username": "me", "password": "x", "headerName": "X-Key"}, "set auth to the one to send"),
        ({"auth": "basic", "apiKey": "canary-key"}, "neither user:password nor"),
        ({"auth": "basic"}, "it has no login"),
        ({"auth": "bearer"}, "there is no key"),
        ({"auth": "bearer", "apiKey": "me:pass word"}, "for user:password set auth to basic"),
        ({"auth": "header", "apiKey": "canary-key"}, "set headerName"),
        ({"auth": "digest"}, "auth"),
        ({"username": "me", "password": "new\nline"}, "control character"),
        ({"baseUrl": "ftp://owl.test"}, "baseUrl"),
        ({"apiKey": "Bearer canary"}, "begins with the scheme"),
    ],
)  # fmt: skip
def test_what_could_mean_two_or_none_is_rejected_with_the_fix(block: dict[str, Any], reason: str) -> None:
    found = problem(**block)
    assert reason in found and "canary" not in found and "pass word" not in found


@pytest.mark.parametrize(
    "url", ["http://owl.test:8000/v1/", "owl.test:8000/v1", "http://owl.test:8000/v1/chat/completions"]
)
def test_the_address_may_be_one_that_was_pasted(url: str) -> None:
    assert settings({"OWL_BASE_URL": url}).base_url == URL
