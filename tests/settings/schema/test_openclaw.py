"""The file means to clawgate what it means to OpenClaw; what clawgate cannot read is kept."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from clawgate.settings.openclaw.own_settings import OwnSettings
from clawgate.settings.schema import openclaw
from clawgate.settings.schema.block import Block
from clawgate.settings.schema.openclaw import MAX_SECONDS, OpenClawConfig, schema


def provider(**values: Any) -> openclaw.ProviderBlock:
    document = {"models": {"providers": {"p": values}}}
    return OpenClawConfig.model_validate(document, by_alias=True, by_name=False).models.providers["p"]


def test_nothing_at_all_gives_the_defaults() -> None:
    config = OpenClawConfig.model_validate({})
    assert config.gateway.port == 18789 and config.gateway.bind == "loopback"
    assert config.models.providers == {} and config.agents.defaults.model.primary is None


def test_what_openclaw_owns_is_kept() -> None:
    document: dict[str, Any] = {"channels": {"x": [1]}, "gateway": {"terminal": {"enabled": False}}}
    config = OpenClawConfig.model_validate(document)
    assert config.model_extra == {"channels": {"x": [1]}}
    assert config.gateway.model_extra == {"terminal": {"enabled": False}}


@pytest.mark.parametrize(
    "api",
    [
        "openai-completions",
        "openai-responses",
        "openai-chatgpt-responses",
        "anthropic-messages",
        "google-generative-ai",
        "google-vertex",
        "github-copilot",
        "bedrock-converse-stream",
        "ollama",
        "pi-messages",
        "azure-openai-responses",
    ],
)
def test_dialects_that_clawgate_does_not_speak_are_no_mistake_of_the_file(api: str) -> None:
    assert provider(api=api).api == api


@pytest.mark.parametrize(("value", "seconds"), [(1, 1), (2.5, 2.5), (1_000_000, MAX_SECONDS)])
def test_a_wait_of_any_length_is_taken_and_has_an_end(value: float, seconds: float) -> None:
    assert provider(timeoutSeconds=value).timeout_seconds == seconds


def test_numbers_with_a_fraction_are_rounded_down_where_only_whole_ones_count() -> None:
    (model,) = provider(models=[{"id": "m", "contextWindow": 1000.5, "maxTokens": 8e3}]).models
    assert (model.context_window, model.max_tokens) == (1000, 8000)


def test_the_model_may_be_a_plain_text() -> None:
    config = OpenClawConfig.model_validate({"agents": {"defaults": {"model": "a/b"}}})
    assert config.agents.defaults.model.primary == "a/b" and config.agents.defaults.model.fallbacks == ()


@pytest.mark.parametrize("value", ["Basic dXNlcjpwYXNz", "a b c", "x", "test"])
def test_the_value_of_a_header_may_hold_blanks_and_be_short(value: str) -> None:
    assert provider(headers={"X-A": value}).headers["X-A"].get_secret_value() == value


@pytest.mark.parametrize("value", ["", " x", "x\n", "\u00e9", "__OPENCLAW_REDACTED__", "***", "a\0", 5, None])
def test_the_value_of_a_header_can_stand_in_one(value: object) -> None:
    with pytest.raises(ValidationError):
        provider(headers={"X-A": value})


def test_a_key_in_pem_has_lines() -> None:
    pem = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    tls = provider(request={"tls": {"key": pem}}).request.tls
    assert tls is not None and tls.key is not None and tls.key.get_secret_value() == pem


@pytest.mark.parametrize(
    "values",
    [
        {"baseUrl": "x"},
        {"baseUrl": 5},
        {"apiKey": ""},
        {"apiKey": 5},
        {"apiKey": []},
        {"apiKey": "***"},
        {"headers": []},
        {"headers": {"A": {}}},
        {"models": {}},
        {"models": "m"},
        {"models": [5]},
        {"models": [{}]},
        {"models": [{"id": ""}]},
        {"models": [{"id": "m", "maxTokens": 0}]},
        {"models": [{"id": "m", "maxTokens": True}]},
        {"timeoutSeconds": 0},
        {"timeoutSeconds": float("nan")},
        {"timeoutSeconds": float("inf")},
        {"timeoutSeconds": True},
        {"request": []},
        {"request": {"auth": {}}},
        {"request": {"auth": {"mode": "basic"}}},
        {"request": {"allowPrivateNetwork": "yes"}},
        {"request": {"allowPrivateNetwork": 1}},
        {"request": {"tls": {"insecureSkipVerify": "no"}}},
        {"request": {"tls": {"key": ""}}},
        {"request": {"proxy": {"mode": "none"}}},
    ],
    ids=json.dumps,
)
def test_what_openclaw_refuses_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        provider(**values)


def blocks() -> list[type[Block]]:
    found = [part for part in vars(openclaw).values() if isinstance(part, type) and issubclass(part, Block)]
    return [part for part in found if part is not Block]


@pytest.mark.parametrize("block", blocks())
def test_every_setting_is_described(block: type[Block]) -> None:
    assert all(field.description for field in block.model_fields.values())


def test_every_secret_is_hidden_from_repr() -> None:
    shown = repr(
        provider(
            apiKey="k-canary-51Jx",
            headers={"X-A": "canary"},
            request={"auth": {"mode": "header", "value": "canary-x"}},
        )
    )
    assert "canary" not in shown


def test_the_schema_lets_openclaws_own_keys_stand_and_describes_ours() -> None:
    found = schema()
    json.dumps(found)
    parts = [found, *found["$defs"].values()]
    assert all(part.get("additionalProperties", True) is not False for part in parts)
    assert "baseUrl" in found["$defs"]["ProviderBlock"]["properties"]
    assert all("description" in part for part in found["$defs"]["ProviderBlock"]["properties"].values())


@pytest.mark.parametrize("document", [schema(), OwnSettings.model_json_schema()], ids=["config", "own"])
def test_the_schema_has_no_keyword_but_those_of_json_schema(document: dict[str, Any]) -> None:
    """An editor passes over others, as over `ge`. Each default is a value that the schema itself accepts."""
    jsonschema: Any = importlib.import_module("jsonschema")  # it has no types
    validator = jsonschema.Draft202012Validator
    registry: Any = importlib.import_module("jsonschema_specifications").REGISTRY
    validator.check_schema(document)
    known = {"$ref", "$defs", "$schema", "env"}
    for vocabulary in (
        "core",
        "applicator",
        "unevaluated",
        "validation",
        "meta-data",
        "format-annotation",
        "content",
    ):
        uri = f"https://json-schema.org/draft/2020-12/meta/{vocabulary}"
        known |= set(registry.contents(uri)["properties"])
    for part in _parts(document):
        assert set(part) <= known
        if "default" in part:
            validator({**part, "$defs": document["$defs"]}).validate(part["default"])


def _parts(part: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a schema and all below it."""
    yield part
    for key in ("properties", "$defs"):
        for one in part.get(key, {}).values():
            yield from _parts(one)
    for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
        for one in part.get(key, ()):
            yield from _parts(one)
    for key in ("items", "additionalProperties", "propertyNames"):
        if isinstance(part.get(key), dict):
            yield from _parts(part[key])


def test_a_number_out_of_its_bounds_is_wrong_by_the_schema() -> None:
    properties = schema()["$defs"]["GatewayBlock"]["properties"]
    assert (properties["port"]["minimum"], properties["port"]["maximum"]) == (0, 65_535)
    assert schema()["$defs"]["McpServer"]["properties"]["requestTimeoutMs"]["exclusiveMinimum"] == 0


def test_in_the_schema_a_secret_may_be_a_reference() -> None:
    key = json.dumps(schema()["$defs"]["ProviderBlock"]["properties"]["apiKey"])
    assert "#/$defs/SecretRef" in key and "SecretRef" in schema()["$defs"]


def test_nothing_in_it_can_be_changed() -> None:
    assert all(block.model_config.get("frozen") for block in blocks())
