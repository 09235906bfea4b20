"""How is a provider set up, or taken away? Asked, tried, shown, agreed to, written; before that nothing happens.

The one wizard for all providers. What is asked, tried and written is the provider's; who answers is `answering`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from clawgate.cli.auth.wizard.answers import (
    AnswerSet,
    AnswerSources,
    InvalidAnswer,
    MissingAnswer,
    by_asking,
    without_asking,
)
from clawgate.cli.auth.wizard.config_diff import config_diff
from clawgate.cli.auth.wizard.config_edits import with_provider, without_provider
from clawgate.cli.auth.wizard.prompter import Aborted, Declined, Prompter
from clawgate.cli.auth.wizard.setup_context import Ports, Setup
from clawgate.cli.auth.wizard.targets import ProviderTarget
from clawgate.cli.auth.wizard.write import NothingWritten, write_shown
from clawgate.cli.context import LoadedConfig
from clawgate.plugins.api import PluginError
from clawgate.plugins.api.provider import CheckResult, ConfigChange
from clawgate.plugins.api.questions import Answers, Choice, Question
from clawgate.plugins.api.service import FetchFailed
from clawgate.plugins.host.isolation import PluginFailed, reason_of
from clawgate.settings.json5.edit import EditNotSupported, EditVerificationFailed
from clawgate.settings.json5.source_map import InvalidJson5
from clawgate.settings.openclaw.update import NEW_FILE, WriteResult

CHECK_SECONDS = 30.0
_T = TypeVar("_T")


class SignInFailed(Exception):
    """The command ends with status 1 and this text; the file is as it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInOptions:
    """What the command line says. ``editing``: what is configured goes before the environment."""

    flags: Mapping[str, str] = field(default_factory=dict, repr=False)
    stdin: Sequence[str] = field(default=(), repr=False)
    try_first: bool = True
    default: bool = False
    editing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInContext:
    """Where the work is done. ``asker`` is None where nobody can or shall be asked; ``show`` prints one line."""

    known: LoadedConfig
    asker: Prompter | None
    show: Callable[[str], None]
    show_diff: Callable[[str], None]
    warn: Callable[[str], None]
    ports: Ports = field(default_factory=Ports)

    @property
    def text(self) -> str:
        """The file as it was read."""
        return self.known.file.text or NEW_FILE


@dataclass(frozen=True, slots=True)
class SignInResult:
    """``written`` is None where the config said all of it before. ``secrets`` may not be shown."""

    provider: str
    change: ConfigChange
    written: WriteResult | None
    default: bool
    references: tuple[str, ...]


def questions_of(subject: ProviderTarget, setup: Setup) -> tuple[Answers, list[Question]]:
    """What is answered already, and what there is to ask."""
    previous = _called(subject, lambda: subject.provider.previous_answers(setup.config))
    return previous, _called(subject, lambda: list(subject.provider.questions(previous, setup.environment)))


def sign_in(subject: ProviderTarget, wishes: SignInOptions, desk: SignInContext) -> SignInResult:
    """Raises `SignInFailed`, `Aborted`, or as `without_asking` does."""
    setup = Setup(desk.known.file.environment, desk.known.file.raw)
    previous, questions = questions_of(subject, setup)
    answered = _right_answers(subject, questions, previous, wishes, desk, setup)
    name = answered.plain.text("id") or subject.provider.id
    change = _called(subject, lambda: subject.provider.config_change(answered.written))
    default = _wants_default(change, wishes, desk)
    try:
        after = with_provider(desk.text, name, change, plugin=subject.plugin, default=default)
    except (EditNotSupported, EditVerificationFailed, InvalidJson5) as error:
        raise SignInFailed(str(error)) from error
    references = tuple(
        text[2:-1]
        for one in questions
        if one.kind == "secret" and (text := answered.written.text(one.name)).startswith("${")
    )
    written = _agreed(desk, after, answered.secrets(questions))
    return SignInResult(name, change, written, default, tuple(dict.fromkeys(references)))


def sign_out(provider: str, subject: ProviderTarget | None, desk: SignInContext) -> WriteResult | None:
    """Take away all that was written for ``provider``; None where nothing was. Raises `SignInFailed`, `Aborted`."""
    raw = desk.known.file.raw
    owned = _called(subject, lambda: list(subject.provider.owned_paths(raw))) if subject is not None else []
    try:
        after = without_provider(desk.text, provider, owned)
    except (EditNotSupported, EditVerificationFailed, InvalidJson5) as error:
        raise SignInFailed(str(error)) from error
    return _agreed(desk, after, (), may_shrink=True)


def _right_answers(
    subject: ProviderTarget,
    questions: Sequence[Question],
    previous: Answers,
    wishes: SignInOptions,
    desk: SignInContext,
    setup: Setup,
) -> AnswerSet:
    """Answers that work, or that are to be written all the same."""
    sources = _sources(wishes, previous, setup)
    before = [previous.text(one.name) for one in questions if one.kind == "port"]
    known = frozenset(int(text) for text in before if text.isdecimal())
    desk = replace(desk, ports=replace(desk.ports, configured=known))
    asker = desk.asker
    while True:
        answered = _answered(subject, questions, sources, desk, setup)
        if not wishes.try_first:
            return answered
        desk.show("Trying the connection...")
        found = _tried(subject, answered.plain, setup)
        desk.show(f"  {'ok' if found.ok else 'failed'}: {found.message}")
        if found.ok:
            return answered
        if found.next_step:
            desk.show(f"  next: {found.next_step}")
        if asker is None:
            raise SignInFailed("the connection does not work; to write the answers all the same: --no-check")
        match _what_now(asker):
            case "write":
                return answered
            case "stop":
                raise Declined
        sources = AnswerSources(environment=setup.environment, earlier=answered.written, earlier_first=True)


def _answered(
    subject: ProviderTarget,
    questions: Sequence[Question],
    sources: AnswerSources,
    desk: SignInContext,
    setup: Setup,
) -> AnswerSet:
    asker = desk.asker
    if asker is None:
        answered = _called(subject, lambda: without_asking(questions, sources))
        _tell_of_ports(questions, answered, desk)
        return answered
    offered = _Offered(asker, setup)
    answered = _called(
        subject, lambda: by_asking(questions, sources, asker, offered.choices, desk.ports.note)
    )
    asker.say("")
    return answered


def ask_for_answers(subject: ProviderTarget, wishes: SignInOptions, desk: SignInContext) -> None:
    """Raise `InvalidAnswer` or `MissingAnswer` unless all could be done without asking."""
    setup = Setup(desk.known.file.environment, desk.known.file.raw)
    previous, questions = questions_of(subject, setup)
    _called(subject, lambda: without_asking(questions, _sources(wishes, previous, setup)))


def _sources(wishes: SignInOptions, previous: Answers, setup: Setup) -> AnswerSources:
    return AnswerSources(
        flags=wishes.flags,
        stdin=wishes.stdin,
        environment=setup.environment,
        earlier=previous,
        earlier_first=wishes.editing,
        unset_allowed=not wishes.try_first,
    )


def _what_now(asker: Prompter) -> str:
    ways = {"edit": "change the answers", "write": "write them all the same", "stop": "change nothing"}
    return asker.one_of(
        "What now?",
        list(ways.items()),
        "edit",
        lambda text: None if text in ways else f"one of {', '.join(ways)}",
    )


def _tell_of_ports(questions: Sequence[Question], answered: AnswerSet, desk: SignInContext) -> None:
    """Nobody can be asked; whether what listens there is what is meant, the check finds out."""
    for question in questions:
        text = answered.plain.text(question.name)
        if question.kind == "port" and text and (note := desk.ports.note(int(text), answered.plain)):
            desk.warn(f"Warning: {note}")


def _tried(subject: ProviderTarget, answers: Answers, setup: Setup) -> CheckResult:
    try:
        found: object = _awaited(subject.provider.check_connection(answers, setup))
    except Aborted:
        raise
    except TimeoutError:
        return CheckResult(ok=False, message=f"it did not answer within {CHECK_SECONDS:g} s")
    except (FetchFailed, PluginError) as error:
        return CheckResult(ok=False, message=str(error))
    except Exception as error:  # noqa: BLE001  # the plugin boundary
        return CheckResult(ok=False, message=f"the check itself failed: {reason_of(error)}")
    return (
        found if isinstance(found, CheckResult) else CheckResult(ok=False, message="the check said nothing")
    )


def _awaited(waits: Awaitable[_T]) -> _T:
    """Raises `Aborted` for Ctrl-C."""

    async def within() -> _T:
        return await asyncio.wait_for(waits, CHECK_SECONDS)

    try:
        return asyncio.run(within())
    except KeyboardInterrupt:
        raise Aborted from None


@dataclass(frozen=True, slots=True)
class _Offered:
    """Asks for what can be chosen; that it cannot be told is no reason to stop."""

    asker: Prompter
    setup: Setup

    def choices(self, question: Question, answers: Answers) -> Sequence[Choice]:
        if question.choices is None:
            return ()
        try:
            return list(_awaited(question.choices(answers, self.setup)))
        except Aborted:
            raise
        except TimeoutError:
            self.asker.say("  (nothing to choose from: it took too long)")
        except Exception as error:  # noqa: BLE001  # the plugin boundary
            self.asker.say(f"  (nothing to choose from: {reason_of(error)})")
        return ()


def _called(subject: ProviderTarget, call: Callable[[], _T]) -> _T:
    """What a provider returns; a plugin that fails is told by name."""
    try:
        return call()
    except (Aborted, MissingAnswer, InvalidAnswer):
        raise
    except (PluginFailed, PluginError) as error:
        raise SignInFailed(f"the plugin '{subject.plugin}' cannot go on: {error}") from error
    except Exception as error:
        if subject.plugin is None:
            raise
        raise SignInFailed(f"the plugin '{subject.plugin}' failed: {reason_of(error)}") from error


def _wants_default(change: ConfigChange, wishes: SignInOptions, desk: SignInContext) -> bool:
    if wishes.default and not change.default_model:
        raise SignInFailed("there is no model that could become the default: name one with --models")
    if wishes.default or desk.asker is None or not change.default_model:
        return wishes.default
    if desk.known.catalog.primary is not None:
        return False
    desk.asker.say("")
    return desk.asker.yes(f"Make {change.default_model} the model that answers by default?", offered=True)


def _agreed(
    desk: SignInContext, after: str, secrets: Sequence[str], *, may_shrink: bool = False
) -> WriteResult | None:
    """Show the change, ask, write; None where there is none."""
    before, path = desk.text, desk.known.path
    if after == before:
        return None
    desk.show("")
    for line in config_diff(path.name, before, after, secrets):
        desk.show_diff(line)
    desk.show("")
    if desk.asker is not None and not desk.asker.yes(f"Write this to {path}?", offered=True):
        raise Declined
    try:
        return write_shown(path, before, after, may_shrink=may_shrink)
    except NothingWritten as error:
        raise SignInFailed(str(error)) from error
