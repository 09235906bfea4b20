"""What can be wrong with a provider's place is known before anything is dialled, with the key to mend."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from clawgate.providers.credential import bearer
from clawgate.providers.endpoint import address_notes, endpoint_of, proxy_of, tls_problem
from clawgate.providers.provider import Provider
from clawgate.settings.fields import BaseUrl
from clawgate.settings.schema.openclaw import ProviderBlock, RequestProxy, RequestTls
from clawgate.wire.http.url import Origin, parse_url

WHERE = "models.providers.owl"
OPENAI, ANTHROPIC = "openai-completions", "anthropic-messages"


@pytest.mark.parametrize(
    ("url", "api", "origin", "path"),
    [
        ("https://api.openai.com/v1", OPENAI, "https://api.openai.com", "/v1"),
        ("https://api.openai.com", OPENAI, "https://api.openai.com", "/v1"),
        ("http://owl.test:8000/", OPENAI, "http://owl.test:8000", "/v1"),
        ("http://owl.test/api/v3/", OPENAI, "http://owl.test", "/api/v3"),
        ("https://api.anthropic.com", ANTHROPIC, "https://api.anthropic.com", "/v1"),
        ("https://api.anthropic.com/v1", ANTHROPIC, "https://api.anthropic.com", "/v1"),
        ("http://owl.test/anthropic", ANTHROPIC, "http://owl.test", "/anthropic/v1"),
        ("http://owl.test/anthropic/v1/", ANTHROPIC, "http://owl.test", "/anthropic/v1"),
        ("http://owl.test/av1", ANTHROPIC, "http://owl.test", "/av1/v1"),
    ],
)
def test_the_path_takes_the_place_of_v1(url: str, api: str, origin: str, path: str) -> None:
    found = endpoint_of(BaseUrl.parse(url), api, WHERE, {})
    assert (str(found[0]), found[1], found[2]) == (origin, path, None)


@pytest.mark.parametrize(
    ("url", "unset", "says"),
    [
        (None, {}, "set models.providers.owl.baseUrl"),
        (None, {"baseUrl": "OWL_URL"}, "set OWL_URL (models.providers.owl.baseUrl refers to it)"),
    ],
)
def test_a_place_that_cannot_be(url: str | None, unset: dict[str, str], says: str) -> None:
    reason = endpoint_of(BaseUrl.parse(url) if url else None, OPENAI, WHERE, unset)[2]
    assert reason is not None and says in reason


@pytest.mark.parametrize(
    ("url", "allow_private", "proxy", "note"),
    [
        (
            "http://127.0.0.1",
            False,
            False,
            "egress: blocked until the.setting is true (127.0.0.1 is loopback)",
        ),
        ("https://10.0.0.1", False, False, "egress: blocked until the.setting is true (10.0.0.1 is private)"),
        ("http://127.0.0.1", True, False, None),
        ("http://10.0.0.1", False, True, None),
        ("https://owl.test", False, False, None),
        ("http://owl.test", False, False, "its credential is sent unencrypted to http://owl.test"),
    ],
)
def test_the_notes_of_an_address(url: str, allow_private: bool, proxy: bool, note: str | None) -> None:
    provider = Provider(
        id="p",
        api=OPENAI,
        origin=parse_url(url)[0],
        credential=bearer("key"),
        allow_private=allow_private,
        allow_private_setting="the.setting",
        proxy="http://p.test" if proxy else None,
    )
    assert address_notes(provider) == ([note] if note else [])


def test_without_a_credential_there_is_no_note_of_an_unencrypted_one() -> None:
    assert address_notes(Provider(id="p", api=OPENAI, origin=Origin("http", "owl.test", 80))) == []


@pytest.mark.parametrize(
    "url", ["http://p.test:3128", "http://u:canary@p.test:3128", "http://u:canary@p.test:1/"]
)
def test_a_proxy_that_can_be_asked(url: str) -> None:
    proxy = RequestProxy.model_construct(mode="explicit-proxy", url=SecretStr(url), tls=None)
    assert proxy_of(proxy, WHERE, {}) == (url.removesuffix("/"), None)


@pytest.mark.parametrize(
    ("fields", "unset", "says"),
    [
        ({"mode": "env-proxy"}, {}, "'env-proxy' is not supported"),
        ({"mode": "explicit-proxy"}, {}, "set models.providers.owl.request.proxy.url"),
        ({"mode": "explicit-proxy"}, {"request.proxy.url": "OWL_PROXY"}, "set OWL_PROXY"),
        ({"mode": "explicit-proxy", "url": "https://u:canary@p.test"}, {}, "must look like"),
        ({"mode": "explicit-proxy", "url": "http://u:canary@p.test/x"}, {}, "must look like"),
        ({"mode": "explicit-proxy", "url": "http://u:canary@:x"}, {}, "must look like"),
        ({"mode": "explicit-proxy", "url": "http://p", "tls": RequestTls()}, {}, "tls is not supported"),
    ],
)
def test_a_proxy_that_cannot(fields: dict[str, Any], unset: dict[str, str], says: str) -> None:
    """The reason never shows the URL: it may hold a password."""
    url = SecretStr(fields["url"]) if "url" in fields else None
    proxy = RequestProxy.model_construct(mode=fields["mode"], url=url, tls=fields.get("tls"))
    found, reason = proxy_of(proxy, WHERE, unset)
    assert found is None and reason is not None and says in reason and "canary" not in reason


def test_no_proxy_is_no_trouble() -> None:
    assert proxy_of(None, WHERE, {}) == (None, None)


@pytest.mark.parametrize(
    ("tls", "unset", "says"),
    [
        (None, {}, None),
        ({"ca": "/etc/ca.pem"}, {}, None),
        ({"cert": "/c.pem", "key": "/k.pem"}, {}, None),
        ({"key": "/k.pem"}, {}, "without request.tls.cert"),
        ({"cert": "/c.pem", "key": "/k.pem", "passphrase": "canary"}, {}, "passphrase is not supported"),
        (None, {"request.tls.key": "OWL_TLS"}, "set OWL_TLS"),
    ],
)
def test_tls_that_cannot_be_set_up(
    tls: dict[str, str] | None, unset: dict[str, str], says: str | None
) -> None:
    block = ProviderBlock.model_validate({"request": {"tls": tls} if tls else {}})
    reason = tls_problem(block, WHERE, unset)
    assert (
        reason is None if says is None else reason is not None and says in reason and "canary" not in reason
    )
