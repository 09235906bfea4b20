"""Which questions a built-in, a configured and a new provider have; which answers they take."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from clawgate.cli.auth.wizard.provider_questions import origin_of, provider_questions
from clawgate.plugins.api.questions import Answers, Choice, Question
from clawgate.plugins.api.service import SetupContext
from clawgate.providers.built_in import BUILT_IN


async def _models(answers: Answers, context: SetupContext) -> Sequence[Choice]:
    return ()


def questions(provider_id: str) -> Sequence[Question]:
    return provider_questions(
        provider_id, BUILT_IN.get(provider_id), id_problem=lambda text: None, models=_models
    )


def applying(provider_id: str, **answers: str) -> list[str]:
    """The names of the questions that apply with these answers."""
    given = Answers(answers)
    return [one.name for one in questions(provider_id) if one.when is None or one.when(given)]


@pytest.mark.parametrize(
    ("provider_id", "answers", "names"),
    [
        ("openai", {"base_url": "https://api.openai.com/v1"}, ["base_url", "key", "models"]),
        (
            "owl",
            {"base_url": "https://owl.test/v1", "auth": "bearer"},
            ["base_url", "dialect", "auth", "key", "private_network", "ca_file", "models"],
        ),
        (
            "owl",
            {"base_url": "http://127.0.0.1:1/v1", "auth": "header"},
            ["base_url", "dialect", "auth", "header", "key", "private_network", "models"],
        ),
        (
            "",
            {"base_url": "https://8.8.8.8/v1", "auth": "basic"},
            ["id", "base_url", "dialect", "auth", "username", "login", "ca_file", "models"],
        ),
        (
            "",
            {"base_url": "https://8.8.8.8/v1", "auth": "basic", "username": "me"},
            ["id", "base_url", "dialect", "auth", "username", "password", "ca_file", "models"],
        ),
        ("", {"base_url": "nonsense", "auth": "none"}, ["id", "base_url", "dialect", "auth", "models"]),
    ],
)
def test_questions_depend_on_the_provider_and_the_answers_before(
    provider_id: str, answers: dict[str, str], names: list[str]
) -> None:
    assert applying(provider_id, **answers) == names


@pytest.mark.parametrize(
    ("provider_id", "base_url", "variables"),
    [
        ("openai", "https://api.openai.com/v1", ("OPENAI_API_KEY",)),
        ("openai", "https://else.test/v1", ()),
        ("my-owl", "https://owl.test/v1", ("MY_OWL_API_KEY",)),
        ("2owl", "https://owl.test/v1", ()),
        ("", "https://owl.test/v1", ()),
    ],
)
def test_the_variable_of_a_key_belongs_to_its_provider(
    provider_id: str, base_url: str, variables: tuple[str, ...]
) -> None:
    """OpenAI's key is not offered for another address; a variable cannot begin with a digit."""
    answers = Answers({"base_url": base_url})
    (key,) = (one for one in questions(provider_id) if one.name == "key" and one.when and one.when(answers))
    assert key.variables == variables


@pytest.mark.parametrize(("base_url", "default"), [("http://10.0.0.1/v1", ""), ("https://owl.test/v1", "no")])
def test_a_private_address_needs_an_explicit_answer(base_url: str, default: str) -> None:
    answers = Answers({"base_url": base_url})
    (question,) = (
        one for one in questions("owl") if one.name == "private_network" and one.when and one.when(answers)
    )
    assert question.default == default


def test_an_invalid_base_url_has_no_origin() -> None:
    assert origin_of(Answers({"base_url": "ftp://x"})) is None


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("https://owl.test/v1/chat/completions", "https://owl.test/v1"),
        ("https://owl.test/v1/messages/", "https://owl.test/v1"),
        ("https://owl.test/models", "https://owl.test/models"),
        ("owl.test/v1", "https://owl.test/v1"),
    ],
)
def test_a_pasted_url_is_read_as_the_base_url(url: str, read: str) -> None:
    question = next(one for one in questions("") if one.name == "base_url")
    assert question.problem(url) is None and question.cleaned(url) == read


@pytest.mark.parametrize(
    ("environment", "kind"),
    [
        ({}, "bearer"),
        ({"MY_OWL_API_KEY": "canary-token-1"}, "bearer"),
        ({"MY_OWL_API_KEY": "me:pass word"}, "basic"),
        ({"MY_OWL_API_KEY": "bWU6cGFzcw=="}, "basic"),
        ({"MY_OWL_USERNAME": "me"}, "basic"),
        ({"OWL_USERNAME": "me"}, "bearer"),
    ],
)
def test_the_kind_of_credential_follows_from_its_variables_and_says_so(
    environment: dict[str, str], kind: str
) -> None:
    found = provider_questions(
        "my-owl", None, id_problem=lambda text: None, models=_models, environment=environment
    )
    question = next(one for one in found if one.name == "auth")
    assert question.default == kind
    assert ("the default is basic" in question.help) is (
        kind == "basic"
    ) and "pass" not in question.help.partition("user:password")[0]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("username", "me:you", "colon"),
        ("username", "m\ne", "cannot be printed"),
        ("password", "new\nline", "control character"),
        ("ca_file", "/nonexistent/ca.pem", "cannot be read"),
        ("ca_file", __file__, "not a PEM file"),
    ],
)
def test_what_a_server_cannot_take_is_rejected(name: str, text: str, says: str) -> None:
    question = next(one for one in questions("owl") if one.name == name)
    assert says in (question.problem(text) or "")


@pytest.mark.parametrize("password", [" ", "with blank ", "colon:colon", "schlüssel"])
def test_a_password_is_taken_as_it_is(password: str) -> None:
    question = next(one for one in questions("owl") if one.name == "password")
    assert question.problem(password) is None and question.cleaned(password) == password


@pytest.mark.parametrize("name", ["key", "login"])
def test_without_a_credential_the_choice_of_none_is_named(name: str) -> None:
    """Of a server of one's own; a built-in provider always needs its key."""
    (question,) = [one for one in questions("owl") if one.name == name]
    assert question.problem("") == "an answer is needed; if the server needs no credential: --auth none"
    assert question.problem("a-key-17:of-eight") is None
    built_in = [one for one in questions("openai") if one.name == "key"]
    assert {one.problem("") for one in built_in} == {"an answer is needed"}
