"""A change of a model choice touches that choice, in whichever form the file has it."""

from __future__ import annotations

from collections.abc import Callable

import pyjson5
import pytest

from clawgate.policy.model_routing import ModelRef
from clawgate.settings.json5.document import EditNotSupported
from clawgate.settings.json5.source_map import InvalidJson5
from clawgate.settings.openclaw.model_edits import (
    fallbacks_in,
    with_alias,
    with_default,
    with_fallback,
    without_alias,
    without_fallbacks,
)
from tests.cli.catalogs import CONFIG

A, B = ModelRef("a", "x"), ModelRef("b", "y/z")
PLAIN = '{ agents: { defaults: { model: "a/x" /* mine */ } } }\n'


@pytest.mark.parametrize(
    ("before", "edit", "after"),
    [
        ("{}", lambda text: with_default(text, A), {"model": {"primary": "a/x"}}),
        (PLAIN, lambda text: with_default(text, B), {"model": "b/y/z"}),
        (PLAIN, lambda text: with_fallback(text, B), {"model": {"primary": "a/x", "fallbacks": ["b/y/z"]}}),
        (PLAIN, without_fallbacks, {"model": "a/x"}),
        (
            "{}",
            lambda text: with_fallback(with_fallback(text, A), B),
            {"model": {"fallbacks": ["a/x", "b/y/z"]}},
        ),
        ("{}", lambda text: with_alias(text, "s", B), {"models": {"b/y/z": {"alias": "s"}}}),
    ],
)
def test_the_edited_document_has_the_expected_values(
    before: str, edit: Callable[[str], str], after: dict[str, object]
) -> None:
    text = edit(before)
    assert pyjson5.decode(text)["agents"]["defaults"] == after if after else True
    assert ("/* mine */" in text) == ("/* mine */" in before)


def test_everything_else_stays_as_it_was() -> None:
    """Comments, order, secrets: the lines that do not speak of models are the same."""
    text = with_default(CONFIG, A)
    old, new = CONFIG.splitlines(), text.splitlines()
    assert [line for line in old if "primary" not in line] == [line for line in new if "primary" not in line]


def test_an_alias_means_one_model() -> None:
    text = with_alias(CONFIG, "FAST", B)
    models = pyjson5.decode(text)["agents"]["defaults"]["models"]
    assert models == {"owl/qwen": {}, "far/sonnet": {"alias": "smart"}, "b/y/z": {"alias": "FAST"}}


def test_the_first_alias_is_no_list_of_allowed_models() -> None:
    """Without the mark OpenClaw 2026.9.6 takes the models that are listed for the only ones that are allowed."""
    marked = {"migrations": {"modelPolicyAllowlist": True}}
    for text in ("{}", '{"agents":{"defaults":{"models":{}}}}'):
        assert pyjson5.decode(with_alias(text, "fast", B))["meta"] == marked
    kept = pyjson5.decode(with_alias('{"meta":{"lastTouchedVersion":"x"}}', "fast", B))["meta"]
    assert kept == marked | {"lastTouchedVersion": "x"}
    assert "meta" not in pyjson5.decode(with_alias(CONFIG, "FAST", B))  # its list may limit them on purpose


def test_an_alias_that_stands_there_already_changes_nothing() -> None:
    assert with_alias(CONFIG, "fast", ModelRef("owl", "qwen")) == CONFIG


def test_an_alias_goes_in_whatever_case_it_is_named() -> None:
    models = pyjson5.decode(without_alias(CONFIG, "Smart"))["agents"]["defaults"]["models"]
    assert models == {"owl/qwen": {"alias": "fast"}, "far/sonnet": {}}
    assert without_alias(CONFIG, "none-such") == CONFIG


def test_fallbacks_come_one_after_the_other_and_go_by_name() -> None:
    text = with_fallback(CONFIG, A)
    assert fallbacks_in(text) == ["far/sonnet", "a/x"] and with_fallback(text, A) == text
    assert fallbacks_in(without_fallbacks(text, "far/sonnet")) == ["a/x"]
    assert fallbacks_in(without_fallbacks(text)) == []
    assert without_fallbacks(text, "none/such") == text and without_fallbacks("{}") == "{}"
    assert fallbacks_in(PLAIN) == []


@pytest.mark.parametrize("edit", [with_default, with_fallback, lambda text, ref: with_alias(text, "s", ref)])
@pytest.mark.parametrize("text", ["{", "", "[1]"])
def test_a_text_that_cannot_be_edited_is_refused(text: str, edit: Callable[[str, ModelRef], str]) -> None:
    with pytest.raises((EditNotSupported, InvalidJson5)):
        edit(text, A)
