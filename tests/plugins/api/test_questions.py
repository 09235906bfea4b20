"""Questions and answers: text in, and what is wrong with it."""

from __future__ import annotations

import pytest

from clawgate.plugins.api.questions import Answers, Choice, Question, QuestionKind


def test_answers_show_names_and_never_values() -> None:
    answers = Answers({"token": "canary-value"})
    assert repr(answers) == "Answers(token)" and "canary" not in str(answers)


def test_answers_are_read_as_what_they_are() -> None:
    answers = Answers({"port": " 80 ", "models": "a, b,,a", "sure": "Yes"})
    assert answers.number("port") == 80
    assert answers.words("models") == ("a", "b")
    assert answers.confirmed("sure") and not answers.confirmed("nothing")
    assert answers.text("nothing") == "" and answers.words("nothing") == ()
    assert dict(answers.merged({"port": "81"}))["port"] == "81" and answers["port"] == " 80 "


def test_a_question_is_a_flag() -> None:
    assert Question(name="remote_url", text="?").flag_name == "--remote-url"
    assert Question(name="remote_url", text="?", flag="--url").flag_name == "--url"


@pytest.mark.parametrize(
    ("kind", "good", "bad", "says"),
    [
        ("url", "http://127.0.0.1:9/v1", "ftp://x", "must look like"),
        ("secret", "s3cret-value-17", "changeme", "an example"),
        ("port", "18800", "0", "from 1 to 65535"),
        ("port", "65535", "65536", "from 1 to 65535"),
        ("number", "0", "-1", "whole number"),
        ("number", "12", "٣", "whole number"),
        ("number", "12", "9" * 5000, "whole number"),
        ("confirm", "no", "perhaps", "yes or no"),
        ("list", "a, b", " , ", "is an empty list"),
        ("text", "a", "a\x1b[2J", "cannot be printed"),
    ],
)
def test_an_answer_of_the_wrong_kind_is_refused(kind: QuestionKind, good: str, bad: str, says: str) -> None:
    question = Question(name="it", text="?", kind=kind)
    assert question.problem(good) is None
    assert says in str(question.problem(bad))


def test_an_empty_answer_will_do_only_where_none_is_needed() -> None:
    assert Question(name="it", text="?").problem("  ") == "an answer is needed"
    assert Question(name="it", text="?", kind="url", required=False).problem("") is None


def test_a_choice_is_one_of_its_options_where_it_has_any() -> None:
    options = (Choice("a", "The first"), Choice("b"))
    assert Question(name="it", text="?", kind="choice", options=options).problem("c") == "must be one of a, b"
    assert Question(name="it", text="?", kind="choice").problem("c") is None


def test_a_plugins_own_check_comes_after_that_of_the_kind() -> None:
    question = Question(name="it", text="?", kind="port", check=lambda text: f"not {text}")
    assert question.problem("17") == "not 17"
    assert "whole number" in str(question.problem("x"))
