"""What is asked of a person who sets a provider up, and what was answered?

Part of `clawgate.plugins.api`. Declarations and text: it knows no terminal. Whoever asks (the wizard, flags, a test)
reads the declarations.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from clawgate.plugins.api.service import SetupContext
from clawgate.settings.secrets import secret_problem
from clawgate.wire.http.url import parse_url

Kind = Literal["text", "secret", "url", "port", "number", "choice", "list", "confirm"]
"""``list`` is a comma list, ``confirm`` is "yes" or "no", ``number`` a whole one, ``port`` one to listen on here."""

_YES = frozenset({"yes", "y", "true", "1", "on"})
_NO = frozenset({"no", "n", "false", "0", "off"})


class Answers(Mapping[str, str]):
    """What was answered, by the name of the question, as a person would type it. ``repr`` shows names alone."""

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
        """The answer without outer blanks; "" where there is none."""
        return self._values.get(name, "").strip()

    def number(self, name: str) -> int:
        """A whole number. Raises ValueError for anything else."""
        return int(self.text(name))

    def words(self, name: str) -> tuple[str, ...]:
        """The parts of a comma list, in their order, each once."""
        return tuple(dict.fromkeys(word for part in self.text(name).split(",") if (word := part.strip())))

    def confirmed(self, name: str) -> bool:
        return self.text(name).lower() in _YES

    def joined(self, more: Mapping[str, str]) -> Answers:
        """These, and ``more`` over them."""
        return Answers(self._values | dict(more))


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several answers: what is stored, and what people read (the value itself, if nothing)."""

    value: str
    label: str = ""


Choices = Callable[[Answers, SetupContext], Awaitable[Sequence[Choice]]]
"""Given the answers so far: what can be chosen. It may ask a server; nothing to choose from: anything may be typed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question, which is also a flag: ``remote_url`` is ``--remote-url`` unless ``flag`` says otherwise.

    ``variables`` are environment variables that answer it, the first that is set wins; ``default`` is offered and
    may be taken with Enter (never shown for a secret). ``check`` gets the text and says what is wrong with it, or
    None; the check of the kind has gone before. ``choices`` offers values for ``choice`` and ``list``; a ``choice``
    may also have a fixed set in ``options``. ``when`` leaves the question out for some answers to those before it.
    """

    name: str
    text: str
    kind: Kind = "text"
    default: str = ""
    help: str = ""
    flag: str = ""
    variables: tuple[str, ...] = ()
    required: bool = True
    check: Callable[[str], str | None] | None = None
    options: tuple[Choice, ...] = ()
    choices: Choices | None = None
    when: Callable[[Answers], bool] | None = None

    @property
    def flag_name(self) -> str:
        return self.flag or "--" + self.name.replace("_", "-")

    def why_not(self, answer: str) -> str | None:
        """What is wrong with ``answer``: not of its kind, or what ``check`` says. No secret is in it."""
        answer = answer.strip()
        if not answer:
            return "an answer is needed" if self.required else None
        return self._why_not_of_kind(answer) or (self.check(answer) if self.check is not None else None)

    def _why_not_of_kind(self, answer: str) -> str | None:
        match self.kind:
            case "secret":
                return secret_problem(answer)
            case "url":
                return _why_no_url(answer)
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
                return None if Answers({"it": answer}).words("it") else "names nothing"
            case "text":
                return None if answer.isprintable() else "holds a character that cannot be printed"
        return None


def _why_no_url(answer: str) -> str | None:
    try:
        parse_url(answer)
    except ValueError as error:
        return f"it {error}"
    return None
