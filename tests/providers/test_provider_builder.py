"""One that lacks something says what, with the next step; secrets go where they belong."""

from __future__ import annotations

from typing import Any

import pytest

from clawgate.providers.built_in import BUILT_IN
from clawgate.providers.provider import Provider
from clawgate.wire.translate.compat import Compat
from tests.providers.test_catalog import OWL, catalog


def only(block: dict[str, Any], name: str = "owl", **more: Any) -> Provider:
    return catalog({name: block}, **more).providers[name]


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
        (
            {**OWL, "baseUrl": "http://169.254.169.254"},
            "clawgate config set models.providers.owl.baseUrl URL",
        ),
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
        and first.compat == Compat(reasoning=True, max_tokens_field="max_tokens")
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


def test_no_secret_is_in_what_is_said() -> None:
    found = catalog(
        {"owl": {**OWL, "request": {"auth": {"mode": "header", "headerName": "X-T", "value": "canary-t"}}}}
    )
    assert "canary" not in repr(found)


@pytest.mark.parametrize(
    ("url", "api", "apis"),
    [
        ("https://api.openai.com/v1", "openai-completions", ("openai-completions", "openai-responses")),
        ("https://api.openai.com/v1", "openai-responses", ("openai-responses", "openai-completions")),
        (
            "https://x.openai.azure.com/openai/v1",
            "openai-responses",
            ("openai-responses", "openai-completions"),
        ),
        ("https://owl.test/v1", "openai-completions", ("openai-completions",)),
        ("https://owl.test/v1", "openai-responses", ("openai-responses",)),
        ("https://api.anthropic.com", "anthropic-messages", ("anthropic-messages",)),
    ],
)
def test_openai_itself_has_both_of_its_apis_and_another_server_the_one_of_the_config(
    url: str, api: str, apis: tuple[str, ...]
) -> None:
    assert only({"baseUrl": url, "api": api}).apis_of(None) == apis


def test_a_model_s_own_api_is_the_only_one_that_it_has() -> None:
    """The provider's, named again, says nothing."""
    models = [{"id": "r", "api": "openai-responses"}, {"id": "c", "api": "openai-completions"}]
    found = only({"baseUrl": "https://api.openai.com/v1", "api": "openai-completions", "models": models})
    own, same = found.models
    assert found.apis_of(own) == ("openai-responses",)
    assert found.apis_of(same) == ("openai-completions", "openai-responses")
    assert found.apis_of(None, ("anthropic-messages",))[-1] == "anthropic-messages"
