"""A provider tells what it is without telling its secrets."""

from __future__ import annotations

import pytest

from clawgate.providers.credential import Basic, Credential, HeaderToken, NoCredential, bearer
from clawgate.providers.provider import Model, Provider, mask
from clawgate.wire.http.url import Origin
from clawgate.wire.translate.compat import NO_COMPAT

CANARY = "canary-4711-secret"


@pytest.mark.parametrize(
    ("credential", "kind", "masked"),
    [
        (bearer(CANARY), "bearer", "c...t"),
        (HeaderToken("Authorization", CANARY, "Bearer"), "bearer", "c...t"),
        (HeaderToken("X-Proxy-Token", CANARY), "header X-Proxy-Token", "c...t"),
        (HeaderToken("x-api-key", CANARY), "x-api-key", "c...t"),
        (Basic(f"owl:{CANARY}"), "basic", "b...="),
        (Basic(f"owl:{CANARY}", "X-Auth"), "header X-Auth", "b...="),
        (bearer("bridge"), "bearer", "..."),
        (NoCredential(), "none", ""),
    ],
)
def test_the_kind_and_the_ends_of_its_credential(credential: Credential, kind: str, masked: str) -> None:
    provider = Provider(id="owl", api="openai-completions", origin=None, credential=credential)
    assert (provider.auth_kind, provider.masked()) == (kind, masked)


@pytest.mark.parametrize(("secret", "masked"), [("", "..."), ("1234567", "..."), ("12345678", "1...8")])
def test_of_a_short_secret_nothing_is_shown(secret: str, masked: str) -> None:
    assert mask(secret) == masked


def test_its_repr_holds_no_secret_and_its_secrets_hold_them_all() -> None:
    provider = Provider(
        id="owl",
        api="openai-completions",
        origin=Origin("http", "owl.test", 80),
        credential=Basic(f"owl:{CANARY}"),
        headers=(("X-Odd", "canary-header"),),
        proxy="http://me:canary-proxy@proxy.test:3128",
        key="-----BEGIN PRIVATE KEY----- canary-key",
    )
    assert "canary" not in repr(provider)
    assert {CANARY, f"owl:{CANARY}", "me:canary-proxy", "canary-proxy"} < set(provider.secrets())
    assert any("canary-key" in text for text in provider.secrets()) and "" not in provider.secrets()


def test_a_key_in_a_file_is_a_name_and_no_secret() -> None:
    assert Provider(id="a", api="x", origin=None, key="/etc/owl.pem").secrets() == ()


def test_the_place_for_people() -> None:
    provider = Provider(id="a", api="x", origin=Origin("http", "owl.test", 8000), path="/v1")
    assert provider.base_url == "http://owl.test:8000/v1"
    assert Provider(id="a", api="x", origin=None).base_url == ""


def test_a_model_without_its_own_words_takes_text() -> None:
    assert Model("m", "m").input == ("text",) and Model("m", "m").compat == NO_COMPAT
