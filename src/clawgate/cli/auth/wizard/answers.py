"""Which answer does a question get: from a flag, the environment, the file, a default, or a person?

Secrets have two texts: the one that is written (``${NAME}`` where it came from a variable) and the one that it stands
for. Knows no provider and no file; what asks a server is passed in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from clawgate.cli.auth.wizard.prompter import NOTHING, Prompter
from clawgate.plugins.api.questions import Answers, Choice, Question
from clawgate.providers.provider import mask

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerSources:
    """Where answers come from. ``flags`` and ``earlier`` by the question's name; ``stdin`` are secrets, in order.

    ``earlier_first``: what the file says goes before the environment, as when something is edited.
    ``unset_allowed``: a reference to a variable that is not set here may stay: nobody is going to try it.
    """

    flags: Mapping[str, str] = field(default_factory=dict, repr=False)
    stdin: Sequence[str] = field(default=(), repr=False)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    earlier: Mapping[str, str] = field(default_factory=dict, repr=False)
    earlier_first: bool = False
    unset_allowed: bool = False


@dataclass(frozen=True, slots=True)
class AnswerSet:
    """``plain`` is what to try the connection with, ``written`` what to write; they differ in references alone."""

    plain: Answers
    written: Answers

    def secrets(self, questions: Sequence[Question]) -> tuple[str, ...]:
        """What may not be shown."""
        return tuple(
            self.plain.text(one.name)
            for one in questions
            if one.kind == "secret" and self.plain.text(one.name)
        )


@dataclass(frozen=True, slots=True)
class _AnswerCandidate:
    """An answer that nobody has given yet. ``origin`` says where it is from, for people."""

    written: str
    plain: str
    origin: str


class InvalidAnswer(Exception):
    """A flag, a variable or the file answers a question with what it does not take. Never holds a secret."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class MissingAnswer(Exception):
    """Nobody can be asked, and these are needed."""

    def __init__(self, questions: Sequence[Question]) -> None:
        super().__init__(", ".join(question.flag_name for question in questions))
        self.questions = tuple(questions)


PortNote = Callable[[int, Answers], str | None]
"""What there is to say about a port that would be listened on."""

AnswerCandidate = Callable[[Question, Answers], Sequence[Choice]]
"""What can be chosen for a question, given the answers so far."""


def without_asking(questions: Sequence[Question], sources: AnswerSources) -> AnswerSet:
    """Every answer from its best source; raises `InvalidAnswer` or `MissingAnswer` with all of them."""
    plain, written = Answers(), Answers()
    missing, problems = [], []
    given = _Provided(sources)
    for question in questions:
        if question.when is not None and not question.when(plain):
            continue
        offer = given.flag(question) or next(given.offers(question), None)
        problem = given.problem(question, offer)
        if offer is None or (problem and not offer.written):
            if question.required:
                missing.append(question)
        elif problem:
            problems.append(f"{question.text} ({offer.origin}): {problem}")
        else:
            plain, written = _with(plain, written, question, offer)
    if problems:
        raise InvalidAnswer(problems)
    if missing:
        raise MissingAnswer(missing)
    return AnswerSet(plain, written)


def by_asking(
    questions: Sequence[Question],
    sources: AnswerSources,
    asker: Prompter,
    offered: AnswerCandidate,
    port_note: PortNote,
) -> AnswerSet:
    """Ask for all that no flag says. Raises `InvalidAnswer` for a flag that is wrong, `Abandoned`."""
    plain, written = Answers(), Answers()
    given = _Provided(sources)
    for question in questions:
        if question.when is not None and not question.when(plain):
            continue
        offer = given.flag(question)
        if offer is not None:
            if problem := given.problem(question, offer):
                raise InvalidAnswer([f"{question.text} ({offer.origin}): {problem}"])
        else:
            offer = _Asking(question, given, asker, offered, port_note).ask(plain)
        plain, written = _with(plain, written, question, offer)
    return AnswerSet(plain, written)


def _with(
    plain: Answers, written: Answers, question: Question, offer: _AnswerCandidate
) -> tuple[Answers, Answers]:
    return plain.merged({question.name: offer.plain}), written.merged({question.name: offer.written})


class _Provided:
    """What is known before anybody is asked."""

    def __init__(self, sources: AnswerSources) -> None:
        self._sources = sources
        self._stdin = iter(sources.stdin)

    def flag(self, question: Question) -> _AnswerCandidate | None:
        """What was given for this very run. Each secret of standard input answers one question."""
        if question.name in self._sources.flags:
            return self.read(question, self._sources.flags[question.name], question.flag_name)
        text = next(self._stdin, None) if question.kind == "secret" else None
        return None if text is None else self.read(question, text, "standard input")

    def offers(self, question: Question) -> Iterator[_AnswerCandidate]:
        """What else could be the answer, the best first."""
        found = [self._variable(question), self._earlier(question)]
        if self._sources.earlier_first:
            found.reverse()
        if question.default:
            found.append(self.read(question, question.default, "offered"))
        return (offer for offer in found if offer is not None)

    def _variable(self, question: Question) -> _AnswerCandidate | None:
        for name in question.variables:
            if value := self._sources.environment.get(name, "").strip():
                written = f"${{{name}}}" if question.kind == "secret" else value
                return _AnswerCandidate(written, value, name)
        return None

    def _earlier(self, question: Question) -> _AnswerCandidate | None:
        text = self._sources.earlier.get(question.name, "")
        return self.read(question, text, "configured") if text else None

    def read(self, question: Question, text: str, origin: str) -> _AnswerCandidate:
        """A text as somebody gave it; of a reference, what it stands for."""
        text = text.strip()
        reference = _REFERENCE.match(text) if question.kind == "secret" else None
        if reference is None:
            return _AnswerCandidate(text, text, origin)
        return _AnswerCandidate(text, self._sources.environment.get(reference[1], ""), origin)

    def problem(self, question: Question, offer: _AnswerCandidate | None) -> str | None:
        if offer is None:
            return "an answer is needed" if question.required else None
        if offer.written != offer.plain and not offer.plain:
            name = offer.written[2:-1]
            return None if self._sources.unset_allowed else f"the variable {name} is not set here"
        return question.problem(offer.plain)


class _Asking:
    """One question, put to a person."""

    def __init__(
        self,
        question: Question,
        given: _Provided,
        asker: Prompter,
        offered: AnswerCandidate,
        port_note: PortNote,
    ) -> None:
        self._question = question
        self._given = given
        self._asker = asker
        self._offered = offered
        self._port_note = port_note

    def ask(self, answers: Answers) -> _AnswerCandidate:
        question = self._question
        self._asker.say("")
        if question.help:
            self._asker.say(question.help)
        offer = self._first_right()
        match question.kind:
            case "secret":
                return self._secret(offer)
            case "confirm":
                default = Answers({"it": offer.plain}).confirmed("it") if offer else None
                text = "yes" if self._asker.yes(question.text, default) else "no"
            case "choice" | "list":
                text = self._chosen(offer, answers)
            case "port":
                text = self._port(offer, answers)
            case _:
                text = self._asker.line(question.text, offer.plain if offer else "", self._why_not)
        return _AnswerCandidate(self._cleared(text), self._cleared(text), "typed")

    def _first_right(self) -> _AnswerCandidate | None:
        """The best offer that the question takes; what is wrong with a better one is told."""
        for offer in self._given.offers(self._question):
            problem = self._given.problem(self._question, offer)
            if problem is None:
                return offer
            self._asker.say(f"  (not used: {offer.origin}: {problem})")
        return None

    def _why_not(self, text: str) -> str | None:
        return self._question.problem(self._cleared(text))

    def _cleared(self, text: str) -> str:
        return "" if text == NOTHING and not self._question.required else text

    def _secret(self, offer: _AnswerCandidate | None) -> _AnswerCandidate:
        question, taken = self._question, ""
        if offer is not None:
            if offer.written == offer.plain:
                taken = f" [Enter keeps {mask(offer.plain)}]"
            else:
                self._asker.say(
                    f"  {offer.written[2:-1]} is set ({mask(offer.plain) if offer.plain else '?'})."
                )
                taken = f" [Enter writes the reference {offer.written}]"

        def why_not(text: str) -> str | None:
            if not text and offer is not None:
                return None
            read = self._given.read(question, self._cleared(text), "typed")
            return self._given.problem(question, read)

        text = self._asker.secret(f"{question.text} (not shown){taken}", why_not)
        if not text and offer is not None:
            return offer
        return self._given.read(question, self._cleared(text), "typed")

    def _chosen(self, offer: _AnswerCandidate | None, answers: Answers) -> str:
        question = self._question
        found = [(one.value, one.label) for one in (*question.options, *self._offered(question, answers))]
        choices = list(dict(found).items())
        shown = offer.plain if offer else ""
        if question.kind == "list":
            return self._asker.some_of(question.text, choices, shown, self._why_not)
        return self._asker.one_of(question.text, choices, shown, self._why_not)

    def _port(self, offer: _AnswerCandidate | None, answers: Answers) -> str:
        shown = offer.plain if offer else ""
        while True:
            text = self._asker.line(self._question.text, shown, self._why_not)
            note = self._port_note(int(text), answers) if text.isdigit() else None
            if note is None:
                return text
            self._asker.say(f"  ! {note}")
            if self._asker.yes("Use it all the same?", offered=False):
                return text
