"""Sets a provider up, or removes it: answers, connection test, shown change, confirmation, write; in this order.

The one wizard for all providers: the questions, the test and the change belong to the provider, the answers to
`answers`. Must not write before the change was shown and confirmed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from clawgate.app.gateway_token import close_to_others, storage_problem, token_in, with_token
from clawgate.cli.auth.wizard.answers import (
    AnswerSet,
    AnswerSources,
    InvalidAnswer,
    MissingAnswer,
    MoreAnswersNeeded,
    collect_answers,
    prompt_answers,
)
from clawgate.cli.auth.wizard.config_diff import config_diff
from clawgate.cli.auth.wizard.config_edits import with_provider, without_provider
from clawgate.cli.auth.wizard.prompter import Aborted, Declined, Prompter
from clawgate.cli.auth.wizard.setup_context import Ports, Setup
from clawgate.cli.auth.wizard.targets import ProviderTarget
from clawgate.cli.auth.wizard.write import NothingWritten, write_shown
from clawgate.cli.context import LoadedConfig
from clawgate.plugins.api import PluginError
from clawgate.plugins.api.provider import CheckResult, ConfigChange, TransformsRequests, UpstreamRequest
from clawgate.plugins.api.questions import Answers, Choice, Question
from clawgate.plugins.api.service import FetchFailed
from clawgate.plugins.host.isolation import PluginFailed, reason_of
from clawgate.settings.openclaw.gateway import GatewayFlags, lacks_token
from clawgate.settings.openclaw.update import NEW_FILE, NOT_WRITTEN, WriteResult
from clawgate.settings.problems import SettingsInvalid

CHECK_SECONDS = 30.0
_T = TypeVar("_T")


class SignInFailed(Exception):
    """Nothing was written; the text is the error message of the command."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInOptions:
    """The flags of the command. ``editing``: the configured values precede the environment."""

    flags: Mapping[str, str] = field(default_factory=dict, repr=False)
    stdin: Sequence[str] = field(default=(), repr=False)
    test_connection: bool = True
    set_default: bool = False
    editing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInContext:
    """What the wizard works with. ``prompter`` is None without a terminal or with --yes; ``show`` prints a line.

    ``write`` replaces the config file's text. ``is_hosted``: another gateway has the file, with a token and a default
    model that are its own.
    """

    loaded: LoadedConfig
    prompter: Prompter | None
    show: Callable[[str], None]
    show_diff: Callable[[str], None]
    warn: Callable[[str], None]
    ports: Ports = field(default_factory=Ports)
    write: Callable[..., WriteResult] = write_shown
    is_hosted: bool = False

    @property
    def text(self) -> str:
        return self.loaded.file.text or NEW_FILE

    @property
    def setup(self) -> Setup:
        return Setup(self.loaded.file.environment, self.loaded.file.raw)


@dataclass(frozen=True, slots=True)
class SignInResult:
    """``written`` is None if the config had all of it already; ``references`` are the variables that it refers to.

    ``makes_token``: the gateway had none, and one was written with it.
    """

    provider: str
    change: ConfigChange
    written: WriteResult | None
    is_default: bool
    references: tuple[str, ...]
    makes_token: bool = False


def questions_of(target: ProviderTarget, setup: Setup) -> tuple[Answers, list[Question]]:
    """Return the answers in the config, and the questions. Raises `SignInFailed`."""
    previous = _call(target, lambda: target.provider.previous_answers(setup.config))
    return previous, _call(target, lambda: list(target.provider.questions(previous, setup.environment)))


def sign_in(target: ProviderTarget, options: SignInOptions, context: SignInContext) -> SignInResult:
    """Set the provider up. Raises `SignInFailed`, `Aborted`, or as `collect_answers` does."""
    previous, questions = questions_of(target, context.setup)
    answers = _working_answers(target, questions, previous, options, context)
    name = answers.plain.text("id") or target.provider.id
    written = (
        _call(target, lambda: _direct(target, answers.written)) if context.is_hosted else answers.written
    )
    change = _call(target, lambda: target.provider.config_change(written))
    is_default = _make_default(change, options, context)
    try:
        after = with_provider(context.text, name, change, plugin=target.plugin, default=is_default)
    except NOT_WRITTEN as error:
        raise SignInFailed(str(error)) from error
    token = ""
    if _wants_token(context):
        after = with_token(after)
        token = token_in(after)
    references = tuple(
        text[2:-1]
        for one in questions
        if one.kind == "secret" and (text := answers.written.text(one.name)).startswith("${")
    )
    secrets = [*answers.secrets(questions), *([token] if token else [])]
    result = _confirm_and_write(context, after, secrets, closes_file=bool(token))
    return SignInResult(name, change, result, is_default, tuple(dict.fromkeys(references)), bool(token))


def _direct(target: ProviderTarget, answers: Answers) -> Answers:
    """Return the answers with the ids that the upstream itself knows: the other gateway calls no hook of the plugin."""
    provider = target.provider
    if not isinstance(provider, TransformsRequests):
        return answers
    sent = (provider.transform_request(UpstreamRequest(model=one)).model for one in answers.words("models"))
    return answers.merged({"models": ", ".join(dict.fromkeys(sent))})


def sign_out(provider: str, target: ProviderTarget | None, context: SignInContext) -> WriteResult | None:
    """Remove all that was written for ``provider``; None if there was nothing. Raises `SignInFailed`, `Aborted`."""
    raw = context.loaded.file.raw
    owned = _call(target, lambda: list(target.provider.owned_paths(raw))) if target is not None else []
    try:
        after = without_provider(context.text, provider, owned)
    except NOT_WRITTEN as error:
        raise SignInFailed(str(error)) from error
    return _confirm_and_write(context, after, (), may_shrink=True)


def check_answers(target: ProviderTarget, options: SignInOptions, context: SignInContext) -> None:
    """Raise `InvalidAnswer` or `MissingAnswer` if the flags, the environment and the file do not suffice."""
    previous, questions = questions_of(target, context.setup)
    _call(target, lambda: collect_answers(questions, _sources(options, previous, context.setup)))


def _working_answers(
    target: ProviderTarget,
    questions: Sequence[Question],
    previous: Answers,
    options: SignInOptions,
    context: SignInContext,
) -> AnswerSet:
    """Return answers that pass the connection test, or that the user wants to write anyway."""
    sources = _sources(options, previous, context.setup)
    ports = [previous.text(one.name) for one in questions if one.kind == "port"]
    configured = frozenset(int(text) for text in ports if text.isdecimal())
    context = replace(context, ports=replace(context.ports, configured=configured))
    prompter = context.prompter
    asked: set[str] = set()
    only: tuple[str, ...] | None = None
    while True:
        answers = _get_answers(target, questions, sources, context, only)
        if not options.test_connection:
            return answers
        context.show("Testing the connection...")
        result = _test_connection(target, answers.plain, context.setup)
        context.show(f"  {'ok' if result.ok else 'failed'}: {result.message}")
        if result.ok:
            takes_model = options.set_default or prompter is None
            return _with_only_model(_corrected(answers, result), result, questions, options, takes_model)
        if prompter is None:
            if result.next_step:
                context.show(f"  next: {result.next_step}")
            raise SignInFailed("the connection test failed; to write the answers anyway: --no-check")
        only = tuple(name for name in result.ask if name not in asked) or None
        asked |= set(only or ())
        if only is None:
            if result.next_step:
                context.show(f"  next: {result.next_step}")
            match _next_step(prompter):
                case "write":
                    return answers
                case "stop":
                    raise Declined
        sources = AnswerSources(
            environment=context.setup.environment, earlier=answers.written, earlier_first=True
        )


def _corrected(answers: AnswerSet, result: CheckResult) -> AnswerSet:
    return AnswerSet(answers.plain.merged(result.corrected), answers.written.merged(result.corrected))


def _with_only_model(
    answers: AnswerSet,
    result: CheckResult,
    questions: Sequence[Question],
    options: SignInOptions,
    takes_model: bool,
) -> AnswerSet:
    """Return the answers with the only model that is listed, where none is named and that was not chosen."""
    is_open = any(one.name == "models" for one in questions) and "models" not in options.flags
    if not (takes_model and is_open and len(result.models) == 1) or answers.plain.text("models"):
        return answers
    named = {"models": result.models[0]}
    return AnswerSet(Answers({**answers.plain, **named}), Answers({**answers.written, **named}))


def _get_answers(
    target: ProviderTarget,
    questions: Sequence[Question],
    sources: AnswerSources,
    context: SignInContext,
    only: Sequence[str] | None,
) -> AnswerSet:
    prompter = context.prompter
    if prompter is None:
        answers = _call(target, lambda: collect_answers(questions, sources))
        _warn_of_ports(questions, answers, context)
        return answers
    lookup = _ChoiceLookup(prompter, context.setup)
    answers = _call(
        target,
        lambda: prompt_answers(questions, sources, prompter, lookup.choices, context.ports.note, only=only),
    )
    prompter.show("")
    return answers


def _sources(options: SignInOptions, previous: Answers, setup: Setup) -> AnswerSources:
    return AnswerSources(
        flags=options.flags,
        stdin=options.stdin,
        environment=setup.environment,
        earlier=previous,
        earlier_first=options.editing,
        unset_allowed=not options.test_connection,
    )


def _next_step(prompter: Prompter) -> str:
    steps = {"edit": "change the answers", "write": "write them anyway", "stop": "change nothing"}
    return prompter.choose_one(
        "What now?",
        list(steps.items()),
        "edit",
        lambda text: None if text in steps else f"one of {', '.join(steps)}",
    )


def _warn_of_ports(questions: Sequence[Question], answers: AnswerSet, context: SignInContext) -> None:
    """Warn of ports in use. Without a prompt it stays a warning: the connection test shows what listens there."""
    for question in questions:
        text = answers.plain.text(question.name)
        if (
            question.kind == "port"
            and text
            and (note := context.ports.note(question, int(text), answers.plain))
        ):
            context.warn(f"Warning: {note}")


def _test_connection(target: ProviderTarget, answers: Answers, setup: Setup) -> CheckResult:
    try:
        result: object = _run(target.provider.check_connection(answers, setup))
    except Aborted:
        raise
    except TimeoutError:
        return CheckResult(ok=False, message=f"no response within {CHECK_SECONDS:g} s")
    except (FetchFailed, PluginError, SettingsInvalid) as error:
        return CheckResult(ok=False, message=str(error))
    except Exception as error:  # noqa: BLE001  # the plugin boundary
        return CheckResult(ok=False, message=f"the connection test itself failed: {reason_of(error)}")
    if not isinstance(result, CheckResult):
        return CheckResult(ok=False, message="the connection test returned no result")
    return result


def _run(awaitable: Awaitable[_T]) -> _T:
    """Run to the end. Raises `Aborted` for Ctrl-C, TimeoutError after `CHECK_SECONDS`."""

    async def with_timeout() -> _T:
        return await asyncio.wait_for(awaitable, CHECK_SECONDS)

    try:
        return asyncio.run(with_timeout())
    except KeyboardInterrupt:
        raise Aborted from None


@dataclass(frozen=True, slots=True)
class _ChoiceLookup:
    """Gets the choices of a question from the provider; a failure is shown, and the user types the answer."""

    prompter: Prompter
    setup: Setup

    def choices(self, question: Question, answers: Answers) -> Sequence[Choice]:
        if question.choices is None:
            return ()
        try:
            return list(_run(question.choices(answers, self.setup)))
        except (Aborted, MoreAnswersNeeded):
            raise
        except TimeoutError:
            self.prompter.show(f"  (no choices: no response within {CHECK_SECONDS:g} s)")
        except Exception as error:  # noqa: BLE001  # the plugin boundary
            self.prompter.show(f"  (no choices: {reason_of(error)})")
        return ()


def _call(target: ProviderTarget, call: Callable[[], _T]) -> _T:
    """Call a method of a provider. Raises `SignInFailed` with the plugin's name if the plugin fails."""
    try:
        return call()
    except (Aborted, MissingAnswer, InvalidAnswer):
        raise
    except (PluginFailed, PluginError) as error:
        raise SignInFailed(f"the plugin '{target.plugin}' cannot continue: {error}") from error
    except Exception as error:
        if target.plugin is None:
            raise
        raise SignInFailed(f"the plugin '{target.plugin}' failed: {reason_of(error)}") from error


def _make_default(change: ConfigChange, options: SignInOptions, context: SignInContext) -> bool:
    """Return whether the change's model becomes the default; without one yet that is the answer to Enter."""
    if options.set_default and not change.default_model:
        raise SignInFailed("there is no model to make the default; name one with --models")
    has_default = context.is_hosted or context.loaded.catalog.primary is not None
    if options.set_default or not change.default_model or has_default:
        return options.set_default
    if context.prompter is None:
        return True
    context.prompter.show("")
    return context.prompter.confirm(f"Make {change.default_model} the default model?", default=True)


def _wants_token(context: SignInContext) -> bool:
    """Return whether to make the gateway's token, too; without a prompt its first start does that."""
    file, prompter = context.loaded.file, context.prompter
    if context.is_hosted or prompter is None or not lacks_token(file, GatewayFlags()):
        return False
    if storage_problem(file.path) is not None:
        return False
    prompter.show("")
    return prompter.confirm("Make a token for the clients of the gateway, in the same file?", default=True)


def _confirm_and_write(
    context: SignInContext,
    after: str,
    secrets: Sequence[str],
    *,
    may_shrink: bool = False,
    closes_file: bool = False,
) -> WriteResult | None:
    """Show the change, confirm, write; None if there is no change. Raises `Declined`, `SignInFailed`.

    ``closes_file``: other users must not read the file from now on.
    """
    before, path = context.text, context.loaded.path
    if after == before:
        return None
    context.show("")
    for line in config_diff(path.name, before, after, secrets):
        context.show_diff(line)
    context.show("")
    prompter = context.prompter
    if prompter is not None and not prompter.confirm(f"Write this to {path}?", default=True):
        raise Declined
    try:
        if closes_file:
            close_to_others(path)
        return context.write(path, before, after, may_shrink=may_shrink)
    except NothingWritten as error:
        raise SignInFailed(str(error)) from error
    except OSError as error:
        raise SignInFailed(f"{path}: its mode cannot be changed: {error.strerror}") from error
