"""Every provider of the config is an entry; one that lacks something says what, and harms no other."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawgate.policy.model_routing import ModelRef
from clawgate.providers.catalog import BUILT_IN, Catalog, build_catalog
from clawgate.providers.provider import Provider
from clawgate.settings.openclaw.schema import OpenClawConfig

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


def only(block: dict[str, Any], name: str = "owl", **more: Any) -> Provider:
    return catalog({name: block}, **more).providers[name]


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


def test_mode_replace_leaves_only_what_is_configured() -> None:
    assert list(catalog({"owl": OWL}, mode="replace").providers) == ["owl"]
    assert set(catalog({"owl": OWL}).providers) == {"owl", "openai", "anthropic"}


@pytest.mark.parametrize("name", ["openai", "anthropic"])
@pytest.mark.parametrize("held", ["", None])
def test_a_built_in_without_its_key_is_not_ready(name: str, held: str | None) -> None:
    variable = BUILT_IN[name].variable
    environment = {} if held is None else {variable: held}
    found = catalog(environment=environment).providers[name]
    assert found.problem == f"its key is not set: set {variable}, or models.providers.{name}.apiKey"
    assert found.credential.line() == b""


def test_a_placeholder_in_the_environment_is_no_key() -> None:
    found = catalog(environment={"OPENAI_API_KEY": "your-api-key"}).providers["openai"]
    assert found.problem == "its key cannot be used: OPENAI_API_KEY is an example, not a secret"


def test_config_overrides_parts_of_a_built_in() -> None:
    found = only({"apiKey": "sk-canary-own"}, "openai")
    assert found.credential.line() == b"authorization: Bearer sk-canary-own\r\n"
    assert found.base_url == "https://api.openai.com/v1" and found.built_in


@pytest.mark.parametrize(
    "url", ["https://elsewhere.test/v1", "http://api.openai.com/v1", "https://api.openai.com:444"]
)
def test_the_environments_key_goes_to_its_own_origin_only(url: str) -> None:
    """Another host, another port, or the same host unencrypted: the key stays here, and the reason says so."""
    found = only({"baseUrl": url}, "openai")
    assert found.credential.line() == b"" and "canary" not in repr(found)
    assert found.problem is not None and "OPENAI_API_KEY belongs to https://api.openai.com" in found.problem


def test_another_path_of_its_own_origin_takes_the_environments_key() -> None:
    assert only({"baseUrl": "https://api.openai.com/v2"}, "openai").problem is None


def test_a_built_in_elsewhere_with_a_configured_key_is_ready() -> None:
    found = only({"baseUrl": "https://elsewhere.test/v1", "apiKey": "canary-else"}, "openai")
    assert found.problem is None and found.credential.line() == b"authorization: Bearer canary-else\r\n"


@pytest.mark.parametrize(
    "key",
    ["request", "request.auth", "request.auth.mode", "request.auth.prefix", "request.headers", "request.proxy",
     "request.proxy.mode", "request.tls", "request.tls.serverName", "request.allowPrivateNetwork", "headers", "api"],
)  # fmt: skip
def test_a_setting_that_is_not_set_is_never_taken_as_left_out(key: str) -> None:
    """Without it another credential would leave, no proxy be asked, or another dialect be spoken."""
    found = only(OWL, unset={f"models.providers.owl.{key}": "SITE"})
    assert found.problem == (
        f"a setting of it is not set: set SITE (models.providers.owl.{key} refers to it)"
    )


def test_what_openclaw_owns_may_be_unset() -> None:
    assert only(OWL, unset={"models.providers.owl.localService.env.A": "SITE"}).problem is None


def test_a_built_in_whose_address_is_not_set_is_asked_nowhere() -> None:
    """Least of all at its own address, with the key of the environment."""
    found = only({}, "openai", unset={"models.providers.openai.baseUrl": "SITE"})
    assert found.origin is None and found.credential.line() == b""
    assert found.problem == "its address is not set: set SITE (models.providers.openai.baseUrl refers to it)"
    whole = only({}, "openai", unset={"models.providers.openai": "SITE"})
    assert whole.problem == "a setting of it is not set: set SITE (models.providers.openai refers to it)"


@pytest.mark.parametrize(
    ("block", "says"),
    [
        ({"apiKey": "k12"}, "its address is not set: set models.providers.owl.baseUrl"),
        (
            {**OWL, "api": "google-generative-ai"},
            "api 'google-generative-ai' is not supported; use one of",
        ),
        ({**OWL, "auth": "aws-sdk"}, "'aws-sdk' is not supported"),
        ({**OWL, "baseUrl": "http://169.254.169.254"}, "never dialled (metadata)"),
        ({**OWL, "request": {"proxy": {"mode": "env-proxy"}}}, "env-proxy"),
        ({**OWL, "request": {"tls": {"key": "/k.pem"}}}, "without request.tls.cert"),
        ({**OWL, "headers": {"X-A-Token": "t1", "X-B-Token": "t2"}}, "several headers look like credentials"),
    ],
)
def test_a_provider_that_cannot_serve_says_why(block: dict[str, Any], says: str) -> None:
    """And stays an entry, so that requests for it fail by name and go nowhere else."""
    found = catalog({"owl": block, "other": OWL})
    reason = found.providers["owl"].problem
    assert reason is not None and says in reason and found.providers["other"].problem is None


@pytest.mark.parametrize(
    "path",
    [
        "models.providers.my.owl.apiKey",
        'models.providers["my.owl"].apiKey',
        'models.providers."my.owl".apiKey',
    ],
)
def test_a_variable_that_is_not_set_is_found_however_its_path_is_written(path: str) -> None:
    block = {"baseUrl": OWL["baseUrl"]}
    found = catalog({"my.owl": block, "my": block}, unset={path: "OWL_KEY"})
    reason = found.providers["my.owl"].problem
    assert reason is not None and "set OWL_KEY" in reason
    assert found.providers["my"].problem is None


@pytest.mark.parametrize(
    "path",
    ["models.providers.owl.headers.X-Team", 'models.providers.owl.headers["X-Team"]',
    'models.providers["owl"].headers."X-Team"'],
)  # fmt: skip
def test_a_header_whose_variable_is_not_set(path: str) -> None:
    assert only(OWL, unset={path: "TEAM"}).problem == (
        "its header X-Team is not set: set TEAM (models.providers.owl.headers.X-Team refers to it)"
    )


def test_a_reference_to_no_variable_is_said_to_be_one() -> None:
    reason = only(OWL, unset={"models.providers.owl.apiKey": "exec:vault"}).problem
    assert reason is not None and "refers to 'exec:vault', which clawgate cannot follow" in reason


def test_a_missing_key_is_never_the_environments_nor_another_providers() -> None:
    """A self-defined provider without a key sends none; a built-in whose configured key is unset does not fall back."""
    assert only({"baseUrl": "https://owl.test"}).credential.line() == b""
    found = only(
        {"baseUrl": "https://api.openai.com/v1"}, "openai", unset={"models.providers.openai.apiKey": "OTHER"}
    )
    assert found.credential.line() == b"" and found.problem is not None and "set OTHER" in found.problem
    assert found.notes == ()


def test_what_the_config_says_arrives() -> None:
    found = only(
        {
            **OWL,
            "timeoutSeconds": 45,
            "headers": {"X-Team": "a1"},
            "models": [
                {"id": "q", "name": "Q", "maxTokens": 10, "contextWindow": 100, "input": ["text", "image"],
                 "reasoning": True, "compat": {"maxTokensField": "max_tokens"}},
                {"id": "q"},
                {"id": "r", "api": "openai-responses"},
            ],
            "request": {
                "allowPrivateNetwork": True,
                "tls": {"ca": "/ca.pem", "cert": "/c.pem", "key": "/k.pem", "serverName": "owl",
                        "insecureSkipVerify": True},
                "proxy": {"mode": "explicit-proxy", "url": "http://p.test:3128"},
            },
        }
    )  # fmt: skip
    assert found.problem is None and found.allow_private and found.timeout_seconds == 45
    assert found.allow_private_setting == "models.providers.owl.request.allowPrivateNetwork"
    assert found.headers == (("X-Team", "a1"),) and found.proxy == "http://p.test:3128"
    tls = (found.ca, found.certificate, found.key, found.server_name, found.insecure)
    assert tls == ("/ca.pem", "/c.pem", "/k.pem", "owl", True)
    first, second = found.models
    assert (first.id, first.name, first.max_tokens, first.context_window) == ("q", "Q", 10, 100)
    assert (
        first.reasoning
        and first.input == ("text", "image")
        and first.compat == {"maxTokensField": "max_tokens"}
    )
    assert second.name == "r"
    assert len(found.notes) == 1 and "listed twice" in found.notes[0]


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("baseUrl", "https://else.test/v1", "baseUrl"),
        ("headers", {"X-A": "b"}, "headers"),
        ("api", "anthropic-messages", "api"),
        ("api", "google-generative-ai", "api"),
        ("api", "openai-responses", None),
        ("api", "openai-completions", None),
    ],
)
def test_a_model_that_wants_another_way_than_its_provider_says_why_it_is_not_asked(
    key: str, value: object, why: str | None
) -> None:
    """It is never asked in its provider's way instead."""
    found = only({**OWL, "models": [{"id": "q", key: value}, {"id": "r"}]})
    problem = (
        f"the model 'owl/q' has its own {why}, which is not supported; configure it as a separate provider"
    )
    assert found.model_problem("q") == (problem if why else None)
    assert found.problem is found.model_problem("r") is found.model_problem("not listed") is None


def test_a_dialect_that_is_assumed_is_said() -> None:
    found = only({"baseUrl": "https://owl.test"})
    assert found.api == "openai-completions" and "api is not set" in found.notes[0]


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://localhost:8000", "http://192.168.1.2"])
def test_a_private_address_without_the_switch_is_noted(url: str) -> None:
    found = only({**OWL, "baseUrl": url})
    assert any(
        "blocked until models.providers.owl.request.allowPrivateNetwork is true" in note
        for note in found.notes
    )
    assert not found.allow_private and found.problem is None


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


def test_no_secret_is_in_what_is_said() -> None:
    found = catalog(
        {"owl": {**OWL, "request": {"auth": {"mode": "header", "headerName": "X-T", "value": "canary-t"}}}}
    )
    assert "canary" not in repr(found)


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
