"""Where an answer comes from (flags, standard input, environment, file, default, prompt), and which are invalid."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from clawgate.cli.auth.wizard.answers import (
    AnswerSet,
    AnswerSources,
    InvalidAnswer,
    MissingAnswer,
    MoreAnswersNeeded,
    collect_answers,
    prompt_answers,
)
from clawgate.cli.auth.wizard.prompter import Aborted
from clawgate.plugins.api.questions import Answers, Choice, Question
from tests.cli.auth.wizard.scripted import ANSWERS, EVERY_KIND, SECRET, Scripted

URL = Question(
    name="url", text="URL", kind="url", variables=("A_URL", "B_URL"), default="https://default.test"
)
TOKEN = Question(name="token", text="Token", kind="secret", variables=("A_TOKEN",))


def asked(
    questions: Sequence[Question],
    person: Scripted,
    sources: AnswerSources | None = None,
    offered: Sequence[Choice] = (),
    taken: int = 0,
) -> AnswerSet:
    return prompt_answers(
        questions,
        sources or AnswerSources(),
        person,
        lambda question, answers: offered if question.choices else (),
        lambda question, port, answers: f"port {port} is taken" if port == taken else None,
    )


def test_every_kind_of_question_can_be_prompted() -> None:
    person = Scripted(*(text if text != "yes" else "y" for text in ANSWERS.values()))
    found = asked(EVERY_KIND, person)
    assert dict(found.plain) == ANSWERS == dict(found.written) and person.answers == []


def test_every_kind_of_question_is_answered_by_flags() -> None:
    assert dict(collect_answers(EVERY_KIND, AnswerSources(flags=ANSWERS)).plain) == ANSWERS
    person = Scripted()
    assert (
        dict(asked(EVERY_KIND, person, AnswerSources(flags=ANSWERS)).plain) == ANSWERS and person.shown == []
    )


def test_a_question_that_does_not_apply_is_left_out() -> None:
    found = collect_answers(EVERY_KIND, AnswerSources(flags=ANSWERS | {"private": "no"}))
    assert "why" not in found.plain
    person = Scripted("n")
    assert "why" not in asked(EVERY_KIND, person, AnswerSources(flags=dict(list(ANSWERS.items())[:-2]))).plain


@pytest.mark.parametrize(
    ("name", "wrong", "says"),
    [
        ("team", "", "an answer is needed"),
        ("remote_url", "ftp://x", "must look like"),
        ("remote_url", "https://user:pw@x", "user name or password"),
        ("token", "changeme", "is an example"),
        ("token", "two words", "not allowed in a header"),
        ("token", "${NOT_SET_HERE}", "the variable NOT_SET_HERE is not set here"),
        ("port", "70000", "from 1 to 65535"),
        ("port", "many", "from 1 to 65535"),
        ("count", "-1", "whole number"),
        ("mode", "medium", "one of fast, slow"),
        ("models", ",", "is an empty list"),
    ],
)
def test_an_invalid_answer_is_explained_and_prompted_again(name: str, wrong: str, says: str) -> None:
    """And a flag with the same answer ends it, with the reason."""
    question = next(one for one in EVERY_KIND if one.name == name)
    question = Question(
        name=name, text=question.text, kind=question.kind, options=question.options, choices=question.choices
    )
    person = Scripted(wrong, ANSWERS[name])
    assert asked([question], person).plain[name] == ANSWERS[name]
    assert any(says in text for text in person.shown)
    if wrong:
        with pytest.raises(InvalidAnswer, match=says) as caught:
            collect_answers([question], AnswerSources(flags={name: wrong}))
        assert wrong not in str(caught.value) or name != "token" or wrong.startswith("$")


def test_all_missing_answers_are_reported_together() -> None:
    with pytest.raises(MissingAnswer) as caught:
        collect_answers(EVERY_KIND, AnswerSources(environment={"KIT_URL": "https://remote.test"}))
    assert [one.name for one in caught.value.questions] == ["team", "token", "mode", "private"]


def test_all_invalid_answers_are_reported_together() -> None:
    with pytest.raises(InvalidAnswer) as caught:
        collect_answers(EVERY_KIND, AnswerSources(flags=ANSWERS | {"port": "x", "count": "y"}))
    assert [text.partition(":")[0] for text in caught.value.problems] == ["Port (--port)", "Count (--count)"]


def test_flags_go_before_the_environment_that_before_the_file_and_a_default_is_last() -> None:
    environment, earlier = {"B_URL": "https://b.test"}, {"url": "https://file.test"}
    for flags, variables, file, winner in (
        ({"url": "https://flag.test"}, environment, earlier, "https://flag.test"),
        ({}, environment, earlier, "https://b.test"),
        ({}, environment | {"A_URL": "https://a.test"}, earlier, "https://a.test"),
        ({}, {}, earlier, "https://file.test"),
        ({}, {}, {}, "https://default.test"),
    ):
        sources = AnswerSources(flags=flags, environment=variables, earlier=file)
        assert collect_answers([URL], sources).plain["url"] == winner


def test_an_edit_prefers_the_configured_answer() -> None:
    sources = AnswerSources(
        environment={"A_URL": "https://a.test"}, earlier={"url": "https://file.test"}, earlier_first=True
    )
    assert collect_answers([URL], sources).plain["url"] == "https://file.test"


def test_a_secret_of_the_environment_is_written_as_a_reference() -> None:
    for found in (
        collect_answers([TOKEN], AnswerSources(environment={"A_TOKEN": SECRET})),
        asked([TOKEN], Scripted(""), AnswerSources(environment={"A_TOKEN": SECRET})),
    ):
        assert found.plain["token"] == SECRET and found.written["token"] == "${A_TOKEN}"
        assert found.secrets([TOKEN]) == (SECRET,)


def test_a_typed_reference_stays_one() -> None:
    found = asked([TOKEN], Scripted("${OTHER}"), AnswerSources(environment={"OTHER": SECRET}))
    assert (found.plain["token"], found.written["token"]) == (SECRET, "${OTHER}")


def test_a_configured_secret_is_kept_and_shown_by_its_ends_alone() -> None:
    person = Scripted("")
    assert asked([TOKEN], person, AnswerSources(earlier={"token": SECRET})).written["token"] == SECRET
    assert "Enter keeps c...c" in person.shown[-1] and SECRET not in "".join(person.shown)


def test_an_unset_reference_is_valid_only_without_a_connection_test() -> None:
    with pytest.raises(InvalidAnswer, match="the variable GONE is not set here"):
        collect_answers([TOKEN], AnswerSources(earlier={"token": "${GONE}"}))
    found = collect_answers([TOKEN], AnswerSources(earlier={"token": "${GONE}"}, unset_allowed=True))
    assert (found.plain["token"], found.written["token"]) == ("", "${GONE}")


def test_each_line_of_standard_input_is_one_secret() -> None:
    more = Question(name="more", text="More", kind="secret")
    left_out = Question(name="none", text="None", kind="secret", when=lambda answers: False)
    found = collect_answers([left_out, TOKEN, more], AnswerSources(stdin=[SECRET, "other-s3cret-0123"]))
    assert dict(found.plain) == {"token": SECRET, "more": "other-s3cret-0123"}


def test_an_invalid_variable_is_explained_and_the_question_prompted() -> None:
    person = Scripted("https://typed.test")
    found = asked([URL], person, AnswerSources(environment={"A_URL": "nonsense"}))
    assert found.plain["url"] == "https://typed.test"
    assert any("not used: A_URL: " in text for text in person.shown)


def test_what_a_server_offers_is_shown_and_need_not_be_taken() -> None:
    models = next(one for one in EVERY_KIND if one.name == "models")
    person = Scripted("three, one")
    found = asked([models], person, offered=[Choice("one"), Choice("two")])
    assert found.plain.words("models") == ("three", "one") and "two" in person.shown


def test_a_dash_clears_what_is_optional() -> None:
    models = next(one for one in EVERY_KIND if one.name == "models")
    assert asked([models], Scripted("-"), AnswerSources(earlier={"models": "one"})).plain["models"] == ""
    with pytest.raises(Aborted):
        asked([EVERY_KIND[1]], Scripted("-"))


def test_a_taken_port_is_only_used_after_a_yes() -> None:
    port = Question(name="port", text="Port", kind="port")
    person = Scripted("4000", "n", "4001")
    assert (
        asked([port], person, taken=4000).plain["port"] == "4001" and "  ! port 4000 is taken" in person.shown
    )
    assert asked([port], Scripted("4000", "y"), taken=4000).plain["port"] == "4000"


@pytest.mark.parametrize("answered", range(len(ANSWERS)))
def test_an_abort_at_any_question_returns_no_answers(answered: int) -> None:
    texts = [text if text != "yes" else "y" for text in ANSWERS.values()]
    with pytest.raises(Aborted):
        asked(EVERY_KIND, Scripted(*texts[:answered]))


def test_a_confirmation_without_a_default_has_to_be_given() -> None:
    private = next(one for one in EVERY_KIND if one.name == "private")
    person = Scripted("", "n")
    assert asked([private], person).plain["private"] == "no" and "answer yes or no" in person.shown
    assert (
        asked([private], Scripted(""), AnswerSources(earlier=Answers({"private": "yes"}))).plain["private"]
        == "yes"
    )


ON_DEMAND = Question(name="ca", text="Authority", required=False, on_demand=True)


def test_a_question_on_demand_is_not_prompted_and_takes_a_flag() -> None:
    person = Scripted()
    assert dict(asked((ON_DEMAND,), person).plain) == {} and person.shown == []
    assert dict(asked((ON_DEMAND,), person, AnswerSources(flags={"ca": "x"})).plain) == {"ca": "x"}
    assert dict(collect_answers((ON_DEMAND,), AnswerSources(earlier={"ca": "x"})).plain) == {"ca": "x"}


def test_choices_that_need_another_answer_prompt_for_it_once() -> None:
    looked: list[str] = []

    def lookup(question: Question, answers: Answers) -> Sequence[Choice]:
        if question.choices is None:
            return ()
        looked.append(answers.text("ca"))
        if answers.text("ca") != "right":
            raise MoreAnswersNeeded("it is not trusted", ("ca",))
        return [Choice("one")]

    models = next(one for one in EVERY_KIND if one.name == "models")
    for typed, calls in (("right", ["", "right"]), ("wrong", ["", "wrong"])):
        looked.clear()
        person = Scripted(typed, "one")
        found = prompt_answers((ON_DEMAND, models), AnswerSources(), person, lookup, lambda *some: None)
        assert dict(found.plain) == {"ca": typed, "models": "one"} and looked == calls
        assert any("it is not trusted" in line for line in person.shown)


def test_only_some_questions_can_be_prompted_again() -> None:
    person = Scripted("https://new.test")
    earlier = {"url": "https://old.test", "token": SECRET}
    found = prompt_answers(
        (URL, TOKEN),
        AnswerSources(earlier=earlier),
        person,
        lambda *some: (),
        lambda *some: None,
        only=("url",),
    )
    assert dict(found.plain) == {"url": "https://new.test", "token": SECRET}


def test_a_text_is_read_as_what_it_stands_for_and_shown() -> None:
    question = Question(name="url", text="URL", variables=("A_URL",), normalize=str.lower)
    person = Scripted("HERE")
    assert asked((question,), person).plain["url"] == "here" and "  read as here" in person.shown
    for sources in (AnswerSources(flags={"url": "HERE"}), AnswerSources(environment={"A_URL": "HERE"})):
        assert collect_answers((question,), sources).plain["url"] == "here"


def test_blanks_are_a_part_of_a_password_and_it_is_written_itself() -> None:
    question = Question(name="p", text="P", kind="text", variables=("A_P",), keeps_blanks=True)
    assert collect_answers((question,), AnswerSources(environment={"A_P": " x "})).plain["p"] == " x "
    secret = Question(name="p", text="P", kind="secret", variables=("A_P",), is_written=True)
    for sources in (
        AnswerSources(environment={"A_P": SECRET}),
        AnswerSources(environment={"A_P": SECRET}, flags={"p": "${A_P}"}),
    ):
        found = collect_answers((secret,), sources)
        assert found.written["p"] == found.plain["p"] == SECRET
