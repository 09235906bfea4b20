"""What a provider wants written is written, and nothing else is touched; taken away, nothing leads to it any more."""

from __future__ import annotations

from typing import Any

import pyjson5
import pytest

from clawgate.cli.auth.wizard.config_edits import with_provider, without_provider
from clawgate.plugins.api.provider import ConfigChange

TEXT = """\
{
  // mine
  models: { providers: {
    kit: { baseUrl: "http://127.0.0.1:1/v1", timeoutSeconds: 60 }, // near
    owl: { baseUrl: "https://owl.test/v1", models: [] },
  } },
  plugins: { entries: { kit: { enabled: false, config: { port: 1, own: "kept" } } } },
  agents: { defaults: {
    model: { primary: "kit/one", fallbacks: ["owl/a", "kit/two"] },
    models: { "kit/one": { alias: "kitty" }, "owl/a": { alias: "fast" } },
  } },
}
"""
CHANGE = ConfigChange(
    plugin_config={"port": 2},
    provider={"baseUrl": "http://127.0.0.1:2/v1", "models": [{"id": "two"}]},
    aliases={"fast": "kit/two"},
    default_model="kit/two",
)


def read(text: str) -> Any:
    return pyjson5.decode(text)


def test_a_plugins_provider_is_written_with_its_plugin() -> None:
    """Keys that the plugin does not name stay, so do comments; the plugin is switched on."""
    text = with_provider(TEXT, "kit", CHANGE, plugin="kit", default=False)
    found = read(text)
    assert found["models"]["providers"]["kit"] == {
        "baseUrl": "http://127.0.0.1:2/v1", "timeoutSeconds": 60, "models": [{"id": "two"}],
    }  # fmt: skip
    assert found["plugins"]["entries"]["kit"] == {"enabled": True, "config": {"port": 2, "own": "kept"}}
    assert (
        "// mine" in text
        and "// near" in text
        and found["agents"]["defaults"]["model"]["primary"] == "kit/one"
    )


def test_what_was_set_by_hand_for_a_model_that_stays_is_kept() -> None:
    """And so is what was set within `request`; a model that goes takes its settings along."""
    text = """{ models: { providers: { kit: { request: { auth: { mode: "none" }, allowPrivateNetwork: false }, models: [
      { id: "one", contextWindow: 9 },
      { id: "two", contextWindow: 1000000, cost: { input: 3 } }, // measured
    ] } } } }"""
    change = ConfigChange(
        plugin_config={},
        provider={
            "request": {"allowPrivateNetwork": True},
            "models": [{"id": "two", "name": "Two", "contextWindow": 200_000}, {"id": "three", "name": "3"}],
        },
    )
    after = with_provider(text, "kit", change, plugin="kit", default=False)
    assert read(after)["models"]["providers"]["kit"] == {
        "request": {"auth": {"mode": "none"}, "allowPrivateNetwork": True},
        "models": [
            {"id": "two", "name": "Two", "contextWindow": 1_000_000, "cost": {"input": 3}},
            {"id": "three", "name": "3"},
        ],
    }


@pytest.mark.parametrize("odd", ["null", "[]", "[1, {}, null]", "{}", '"two"'])
def test_a_list_of_models_that_is_none_keeps_nothing(odd: str) -> None:
    text = "{ models: { providers: { kit: { models: " + odd + " } } } }"
    after = with_provider(text, "kit", CHANGE, plugin="kit", default=False)
    assert read(after)["models"]["providers"]["kit"]["models"] == [{"id": "two"}]


def test_an_alias_is_given_to_one_model_alone() -> None:
    models = read(with_provider(TEXT, "kit", CHANGE, plugin="kit", default=False))["agents"]["defaults"][
        "models"
    ]
    assert models["kit/two"] == {"alias": "fast"} and "alias" not in models["owl/a"]


def test_a_plugins_default_has_the_fallbacks_of_the_plugin() -> None:
    """None, unless it says so: if it is down, requests fail."""
    text = with_provider(TEXT, "kit", CHANGE, plugin="kit", default=True)
    assert read(text)["agents"]["defaults"]["model"] == {"primary": "kit/two", "fallbacks": []}


def test_another_default_keeps_the_operators_fallbacks() -> None:
    change = ConfigChange(plugin_config={}, provider={"baseUrl": "https://x.test"}, default_model="owl/b")
    found = read(with_provider(TEXT, "owl", change, plugin=None, default=True))
    assert found["agents"]["defaults"]["model"] == {"primary": "owl/b", "fallbacks": ["owl/a", "kit/two"]}
    assert found["models"]["providers"]["owl"] == {"baseUrl": "https://x.test"}


def test_an_equal_provider_is_no_change() -> None:
    once = with_provider(TEXT, "kit", CHANGE, plugin="kit", default=True)
    assert with_provider(once, "kit", CHANGE, plugin="kit", default=True) == once


def test_what_leads_to_a_provider_goes_with_it() -> None:
    text = without_provider(TEXT, "kit", [("plugins", "entries", "kit"), ("no", "such", "key")])
    found = read(text)
    assert list(found["models"]["providers"]) == ["owl"] and found["plugins"]["entries"] == {}
    assert found["agents"]["defaults"] == {
        "model": {"fallbacks": ["owl/a"]},
        "models": {"owl/a": {"alias": "fast"}},
    }
    assert "// mine" in text


@pytest.mark.parametrize(
    "model", ['"kit/one"', '{ primary: "kit/one" }', '{ primary: "kit/one", fallbacks: [] }']
)
def test_a_default_that_says_no_more_goes_whole(model: str) -> None:
    text = f"{{ models: {{ providers: {{ kit: {{}} }} }}, agents: {{ defaults: {{ model: {model} }} }} }}"
    assert read(without_provider(text, "kit", [])) == {
        "models": {"providers": {}},
        "agents": {"defaults": {}},
    }


def test_a_default_of_another_provider_stays() -> None:
    assert read(without_provider(TEXT, "owl", []))["agents"]["defaults"]["model"] == {
        "primary": "kit/one", "fallbacks": ["kit/two"],
    }  # fmt: skip
