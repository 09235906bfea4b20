"""What an unusable config revokes: by what is left of it, before any gateway runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clawgate.app.revocation import catalog_left, identity_left, plugins_left, tokens_left
from clawgate.providers.catalog import build_catalog
from clawgate.settings.openclaw.config_file import ConfigFile, PartialConfig, read_config, read_partly
from clawgate.settings.openclaw.gateway import GatewayFlags
from clawgate.settings.openclaw.proxy_auth import proxy_identity

TOKEN, OTHER = "gt-one-Zk3vN8pQ1rXw5", "gt-two-Wm4yRb8TqLz6H"
BROKEN = {"gateway": {"port": "x"}}


def partial(tmp_path: Path, document: object, **environment: str) -> PartialConfig:
    path = tmp_path / "openclaw.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return read_partly(path, {"HOME": str(tmp_path), **environment})


def whole(tmp_path: Path, document: object, **environment: str) -> ConfigFile:
    path = tmp_path / "whole.json"
    path.write_text(json.dumps(document))
    return read_config(path, {"HOME": str(tmp_path), **environment}, required=True)


def left(changed: PartialConfig, flags: GatewayFlags | None = None, **in_force: str) -> dict[str, str] | None:
    return tokens_left(changed, flags or GatewayFlags(), in_force or None, listening_on="127.0.0.1")


def test_a_flag_wins_over_an_unreadable_file(tmp_path: Path) -> None:
    flags = GatewayFlags(token=TOKEN)
    assert left(partial(tmp_path, "{"), flags, token=TOKEN) == {"token": TOKEN}
    assert left(partial(tmp_path, "{"), flags, password=OTHER) == {}, (
        "it was not in force: the mode excluded it"
    )
    assert left(partial(tmp_path, "{"), token=TOKEN) == {}


def test_an_open_gateway_stays_open_only_if_the_file_says_so(tmp_path: Path) -> None:
    assert left(partial(tmp_path, {"gateway": {"port": "x", "auth": {"mode": "none"}}})) is None
    assert left(partial(tmp_path, {"gateway": {"port": "x"}})) == {}
    assert left(partial(tmp_path, "")) == {}


BEHIND: dict[str, Any] = {
    "trustedProxies": ["10.0.0.1"],
    "auth": {"mode": "trusted-proxy", "trustedProxy": {"userHeader": "x-user"}},
}


def test_a_proxy_names_callers_only_as_it_did_before(tmp_path: Path) -> None:
    """Where an unusable file says anything else, it names none; and no token never means that all are admitted."""
    before = proxy_identity(whole(tmp_path, {"gateway": BEHIND}))
    broken = {"models": {"providers": {"x": {"api": 5}}}}
    same = partial(tmp_path, {"gateway": BEHIND, **broken})
    assert before is not None and identity_left(same, before) == before and left(same) == {}
    assert identity_left(same, None) is None
    for auth, proxies in (
        (BEHIND["auth"], []),
        (BEHIND["auth"], 5),
        ({**BEHIND["auth"], "trustedProxy": {"userHeader": "x-other"}}, ["10.0.0.1"]),
        ({**BEHIND["auth"], "trustedProxy": 5}, ["10.0.0.1"]),
        ({"mode": "token"}, ["10.0.0.1"]),
    ):
        changed = partial(tmp_path, {"gateway": {"auth": auth, "trustedProxies": proxies}, **broken})
        assert identity_left(changed, before) is None and left(changed) == {}
    assert identity_left(partial(tmp_path, "{"), before) is None


@pytest.mark.parametrize(
    "section", [{"gateway": {"auth": {"rateLimit": 5, "token": TOKEN}}}, {"env": {"vars": 1}}]
)
def test_a_problem_that_concerns_the_tokens_leaves_none(tmp_path: Path, section: dict[str, Any]) -> None:
    document = {"gateway": {"auth": {"token": TOKEN}}} | section
    assert left(partial(tmp_path, document), token=TOKEN) == {}


PROVIDER = {"baseUrl": "http://127.0.0.1:9/v1", "api": "openai-completions", "apiKey": "pk-ONE-7Hq2vXn4LrTz"}


@pytest.mark.parametrize(
    "secret",
    [
        {"apiKey": "pk-TWO-7Hq2vXn4LrTz"},
        {"headers": {"X-Team": "other"}},
        {"request": {"auth": {"mode": "header", "headerName": "X-Proxy-Token", "value": "t-9Kq2vXn4LrTz"}}},
        {"request": {"proxy": {"mode": "explicit-proxy", "url": "http://u:p@127.0.0.1:8/"}}},
    ],
    ids=str,
)
def test_every_secret_of_a_provider_is_a_credential(tmp_path: Path, secret: dict[str, Any]) -> None:
    """In both directions: what the running config had and the changed one lacks, and the other way round."""
    documents = [
        {"models": {"mode": "replace", "providers": {"x": PROVIDER | more}}} for more in ({}, secret)
    ]
    for old, new in (documents, reversed(documents)):
        file = whole(tmp_path, old)
        current = build_catalog(file.config, file.unset, file.environment)
        changed = partial(tmp_path, new | BROKEN)
        provider = catalog_left(changed, current, "why").providers["x"]
        assert provider != current.providers["x"] and provider.problem is None
        gone = catalog_left(partial(tmp_path, BROKEN), current, "why").providers["x"]
        assert gone.problem is not None and gone.problem.endswith("why") and not gone.secrets()


def test_what_has_no_secret_is_kept(tmp_path: Path) -> None:
    """A provider without a key, and a built-in one whose key is in the environment."""
    keyless = {name: value for name, value in PROVIDER.items() if name != "apiKey"}
    environment = {"OPENAI_API_KEY": "sk-of-the-environment-1"}
    file = whole(tmp_path, {"models": {"providers": {"x": keyless}}}, **environment)
    current = build_catalog(file.config, file.unset, file.environment)
    kept = catalog_left(partial(tmp_path, "{", **environment), current, "why")
    assert kept.providers == current.providers


@pytest.mark.parametrize("changed", ["{", {}, {"plugins": []}, {"plugins": {"entries": {"b": 5}}}], ids=str)
def test_a_plugin_whose_secrets_are_gone_stops(tmp_path: Path, changed: object) -> None:
    entries = {"a": {"config": {"port": 1}}, "b": {"config": {"bridgeToken": TOKEN}}}
    file = whole(tmp_path, {"plugins": {"entries": entries}})
    if isinstance(changed, dict):
        changed = changed | BROKEN
    assert plugins_left(partial(tmp_path, changed), file) == {"b"}
    kept = partial(tmp_path, {"plugins": {"entries": entries}} | BROKEN)
    assert plugins_left(kept, file) == set()
