from __future__ import annotations

import pyjson5
import pytest

from clawgate.policy.model_routing import ModelRef
from clawgate.settings.litellm.import_plan import UnknownModelName
from tests.settings.litellm.yaml_text import entry, models, notes, plan

TWO = models(
    entry("smart", "model: openai/a"), entry("cheap", "model: groq/b"), entry("other", "model: groq/c")
)


def test_models_of_one_address_and_credential_share_a_provider() -> None:
    text = models(
        entry("a", "model: openai/a"),
        entry("b", "model: openai/b"),
        entry("c", "model: openai/c, api_key: os.environ/OTHER"),
        entry("d", "model: openai/d, api_base: 'http://gpu.example.com:8000/v1'"),
        entry("e", "model: openai/e, api_base: 'http://gpu.example.com:9000/v1'"),
        entry("f", "model: openai/f, api_base: 'http://[2001:db8::1]:9000/v1'"),
    )
    found = {name: [model["id"] for model in block["models"]] for name, block in plan(text).providers.items()}
    assert found == {
        "openai": ["a", "b"], "openai-2": ["c"], "gpu.example.com-8000": ["d"], "gpu.example.com-9000": ["e"],
        "2001-db8-1-9000": ["f"],
    }  # fmt: skip


def test_names_of_models_are_aliases() -> None:
    found = plan(TWO)
    assert found.aliases == {
        "smart": ModelRef("openai", "a"),
        "cheap": ModelRef("groq", "b"),
        "other": ModelRef("groq", "c"),
    }
    assert found.notes == [] and found.chain == ()


@pytest.mark.parametrize("name", ["a/b", "qwen3:8b", "default", "openclaw", "openai", "groq", " x"])
def test_a_name_that_cannot_be_an_alias_is_noted_with_what_clients_send(name: str) -> None:
    found = plan(models(entry(name, "model: groq/b")))
    assert found.aliases == {}
    assert notes(found)["model_list[0].model_name"].endswith("; clients name the model as groq/b")


def test_the_full_name_of_a_model_needs_no_alias() -> None:
    found = plan(models(entry("groq/b", "model: groq/b"), entry("groq/*", "model: groq/*")))
    assert found.aliases == {} and found.notes == []


def test_a_wildcard_is_a_provider_whose_models_need_not_be_listed() -> None:
    found = plan(models(entry("*", "model: openai/*")))
    assert found.providers["openai"]["models"] == []
    assert notes(found)["model_list[0].model_name"].endswith("clients name a model as openai/<model>")


def test_of_deployments_with_one_name_the_first_has_it() -> None:
    found = plan(
        models(entry("x", "model: openai/a"), entry("x", "model: groq/b"), entry("x", "model: openai/a"))
    )
    assert found.aliases == {"x": ModelRef("openai", "a")} and list(found.providers) == ["openai", "groq"]
    (text,) = notes(found).values()
    assert "does not spread requests" in text and text.endswith("clients reach this one as groq/b")
    assert "becomes a fallback" not in text


def test_further_deployments_of_the_default_and_of_its_fallbacks_become_fallbacks() -> None:
    """As in LiteLLM's load_balancer.yaml: one model with two keys, and the same elsewhere."""
    text = models(
        entry("x", "model: gpt-a, api_key: sk-one"),
        entry("x", "model: gpt-a, api_key: sk-two"),
        entry("y", "model: groq/b"),
        entry("y", "model: groq/c"),
        entry("z", "model: groq/d"),
        entry("z", "model: groq/e"),
    )
    found = plan(text + "router_settings: {fallbacks: [{x: [y]}]}\n", default="x")
    assert list(map(str, found.chain)) == ["openai/gpt-a", "openai-2/gpt-a", "groq/b", "groq/c"]
    assert ["becomes a fallback" in note.text for note in found.notes] == [True, True, False]


def test_a_group_alias_is_a_second_name_that_a_model_cannot_have() -> None:
    text = TWO + "router_settings: {model_group_alias: {gpt-4: smart, x: {model: gone}}}\n"
    found = notes(plan(text))
    assert "openai/a has the alias 'smart'" in found["router_settings.model_group_alias.gpt-4"]
    assert "is not taken over" in found["router_settings.model_group_alias.x"]


def test_a_group_alias_is_taken_where_the_models_own_name_cannot_be() -> None:
    text = models(entry("a:b", "model: groq/b")) + "router_settings: {model_group_alias: {x: 'a:b'}}\n"
    assert plan(text).aliases == {"x": ModelRef("groq", "b")}


@pytest.mark.parametrize("section", ["router_settings", "litellm_settings"])
def test_fallbacks_of_the_default_model_are_taken_over_on_request(section: str) -> None:
    text = (
        TWO
        + f"{section}: {{fallbacks: [{{smart: [cheap, gone]}}, {{cheap: [smart]}}], default_fallbacks: [other]}}\n"
    )
    found = plan(text, default="smart")
    assert list(map(str, found.chain)) == ["openai/a", "groq/b", "groq/c"]
    left_out, of_another = (note.text for note in found.notes)
    assert left_out == "the fallback 'gone' is left out: its model is not taken over"
    assert of_another.startswith("the fallbacks of 'cheap' are left out")
    unasked = plan(text)
    assert unasked.chain == () and "with --default MODEL_NAME" in notes(unasked)[f"{section}.fallbacks"]


def test_an_unknown_default_is_an_error() -> None:
    with pytest.raises(UnknownModelName):
        plan(TWO, default="gone")


@pytest.mark.parametrize(
    ("settings", "seconds"),
    [
        ("router_settings: {timeout: 30}\nlitellm_settings: {request_timeout: 60}\n", 30),
        ("litellm_settings: {request_timeout: 60}\n", 60),
        ("", None),
    ],
)
def test_the_timeout_of_all_is_that_of_each_provider(settings: str, seconds: int | None) -> None:
    found = plan(models(entry("a", "model: groq/b")) + settings)
    assert found.providers["groq"].get("timeoutSeconds") == seconds and found.notes == []


@pytest.mark.parametrize(
    "text",
    ["guardrails: []", "general_settings: {master_key: sk-1}", "litellm_settings: {callbacks: [x]}", "x: 1",
     "router_settings: {redis_host: x}", "environment_variables: {A: b}", "general_settings: 3"],
)  # fmt: skip
def test_no_section_is_skipped_in_silence(text: str) -> None:
    assert len(plan(f"{TWO}{text}\n").notes) == 1


@pytest.mark.parametrize("text", ["model_list:\n", "model_list: 3\n", "x: 1\n"])
def test_without_models_nothing_is_taken_over(text: str) -> None:
    found = plan(text)
    assert found.is_empty and "there is no list of models" in str(found.notes)


def test_what_the_config_has_is_kept() -> None:
    """A provider of the same id with other content, and an alias of another model; the same again is no change."""
    first = plan(TWO)
    assert plan(TWO, present=first.providers, aliases=first.aliases).providers == {}
    found = plan(TWO, present={"groq": {"baseUrl": "https://mine"}}, aliases={"Smart": ModelRef("mine", "x")})
    assert list(found.providers) == ["openai", "groq-2"] and list(found.aliases) == ["cheap", "other"]
    assert "the alias stands for mine/x" in notes(found)["model_list[0].model_name"]


def test_the_plan_is_applied_to_the_text_of_the_config() -> None:
    text = plan(TWO + "router_settings: {fallbacks: [{smart: [cheap]}]}\n", default="smart").apply(
        "{ // mine\n}\n"
    )
    found = pyjson5.decode(text)
    assert "// mine" in text and list(found["models"]["providers"]) == ["openai", "groq"]
    assert found["agents"]["defaults"]["model"] == {"primary": "openai/a", "fallbacks": ["groq/b"]}
    assert found["agents"]["defaults"]["models"]["groq/b"] == {"alias": "cheap"}
