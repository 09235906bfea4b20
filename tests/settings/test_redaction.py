"""What may be a secret is not shown, and what stands for a hidden one is not written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic.alias_generators import to_camel

from clawgate.settings.fields import plain_type
from clawgate.settings.key_path import KeyPath
from clawgate.settings.openclaw.key_catalog import ROLES, key_fields, known_key
from clawgate.settings.redaction import contains_placeholder, is_secret, redact
from clawgate.settings.schema.walk import holds_secret
from clawgate.settings.secrets import PLACEHOLDER


@pytest.mark.parametrize(
    "path",
    [
        ("gateway", "auth", "token"),
        ("gateway", "auth", "password"),
        ("models", "providers", "owl", "apiKey"),
        ("models", "providers", "owl", "headers", "X-Anything"),
        ("models", "providers", "owl", "request", "headers", "Cookie"),
        ("models", "providers", "owl", "request", "auth", "token"),
        ("models", "providers", "owl", "request", "auth", "value"),
        ("models", "providers", "owl", "request", "tls", "key"),
        ("models", "providers", "owl", "request", "tls", "passphrase"),
        ("models", "providers", "owl", "request", "proxy", "url"),
        ("env", "vars", "ANYTHING"),
        ("env", "OPENAI_API_KEY"),
        ("plugins", "entries", "openai-proxy", "config", "openaiApiKey"),
        ("plugins", "entries", "openai-proxy", "config", "proxyTokens", "alice"),
        ("plugins", "entries", "x", "config", "clientSecret"),
        ("plugins", "entries", "x", "config", "credentials", "user"),
        ("channels", "telegram", "botToken"),
        ("tools", "web", "search", "apiKey"),
        ("a", 0, "private_key"),
        ("channels", "signal", "pin"),
        ("hooks", "hmac"),
    ],
)
def test_a_name_tells_a_secret(path: KeyPath) -> None:
    assert is_secret(path, "plainlooking")


@pytest.mark.parametrize(
    "value",
    [
        "http://user:pass@10.0.0.1:3128",
        "sk-proj-0123456789abcdefghij",
        "Bearer abcdefgh12345",
        "-----BEGIN RSA PRIVATE KEY-----",
        "https://x.example/hook?token=abcdef",
    ],
)
def test_a_value_may_look_like_a_secret(value: str) -> None:
    """Wherever it stands."""
    assert is_secret(("somewhere", 0), value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("gateway", "auth", "mode"), "token"),
        (("gateway", "auth", "token"), "${GATEWAY_TOKEN}"),
        (("gateway", "auth", "token"), ""),
        (("gateway", "auth", "token"), None),
        (("models", "providers", "owl", "headers", "Authorization"), "Bearer ${OWL}"),
        (("models", "providers", "owl", "models", 0, "maxTokens"), "4096"),
        (("models", "providers", "owl", "baseUrl"), "https://api.example/v1"),
        (("models", "providers", "secret-lab", "baseUrl"), "https://api.example/v1"),
        (("models", "providers", "owl", "request", "auth", "headerName"), "X-Proxy-Token"),
        (("plugins", "entries", "token-counter", "config", "colour"), "red"),
        (("plugins", "entries", "openai-proxy", "config", "proxyTokensFile"), "/etc/tokens"),
        (("agents", "defaults", "models", "x/password-1", "alias"), "p"),
        (("agents", "defaults", "model", "primary"), "openai/gpt-4o"),
        (("gateway", "tls", "keyPath"), "/etc/ssl/private/k.pem"),
        (("secrets", "providers", "mounted", "path"), "/run/secrets/openclaw.json"),
        (("gateway", "auth", "allowTailscale"), True),
        (("plugins", "entries", "gpio", "config", "pin"), 17),
        ((), "text"),
    ],
)
def test_what_is_no_secret_is_shown(path: KeyPath, value: object) -> None:
    assert not is_secret(path, value)


def test_a_document_is_copied_with_its_secrets_masked() -> None:
    """References are shown: they are where to look."""
    reference = {"source": "env", "provider": "default", "id": "OWL"}
    document: dict[str, Any] = {
        "gateway": {"port": 1, "auth": {"token": "abc", "password": reference}},
        "channels": [{"botToken": "x", "name": "y"}, {"password": 12345}],
    }
    assert redact(document) == {
        "gateway": {"port": 1, "auth": {"token": PLACEHOLDER, "password": reference}},
        "channels": [{"botToken": PLACEHOLDER, "name": "y"}, {"password": PLACEHOLDER}],
    }
    assert document["gateway"]["auth"]["token"] == "abc"


def test_what_only_looks_like_a_reference_is_masked() -> None:
    """A source that nobody knows may be a secret with odd neighbours."""
    found = redact({"token": {"source": "s3cret", "id": "x"}})
    assert found == {"token": {"source": PLACEHOLDER, "id": PLACEHOLDER}}


def secret_fields() -> Iterator[KeyPath]:
    for path in (
        ("gateway", "auth", "token"),
        ("gateway", "auth", "password"),
        *(("models", "providers", "owl", *rest) for rest in (
            ("apiKey",), ("headers", "x"), ("request", "headers", "x"), ("request", "auth", "token"),
            ("request", "auth", "value"), ("request", "tls", "key"), ("request", "tls", "passphrase"),
            ("request", "proxy", "url"),
        )),
    ):  # fmt: skip
        yield path
    for entry, model in ROLES.items():
        for name in model.model_fields:
            path = ("plugins", "entries", entry, "config", to_camel(name))
            known = known_key(path)
            assert known is not None
            if known.secret:
                yield path


@pytest.mark.parametrize("path", list(secret_fields()))
def test_every_secret_of_the_models_is_one_by_its_place(path: KeyPath) -> None:
    """A field that is added to them as a secret is masked, or this fails."""
    known = known_key(path)
    assert known is None or known.secret
    assert is_secret(path, "http://u:p@h:1" if path[-1] == "upstreamProxy" else "plainlooking")


def plain_text_fields() -> Iterator[KeyPath]:
    for path, field in key_fields():
        if plain_type(field.annotation) is str and not holds_secret(field.annotation):
            yield tuple("any" if key == "*" else key for key in path)


@pytest.mark.parametrize("path", list(plain_text_fields()))
def test_a_text_that_is_no_secret_in_the_models_is_none_by_its_place(path: KeyPath) -> None:
    """Such as the path of a key's file, whose name is that of a key."""
    assert not is_secret(path, "/etc/ssl/private/k.pem")
    assert is_secret(path, "-----BEGIN PRIVATE KEY-----")


@pytest.mark.parametrize(
    ("path", "value", "at"),
    [
        (("a",), PLACEHOLDER, ("a",)),
        (("a",), f"Bearer {PLACEHOLDER}", ("a",)),
        (("a",), [1, {"b": "[REDACTED]"}], ("a", 1, "b")),
        (("a", "token"), "sk-…1234", ("a", "token")),
        (("a", "token"), "***", ("a", "token")),
        (("a", "note"), "***", ("a", "note")),
        (("a", "note"), "wait...", None),
        (("a", "token"), "s3cret", None),
        (("a",), {"b": [None, 1, True]}, None),
    ],
)
def test_the_marks_of_hidden_secrets_are_found(path: KeyPath, value: object, at: KeyPath | None) -> None:
    assert contains_placeholder(path, value) == at
