"""Declares the setup questions of a provider and holds their answers.

Part of `clawgate.plugins.api`. Must not use a terminal: the wizard, flags and tests read the declarations.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from clawgate.plugins.api.service import SetupContext
from clawgate.settings.secrets import secret_problem
from clawgate.wire.http.url import parse_url

QuestionKind = Literal["text", "secret", "url", "port", "number", "choice", "list", "confirm"]
"""``list`` is comma-separated, ``confirm`` is "yes" or "no", ``number`` an integer, ``port`` a local TCP port."""

_YES = frozenset({"yes", "y", "true", "1", "on"})
_NO = frozenset({"no", "n", "false", "0", "off"})


class Answers(Mapping[str, str]):
    """Answers as text, by the name of the question. ``repr`` shows the names only."""

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._values = dict(values or {})

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Answers({', '.join(self._values)})"

    def text(self, name: str) -> str:
        """Return the answer without surrounding blanks, or "" if there is none."""
        return self._values.get(name, "").strip()

    def number(self, name: str) -> int:
        """Return the answer as an integer. Raises ValueError for anything else."""
        return int(self.text(name))

    def words(self, name: str) -> tuple[str, ...]:
        """Return the parts of a comma-separated answer, in order and without duplicates."""
        return tuple(dict.fromkeys(word for part in self.text(name).split(",") if (word := part.strip())))

    def confirmed(self, name: str) -> bool:
        return self.text(name).lower() in _YES

    def merged(self, more: Mapping[str, str]) -> Answers:
        return Answers(self._values | dict(more))


@dataclass(frozen=True, slots=True)
class Choice:
    """An option of a question: the stored value and its label (default: the value)."""

    value: str
    label: str = ""


Choices = Callable[[Answers, SetupContext], Awaitable[Sequence[Choice]]]
"""Returns the options for the answers so far. May fetch; with no options any value may be typed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question, which is also a flag: ``remote_url`` is ``--remote-url`` unless ``flag`` is set.

    ``variables`` are environment variables that answer it; the first that is set wins. ``default`` is accepted with
    Enter and is never shown for a secret. ``check`` returns what is wrong with a text, or None; it runs after the check
    of the kind. ``choices`` offers values for ``choice`` and ``list``; ``options`` is a fixed set for ``choice``.
    ``may_listen``: the program that listens on a ``port`` already may be the right one; `check_connection` finds out.
    ``when`` skips the question for some of the earlier answers. ``on_demand``: it is asked only where a connection test
    wants it (`CheckResult.ask`). ``normalize`` returns what a text stands for. ``keeps_blanks``: those around an answer
    are a part of it. ``is_written``: the value itself is written, also where a variable holds it. ``superseded_by`` are
    variables of other questions that, where set, take the place of an earlier answer to this one, but in an edit.
    """

    name: str
    text: str
    kind: QuestionKind = "text"
    default: str = ""
    help: str = ""
    flag: str = ""
    variables: tuple[str, ...] = ()
    required: bool = True
    check: Callable[[str], str | None] | None = None
    options: tuple[Choice, ...] = ()
    choices: Choices | None = None
    may_listen: bool = False
    when: Callable[[Answers], bool] | None = None
    on_demand: bool = False
    normalize: Callable[[str], str] | None = None
    keeps_blanks: bool = False
    is_written: bool = False
    superseded_by: tuple[str, ...] = ()

    @property
    def flag_name(self) -> str:
        return self.flag or "--" + self.name.replace("_", "-")

    def cleaned(self, text: str) -> str:
        """Return the answer that ``text`` stands for."""
        text = text if self.keeps_blanks else text.strip()
        return self.normalize(text) if self.normalize is not None and text else text

    def problem(self, answer: str) -> str | None:
        """Return what is wrong with ``answer``, or None. The text never holds a secret."""
        answer = self.cleaned(answer)
        if not answer:
            return "an answer is needed" if self.required else None
        return self._kind_problem(answer) or (self.check(answer) if self.check is not None else None)

    def _kind_problem(self, answer: str) -> str | None:
        match self.kind:
            case "secret":
                return secret_problem(answer)
            case "url":
                return _url_problem(answer)
            case "port" | "number":
                lowest, highest = (1, 65_535) if self.kind == "port" else (0, 2**53)
                is_number = answer.isascii() and answer.isdigit() and len(answer) < 17
                if not is_number or not lowest <= int(answer) <= highest:
                    return f"must be a whole number from {lowest} to {highest}"
            case "confirm":
                return None if answer.lower() in _YES | _NO else "answer yes or no"
            case "choice":
                values = [option.value for option in self.options]
                return None if not values or answer in values else f"must be one of {', '.join(values)}"
            case "list":
                return None if Answers({"it": answer}).words("it") else "is an empty list"
            case "text":
                return None if answer.isprintable() else "contains a character that cannot be printed"
        return None


def _url_problem(answer: str) -> str | None:
    try:
        parse_url(answer)
    except ValueError as error:
        return str(error)
    return None
