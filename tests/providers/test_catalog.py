"""Every provider of the config is an entry; one that lacks something says what, and harms no other."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawgate.policy.model_routing import ModelRef
from clawgate.providers.built_in import BUILT_IN
from clawgate.providers.catalog import Catalog, build_catalog
from clawgate.settings.schema.openclaw import OpenClawConfig

KEYS = {"OPENAI_API_KEY": "sk-canary-openai-1", "ANTHROPIC_API_KEY": "sk-canary-anthropic-2"}
OWL = {"baseUrl": "http://127.0.0.1:8000/v1", "apiKey": "canary-owl-key", "api": "openai-completions"}


def catalog(
    providers: dict[str, Any] | None = None,
    *,
    unset: dict[str, str] | None = None,
    environment: dict[str, str] | None = None,
    mode: str = "merge",
    defaults: dict[str, Any] | None = None,
) -> Catalog:
    config = OpenClawConfig.model_validate(
        {
            "models": {"mode": mode, "providers": providers or {}},
            "agents": {"defaults": defaults or {}},
        }
    )
    return build_catalog(config, unset or {}, KEYS if environment is None else environment)


@pytest.mark.parametrize(
    ("name", "url", "line"),
    [
        ("openai", "https://api.openai.com/v1", b"authorization: Bearer sk-canary-openai-1\r\n"),
        ("anthropic", "https://api.anthropic.com/v1", b"x-api-key: sk-canary-anthropic-2\r\n"),
    ],
)
def test_the_built_ins_are_there_without_config(name: str, url: str, line: bytes) -> None:
    found = catalog().providers[name]
    assert found.built_in and found.problem is None and found.base_url == url and found.models == ()
    assert found.credential.line() == line
    assert found.notes == (f"its key comes from {BUILT_IN[name].variable}",)


def test_the_bounds_of_connections_are_the_gateways_own_settings() -> None:
    own = {"maxUpstreamConnections": 9, "providers": {"owl": {"maxUpstreamConnections": 2}}}
    config = OpenClawConfig.model_validate(
        {
            "models": {"providers": {"owl": OWL}},
            "plugins": {"entries": {"clawgate": {"config": own}}},
        }
    )
    found = build_catalog(config, {}, KEYS).providers
    assert [found[name].max_connections for name in ("owl", "openai")] == [2, 9]
    assert found["owl"].max_connections_setting.endswith(
        "clawgate.config.providers.owl.maxUpstreamConnections"
    )
    assert found["owl"].connection_wait_seconds == 10 == catalog().providers["openai"].connection_wait_seconds


def test_mode_replace_leaves_only_what_is_configured() -> None:
    assert list(catalog({"owl": OWL}, mode="replace").providers) == ["owl"]
    assert set(catalog({"owl": OWL}).providers) == {"owl", "openai", "anthropic"}


def test_the_default_its_chain_and_the_aliases() -> None:
    found = catalog(
        {"owl": OWL},
        defaults={
            "model": {"primary": "fast", "fallbacks": ["openai/x", "openrouter/a/b"]},
            "models": {"owl/q": {"alias": "fast"}, "openai/y": {"alias": "Smart"}, "openai/z": {}},
        },
    )
    assert found.primary == ModelRef("owl", "q")
    assert found.fallbacks == (ModelRef("openai", "x"), ModelRef("openrouter", "a/b"))
    assert dict(found.aliases) == {"fast": ModelRef("owl", "q"), "Smart": ModelRef("openai", "y")}
    assert found.notes == (
        "agents.defaults.model.fallbacks[1]: 'openrouter/a/b' is ignored: there is no provider 'openrouter'",
    )
    assert found.listed() == {"openai": (), "anthropic": (), "owl": ()}


def test_a_built_in_provider_is_used_where_the_default_or_a_fallback_names_it() -> None:
    model = {"primary": "owl/m", "fallbacks": ["openai/gpt"]}
    assert [one.id for one in catalog({"owl": OWL}).used_providers()] == ["owl"]
    named = catalog({"owl": OWL}, defaults={"model": model}).used_providers()
    assert {one.id for one in named} == {"owl", "openai"}


def test_an_alias_that_could_mislead_is_left_out() -> None:
    from clawgate.providers.catalog import _aliases

    models = {
        "owl/a": {"alias": "openai/x"},
        "owl/b": {"alias": "b"},
        "owl/c": {"alias": "B"},
        "bare": {"alias": "d"},
    }
    defaults = {"models": models}
    config = OpenClawConfig.model_validate({"agents": {"defaults": defaults}})
    notes: list[str] = []
    assert _aliases(config, notes) == {"b": ModelRef("owl", "b")}
    assert [note.partition(" is ignored: ")[2][:12] for note in notes] == [
        "'openai/x' l",
        "'B' is alrea",
        "'bare' is no",
    ]


@pytest.mark.parametrize("primary", [None, "", "bare-name", "/x", "x/"])
def test_half_a_default_is_none(primary: str | None) -> None:
    found = catalog(defaults={"model": {"primary": primary}})
    assert found.primary is None and len(found.notes) == (1 if primary else 0)


def test_a_fallback_that_is_not_written_in_full_is_none() -> None:
    found = catalog(defaults={"model": {"primary": "openai/x", "fallbacks": ["bare"]}})
    assert found.fallbacks == () and "write it in full" in found.notes[0]


IDS = st.sampled_from(["openai", "anthropic", "owl", "a.b", "a/b", "", "ä"])
URLS = st.sampled_from(
    [
        None,
        "http://127.0.0.1:1",
        "https://api.openai.com/v1",
        "https://elsewhere.test",
        "http://169.254.169.254",
    ]
)
BLOCKS = st.fixed_dictionaries(
    {"baseUrl": URLS},
    optional={
        "apiKey": st.just("cred-key"),
        "api": st.sampled_from(["openai-completions", "anthropic-messages", "unknown"]),
        "headers": st.dictionaries(
            st.sampled_from(["X-Token", "X Odd", "Cookie", "X-Team"]), st.just("cred-header")
        ),
    },
)
PATHS = st.sampled_from(
    [
        "models.providers.owl.apiKey",
        "models.providers",
        "x",
        "",
        'models.providers["',
        "models.providers.openai.baseUrl",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(IDS, BLOCKS, max_size=3), st.dictionaries(PATHS, st.just("UNSET"), max_size=2))
def test_no_provider_keeps_the_catalog_from_being_built(
    providers: dict[str, Any], unset: dict[str, str]
) -> None:
    """Each is an entry; a foreign origin never gets the environment's key; no address is always told."""
    found = catalog(providers, unset=unset)
    assert set(found.providers) == {*providers, "openai", "anthropic"}
    for name, provider in found.providers.items():
        line = provider.credential.line()
        assert line.count(b"\n") <= 1
        assert provider.origin is not None or provider.problem
        if b"sk-canary" in line:
            assert provider.origin is not None and f"api.{name}.com" == provider.origin.host
