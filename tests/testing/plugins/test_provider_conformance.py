"""The kit finds what is wrong with a provider: each thing that it promises to find is done wrong once."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clawgate.plugins.api import (
    Answers,
    CheckResult,
    Diagnostic,
    MappedError,
    Plugin,
    Question,
    QuestionKind,
    UpstreamRequest,
)
from clawgate.testing.plugins.conformance import check_plugin
from clawgate.testing.plugins.provider_conformance import SECRET, sample_values
from tests.plugins.samples import docs_plugin, imports_undone


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Any]:
    """The module of the docs' plugin, to be spoiled."""
    with imports_undone():
        sys.path.append(str(docs_plugin(tmp_path)))
        yield importlib.import_module("house_model")


def said(house: Any) -> str:
    plugin: Plugin = house.plugin
    return "\n".join(map(str, check_plugin(plugin)))


def test_the_plugin_of_the_docs_does(house: Any) -> None:
    assert said(house) == ""


def changed(**more: Any) -> Callable[[Any], None]:
    """The provider writes something else."""

    def spoil(house: Any) -> None:
        import dataclasses

        right = house.HouseProvider.config_change
        house.HouseProvider.config_change = lambda self, answers: dataclasses.replace(
            right(self, answers), **more
        )

    return spoil


def does(name: str, method: Any) -> Callable[[Any], None]:
    def spoil(house: Any) -> None:
        setattr(house.HouseProvider, name, method)

    return spoil


async def fine(self: Any, answers: Any, context: Any) -> CheckResult:
    from clawgate.plugins.api import FetchFailed, FetchRequest

    try:
        await context.fetch(FetchRequest(url=f"http://x/?key={answers['api_key']}"))
    except FetchFailed:
        return CheckResult(ok=True, message=f"fine with {answers['api_key']}")
    return CheckResult(ok=True, message="")


def wild(self: Any, request: UpstreamRequest) -> UpstreamRequest:
    request.fields["messages"] = []  # type: ignore[index]  # that is what it does wrong
    return UpstreamRequest(model="m", fields=request.fields, headers={"X-Api-Key": "x"})


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (changed(provider={"api": "anthropic-messages", "baseUrl": "http://x"}), "writes api 'anthropic-messages'"),
        (changed(provider={"api": "openai-completions"}), "writes no baseUrl"),
        (changed(provider={"api": "openai-completions", "baseUrl": "http://x", "region": SECRET}),
         "a secret is written to models.providers.house-model.region"),
        (changed(secrets=()), "a secret is written to plugins.entries.house-model.config.apiKey"),
        (changed(default_model="openai/gpt-4o"), "'openai/gpt-4o' is not a model of this provider"),
        (changed(aliases={"a": "other/m"}), "'other/m' is not a model of this provider"),
        (changed(fallbacks=("openai/gpt-4o",)), "fallbacks to other providers"),
        (changed(plugin_config={"nonsense": 1}), "what config_change() writes is invalid"),
        (does("previous_answers", lambda self, config: Answers()),
         "previous_answers() does not return the value of 'base_url'"),
        (does("previous_answers", lambda self, config: Answers({"a": config["plugins"]})), "failed: KeyError"),
        (does("owned_paths", lambda self, config: []), "owned_paths() does not list models.providers.house-model"),
        (does("owned_paths", lambda self, config: [("models",)]), "owned_paths() lists models, which it does not own"),
        (does("questions", lambda self, previous, environment: [
            Question(name="Api-Token", text="?"), Question(name="Api-Token", text="?")]), "two questions have the"),
        (does("questions", lambda self, previous, environment: [
            Question(name="api_token", text="?", kind="text")]), "has the name of a secret and another kind"),
        (does("questions", lambda self, previous, environment: [
            Question(name="key", text="?", kind="secret", default="x")]), "a secret in the source code"),
        (does("questions", lambda self, previous, environment: [
            Question(name="port", text="?", kind="port", default="x")]), "is rejected by its own check"),
        (does("check_connection", fine), "reports success although nothing could be reached"),
        (does("check_connection", fine), "check_connection() shows the secret"),
        (does("check_connection", fine), "puts the secret into a URL"),
        (does("transform_request", lambda self, request: "m"), "transform_request() returned str"),
        (does("transform_request", wild), "transform_request() sets x-api-key"),
        (does("transform_request", wild), "transform_request() changes the fields"),
        (does("map_error", lambda self, status, body: MappedError(status=200, message="fine")),
         "must return None or a MappedError"),
        (does("map_error", lambda self, status, body: body.decode()["x"]), "failed: "),
        (does("check_config", lambda self, config, settings: None), "check_config() returned NoneType"),
        (does("check_config", lambda self, config, settings: ["x"]), "must return a list of Diagnostic"),
        (does("check_config", lambda self, config, settings: [Diagnostic(path=(), message=SECRET)]),
         "check_config() shows the secret"),
        (does("check_config", lambda self, config, settings: [Diagnostic(path=(), message="it is odd")]),
         "check_config() rejects what config_change() writes: it is odd"),
        (does("dialect", "smoke"), "has the unknown dialect 'smoke'"),
        (does("further_dialects", ("smoke",)), "further_dialects is ('smoke',); it must be a tuple of"),
        (does("further_dialects", "openai-responses"), "it must be a tuple of openai-completions"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_found(house: Any, spoil: Callable[[Any], None], says: str) -> None:
    spoil(house)
    assert says in said(house)


def test_sample_values_pass_the_questions_own_checks() -> None:
    kinds: tuple[QuestionKind, ...] = ("text", "secret", "url", "port", "number", "list", "confirm")
    questions = [Question(name=kind, text="?", kind=kind) for kind in kinds]
    answers = sample_values(questions)
    assert all(question.problem(answers[question.name]) is None for question in questions)


def test_a_question_that_is_left_out_has_no_sample() -> None:
    questions = [Question(name="a", text="?"), Question(name="b", text="?", when=lambda answers: False)]
    assert list(sample_values(questions)) == ["a"]
