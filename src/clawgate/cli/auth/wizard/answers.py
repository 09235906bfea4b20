"""Finds the answer to each question: from a flag, standard input, the environment, the file, a default, or a prompt.

A secret has two texts: the one that is written (``${NAME}`` if it came from a variable) and the one that it stands for.
Must not know a provider or a file; what contacts a server is passed in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from clawgate.cli.auth.wizard.prompter import NOTHING, Prompter
from clawgate.plugins.api.questions import Answers, Choice, Question
from clawgate.providers.provider import mask

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerSources:
    """Where answers come from. ``flags`` and ``earlier`` by the question's name; ``stdin`` holds secrets, in order.

    ``earlier_first``: the file precedes the environment, as for an edit.
    ``unset_allowed``: a reference to a variable that is not set here is valid, because the connection is not tested.
    """

    flags: Mapping[str, str] = field(default_factory=dict, repr=False)
    stdin: Sequence[str] = field(default=(), repr=False)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    earlier: Mapping[str, str] = field(default_factory=dict, repr=False)
    earlier_first: bool = False
    unset_allowed: bool = False


@dataclass(frozen=True, slots=True)
class AnswerSet:
    """``plain`` is for the connection test, ``written`` for the file; they differ only in references."""

    plain: Answers
    written: Answers

    def secrets(self, questions: Sequence[Question]) -> tuple[str, ...]:
        """Return the texts that must not be printed."""
        return tuple(
            self.plain.text(one.name)
            for one in questions
            if one.kind == "secret" and self.plain.text(one.name)
        )


@dataclass(frozen=True, slots=True)
class _AnswerCandidate:
    """A possible answer. ``origin`` names its source in messages."""

    written: str
    plain: str
    origin: str


class InvalidAnswer(Exception):
    """An answer of a flag, a variable or the file is not valid. Must not hold a secret."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class MissingAnswer(Exception):
    """Required questions have no answer, and there is no terminal to prompt on."""

    def __init__(self, questions: Sequence[Question]) -> None:
        super().__init__(", ".join(question.flag_name for question in questions))
        self.questions = tuple(questions)


class MoreAnswersNeeded(Exception):
    """Choices cannot be looked up before the questions of ``names`` have another answer; the text is the reason."""

    def __init__(self, reason: str, names: Sequence[str]) -> None:
        super().__init__(reason)
        self.names = tuple(names)


PortNote = Callable[[Question, int, Answers], str | None]
"""Returns a warning about a port to listen on, or None."""

ChoiceLookup = Callable[[Question, Answers], Sequence[Choice]]
"""Returns what a question offers to choose from, given the answers so far. May raise `MoreAnswersNeeded`."""


def collect_answers(questions: Sequence[Question], sources: AnswerSources) -> AnswerSet:
    """Answer every question from its best source, without a prompt.

    Raises `InvalidAnswer` with all invalid answers, or `MissingAnswer` with all missing ones.
    """
    plain, written = Answers(), Answers()
    missing, problems = [], []
    provided = _Provided(sources)
    for question in questions:
        if question.when is not None and not question.when(plain):
            continue
        candidate = provided.for_this_run(question) or next(provided.candidates(question), None)
        problem = provided.problem(question, candidate)
        if candidate is None or (problem and not candidate.written):
            if question.required:
                missing.append(question)
        elif problem:
            problems.append(f"{question.text} ({candidate.origin}): {problem}")
        else:
            plain, written = _with(plain, written, question, candidate)
    if problems:
        raise InvalidAnswer(problems)
    if missing:
        raise MissingAnswer(missing)
    return AnswerSet(plain, written)


def prompt_answers(
    questions: Sequence[Question],
    sources: AnswerSources,
    prompter: Prompter,
    lookup: ChoiceLookup,
    port_note: PortNote,
    *,
    only: Collection[str] | None = None,
) -> AnswerSet:
    """Prompt for every answer that no flag gives. Raises `InvalidAnswer` for an invalid flag, `Aborted`.

    ``only``: prompt for the questions of these names, and take what is known for the others.
    """
    return _Conversation(questions, _Provided(sources), prompter, lookup, port_note, only).run()


class _Conversation:
    """The answers that are given one after another."""

    def __init__(
        self,
        questions: Sequence[Question],
        provided: _Provided,
        prompter: Prompter,
        lookup: ChoiceLookup,
        port_note: PortNote,
        only: Collection[str] | None,
    ) -> None:
        self._questions = questions
        self._provided = provided
        self._prompter = prompter
        self._lookup = lookup
        self._port_note = port_note
        self._only = only
        self._plain, self._written = Answers(), Answers()

    def run(self) -> AnswerSet:
        for question in self._questions:
            if self._applies(question):
                self._add(question, self._answer(question))
        return AnswerSet(self._plain, self._written)

    def _applies(self, question: Question) -> bool:
        return question.when is None or question.when(self._plain)

    def _add(self, question: Question, candidate: _AnswerCandidate | None) -> None:
        if candidate is not None:
            self._plain, self._written = _with(self._plain, self._written, question, candidate)

    def _answer(self, question: Question) -> _AnswerCandidate | None:
        candidate = self._provided.for_this_run(question)
        if candidate is not None:
            if problem := self._provided.problem(question, candidate):
                raise InvalidAnswer([f"{question.text} ({candidate.origin}): {problem}"])
            return candidate
        is_silent = question.on_demand if self._only is None else question.name not in self._only
        if is_silent:
            known = (
                one
                for one in self._provided.candidates(question)
                if not self._provided.problem(question, one)
            )
            return next(known, None)
        return self._prompt(question)

    def _prompt(self, question: Question) -> _AnswerCandidate:
        return _QuestionPrompt(question, self._provided, self._prompter, self._choices, self._port_note).run(
            self._plain
        )

    def _choices(self, question: Question, answers: Answers) -> Sequence[Choice]:
        """Look the choices up, with another answer to each question that this needs, once."""
        prompted: set[str] = set()
        while True:
            try:
                return self._lookup(question, self._plain)
            except MoreAnswersNeeded as more:
                self._prompter.show(f"  {more}")
                needed = [
                    one
                    for one in self._questions
                    if one.name in more.names and one.name not in prompted and self._applies(one)
                ]
                if not needed:
                    return ()
                for one in needed:
                    prompted.add(one.name)
                    self._add(one, self._prompt(one))


def _with(
    plain: Answers, written: Answers, question: Question, candidate: _AnswerCandidate
) -> tuple[Answers, Answers]:
    return plain.merged({question.name: candidate.plain}), written.merged({question.name: candidate.written})


class _Provided:
    """The answers that are known without a prompt."""

    def __init__(self, sources: AnswerSources) -> None:
        self._sources = sources
        self._stdin = iter(sources.stdin)

    def for_this_run(self, question: Question) -> _AnswerCandidate | None:
        """Return the answer of a flag or of standard input, of which each line answers one secret question."""
        if question.name in self._sources.flags:
            return self.parse(question, self._sources.flags[question.name], question.flag_name)
        text = next(self._stdin, None) if question.kind == "secret" else None
        return None if text is None else self.parse(question, text, "standard input")

    def candidates(self, question: Question) -> Iterator[_AnswerCandidate]:
        """Yield the answers of the environment, the file and the default, the best first."""
        candidates = [self._variable(question), self._earlier(question)]
        if self._sources.earlier_first:
            candidates.reverse()
        if question.default:
            candidates.append(self.parse(question, question.default, "default"))
        return (one for one in candidates if one is not None)

    def _set_variables(self, names: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Yield those of ``names`` that hold something, with it."""
        for name in names:
            if (value := self._sources.environment.get(name, "")).strip():
                yield name, value

    def _variable(self, question: Question) -> _AnswerCandidate | None:
        name, value = next(self._set_variables(question.variables), ("", ""))
        if not name:
            return None
        is_reference = question.kind == "secret" and not question.is_written
        value = question.cleaned(value)
        return _AnswerCandidate(f"${{{name}}}" if is_reference else value, value, name)

    def _earlier(self, question: Question) -> _AnswerCandidate | None:
        text = self._sources.earlier.get(question.name, "")
        is_edit = self._sources.earlier_first
        if not text or (not is_edit and any(self._set_variables(question.superseded_by))):
            return None
        return self.parse(question, text, "config")

    def parse(self, question: Question, text: str, origin: str) -> _AnswerCandidate:
        """Return the answer that ``text`` is; ``${NAME}`` is resolved for a secret."""
        reference = _REFERENCE.match(text.strip()) if question.kind == "secret" else None
        if reference is None:
            text = question.cleaned(text)
            return _AnswerCandidate(text, text, origin)
        value = self._sources.environment.get(reference[1], "")
        return _AnswerCandidate(value if question.is_written and value else reference[0], value, origin)

    def problem(self, question: Question, candidate: _AnswerCandidate | None) -> str | None:
        if candidate is None:
            return question.problem("")
        if candidate.written != candidate.plain and not candidate.plain:
            name = candidate.written[2:-1]
            return None if self._sources.unset_allowed else f"the variable {name} is not set here"
        return question.problem(candidate.plain)


@dataclass(frozen=True, slots=True)
class _QuestionPrompt:
    _question: Question
    _provided: _Provided
    _prompter: Prompter
    _lookup: ChoiceLookup
    _port_note: PortNote

    def run(self, answers: Answers) -> _AnswerCandidate:
        """Prompt until the answer is valid; ``answers`` are those to the questions before it."""
        question = self._question
        self._prompter.show("")
        if question.help:
            self._prompter.show(question.help)
        candidate = self._first_valid()
        match question.kind:
            case "secret":
                return self._secret(candidate)
            case "confirm":
                default = Answers({"_": candidate.plain}).confirmed("_") if candidate else None
                text = "yes" if self._prompter.confirm(question.text, default) else "no"
            case "choice" | "list":
                text = self._choice(candidate, answers)
            case "port":
                text = self._port(candidate, answers)
            case _:
                default_text = candidate.plain if candidate else ""
                text = self._prompter.ask_text(question.text, default_text, self._problem)
                if (meant := question.cleaned(text)) != text and text != NOTHING:
                    self._prompter.show(f"  read as {meant}")
        return self._typed(text)

    def _first_valid(self) -> _AnswerCandidate | None:
        """Return the best valid candidate, and show why a better one is not used."""
        for candidate in self._provided.candidates(self._question):
            problem = self._provided.problem(self._question, candidate)
            if problem is None:
                return candidate
            self._prompter.show(f"  (not used: {candidate.origin}: {problem})")
        return None

    def _problem(self, text: str) -> str | None:
        return self._question.problem(self._cleared(text))

    def _cleared(self, text: str) -> str:
        return "" if text == NOTHING and not self._question.required else text

    def _secret(self, candidate: _AnswerCandidate | None) -> _AnswerCandidate:
        question, on_enter = self._question, ""
        if candidate is not None:
            if candidate.written == candidate.plain:
                on_enter = f" [Enter keeps {mask(candidate.plain)}]"
            else:
                value = mask(candidate.plain) if candidate.plain else "?"
                self._prompter.show(f"  {candidate.written[2:-1]} is set ({value}).")
                on_enter = f" [Enter writes the reference {candidate.written}]"

        def problem(text: str) -> str | None:
            if not text and candidate is not None:
                return None
            return self._provided.problem(question, self._typed(text))

        text = self._prompter.ask_secret(f"{question.text} (not shown){on_enter}", problem)
        return candidate if not text and candidate is not None else self._typed(text)

    def _typed(self, text: str) -> _AnswerCandidate:
        return self._provided.parse(self._question, self._cleared(text), "typed")

    def _choice(self, candidate: _AnswerCandidate | None, answers: Answers) -> str:
        question = self._question
        options = (*question.options, *self._lookup(question, answers))
        choices = list({one.value: one.label for one in options}.items())
        default = candidate.plain if candidate else ""
        if question.kind == "list":
            return self._prompter.choose_many(question.text, choices, default, self._problem)
        return self._prompter.choose_one(question.text, choices, default, self._problem)

    def _port(self, candidate: _AnswerCandidate | None, answers: Answers) -> str:
        default = candidate.plain if candidate else ""
        while True:
            text = self._prompter.ask_text(self._question.text, default, self._problem)
            note = self._port_note(self._question, int(text), answers) if text.isdigit() else None
            if note is None:
                return text
            self._prompter.show(f"  ! {note}")
            if self._prompter.confirm("Use it anyway?", default=False):
                return text
