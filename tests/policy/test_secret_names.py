"""Which names are a secret's."""

from __future__ import annotations

import pytest

from clawgate.policy.secret_names import (
    is_credential_header,
    is_known_plain_key,
    is_secret_key,
    is_secret_text_key,
    is_secret_variable,
)


@pytest.mark.parametrize(
    "name",
    ["Authorization", "X-Api-Key", "Api-Key", "ApiKey", "X-Proxy-Token", "X-Goog-Api-Key", "Cookie", "x_auth",
    "Proxy-Authorization", "X-Client-Secret", "Ocp-Apim-Subscription-Key", "X-Password", "X-AUTHENTICATION",
    "x-authorisation", "X-MyToken"],
)  # fmt: skip
def test_the_name_of_a_header_with_a_credential(name: str) -> None:
    assert is_credential_header(name)


@pytest.mark.parametrize(
    "name",
    ["X-Team", "User-Agent", "X-Max-Tokens", "X-Author", "Idempotency-Key", "OpenAI-Project", "X-Keyboard"],
)
def test_the_name_of_another_header(name: str) -> None:
    assert not is_credential_header(name)


@pytest.mark.parametrize(
    "name",
    ["apiKey", "token", "clientSecret", "X_KEY", "webhookUrl", "proxyPassword", "headers",
    "pass", "smtpPass", "db_pass", "pwd", "userPwd", "connectionString", "sentryDsn", "fileKey", "path_token",
    "webhookPath"],
)  # fmt: skip
def test_the_name_of_a_key_with_a_secret(name: str) -> None:
    assert is_secret_key(name) and not is_known_plain_key(name)


@pytest.mark.parametrize(
    "name", ["pin", "simPin", "card-pin", "PIN", "hmac", "requestHmac", "bodyHMAC", "a_hmac"]
)
def test_the_name_of_a_key_whose_text_is_a_secret(name: str) -> None:
    assert is_secret_text_key(name) and not is_secret_key(name)


@pytest.mark.parametrize("name", ["maxTokens", "tokensFile", "sessionKey", "passwordFile", "tokenLimit"])
def test_the_name_of_a_key_that_is_known_to_hold_none(name: str) -> None:
    assert is_known_plain_key(name) and not is_secret_key(name)


@pytest.mark.parametrize(
    "name",
    [
        "baseUrl",
        "model",
        "name",
        "port",
        "bypass",
        "compass",
        "passive",
        "spin",
        "pinned",
        "pinnedPath",
        "hmacAlgorithm",
    ],
)
def test_the_name_of_a_plain_key(name: str) -> None:
    assert not is_known_plain_key(name) and not is_secret_text_key(name)


def test_the_names_of_variables() -> None:
    assert is_secret_variable("OPENAI_API_KEY") and is_secret_variable("npm_config__auth")
    assert not is_secret_variable("PATH") and not is_secret_variable("HOME")
