"""What belongs to a plugin goes, and nothing else does."""

from __future__ import annotations

import pyjson5

from clawgate.plugins.install.config_cleanup import owned_paths, remove_paths

CONFIG = """\
{ // mine
  plugins: { entries: { house: { enabled: true }, other: { enabled: true } } },
  models: { providers: { "house-model": { baseUrl: "x" }, owl: { baseUrl: "y" } } },
  agents: { defaults: {
    model: { primary: "Home", fallbacks: ["house-model/a", "owl/a", "house-model/b"] },
    models: { "house-model/a": { alias: "home" }, "owl/a": { alias: "owl" }, "house-model-2/a": { alias: "two" } },
  } },
}
"""


def left(text: str) -> object:
    return pyjson5.decode(remove_paths(text, owned_paths(pyjson5.decode(text), "house", ["house-model"])))


def test_what_points_to_a_plugins_models_goes_and_the_rest_stays() -> None:
    assert left(CONFIG) == {
        "plugins": {"entries": {"other": {"enabled": True}}},
        "models": {"providers": {"owl": {"baseUrl": "y"}}},
        "agents": {
            "defaults": {
                "model": {"fallbacks": ["owl/a"]},
                "models": {"owl/a": {"alias": "owl"}, "house-model-2/a": {"alias": "two"}},
            }
        },
    }
    assert "// mine" in remove_paths(CONFIG, owned_paths(pyjson5.decode(CONFIG), "house", ["house-model"]))


def test_a_default_that_is_a_plain_text_goes_as_a_whole() -> None:
    text = '{ agents: { defaults: { model: "house-model/a" } } }'
    assert left(text) == {"agents": {"defaults": {}}}


def test_a_default_that_is_somebody_elses_stays() -> None:
    text = '{ agents: { defaults: { model: "house-model2/a" } } }'
    assert owned_paths(pyjson5.decode(text), "house", ["house-model"]) == []


def test_odd_documents_hold_nothing() -> None:
    odd: tuple[object, ...] = (
        None,
        [],
        {},
        {"plugins": []},
        {"agents": {"defaults": {"model": {"fallbacks": "x"}}}},
    )
    for document in odd:
        assert owned_paths(document, "house", ["house-model"]) == []
